import pytest

from moorage.core.errors import IdentityInputInvalid, IdentityLimitExceeded
from moorage.core.identity_tags import plan_tags, plan_untag, requested, tagged


def test_a_tag_takes_the_place_of_one_whose_key_differs_at_most_in_case() -> None:
    assert plan_tags({"Team": "a", "stage": "x"}, [("team", "b")]) == {"stage": "x", "team": "b"}


def test_tags_are_taken_whatever_the_case_of_their_keys() -> None:
    assert plan_untag({"Team": "a", "stage": "x"}, ["TEAM", "other"]) == {"stage": "x"}


def test_a_key_that_is_given_twice_is_refused() -> None:
    with pytest.raises(IdentityInputInvalid, match=r"^Duplicate tag keys found"):
        plan_tags({}, [("team", "a"), ("TEAM", "b")])


def test_keys_of_aws_are_reserved() -> None:
    with pytest.raises(IdentityInputInvalid, match=r"^aws: prefixed"):
        plan_tags({}, [("AWS:team", "a")])


def test_there_are_fifty_tags_at_most() -> None:
    fifty = {f"k{number}": "v" for number in range(50)}

    assert plan_tags(fifty, [("K1", "w")])["K1"] == "w"
    with pytest.raises(IdentityLimitExceeded):
        plan_tags(fifty, [("one more", "")])


def test_conditions_see_what_is_asked_for_and_what_is_there() -> None:
    assert requested([("Team", "a")]) == {"aws:requesttag/team": "a", "aws:tagkeys": ["Team"]}
    assert requested([]) == {}
    assert tagged({"Team": "a"}) == {"aws:resourcetag/team": "a", "iam:resourcetag/team": "a"}

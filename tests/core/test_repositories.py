import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import InvalidParameter, InvalidTagParameter, TooManyTags
from moorage.core.names import Tag
from moorage.core.repositories import MAX_RESOURCE_TAGS, Mutability, resource_tags, tag_mutability, with_tags
from tests.core.reference_access import wildcard

EXCLUDING = [Mutability.IMMUTABLE_WITH_EXCLUSION, Mutability.MUTABLE_WITH_EXCLUSION]
PLAIN = [Mutability.IMMUTABLE, Mutability.MUTABLE]


@pytest.mark.parametrize(
    ("mode", "latest", "dev", "release"),
    [
        (Mutability.MUTABLE, True, True, True),
        (Mutability.IMMUTABLE, False, False, False),
        (Mutability.IMMUTABLE_WITH_EXCLUSION, True, True, False),
        (Mutability.MUTABLE_WITH_EXCLUSION, False, False, True),
    ],
)
def test_a_tag_may_move_where_mode_and_filters_say_so(mode: Mutability, latest: bool, dev: bool, release: bool) -> None:  # noqa: FBT001 - a table's columns
    setting = tag_mutability(mode, ("latest", "dev-*") if mode in EXCLUDING else ())

    assert setting.may_move(Tag("latest")) is latest
    assert setting.may_move(Tag("dev-1")) is dev
    assert setting.may_move(Tag("1.0")) is release


@given(
    st.lists(st.text("ab.*", min_size=1, max_size=6), min_size=1, max_size=5), st.text("ab.", min_size=1, max_size=8)
)
def test_filters_match_as_a_naive_reading_of_them_does(filters: list[str], tag: str) -> None:
    kept = tuple(each for each in filters if each.count("*") <= 2)
    excluded = any(wildcard(each, tag) for each in kept)

    for mode in EXCLUDING if kept else []:
        assert tag_mutability(mode, kept).may_move(Tag(tag)) is (
            excluded != (mode == Mutability.MUTABLE_WITH_EXCLUSION)
        )


@pytest.mark.parametrize("mode", EXCLUDING)
def test_a_mode_with_exclusions_needs_filters(mode: Mutability) -> None:
    with pytest.raises(InvalidParameter, match="can't be null"):
        tag_mutability(mode, ())


@pytest.mark.parametrize("mode", PLAIN)
def test_a_mode_without_exclusions_takes_no_filters(mode: Mutability) -> None:
    with pytest.raises(InvalidParameter, match="are not allowed"):
        tag_mutability(mode, ("latest",))


def test_a_filter_has_at_most_two_wildcards() -> None:
    assert tag_mutability(EXCLUDING[0], ("*a*",)).exclusions == ("*a*",)
    with pytest.raises(InvalidParameter, match="at most two wildcards"):
        tag_mutability(EXCLUDING[0], ("latest", "*a*b*"))


# --- resource tags ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [("team", "blue"), ("k" * 128, "v" * 256), ("a", ""), ("Größe", "très grand"), ("a b+-=._:/@", "+ - = . _ : / @")],
)
def test_a_tag_of_awss_letters_is_kept_as_it_is(key: str, value: str) -> None:
    assert resource_tags([(key, value)]) == {key: value}


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("", "v", "length between 1 and 128"),
        ("k" * 129, "v", "length between 1 and 128"),
        ("k", "v" * 257, "less than or equal to 256"),
        ("k!", "v", "may contain"),
        ("k", "v;", "may contain"),
        ("k\0", "v", "may contain"),
        ("aws:k", "v", "must not start"),
        ("AWS:k", "v", "must not start"),
        ("k", "aws:v", "must not start"),
    ],
)
def test_any_other_tag_is_refused_with_the_rule_it_breaks(key: str, value: str, sentence: str) -> None:
    with pytest.raises(InvalidTagParameter, match=sentence):
        resource_tags([(key, value)])


def test_a_key_given_twice_is_refused() -> None:
    for again in ("a", "A"):
        with pytest.raises(InvalidTagParameter, match=f"Duplicate tag key '{again}'"):
            resource_tags([("a", "1"), ("b", "2"), (again, "1")])


def test_new_tags_lie_over_old_ones() -> None:
    assert with_tags("arn", {"a": "1", "b": "2"}, {"b": "3", "c": ""}) == {"a": "1", "b": "3", "c": ""}


def test_a_repository_has_fifty_tags_and_no_more() -> None:
    full = {str(number): "" for number in range(MAX_RESOURCE_TAGS)}

    assert with_tags("arn", full, {"0": "again"})["0"] == "again"
    with pytest.raises(TooManyTags, match="'50'"):
        with_tags("arn", full, {"one more": ""})

"""The least policy allows what was used, and nothing else."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from moorage.core.access import AccessRequest, Names, Policies, decide, parse_policy
from moorage.core.usage import Used, least_policy

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SINCE = NOW - timedelta(days=90)
ANN = "arn:aws:iam::111122223333:user/ann"
HERE = "arn:aws:ecr:us-east-1:111122223333:repository/"
LOGIN = ("ecr:GetAuthorizationToken", "*")


def used(action: str, resource: str, allowed: datetime | None = NOW, denied: datetime | None = None) -> Used:
    return Used(principal=ANN, action=action, resource=resource, allowed_at=allowed, denied_at=denied)


def allows(policy: str, action: str, resource: str) -> bool:
    request = AccessRequest(Names(ANN, "111122223333"), action, resource, "111122223333", {})
    return decide(request, Policies(identity=[parse_policy(policy)])).allowed


def test_actions_on_the_same_resources_are_one_statement() -> None:
    pushed = [used(f"ecr:{action}", HERE + name) for action in ("PutImage", "InitiateLayerUpload") for name in "ba"]
    policy = least_policy([*pushed, used(*LOGIN), used("ecr:BatchGetImage", HERE + "a")], SINCE)

    assert policy
    assert json.loads(policy) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
            {"Effect": "Allow", "Action": ["ecr:BatchGetImage"], "Resource": [HERE + "a"]},
            {
                "Effect": "Allow",
                "Action": ["ecr:InitiateLayerUpload", "ecr:PutImage"],
                "Resource": [HERE + "a", HERE + "b"],
            },
        ],
    }


def test_what_was_only_denied_or_long_ago_is_not_proposed() -> None:
    before = SINCE - timedelta(seconds=1)

    assert (
        least_policy([used("ecr:PutImage", HERE + "a", None, NOW), used("ecr:PutImage", HERE + "b", before)], SINCE)
        is None
    )


def test_the_characters_of_patterns_in_a_name_stand_for_themselves() -> None:
    strange = "arn:aws:iam::111122223333:user/a*b/$c?/${d}"
    policy = least_policy([used("iam:GetUser", strange)], SINCE)

    assert policy
    assert allows(policy, "iam:GetUser", strange)
    assert not allows(policy, "iam:GetUser", strange.replace("*", "x"))
    assert not allows(policy, "iam:GetUser", strange.replace("?", "x"))


def test_what_has_no_arn_is_any_resource_and_a_list_of_repositories_is_asked_of_all() -> None:
    everywhere = HERE + "*"
    policy = least_policy(
        [used("iam:ListPolicies", "policy path /"), used("ecr:DescribeRepositories", everywhere)], SINCE
    )

    assert policy
    assert [each["Resource"] for each in json.loads(policy)["Statement"]] == [["*"], [everywhere]]
    assert allows(policy, "iam:ListPolicies", "policy path /")
    assert allows(policy, "ecr:DescribeRepositories", everywhere)


actions = st.sampled_from(
    ["ecr:PutImage", "ecr:BatchGetImage", "ecr:BatchDeleteImage", "ecr:DescribeImages", "iam:GetUser"]
)
resources = st.sampled_from([HERE + name for name in ("a", "b", "team/a", "team/b", "team/ab")])
pairs = st.sets(st.tuples(actions, resources))


@given(allowed=pairs, denied=pairs, asked=pairs)
def test_the_least_policy_allows_all_that_was_used_and_nothing_else(
    allowed: set[tuple[str, str]], denied: set[tuple[str, str]], asked: set[tuple[str, str]]
) -> None:
    rows = [used(*pair, NOW if pair in allowed else None, NOW if pair in denied else None) for pair in allowed | denied]
    policy = least_policy(rows, SINCE)

    assert (policy is None) == (not allowed)
    if policy:
        assert {pair for pair in allowed | denied | asked if allows(policy, *pair)} == allowed

import json
from typing import Any

import pytest

from moorage.core.errors import MalformedPolicy
from moorage.core.trust_policies import parse_trust_policy, rename_principal

ADA = "arn:aws:iam::111122223333:user/ops/ada"
ROLE = "arn:aws:iam::111122223333:role/ci"


def trust(principal: Any, action: Any = "sts:AssumeRole", **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "111122223333"},
        {"AWS": ["arn:aws:iam::111122223333:root", ADA, ROLE]},
        {"AWS": "arn:aws:sts::111122223333:assumed-role/ci/session"},
        {"AWS": "AIDAEXAMPLEEXAMPLE123"},
        {"Service": "replication.ecr.amazonaws.com"},
        {"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com.cn"]},
        {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_whoever_may_become_a_role_can_be_named(principal: Any) -> None:
    assert len(parse_trust_policy(trust(principal)).policy.allows) == 1


@pytest.mark.parametrize(
    "action",
    [
        "sts:AssumeRole",
        "STS:assumerole",
        ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "sts:AssumeRoleWithWebIdentity",
    ],
)
def test_the_actions_are_those_by_which_one_becomes_somebody(action: Any) -> None:
    assert parse_trust_policy(trust({"AWS": "*"}, action)).principals == ("*",)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "This policy contains invalid Json"),
        ("[" * 10_000, "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ("{}", "Syntax errors in policy."),
        (trust({"AWS": "*"}, Extra=1), "Syntax errors in policy."),
        (trust({"AWS": "*"}, Resource="*"), "Has prohibited field Resource"),
        (trust({"AWS": "*"}, NotResource="*"), "Has prohibited field Resource"),
        (trust({"AWS": "*"}, "s3:GetObject"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust({"AWS": "*"}, "sts:*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust({"AWS": "*"}, ["sts:AssumeRole", "*"]), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust({"AWS": "*"}).replace('"Action"', '"NotAction"'), "AssumeRole policy may only specify STS AssumeRole actions."),
        (trust({"AWS": "*"}).replace('"Principal"', '"Sid"').replace('{"AWS": "*"}', '"a"'), "Missing required field Principal"),
        (trust({"AWS": "nobody"}), 'Invalid principal in policy: "AWS":"nobody"'),
        (trust({"AWS": "arn:aws:iam::1:user/ada"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::1:user/ada"'),
        (trust({"AWS": "arn:aws:iam::111122223333:group/devs"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:group/devs"'),
        (trust({"AWS": "arn:aws:iam::111122223333:user/*"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/*"'),
        (trust({"Service": "ecs"}), 'Invalid principal in policy: "SERVICE":"ecs"'),
        (trust({"Federated": "somewhere"}), 'Invalid principal in policy: "Federated":"somewhere"'),
        (trust({"Somebody": "x"}), 'Invalid principal in policy: "Somebody"'),
        (trust({"AWS": 1}), "Syntax errors in policy."),
        (trust({}), "Invalid principal in policy"),
        (trust({"AWS": "*"}).replace('"Allow"', '"Allow", "Effect": "Deny"'), "Syntax errors in policy."),
    ],
)  # fmt: skip
def test_what_is_no_trust_policy_is_refused_in_iams_words(document: str, reason: str) -> None:
    with pytest.raises(MalformedPolicy) as refused:
        parse_trust_policy(document)

    assert str(refused.value) == reason


def test_the_principals_are_told_for_somebody_to_look_them_up() -> None:
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": [ADA, ROLE]}, "Action": "sts:AssumeRole"},
                {"Effect": "Deny", "Principal": {"AWS": ADA}, "Action": "sts:AssumeRole"},
            ],
        }
    )

    assert parse_trust_policy(document).principals == (ADA, ROLE, ADA)


SESSIONS = "arn:aws:sts::123456789012:assumed-role/ci/"


def test_sessions_of_a_role_that_is_gone_are_named_by_its_id() -> None:
    document = trust({"AWS": [f"{SESSIONS}build", f"{SESSIONS[:-1]}2/build", ROLE]})

    renamed = rename_principal(document, SESSIONS, "AROAXXXXXXXXXXXXXXXX:")

    assert renamed is not None
    named = ("AROAXXXXXXXXXXXXXXXX:build", f"{SESSIONS[:-1]}2/build", ROLE)
    assert parse_trust_policy(renamed).principals == named


@pytest.mark.parametrize("session", ["x", "a!b", "a/b", "a" * 65, ""])
def test_a_session_whose_name_none_has_leaves_a_policy_that_can_be_read(session: str) -> None:
    renamed = rename_principal(trust({"AWS": [f"{SESSIONS}{session}", ROLE]}), SESSIONS, "AROAXXXXXXXXXXXXXXXX:")

    assert renamed is not None
    assert parse_trust_policy(renamed).principals == ("AROAXXXXXXXXXXXXXXXX", ROLE)


def test_nobody_can_be_excepted_from_a_trust_policy() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": ADA}, "Action": "sts:AssumeRole"}

    with pytest.raises(MalformedPolicy, match="Has prohibited field NotPrincipal"):
        parse_trust_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}))


def test_a_principal_that_is_gone_is_named_by_its_id_and_others_are_left_alone() -> None:
    condition = {"StringEquals": {"aws:PrincipalArn": ADA}}
    renamed = rename_principal(trust({"AWS": [ADA, ROLE]}, Condition=condition), ADA, "AIDAX")

    assert renamed is not None
    assert json.loads(renamed)["Statement"][0]["Principal"] == {"AWS": ["AIDAX", ROLE]}
    assert json.loads(renamed)["Statement"][0]["Condition"] == condition
    assert rename_principal(trust({"AWS": ADA}), ADA, "AIDAX") == trust({"AWS": "AIDAX"}).replace(" ", "")
    assert rename_principal(trust({"AWS": ADA + "2"}), ADA, "AIDAX") is None
    assert rename_principal(trust({"Service": "ecr.amazonaws.com"}, Condition=condition), ADA, "AIDAX") is None

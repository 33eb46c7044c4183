import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import InvalidParameter, MalformedPolicy
from moorage.core.policies import MAX_IDENTITY_POLICY, MAX_RESOURCE_POLICY, parse_policy, parse_resource_policy
from moorage.core.resource_policies import read

ALLOW = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
SYNTAX = "Syntax errors in policy."


def document(statement: Any = None, **elements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": ALLOW if statement is None else statement, **elements})


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ALLOW.items() if key != name}


@pytest.mark.parametrize(
    "text",
    [
        document(),
        document([ALLOW, {**ALLOW, "Sid": "Second"}]),
        document([{**ALLOW, "Sid": ""}, {**ALLOW, "Sid": ""}]),
        document(Id="any text"),
        document({**ALLOW, "Condition": {}}),
        document({**ALLOW, "Condition": {"NumericLessThan": {"a:b": 5}, "Bool": {"a:b": [True, "false"]}}}),
        document({"Effect": "Deny", "NotAction": ["*"], "NotResource": ["arn:aws:ecr:::x", "*"]}),
    ],
)
def test_a_policy_document_is_taken(text: str) -> None:
    parse_policy(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", SYNTAX),
        ("This is not a json document", SYNTAX),
        ("[]", SYNTAX),
        ("null", SYNTAX),
        ("[" * 100_000, SYNTAX),
        (document() + "x", SYNTAX),
        ('{"Version":"2012-10-17","Statement":' + "1" * 5_000 + "}", SYNTAX),
        ('{"Version":"2012-10-17","Statement":NaN}', SYNTAX),
        ('{"Version":"2012-10-17","Version":"2012-10-17","Statement":{}}', SYNTAX),
        (document(Statements=[]), SYNTAX),
        (document([]), SYNTAX),
        (document("Allow"), SYNTAX),
        (document(["Allow"]), SYNTAX),
        (document(Id=1), SYNTAX),
        (document(Version="2013-10-17"), SYNTAX),
        (document(Version=["2012-10-17"]), SYNTAX),
        (document({**ALLOW, "Actions": []}), SYNTAX),
        (document({**ALLOW, "Effect": "allow"}), SYNTAX),
        (document({**ALLOW, "Effect": ["Allow"]}), SYNTAX),
        (document(without("Effect")), SYNTAX),
        (document({**ALLOW, "Sid": 1}), SYNTAX),
        (document({**ALLOW, "Action": 1}), SYNTAX),
        (document({**ALLOW, "Action": [1]}), SYNTAX),
        (document({**ALLOW, "NotAction": "ecr:*"}), SYNTAX),
        (document({**ALLOW, "NotResource": "*"}), SYNTAX),
        (document({**ALLOW, "Condition": []}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": "a"}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": {"aws:x": {}}}}), SYNTAX),
        (document({**ALLOW, "Condition": {"StringEquals": {"aws:x": None}}}), SYNTAX),
        (json.dumps({"Statement": ALLOW}), "Policy document must be version 2012-10-17 or greater."),
        (document(Version="2008-10-17"), "Policy document must be version 2012-10-17 or greater."),
        (document(without("Action")), "Policy statement must contain actions."),
        (document({**ALLOW, "Action": []}), "Policy statement must contain actions."),
        (document(without("Resource")), "Policy statement must contain resources."),
        (document({**ALLOW, "Resource": []}), "Policy statement must contain resources."),
        (document({**ALLOW, "Action": "PutImage"}), VENDOR),
        (document({**ALLOW, "Action": "ecr:Put:Image"}), "Actions/Condition can contain only one colon."),
        (document({**ALLOW, "Action": "ecr:Put Image"}), "Invalid Action: ecr:Put Image."),
        (document({**ALLOW, "Condition": {"StringEquals": {"x": "a"}}}), VENDOR),
        (document({**ALLOW, "Condition": {"StringIs": {"aws:x": "a"}}}), "Invalid Condition type : StringIs."),
        (document({**ALLOW, "Resource": "app"}), 'Resource app must be in ARN format or "*".'),
        (document({**ALLOW, "Resource": "arn:aws:ecr:*"}), 'Resource arn:aws:ecr:* must be in ARN format or "*".'),
        (
            document({**ALLOW, "Resource": "arn:aws:ecr::${aws:x}:r"}),
            "Resource arn:aws:ecr::${aws:x}:r has a policy variable before its fifth colon.",
        ),
        (document({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
        (document({**ALLOW, "NotPrincipal": "*"}), "Policy document should not specify a principal."),
        (document([{**ALLOW, "Sid": "A"}] * 2), "Statement IDs (SID) in a single policy must be unique."),
        (
            document({**ALLOW, "Sid": "public pull"}),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
        ),
        (" " * (MAX_IDENTITY_POLICY + 1), f"Cannot exceed quota for PolicySize: {MAX_IDENTITY_POLICY}"),
    ],
)
def test_what_is_no_policy_document_is_refused_with_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(MalformedPolicy) as refused:
        parse_policy(text)

    assert str(refused.value) == reason


@given(st.text() | st.from_type(type).map(str))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    with pytest.raises(MalformedPolicy):
        parse_policy(text)


PRINCIPALS: list[Any] = [
    "*",
    {"AWS": "*"},
    {"AWS": "111122223333"},
    {"AWS": ["arn:aws:iam::111122223333:root", "arn:aws-cn:iam::111122223333:user/a/b"]},
    {"AWS": "arn:aws:sts::111122223333:assumed-role/builder/session"},
    {"AWS": "AIDACKCEVSQ6C2EXAMPLE"},
    {"Service": "lambda.amazonaws.com"},
]


@pytest.mark.parametrize("principal", PRINCIPALS)
@pytest.mark.parametrize("version", ["2008-10-17", "2012-10-17"])
def test_the_policy_of_a_repository_names_principals(principal: Any, version: str) -> None:
    statement = {**without("Resource"), "Sid": "allow public pull", "Principal": principal}

    parse_resource_policy(document([statement, statement], Version=version))


@pytest.mark.parametrize(
    "statement",
    [
        ALLOW,
        {**ALLOW, "Principal": []},
        {**ALLOW, "Principal": {}},
        {**ALLOW, "Principal": "111122223333"},
        {**ALLOW, "Principal": {"AWS": 1}},
        {**ALLOW, "Principal": {"AWS": "ada"}},
        {**ALLOW, "Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}},
        {**ALLOW, "Principal": {"AWS": "arn:aws:iam::1:user/ada"}},
        {**ALLOW, "Principal": {"Service": 1}},
        {**ALLOW, "Principal": {"Azure": "ada"}},
        {**ALLOW, "Principal": "*", "NotPrincipal": "*"},
        {**ALLOW, "NotPrincipal": {"AWS": "111122223333"}},
    ],
)
def test_the_policy_of_a_repository_is_refused_without_good_principals(statement: dict[str, Any]) -> None:
    with pytest.raises(MalformedPolicy):
        parse_resource_policy(document(statement))


def test_the_policy_of_a_repository_may_have_10240_characters_when_it_is_given_and_more_when_it_is_kept() -> None:
    text = document({**ALLOW, "Principal": "*"})

    read(text.ljust(MAX_RESOURCE_POLICY), "repository")
    with pytest.raises(InvalidParameter):
        read(text.ljust(MAX_RESOURCE_POLICY + 1), "repository")
    parse_resource_policy(text.ljust(MAX_RESOURCE_POLICY + 1))

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.errors import IdentityInputInvalid
from moorage.core.simulations import Entry, account_of, check_asked, context_keys, context_of, spans
from tests.core.random_access import Element, elements

ALLOW = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}
OF_AWS = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
"""A document of the examples of the AWS CLI (simulate-custom-policy), where it is said to stand from 38 to 167."""


def test_a_statement_stands_where_aws_says() -> None:
    assert spans(OF_AWS) == [((1, 38), (1, 167))]


def test_a_statement_of_a_list_begins_after_the_bracket_or_after_the_one_before() -> None:
    # Lines 3 to 9 and columns 19 and 10 are of the AWS CLI's example of simulate-principal-policy.
    text = """{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "codecommit:ListRepositories",
            "Resource": "*",
            "Sid": "]}"
        } , {"Effect": "Deny", "Action": "a:b", "Resource": "*"} ]
}"""

    assert spans(text) == [((3, 19), (9, 10)), ((9, 10), (9, 65))]


@given(
    st.lists(elements(with_principal=False), min_size=1, max_size=4),
    st.sampled_from([None, 0, 1, 3]),
    st.sampled_from([{}, {"Id": 'a "Statement": [{}]'}]),
)
def test_what_stands_between_two_positions_is_the_statement(
    statements: list[Element], indent: int | None, more: dict[str, str]
) -> None:
    text = json.dumps({**more, "Version": "2012-10-17", "Statement": statements}, indent=indent)
    lines = text.split("\n")

    def offset(line: int, column: int) -> int:
        return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1

    found = [text[offset(*start) : offset(*end)].lstrip(", \n") for start, end in spans(text)]
    assert [json.loads(one) for one in found] == statements


def test_the_keys_of_a_policy_are_those_of_its_conditions_and_its_variables() -> None:
    statement = {
        **ALLOW,
        "Resource": ["arn:aws:ecr:::repository/${aws:PrincipalTag/team}/${*}", "*"],
        "Condition": {
            "StringEquals": {"aws:RequestedRegion": "us-east-1", "aws:userid": "${aws:username, 'nobody'}"},
            "Bool": {"AWS:requestedregion": True},
        },
    }

    assert context_keys([json.dumps({"Version": "2012-10-17", "Statement": [statement, ALLOW]})]) == [
        "aws:RequestedRegion",
        "aws:userid",
        "aws:principaltag/team",
        "aws:username",
    ]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["a"], "string", "a"),
        (["a", "b"], "stringList", ("a", "b")),
        ([], "stringList", ()),
        (["1e3"], "numeric", "1e3"),
        (["TRUE"], "boolean", "TRUE"),
        (["10.0.0.1", "2001:db8::1"], "ipList", ("10.0.0.1", "2001:db8::1")),
        (["2026-01-01T00:00:00Z"], "date", "2026-01-01T00:00:00Z"),
        (["QmFzZQ=="], "binary", "QmFzZQ=="),
    ],
)
def test_a_key_is_given_with_values_of_its_type(values: list[str], kind: str, expected: Any) -> None:
    assert context_of([Entry("AWS:Some", values, kind)]) == {"aws:some": expected}


@pytest.mark.parametrize(
    "entries",
    [
        [Entry("aws:some", [], "string")],
        [Entry("aws:some", ["a", "b"], "string")],
        [Entry("aws:some", ["ten"], "numeric")],
        [Entry("aws:some", ["1e9999"], "numeric")],
        [Entry("aws:some", ["yes"], "boolean")],
        [Entry("aws:some", ["10.0.0.1", "here"], "ipList")],
        [Entry("aws:some", ["tomorrow"], "date")],
        [Entry("somewhere", ["a"], "string")],
        [Entry("aws:some", ["a"], "string"), Entry("aws:SOME", ["b"], "string")],
    ],
)
def test_a_key_with_other_values_is_refused(entries: list[Entry]) -> None:
    with pytest.raises(IdentityInputInvalid):
        context_of(entries)


@pytest.mark.parametrize(
    "action", ["ecr", "ecr:", "ecr:Put*", "*", "ecr:Put:Image", "ecr:Put Image", "ecr:P\u0443t", "e\n:a"]
)
def test_what_is_no_action_is_refused(action: str) -> None:
    with pytest.raises(IdentityInputInvalid):
        check_asked([action], [])


@pytest.mark.parametrize("resource", ["", "**", "team/app", "arn:aws:ecr", "arn:a:b:c:d", "ARN:aws:ecr:::x"])
def test_what_is_no_arn_is_refused(resource: str) -> None:
    with pytest.raises(IdentityInputInvalid):
        check_asked([], [resource])


def test_an_arn_says_whose_a_resource_is_or_leaves_it_open() -> None:
    assert account_of("arn:aws:ecr:us-east-1:444455556666:repository/a", "1") == "444455556666"
    assert account_of("arn:aws:s3:::bucket/a:444455556666:b", "1") == "1"
    assert account_of("arn:aws:ecr:us-east-1:*:repository/a", "1") == "1"
    assert account_of("*", "1") == "1"

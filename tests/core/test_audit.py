"""What the audit log says of a call, and what it never says."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.audit import (
    DENIALS,
    HIDDEN,
    MOST_DOCUMENT,
    MOST_ITEMS,
    MOST_LINE,
    MOST_TEXT,
    Failure,
    is_recorded,
    only_reads,
    read,
    record,
)
from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid, Refused, RepositoryNotFound
from moorage.core.names import AccountId, Region, Registry, RepositoryName
from moorage.web.aws.door import code_of
from moorage.web.aws.model import SERVICES, service

AT = datetime(2026, 11, 27, 10, 20, 30, 400000, UTC)
ANN = Caller("arn:aws:iam::111122223333:user/ops/ann", AccountId("111122223333"), "AIDAANN", "ann", "AKIAANN")
THEIRS = Registry(AccountId("444455556666"), Region("eu-west-1"))
CALL = Call(
    caller=ANN,
    registry=THEIRS,
    at=AT,
    request_id="request-1",
    context={"aws:sourceip": "192.0.2.7", "aws:useragent": "aws-cli/2"},
)
APP = "arn:aws:ecr:eu-west-1:444455556666:repository/team/app"
DENIED = AccessDenied(ANN.arn, "ecr:PutImage", APP, "because no identity-based policy allows the ecr:PutImage action")
MISSING = RepositoryNotFound(RepositoryName("team/app"), THEIRS.account)


def event(
    operation: str = "PutImage",
    parameters: Any = None,
    failure: Failure | None = None,
    call: Call = CALL,
    service: str = "ecr",
    answer: Any = None,
) -> dict[str, Any]:
    line = record(call, service, operation, parameters, failure, "event-1", answer)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found: dict[str, Any] = json.loads(line)
    return found


def shown(**parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = event(parameters=parameters)["requestParameters"]
    return found


# --- the shape ----------------------------------------------------------------------------------------------------------


def test_a_call_is_told_in_cloudtrails_shape() -> None:
    assert event("PutImage", {"repositoryName": "team/app", "imageTag": "v1"}) == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAANN",
            "arn": "arn:aws:iam::111122223333:user/ops/ann",
            "accountId": "111122223333",
            "accessKeyId": "AKIAANN",
            "userName": "ann",
        },
        "eventTime": "2026-11-27T10:20:30Z",
        "eventSource": "ecr.amazonaws.com",
        "eventName": "PutImage",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"repositoryName": "team/app", "imageTag": "v1"},
        "responseElements": None,
        "requestID": "request-1",
        "eventID": "event-1",
        "readOnly": False,
        "resources": [{"ARN": APP, "accountId": "444455556666"}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "444455556666",
        "eventCategory": "Management",
    }


def test_an_answer_is_told_of_changes_and_of_credentials_without_their_secrets() -> None:
    key = {"AccessKey": {"AccessKeyId": "AKIANEW", "SecretAccessKey": "s3cret"}}
    session = {"Credentials": {"AccessKeyId": "ASIANEW", "SecretAccessKey": "s3cret", "SessionToken": "t0ken"}}

    told = event("CreateAccessKey", answer=key)["responseElements"]["accessKey"]
    assert told == {"accessKeyId": "AKIANEW", "secretAccessKey": HIDDEN}
    told = event("AssumeRole", answer=session)["responseElements"]["credentials"]
    assert told == {"accessKeyId": "ASIANEW", "secretAccessKey": HIDDEN, "sessionToken": HIDDEN}
    assert event("DescribeImages", answer={"imageDetails": []})["responseElements"] is None
    long = event("PutUser", {"userName": "ann"}, answer={f"k{number}": "x" * 1000 for number in range(200)})
    assert long["responseElements"]["omitted"]
    assert long["requestParameters"] == {"userName": "ann"}


def test_a_failure_is_told_by_code_and_sentence() -> None:
    told = event("PutImage", None, Failure("AccessDeniedException", str(DENIED), APP))

    assert (told["errorCode"], told["errorMessage"]) == ("AccessDeniedException", str(DENIED))
    assert told["requestParameters"] is None
    assert told["resources"] == [{"ARN": APP, "accountId": "444455556666"}]


def test_a_session_is_told_with_the_role_that_issued_it() -> None:
    session = replace(
        ANN, arn="arn:aws:sts::111122223333:assumed-role/deploy/ci", user_id="AROADEPLOY:ci", user_name="deploy"
    )
    who = event(call=replace(CALL, caller=session))["userIdentity"]

    assert who == {
        "type": "AssumedRole",
        "principalId": "AROADEPLOY:ci",
        "arn": session.arn,
        "accountId": "111122223333",
        "accessKeyId": "AKIAANN",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROADEPLOY",
                "arn": "arn:aws:iam::111122223333:role/deploy",
                "accountId": "111122223333",
                "userName": "deploy",
            }
        },
    }


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("arn:aws:iam::111122223333:root", "Root"),
        ("arn:aws:sts::111122223333:federated-user/ann", "FederatedUser"),
        ("arn:aws:sts::111122223333:assumed-role/user/root", "AssumedRole"),
    ],
)
def test_a_caller_is_told_by_its_kind(arn: str, kind: str) -> None:
    assert event(call=replace(CALL, caller=replace(ANN, arn=arn)))["userIdentity"]["type"] == kind


def test_members_of_iam_are_called_as_in_cloudtrail() -> None:
    told = event("PutUserPolicy", {"UserName": "ann", "PolicyDocument": "{}"}, service="iam")

    assert told["requestParameters"] == {"userName": "ann", "policyDocument": "{}"}
    assert (told["eventSource"], told["resources"]) == ("iam.amazonaws.com", [])


@pytest.mark.parametrize(
    ("parameters", "arns"),
    [
        ({"repositoryNames": ["a-1", "b-1"]}, ["a-1", "b-1"]),
        ({"repositoryName": "Not/a\nname"}, []),
        ({}, []),
    ],
)
def test_the_resources_are_the_repositories_that_a_call_names(parameters: Any, arns: list[str]) -> None:
    found = [each["ARN"].rpartition("repository/")[2] for each in event("DescribeImages", parameters)["resources"]]

    assert found == arns


# --- what is recorded ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "error", "without", "with_reads"),
    [
        ("PutImage", None, True, True),
        ("PutImage", MISSING, True, True),
        ("PutImage", DENIED, True, True),
        ("BatchGetImage", None, False, True),
        ("BatchGetImage", MISSING, False, True),
        ("BatchGetImage", DENIED, True, True),
        ("BatchGetImage", CredentialsInvalid(), True, True),
        ("GetAuthorizationToken", None, True, True),
        ("AssumeRole", None, True, True),
        ("GetSessionToken", None, True, True),
    ],
)
def test_changes_keys_and_denials_are_recorded_and_reads_on_request(
    operation: str,
    error: Exception | None,
    without: bool,  # noqa: FBT001 - a table's column
    with_reads: bool,  # noqa: FBT001 - a table's column
) -> None:
    assert is_recorded(operation, error, reads=False) is without
    assert is_recorded(operation, error, reads=True) is with_reads


def test_what_ecr_changes_is_not_taken_for_a_read() -> None:
    changes = {each for each in service("ecr").operations if not only_reads(each)}
    verbs = {"Put", "Create", "Delete", "Set", "Tag", "Untag", "Update", "Start", "Stop", "Initiate", "Upload"}

    assert {each for each in service("ecr").operations if each.startswith(tuple(verbs))} <= changes
    assert changes >= {"BatchDeleteImage", "CompleteLayerUpload", "RegisterPullTimeUpdateExclusion"}
    assert "BatchGetImage" not in changes


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("error", [DENIED, CredentialsInvalid()])
def test_the_codes_of_denials_are_those_that_the_api_answers(name: str, error: Refused) -> None:
    assert code_of(error, name) in DENIALS


# --- secrets and bounds -------------------------------------------------------------------------------------------------


def test_bytes_are_left_out_and_secrets_are_hidden() -> None:
    assert shown(layerPartBlob=b"layer", Password="x", partFirstByte=0) == {"password": HIDDEN, "partFirstByte": 0}
    assert shown(WebIdentityToken="x", nested={"PrivateKey": "x"}, nextToken="y") == {
        "webIdentityToken": HIDDEN,
        "nested": {"privateKey": HIDDEN},
        "nextToken": "y",
    }


def sensitive(shape: Any, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the members of an input that the model itself calls sensitive."""
    if shape is None or shape.name in seen:
        return
    seen |= {shape.name}
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if member.metadata.get("sensitive"):
                yield name
            yield from sensitive(member, seen)
    elif shape.type_name == "list":
        yield from sensitive(shape.member, seen)


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_a_model_calls_sensitive_is_hidden(name: str) -> None:
    inputs = [service(name).operation(each) for each in service(name).operations]
    found = {member for each in inputs if each for member in sensitive(each.input)}

    assert {member for member in found if set(shown(**{member: "x"}).values()) != {HIDDEN}} == set()
    assert name == "ecr" or found


def test_a_manifest_of_four_mebibytes_is_cut() -> None:
    [text] = shown(imageManifest="m" * 4 * 1024 * 1024).values()

    assert text == "m" * MOST_TEXT + "... (4194304 characters)"


def test_a_policy_is_kept_whole_within_reason() -> None:
    whole = "p" * MOST_DOCUMENT

    assert shown(policyText=whole, AssumeRolePolicyDocument=whole) == {
        "policyText": whole,
        "assumeRolePolicyDocument": whole,
    }
    assert len(shown(policyText=whole * 2)["policyText"]) < MOST_DOCUMENT + 100


def test_a_long_list_is_cut_and_says_so() -> None:
    assert shown(tags=list(range(1000)))["tags"] == [*range(MOST_ITEMS), "... (1000 in all)"]


def test_parameters_that_are_too_many_are_omitted() -> None:
    told = shown(tags=[{"Key": "k" * 1000, "Value": "v" * 1000} for _ in range(100)])

    assert told == {"omitted": True, "originalSize": 202_210, "reason": "requestParameters too large"}


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b\x85c\x00d", "\ud800", '"}{"eventVersion":"1.11"', "ü\N{SNOWMAN}"])
def test_whatever_a_client_says_stays_within_its_line(text: str) -> None:
    call = replace(CALL, context={"aws:useragent": text, "aws:sourceip": text})
    told = event("CreateRepository", {"repositoryName": text, text: [text]}, Failure("x", text), call)

    assert told["userAgent"] == told["requestParameters"]["repositoryName"] == told["errorMessage"] == text


def test_a_huge_user_agent_is_cut() -> None:
    huge = replace(CALL, context={"aws:useragent": "\x85" * 1_000_000})
    line = record(huge, "ecr", "PutImage", None, Failure("x", "y" * 1_000_000), "event-1")

    assert len(line) < 10_000


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=30,
)


@given(parameters=st.dictionaries(st.text(max_size=9), anything, max_size=5), text=st.text())
def test_every_record_is_one_line_that_is_read_again(parameters: dict[str, Any], text: str) -> None:
    call = replace(CALL, context={"aws:useragent": text})
    line = record(call, "ecr", "PutImage", parameters, Failure("X", text), "event-1")
    found = read(line)

    assert line.isascii()
    assert line.find(b"\n") == len(line) - 1 <= MOST_LINE + 10_000
    assert found
    assert found.event.encode() + b"\n" == line


# --- read again ---------------------------------------------------------------------------------------------------------

LINE = record(CALL, "ecr", "PutImage", {"repositoryName": "team/app"}, Failure("X", "sentence"), "event-1")


def test_a_line_is_read_as_what_is_looked_for() -> None:
    found = read(LINE)

    assert found
    assert (found.at, found.account, found.region) == (AT.replace(microsecond=0), THEIRS.account, "eu-west-1")
    assert (found.source, found.name, found.error) == ("ecr.amazonaws.com", "PutImage", "X")
    assert (found.principal, found.request_id, found.resource) == (ANN.arn, "request-1", APP)


@pytest.mark.parametrize("length", [1, 20, 200, len(LINE) - 2])
def test_a_whole_line_behind_a_torn_one_is_read(length: int) -> None:
    assert read(LINE[:length] + LINE) == read(LINE)
    assert read(LINE[:length]) is None


@pytest.mark.parametrize(
    "line", [b"", b"x", b"\xff\x00", b"[]", b'{"eventVersion":1}', LINE.replace(b'"arn"', b'"nra"')]
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    assert read(line) is None

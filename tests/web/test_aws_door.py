import base64
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    InvalidLayerPart,
    KmsFailed,
    NoSuchEntity,
    Refused,
    RepositoryNotFound,
    TokenExpired,
)
from moorage.core.identities import AccessKey
from moorage.core.names import AccountId, Region, Registry, RepositoryName, UploadId
from moorage.web.aws.door import AwsDoor, AwsRequest, Handler, refuse
from moorage.web.aws.errors import RequestTooLarge
from moorage.web.aws.model import service
from moorage.web.aws.refused import REFUSED
from moorage.web.http import Answer
from tests.web.signing import KEY, NOW, signed, unsigned

APP = RepositoryName("team/app")
ACCOUNT = AccountId("111122223333")
UPLOAD = UploadId("6f1c2b1e-0000-4000-8000-000000000001")
PREFIX = service("ecr").target_prefix


class Asked:
    """A handler that remembers what it was asked and answers, or refuses, what it was told to."""

    def __init__(self, answer: Mapping[str, Any] | Exception | None = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Call, dict[str, Any]]] = []

    def __call__(self, call: Call, given_input: dict[str, Any]) -> Mapping[str, Any] | None:
        self.calls.append((call, given_input))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def keys(key_id: str) -> AccessKey | None:
    return KEY if key_id == KEY.id else None


def door(
    ecr: Mapping[str, Handler] | None = None,
    iam: Mapping[str, Handler] | None = None,
    sts: Mapping[str, Handler] | None = None,
    key: Callable[[str], AccessKey | None] = keys,
) -> AwsDoor:
    return AwsDoor({"ecr": ecr or {}, "iam": iam or {}, "sts": sts or {}}, key, lambda: NOW)


def json_request(operation: str, document: Any, *, prefix: str = PREFIX, content: bytes | None = None) -> AwsRequest:
    headers = [
        (b"host", b"api.ecr.us-east-1.example"),
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"x-amz-target", f"{prefix}.{operation}".encode()),
        (b"user-agent", b"aws-cli/2"),
    ]
    return unsigned(headers=headers, body=json.dumps(document).encode() if content is None else content)


def form_request(fields: Mapping[str, str] | bytes) -> AwsRequest:
    headers = [(b"host", b"iam.example"), (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]
    return unsigned(headers=headers, body=fields if isinstance(fields, bytes) else urlencode(fields).encode())


def ask(operation: str, document: Any, answer: Mapping[str, Any] | Exception | None = None) -> tuple[Answer, Asked]:
    asked = Asked(answer)
    return door({operation: asked}).answer(signed(json_request(operation, document))), asked


def ask_iam(operation: str, answer: Mapping[str, Any] | Exception | None = None, **fields: str) -> tuple[Answer, Asked]:
    asked = Asked(answer)
    request = signed(form_request({"Action": operation, "Version": "2010-05-08", **fields}), service="iam")
    return door(iam={operation: asked}).answer(request), asked


def read(answer: Answer) -> dict[str, Any]:
    """Return what botocore makes of an answer, after looking at its envelope."""
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    assert headers["x-amzn-requestid"] == "6f1c2b1e-0000-4000-8000-000000000001"
    protocol = {"application/x-amz-json-1.1": "json", "text/xml": "query"}[headers["content-type"]]
    parsed: dict[str, Any] = create_parser(protocol).parse(
        {"status_code": answer.status, "headers": headers, "body": answer.body}, None
    )
    return parsed


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, read(answer)["Error"]["Code"]


def message(answer: Answer) -> str:
    return str(read(answer)["Error"]["Message"])


# --- what a handler is given ------------------------------------------------------------------------------------------


def test_a_handler_gets_the_checked_input_and_the_call() -> None:
    _, asked = ask("DeleteRepository", {"repositoryName": "team/app", "force": True, "new": 1})

    [(call, document)] = asked.calls
    assert document == {"repositoryName": "team/app", "force": True}
    assert call.caller.arn == "arn:aws:iam::111122223333:user/ann"
    assert call.caller.access_key_id == KEY.id
    assert call.registry == Registry(ACCOUNT, Region("us-east-1"))
    assert call.at == NOW


def test_the_context_holds_what_the_request_settles() -> None:
    _, asked = ask("DescribeRegistry", {})

    assert asked.calls[0][0].context == {
        "aws:sourceip": "192.0.2.7",
        "aws:securetransport": "true",
        "aws:useragent": "aws-cli/2",
        "aws:currenttime": "2026-08-03T12:00:00Z",
        "aws:epochtime": "1785758400",
    }


def test_what_the_request_does_not_say_is_not_in_the_context() -> None:
    asked = Asked()
    request = replace(form_request({"Action": "GetUser"}), client="", secure=False)
    door(iam={"GetUser": asked}).answer(signed(request, service="iam"))

    context = asked.calls[0][0].context
    assert context["aws:securetransport"] == "false"
    assert "aws:sourceip" not in context
    assert "aws:useragent" not in context


def test_a_registry_id_addresses_the_registry_of_that_account() -> None:
    _, asked = ask("DescribeRepositories", {"registryId": "999988887777"})

    assert asked.calls[0][0].registry.account == "999988887777"
    assert asked.calls[0][0].caller.account == ACCOUNT


def test_the_region_is_that_of_the_scope() -> None:
    asked = Asked()
    door({"DescribeRegistry": asked}).answer(signed(json_request("DescribeRegistry", {}), region="eu-west-1"))

    assert asked.calls[0][0].registry.region == "eu-west-1"


@pytest.mark.parametrize(("name", "operation"), [("iam", "GetUser"), ("sts", "GetCallerIdentity")])
def test_global_services_are_signed_for_any_region(name: str, operation: str) -> None:
    request = signed(form_request({"Action": operation}), service=name, region="eu-west-1")
    served = door(iam={"GetUser": Asked()}, sts={"GetCallerIdentity": Asked()})

    assert served.answer(request).status == 200


# --- what a client gets -----------------------------------------------------------------------------------------------


def test_a_result_is_read_back_by_botocore_as_it_was_given() -> None:
    pushed = datetime(2026, 8, 3, 11, 59, 58, 563000, tzinfo=UTC)
    result = {"repositories": [{"repositoryName": "team/app", "createdAt": pushed}]}
    answer, _ = ask("DescribeRepositories", {}, {**result, "nextToken": None})

    operation = service("ecr").operation("DescribeRepositories")
    assert operation is not None
    parsed = create_parser(
        "json",
    ).parse({"status_code": 200, "headers": {}, "body": answer.body}, operation.output)
    del parsed["ResponseMetadata"]
    assert parsed == result
    assert isinstance(answer.body, bytes)
    assert b"1785758398.563" in answer.body


def test_a_request_written_by_botocore_arrives_as_it_was_meant() -> None:
    given_input = {
        "repositoryName": "team/app",
        "uploadId": UPLOAD,
        "partFirstByte": 0,
        "partLastByte": 2,
        "layerPartBlob": b"\0\xff!",
    }
    model = service("ecr").model.operation_model("UploadLayerPart")
    body = create_serializer("json").serialize_to_request(given_input, model)["body"]
    asked = Asked()
    door({"UploadLayerPart": asked}).answer(signed(json_request("UploadLayerPart", None, content=body)))

    assert asked.calls[0][1] == given_input


def test_bytes_are_answered_in_base64() -> None:
    answer, _ = ask("DescribeRegistry", {}, {"blob": b"\0\xff"})

    assert answer.body == b'{"blob":"' + base64.b64encode(b"\0\xff") + b'"}'


def test_an_operation_without_output_answers_an_empty_object() -> None:
    answer, _ = ask("UntagResource", {"resourceArn": "arn", "tagKeys": []})

    assert (answer.status, answer.body) == (200, b"{}")


def test_iam_answers_in_xml() -> None:
    answer, asked = ask_iam("GetUser", {"User": {"UserName": "a<b", "CreateDate": NOW}}, UserName="ann")

    operation = service("iam").operation("GetUser")
    assert operation is not None
    parsed = create_parser("query").parse({"status_code": 200, "headers": {}, "body": answer.body}, operation.output)
    assert parsed["User"] == {"UserName": "a<b", "CreateDate": NOW}
    assert asked.calls[0][1] == {"UserName": "ann"}


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_refusal_has_the_code_and_the_sentence() -> None:
    answer, _ = ask("DeleteRepository", {"repositoryName": "team/app"}, RepositoryNotFound(APP, ACCOUNT))

    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {
        "__type": "RepositoryNotFoundException",
        "message": "The repository with name 'team/app' does not exist in the registry with id '111122223333'",
    }


@pytest.mark.parametrize(
    ("refusal", "members"),
    [
        (
            InvalidLayerPart("First byte", APP, ACCOUNT, UPLOAD, 9),
            {
                "registryId": ACCOUNT,
                "repositoryName": APP,
                "uploadId": UPLOAD,
                "lastValidByteReceived": 9,
            },
        ),
        (KmsFailed("key", "NotFoundException"), {"kmsError": "NotFoundException"}),
    ],
)
def test_a_refusal_carries_the_further_members_of_its_shape(refusal: Refused, members: dict[str, Any]) -> None:
    answer, _ = ask("DescribeRegistry", {}, refusal)

    assert isinstance(answer.body, bytes)
    assert members.items() <= json.loads(answer.body).items()


def test_iam_refuses_with_its_own_statuses() -> None:
    answer, _ = ask_iam("GetUser", NoSuchEntity("The user with name x cannot be found."))

    assert code(answer) == (404, "NoSuchEntity")
    assert message(answer) == "The user with name x cannot be found."


def test_a_denial_is_400_for_ecr_and_403_for_iam() -> None:
    denied = AccessDenied("arn", "ecr:DescribeRegistry", "*", "")

    assert code(ask("DescribeRegistry", {}, denied)[0]) == (400, "AccessDeniedException")
    assert code(ask_iam("GetUser", denied)[0]) == (403, "AccessDenied")


@pytest.mark.parametrize("failure", [RuntimeError("secret detail"), RecursionError(), TokenExpired()])
def test_a_defect_is_answered_without_detail_and_logged_with_the_request_id(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "moorage.web.aws"):
        answer, _ = ask("DescribeRegistry", {}, failure)
        iam_answer, _ = ask_iam("GetUser", failure)

    assert code(answer) == (500, "ServerException")
    assert code(iam_answer) == (500, "InternalFailure")
    assert "secret" not in message(answer)
    assert unsigned().request_id in caplog.text
    assert caplog.records[0].exc_info


def test_a_result_that_cannot_be_written_is_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    answer, _ = ask("DescribeRegistry", {}, {"registryId": object()})

    assert code(answer) == (500, "ServerException")
    assert caplog.records


def test_invalid_input_never_reaches_a_handler() -> None:
    answer, asked = ask("DeleteRepository", {"repositoryName": "A"})

    assert code(answer) == (400, "InvalidParameterException")
    assert asked.calls == []


def test_iams_invalid_input_is_a_validation_error() -> None:
    assert code(ask_iam("GetUser", UserName="a b")[0]) == (400, "ValidationError")


# --- who asks ---------------------------------------------------------------------------------------------------------


def test_an_unsigned_request_is_told_so_in_its_protocol() -> None:
    assert code(door().answer(json_request("DescribeRegistry", {}))) == (400, "MissingAuthenticationTokenException")
    assert code(door().answer(form_request({"Action": "GetUser"}))) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize("name", ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"])
def test_who_is_vouched_for_from_elsewhere_is_told_that_this_is_not_there_yet(name: str) -> None:
    answer = door().answer(form_request({"Action": name, "Version": "2011-06-15"}))

    assert code(answer) == (400, "InvalidAction")
    assert f"The operation {name} is not implemented in Moorage yet" in str(answer.body)


@pytest.mark.parametrize("key", [None, replace(KEY, active=False)])
def test_a_key_that_is_unknown_or_inactive_is_refused(key: AccessKey | None) -> None:
    refusing = door(key=lambda _: key)

    ecr = refusing.answer(signed(json_request("DescribeRegistry", {})))
    iam = refusing.answer(signed(form_request({"Action": "GetUser"}), service="iam"))
    assert code(ecr) == (400, "UnrecognizedClientException")
    assert code(iam) == (403, "InvalidClientTokenId")


def test_another_secret_is_refused() -> None:
    forged = replace(KEY, secret="guess")

    assert code(door().answer(signed(json_request("DescribeRegistry", {}), key=forged))) == (
        400,
        "InvalidSignatureException",
    )
    assert code(door().answer(signed(form_request({"Action": "GetUser"}), key=forged, service="sts"))) == (
        403,
        "SignatureDoesNotMatch",
    )


def test_an_old_signature_is_refused() -> None:
    request = signed(json_request("DescribeRegistry", {}), at=NOW - timedelta(hours=1))

    assert message(door().answer(request)).startswith("Signature expired: 20260803T110000Z is now earlier than")


def test_the_scope_must_name_the_service_of_the_target() -> None:
    answer = door().answer(signed(json_request("DescribeRegistry", {}), service="s3"))

    assert code(answer) == (400, "InvalidSignatureException")
    assert message(answer) == "Credential should be scoped to correct service: 'ecr'."


def test_a_form_for_an_unknown_service_is_told_which_ones_there_are() -> None:
    answer = door().answer(signed(form_request({"Action": "X"}), service="sqs"))

    assert code(answer) == (400, "InvalidAction")
    assert message(answer) == "The service 'sqs' is not there: of AWS's services Moorage has ecr, iam, sts"


def test_so_is_another_service_of_the_same_protocol() -> None:
    request = json_request("ListClusters", {}, prefix="AmazonEC2ContainerServiceV20141113")

    answer = door().answer(signed(request, service="ecs"))

    assert code(answer) == (400, "UnknownOperationException")
    assert message(answer) == "The service 'ecs' is not there: of AWS's services Moorage has ecr, iam, sts"


def test_a_service_that_is_asked_in_another_way_is_not_there_either() -> None:
    answer = door().elsewhere(signed(replace(form_request({}), method="GET", raw_path=b"/bucket"), service="s3"))

    assert answer
    assert message(answer).startswith("The service 's3' is not there")
    assert door().elsewhere(signed(form_request({}))) is None


def test_the_scope_must_name_a_region() -> None:
    answer = door().answer(signed(json_request("DescribeRegistry", {}), region="Mars"))

    assert message(answer) == "Credential should be scoped to a valid region, not 'Mars'."


def test_nothing_is_said_about_the_body_before_the_signature() -> None:
    request = json_request("NoSuchOperation", None, content=b"{")

    assert code(door().answer(request)) == (400, "MissingAuthenticationTokenException")


# --- which operation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "operation"),
    [
        (PREFIX, "NoSuchOperation"),
        (PREFIX, ""),
        ("SpencerFrontendService", "DescribeRegistries"),
        ("", ""),
        (PREFIX, "é"),
    ],
)
def test_a_target_that_is_no_operation_of_the_service_is_unknown(prefix: str, operation: str) -> None:
    answer = door().answer(signed(json_request(operation, {}, prefix=prefix)))

    assert code(answer) == (400, "UnknownOperationException")


@pytest.mark.parametrize("fields", [{}, {"Action": "NoSuch"}, {"Action": "GetUser", "Version": "1999-01-01"}])
def test_an_action_that_is_no_operation_of_the_service_is_invalid(fields: dict[str, str]) -> None:
    assert code(door().answer(signed(form_request(fields), service="iam"))) == (400, "InvalidAction")


def test_an_operation_that_comes_later_is_refused_with_the_reason() -> None:
    answer = door().answer(signed(json_request("PutLifecyclePolicy", {})))

    assert code(answer) == (400, "UnknownOperationException")
    assert message(answer) == (
        "The operation PutLifecyclePolicy is not implemented in Moorage yet: lifecycle policies come later"
    )


def test_an_operation_of_iam_that_comes_later_is_refused() -> None:
    answer = door().answer(signed(form_request({"Action": "CreateRole"}), service="iam"))

    assert message(answer) == "The operation CreateRole is not implemented in Moorage yet"


def test_what_is_refused_is_in_the_model() -> None:
    assert set(REFUSED) <= service("ecr").operations


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_method_other_than_post_is_told_what_this_is(method: str) -> None:
    answer = door().answer(unsigned(method=method, body=b""))

    assert code(answer) == (405, "InvalidAction")
    assert (b"allow", b"POST") in answer.headers
    assert "signed POST requests" in message(answer)


def test_another_content_type_is_told_the_right_one() -> None:
    request = json_request("DescribeRegistry", {})
    headers = [(name, b"application/json" if name == b"content-type" else value) for name, value in request.headers]
    answer = door({"DescribeRegistry": Asked()}).answer(signed(replace(request, headers=headers)))

    assert code(answer) == (400, "SerializationException")
    assert "application/x-amz-json-1.1" in message(answer)


def test_another_path_has_no_operations() -> None:
    request = signed(replace(json_request("DescribeRegistry", {}), raw_path=b"/v1/x"))
    answer = door({"DescribeRegistry": Asked()}).answer(request)

    assert code(answer) == (400, "UnknownOperationException")


def test_a_body_over_the_limit_is_refused_in_the_protocol_of_the_caller() -> None:
    assert code(refuse(json_request("PutImage", {}), RequestTooLarge(10))) == (413, "RequestEntityTooLargeException")


# --- hostile input ----------------------------------------------------------------------------------------------------

EVERYTHING = door(
    {name: Asked({}) for name in service("ecr").operations}, {name: Asked({}) for name in service("iam").operations}
)


def assert_refused(answer: Answer) -> None:
    assert 400 <= answer.status < 500
    assert read(answer)["Error"]["Code"]


BODIES = {
    "empty": b"",
    "deep lists": b"[" * 10_000 + b"]" * 10_000,
    "a deep object": b'{"repositoryName":' * 10_000 + b"1" + b"}" * 10_000,
    "an unknown member that is deep": b'{"repositoryName":"app","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "a number of 100 digits": b'{"repositoryName":"app","maxResults":' + b"9" * 100 + b"}",
    "a number of 10,000 digits": b'{"repositoryName":"app","maxResults":' + b"9" * 10_000 + b"}",
    "a number beyond all": b'{"repositoryName":"app","maxResults":1e999}',
    "not a number": b'{"repositoryName":"app","maxResults":NaN}',
    "a duplicate key": b'{"repositoryName":"app","repositoryName":"B"}',
    "NUL in a name": b'{"repositoryName":"a\\u0000b"}',
    "NUL in a token": b'{"repositoryName":"app","nextToken":"\\u0000"}',
    "half a surrogate pair": b'{"repositoryName":"app","nextToken":"\\ud800"}',
    "a surrogate in UTF-8": b'{"repositoryName":"app","nextToken":"\xed\xa0\x80"}',
    "broken UTF-8": b'{"repositoryName":"app","nextToken":"\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"repositoryName":"app"}',
    "half a document": b'{"repositoryName":"app"',
    "two documents": b'{"repositoryName":"app"}{}',
    "a text": b'"app"',
    "null": b"null",
    "a long name": b'{"repositoryName":"' + b"a" * 1_000_000 + b'"}',
    "a form": b"Action=ListImages",
    "random bytes": bytes(range(256)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_hostile_json_is_refused_in_an_envelope(body: bytes) -> None:
    assert_refused(EVERYTHING.answer(signed(json_request("ListImages", None, content=body))))


SAMPLES: list[Any] = ["text", 1, -1, 1.5, True, [], [[]], ["x"], [1], {}, {"x": 1}, [{"x": []}], [None]]
TYPES = {"structure": dict, "list": list, "map": dict, "boolean": bool, "integer": int, "long": int}
MEMBERS = [
    (operation, member, shape.type_name)
    for operation in sorted(service("ecr").operations)
    for member, shape in service("ecr").model.operation_model(operation).input_shape.members.items()
]


@pytest.mark.parametrize(("operation", "member", "kind"), MEMBERS)
def test_another_type_for_any_member_is_refused(operation: str, member: str, kind: str) -> None:
    for sample in SAMPLES:
        answer = EVERYTHING.answer(signed(json_request(operation, {member: sample})))
        if type(sample) is TYPES.get(kind, str):
            assert answer.status < 500
        else:
            assert_refused(answer)


FORMS = {
    "empty": b"",
    "an index beyond all": b"Action=UntagUser&UserName=ann&TagKeys.member." + b"9" * 10_000 + b"=x",
    "a huge index": b"Action=UntagUser&UserName=ann&TagKeys.member.1000000000=x",
    "too many fields": b"Action=UntagUser&UserName=ann" + b"".join(b"&a%d=1" % at for at in range(10_000)),
    "deep names": b"Action=UntagUser&UserName" + b".a" * 10_000 + b"=x",
    "a parameter twice": b"Action=UntagUser&UserName=ann&UserName=bob&TagKeys.member.1=x",
    "an action twice": b"Action=UntagUser&Action=DeleteUser&UserName=ann",
    "broken UTF-8": b"Action=UntagUser&UserName=%FF",
    "NUL": b"Action=UntagUser&UserName=%00&TagKeys.member.1=x",
    "a control character": b"Action=UntagUser&UserName=%01&TagKeys.member.1=x",
    "a structure for a text": b"Action=UntagUser&UserName.member.1=ann",
    "a long name": b"Action=UntagUser&UserName=" + b"a" * 1_000_000,
    "JSON": b'{"UserName":"ann"}',
    "random bytes": bytes(range(256)),
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_a_hostile_form_is_refused_in_an_envelope(body: bytes) -> None:
    assert_refused(EVERYTHING.answer(signed(form_request(body), service="iam")))


@given(
    st.sampled_from(["GET", "POST", "\n"]),
    st.binary(max_size=10),
    st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"x-amz-target", b"x-amz-date", b"content-type", b"host"]),
            st.binary(max_size=30),
        ),
        max_size=5,
    ),
    st.binary(max_size=30),
)
def test_no_request_at_all_is_answered_with_a_failure(
    method: str, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    assert_refused(EVERYTHING.answer(unsigned(method=method, raw_path=path, headers=headers, body=body)))


def test_the_door_loads_no_session_of_botocore_and_no_model_before_a_request() -> None:
    script = (
        "import sys, moorage.web.aws.door, moorage.web.aws.model as m;"
        "assert 'botocore.session' not in sys.modules;"
        "assert m.service.cache_info().currsize == 0"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

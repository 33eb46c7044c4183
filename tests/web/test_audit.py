"""Both doors tell the audit log, after a call was carried out and before it is answered."""

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from moorage.core.calls import Call, Caller
from moorage.core.errors import AccessDenied, CredentialsInvalid, RepositoryNotFound
from moorage.core.identities import AccessKey
from moorage.core.names import Region, RepositoryName
from moorage.core.operations import ROUTES
from moorage.core.tokens import issue
from moorage.web.audit import Recorder
from moorage.web.aws.door import AwsDoor, AwsRequest, Handler, code_of
from moorage.web.http import Answer, BodyTooLarge, ClientGone
from moorage.web.oci.door import OciDoor, OciRequest
from moorage.web.oci.requests import Query
from moorage.web.pools import Pools
from moorage.web.throttle import Throttle
from tests.house.operations import NOTHING, routes
from tests.web.signing import KEY, NOW, signed
from tests.web.test_aws_door import form_request, json_request

APP = RepositoryName("team/app")
ARN = "arn:aws:ecr:us-east-1:111122223333:repository/team/app"
SECRET = b"s" * 32
DENIED = AccessDenied(KEY.user.arn, "ecr:X", ARN, "because no identity-based policy allows the ecr:X action")
DIGEST = "sha256:" + "0" * 64


class Told:
    """What the log was told."""

    def __init__(self, *, reads: bool = False, full: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.failures = 0
        self._full = full
        self.recorder = Recorder(self._append, code_of, self._failed, reads=reads)

    def _append(self, line: bytes) -> None:
        if self._full:
            raise OSError(28, "No space left on device")
        self.events.append(json.loads(line))

    def _failed(self) -> None:
        self.failures += 1

    def said(self) -> list[tuple[str, str | None]]:
        return [(one["eventName"], one.get("errorCode")) for one in self.events]


def handler(answer: Mapping[str, Any] | Exception | None = None) -> Handler:
    def handle(_call: Call, _given: dict[str, Any]) -> Mapping[str, Any] | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handle


def aws(
    told: Told,
    request: AwsRequest,
    answer: Mapping[str, Any] | Exception | None = None,
    key: AccessKey = KEY,
    throttle: Throttle | None = None,
) -> Answer:
    names = ("PutImage", "DescribeRepositories", "DescribeImages", "CreateAccessKey", "ListUsers", "UploadLayerPart")
    handlers = dict.fromkeys(names, handler(answer))
    services = {"ecr": handlers, "iam": handlers, "sts": handlers}
    return AwsDoor(
        services, lambda key_id: key if key_id == key.id else None, lambda: NOW, throttle, audit=told.recorder
    ).answer(request)


PUT = signed(json_request("PutImage", {"repositoryName": "team/app", "imageManifest": "{}", "imageTag": "v1"}))
READ = signed(json_request("DescribeImages", {"repositoryName": "team/app"}))


def test_a_change_is_recorded_with_its_input_and_a_read_is_not() -> None:
    told = Told()
    assert [aws(told, request, {}).status for request in (PUT, READ)] == [200, 200]

    [event] = told.events
    assert event["requestParameters"] == {"repositoryName": "team/app", "imageManifest": "{}", "imageTag": "v1"}
    assert (event["userIdentity"]["arn"], event["sourceIPAddress"]) == (KEY.user.arn, "192.0.2.7")
    assert event["requestID"] == PUT.request_id
    assert event["resources"] == [{"ARN": ARN, "accountId": "111122223333"}]


def test_reads_are_recorded_on_request() -> None:
    told = Told(reads=True)
    aws(told, READ, {})

    assert told.said() == [("DescribeImages", None)]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (RepositoryNotFound(APP, KEY.user.account), "RepositoryNotFoundException"),
        (DENIED, "AccessDeniedException"),
        (CredentialsInvalid(), "UnrecognizedClientException"),
        (RuntimeError("a secret"), "ServerException"),
    ],
)
def test_a_change_that_fails_is_recorded_with_its_code(answer: Exception, code: str) -> None:
    told = Told()
    aws(told, PUT, answer)

    assert told.said() == [("PutImage", code)]
    assert "secret" not in told.events[0]["errorMessage"]


def test_a_denied_read_is_recorded_and_another_failed_one_is_not() -> None:
    told = Told()
    aws(told, READ, DENIED)
    aws(told, READ, RepositoryNotFound(APP, KEY.user.account))

    assert told.said() == [("DescribeImages", "AccessDeniedException")]


def test_the_registry_that_a_call_names_is_its_recipient() -> None:
    told = Told()
    aws(
        told,
        signed(
            json_request("PutImage", {"registryId": "444455556666", "repositoryName": "app", "imageManifest": "{}"})
        ),
        DENIED,
    )

    [event] = told.events
    assert event["recipientAccountId"] == "444455556666"
    assert event["userIdentity"]["accountId"] == "111122223333"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (signed(json_request("PutImage", {"repositoryName": 7})), "SerializationException"),
        (signed(json_request("PutImage", None, content=b"{")), "SerializationException"),
        (signed(json_request("PutReplicationConfiguration", {})), "UnknownOperationException"),
    ],
)
def test_a_change_that_cannot_be_read_is_recorded_without_its_input(request_: AwsRequest, code: str) -> None:
    told = Told()
    aws(told, request_)

    assert told.said() == [(json_name(request_), code)]
    assert told.events[0]["requestParameters"] is None


def json_name(request: AwsRequest) -> str:
    return request.header(b"x-amz-target").partition(".")[2]


def test_strangers_are_not_recorded() -> None:
    told = Told(reads=True)
    forged = replace(PUT, body=PUT.body + b" ")
    unknown = signed(json_request("PutImage", {}), key=replace(KEY, id="AKIAUNKNOWN"))
    for request in (replace(PUT, headers=PUT.headers[:3]), forged, unknown, replace(PUT, method="PUT")):
        assert aws(told, request, {}).status >= 400

    assert told.events == []


def test_whoever_signs_with_a_key_that_is_switched_off_is_recorded_and_whoever_only_knows_its_id_is_not() -> None:
    told = Told()
    off = replace(KEY, active=False)
    forged = signed(json_request("DescribeImages", {}), key=replace(KEY, secret="guessed"))
    answers = [aws(told, request, {}, off) for request in (READ, forged)]

    assert {json.loads(cast("bytes", each.body))["__type"] for each in answers} == {"UnrecognizedClientException"}
    assert told.said() == [("DescribeImages", "UnrecognizedClientException")]


def test_a_request_beyond_the_rate_is_recorded() -> None:
    told, throttle = Told(), Throttle()
    for _ in range(11):
        aws(told, PUT, {}, throttle=throttle)

    assert told.said() == [("PutImage", None)] * 10 + [("PutImage", "ThrottlingException")]


def test_no_secret_of_a_key_is_recorded() -> None:
    told = Told(reads=True)
    made = {
        "AccessKey": {"UserName": "ann", "AccessKeyId": "AKIANEW", "SecretAccessKey": "open-sesame", "Status": "Active"}
    }
    request = signed(form_request({"Action": "CreateAccessKey", "UserName": "ann"}), service="iam")
    assert b"open-sesame" in cast("bytes", aws(told, request, made).body)

    [event] = told.events
    assert "open-sesame" not in json.dumps(event)
    assert KEY.secret not in json.dumps(event)
    assert (event["eventSource"], event["requestParameters"]) == ("iam.amazonaws.com", {"userName": "ann"})


def test_no_bytes_of_a_layer_are_recorded() -> None:
    told = Told()
    part = {
        "repositoryName": "app",
        "uploadId": "6f1c2b1e-0000-4000-8000-000000000001",
        "partFirstByte": 0,
        "partLastByte": 4,
        "layerPartBlob": "bGF5ZXI=",
    }
    aws(told, signed(json_request("UploadLayerPart", part)), {})

    assert told.events[0]["requestParameters"].keys() == part.keys() - {"layerPartBlob"}


def test_a_log_that_cannot_be_written_keeps_nobody_from_their_answer(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(full=True)
    with caplog.at_level(logging.ERROR, "moorage.audit"):
        assert aws(told, PUT, {}).status == 200

    assert told.failures == 1
    assert f"request {PUT.request_id}: PutImage could not be recorded" in caplog.text


# --- the registry door --------------------------------------------------------------------------------------------------


CALLER = Caller(KEY.user.arn, KEY.user.account, KEY.user.id, KEY.user.name, KEY.id)
PASSWORD, _ = issue(SECRET, CALLER, Region("us-east-1"), NOW)
PATHS = {
    "base": "",
    "catalog": "_catalog",
    "tags": "team/app/tags/list",
    "referrers": f"team/app/referrers/{DIGEST}",
    "manifest": "team/app/manifests/v1",
    "blob": f"team/app/blobs/{DIGEST}",
    "uploads": "team/app/blobs/uploads/",
    "upload": "team/app/blobs/uploads/some",
}
HERE = {"registryId": "111122223333", "repositoryName": "team/app"}


def registry(
    told: Told,
    asked: tuple[str, str],
    answer: Exception | int = 200,
    *,
    path: str | None = None,
    query: str = "",
    password: str = PASSWORD,
    agent: str = "docker/29",
) -> Answer:
    """Ask the registry door, whose every handler answers or fails in the same way."""

    async def handle(*_: object) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        return Answer(status=answer)

    async def ask() -> Answer:
        pools = Pools(inline=True)
        door = OciDoor(
            NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, pools, NOTHING, SECRET, sparse=False, audit=told.recorder
        )
        door._handlers = dict.fromkeys(door._handlers, handle)  # noqa: SLF001 - what they do is not what this is about
        try:
            return await door.answer(request)
        finally:
            pools.close()

    encoded = base64.b64encode(f"AWS:{password}".encode())
    request = OciRequest(
        method=asked[1],
        raw_path=f"/v2/{PATHS[asked[0]] if path is None else path}".encode(),
        query=Query(query.encode()),
        headers={b"host": b"localhost", b"authorization": b"Basic " + encoded, b"user-agent": agent.encode("latin-1")},
        receive=NOTHING,
        client="192.0.2.7",
        secure=True,
        request_id="request-1",
        at=NOW,
    )
    return asyncio.run(ask())


def test_every_request_of_the_registry_has_a_name() -> None:
    assert set(ROUTES) == routes()


def test_every_request_that_changes_something_is_recorded_and_no_other() -> None:
    told = Told()
    for asked in sorted(routes()):
        registry(told, asked)

    assert told.said() == [
        ("BatchDeleteImage", None),
        ("BatchDeleteImage", None),
        ("PutImage", None),
        ("CancelLayerUpload", None),
        ("UploadLayerPart", None),
        ("CompleteLayerUpload", None),
        ("InitiateLayerUpload", None),
    ]


def test_every_request_is_recorded_where_reads_are() -> None:
    told = Told(reads=True)
    for asked in sorted(routes()):
        registry(told, asked)

    assert [name for name, _ in told.said()] == [ROUTES[asked].operation for asked in sorted(routes())]


@pytest.mark.parametrize("asked", sorted(routes()))
def test_every_denial_is_recorded(asked: tuple[str, str]) -> None:
    told = Told()
    registry(told, asked, DENIED)
    registry(told, asked, CredentialsInvalid())

    name = ROUTES[asked].operation
    assert told.said() == [(name, "AccessDeniedException"), (name, "UnrecognizedClientException")]
    assert {event["resources"][0]["ARN"] for event in told.events[:1]} == {ARN}


@pytest.mark.parametrize(
    ("asked", "query", "status", "name", "parameters"),
    [
        (("manifest", "PUT"), "tag=a&tag=b", 201, "PutImage", {"imageTag": "v1", "imageTags": ["a", "b"]}),
        (("manifest", "DELETE"), "", 202, "BatchDeleteImage", {"imageIds": [{"imageTag": "v1"}]}),
        (("blob", "DELETE"), "", 202, "BatchDeleteImage", {"layerDigest": DIGEST}),
        (("uploads", "POST"), "", 202, "InitiateLayerUpload", {}),
        (("uploads", "POST"), f"digest={DIGEST}", 201, "CompleteLayerUpload", {"layerDigests": [DIGEST]}),
        (
            ("uploads", "POST"),
            f"digest={DIGEST}&mount=x",
            202,
            "InitiateLayerUpload",
            {"layerDigests": [DIGEST], "layerDigest": "x"},
        ),
        (
            ("uploads", "POST"),
            f"mount={DIGEST}&from=team/base",
            201,
            "MountLayer",
            {"layerDigest": DIGEST, "sourceRepositoryName": "team/base"},
        ),
        (("uploads", "POST"), f"mount={DIGEST}", 202, "InitiateLayerUpload", {"layerDigest": DIGEST}),
        (
            ("upload", "PUT"),
            f"digest={DIGEST}&secret=x",
            201,
            "CompleteLayerUpload",
            {"uploadId": "some", "layerDigests": [DIGEST]},
        ),
        (("upload", "PATCH"), "&".join(["a=b"] * 101), 202, "UploadLayerPart", {"uploadId": "some"}),
    ],
)
def test_a_request_is_told_as_the_operation_that_it_was(
    asked: tuple[str, str], query: str, status: int, name: str, parameters: dict[str, Any]
) -> None:
    told = Told()
    registry(told, asked, status, query=query)

    [event] = told.events
    assert (event["eventName"], event["requestParameters"]) == (name, HERE | parameters)
    assert (event["sourceIPAddress"], event["userAgent"]) == ("192.0.2.7", "docker/29")
    assert (event["eventSource"], event["userIdentity"]["accessKeyId"]) == ("ecr.amazonaws.com", KEY.id)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RepositoryNotFound(APP, KEY.user.account), "RepositoryNotFoundException"),
        (BodyTooLarge(), "RequestEntityTooLargeException"),
        (RuntimeError(), "ServerException"),
    ],
)
def test_a_push_that_fails_is_recorded_with_the_code_of_the_api(error: Exception, code: str) -> None:
    told = Told()
    registry(told, ("upload", "PATCH"), error)

    assert told.said() == [("UploadLayerPart", code)]


def test_a_push_whose_client_goes_away_is_recorded() -> None:
    told = Told()
    with pytest.raises(ClientGone):
        registry(told, ("upload", "PATCH"), ClientGone())

    assert told.said() == [("UploadLayerPart", "RequestCanceled")]


def test_whoever_has_no_good_token_is_not_recorded() -> None:
    told = Told(reads=True)
    over, _ = issue(SECRET, CALLER, Region("us-east-1"), NOW - timedelta(hours=13))
    statuses = [registry(told, ("manifest", "PUT"), 201, password=each).status for each in ("x", PASSWORD[:-8], over)]

    assert statuses == [401, 401, 403]
    assert told.events == []


def test_the_token_is_not_recorded() -> None:
    told = Told(reads=True)
    registry(told, ("manifest", "GET"), query=f"token={PASSWORD}")
    registry(told, ("manifest", "GET"), DENIED)

    assert all(PASSWORD not in json.dumps(event) for event in told.events)


@pytest.mark.parametrize("path", ["a%0db/manifests/v1", "a%00b/manifests/%e2%80%a8", "A" * 20_000 + "/manifests/v1"])
def test_a_name_that_cannot_be_is_shown_within_its_line_and_is_no_resource(path: str) -> None:
    told = Told()
    registry(told, ("manifest", "PUT"), RepositoryNotFound(APP, KEY.user.account), path=path, agent="\x85" * 100_000)

    [event] = told.events
    assert event["resources"] == []
    assert len(json.dumps(event)) < 20_000


def test_a_registry_whose_log_cannot_be_written_answers() -> None:
    told = Told(full=True)

    assert registry(told, ("manifest", "PUT"), 201).status == 201
    assert told.failures == 1

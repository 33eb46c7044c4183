"""Connections that lie, stop, hurry or are shared: each request gets one answer or none, and never another one's."""

import re
import socket
import struct
from collections.abc import Iterable

import pytest

from tests.clients.registry import digest_of
from tests.engines.programs import wait_until
from tests.hostile.place import ABSENT, APP, CONTENT, Place, aws_error, json_headers, oci_error
from tests.hostile.wire import Answer, Wire, chunked, head

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchanged")]

MIB = 1024 * 1024
TARGET = f"/v2/{APP}/manifests/bad"
CUT = (400, "SIZE_INVALID")


def ask(place: Place, *parts: bytes, method: str = "GET", ended: bool = False) -> Answer | None:
    """Send bytes, perhaps close this half of the connection, and return the first answer that is final."""
    with Wire(place.server.port) as wire:
        wire.send(*parts)
        if ended:
            wire.end_sending()
        return wire.final(method)


def must(answer: Answer | None) -> Answer:
    assert answer is not None, "the connection was closed without an answer"
    return answer


def with_token(place: Place, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("host", place.server.host), *place.registry.authorization().items(), *more]


def put(place: Place, *more: tuple[str, str]) -> bytes:
    return head("PUT", TARGET, with_token(place, *more))


# --- bodies that do not keep what their head promised -------------------------------------------------------------------

BROKEN_CHUNKS = [
    b"zz\r\nbytes\r\n",
    b"f" * 17 + b"\r\nbytes",
    b"5\r\nbytesXX0\r\n\r\n",
    b"-5\r\nbytes\r\n",
    b"5;" + b"a" * 100_000 + b"\r\n",
]


@pytest.mark.parametrize("rest", BROKEN_CHUNKS)
@pytest.mark.parametrize("route", ["manifest", "chunk", "last chunk", "whole blob"])
def test_a_body_whose_coding_breaks_is_refused_and_does_not_count(place: Place, route: str, rest: bytes) -> None:
    start = place.v2_head(*routes(place)[route], transfer_encoding="chunked")

    answer = must(ask(place, start, b"3\r\nabc\r\n", rest, ended=True))

    assert oci_error(answer) == CUT


@pytest.mark.parametrize("route", ["manifest", "chunk", "last chunk", "whole blob"])
def test_a_body_shorter_than_it_said_is_refused_and_does_not_count(place: Place, route: str) -> None:
    start = place.v2_head(*routes(place)[route], content_length="50")

    assert oci_error(must(ask(place, start, b"bytes", ended=True))) == CUT


def test_an_api_body_shorter_than_it_said_is_refused(place: Place) -> None:
    headers = place.sign("ecr", json_headers("CreateRepository"), b'{"repositoryName":"n/x"}')

    answer = must(
        ask(place, head("POST", "/", headers | {"content-length": "50"}), b'{"repositoryName":"n/x"}', ended=True)
    )

    assert aws_error(answer) == (400, "SerializationException")


def routes(place: Place) -> dict[str, tuple[str, str]]:
    return {
        "manifest": ("PUT", TARGET),
        "chunk": ("PATCH", place.upload),
        "last chunk": ("PUT", f"{place.upload}?digest={ABSENT}"),
        "whole blob": ("POST", f"/v2/{APP}/blobs/uploads/?digest={ABSENT}"),
    }


@pytest.mark.parametrize("size", ["-5", "+5", "5, 6", "0x5", "five", "5.0", "9" * 30, "5 5", ""])
def test_a_length_that_is_no_number_is_refused_before_the_doors(place: Place, size: str) -> None:
    assert must(ask(place, put(place, ("content-length", size)), b"bytes")).status == 400


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("coding", ["declared", "chunked"])
def test_after_a_client_has_gone_in_the_middle_its_upload_goes_on_where_it_stood(
    place: Place, coding: str, how: str
) -> None:
    upload = place.registry.start_upload("team/other")
    place.registry.must(202, "PATCH", upload, CONTENT)
    sizes = {"content_length": str(8 * MIB)} if coding == "declared" else {"transfer_encoding": "chunked"}
    half = bytes(3 * MIB) if coding == "declared" else b"800000\r\n" + bytes(3 * MIB)

    with Wire(place.server.port) as wire:
        wire.send(place.v2_head("PATCH", upload, **sizes), half)
        assert wait_until(lambda: place.stored(upload) > MIB, seconds=20)
        if how == "reset":
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # Until the server has noticed, the upload is still the lost request's.
    assert wait_until(lambda: place.registry.send("PATCH", upload).status != 409, seconds=20)
    assert place.registry.must(204, "GET", upload).headers["range"] == f"0-{len(CONTENT) - 1}"
    reply = place.registry.must(202, "PATCH", upload, b"more", Content_Range=f"{len(CONTENT)}-{len(CONTENT) + 3}")
    assert reply.headers["range"] == f"0-{len(CONTENT) + 3}"
    place.registry.must(204, "DELETE", upload)


def test_an_upload_has_one_writer_at_a_time(place: Place) -> None:
    with Wire(place.server.port) as slow:
        slow.send(place.v2_head("PATCH", place.upload, transfer_encoding="chunked"), b"200000\r\n", bytes(2 * MIB))
        assert wait_until(lambda: place.stored(place.upload) > MIB, seconds=20)

        assert oci_error(place.v2("PATCH", place.upload, b"x")) == (409, "BLOB_UPLOAD_INVALID")
        assert oci_error(place.v2("DELETE", place.upload)) == (409, "BLOB_UPLOAD_INVALID")
        assert place.v2("GET", place.upload).status == 204
    assert wait_until(lambda: place.v2("PATCH", place.upload).status == 202, seconds=20)


# --- one connection, several requests -----------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_their_order(place: Place) -> None:
    paths = ["/v2/", f"/v2/{APP}/tags/list", "/v2/nowhere", f"/v2/{APP}/manifests/v1", "/livez", "/v2/_catalog"]

    with Wire(place.server.port) as wire:
        wire.send(b"".join(place.v2_head("GET", path) for path in paths))
        answers = [must(wire.answer()) for _ in paths]

    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200, 200]
    assert answers[3].body == place.manifest
    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == len(paths)


@pytest.mark.parametrize("coding", ["declared", "chunked"])
@pytest.mark.parametrize("size", [1, 20_000, 1_000_000])
@pytest.mark.parametrize("refusal", ["no token", "no route", "no upload", "no repository", "no manifest", "bad part"])
def test_what_follows_a_refused_body_is_answered_by_itself_or_not_at_all(
    place: Place, refusal: str, size: int, coding: str
) -> None:
    # A body that asks for something, were it read as a request.
    inner = place.v2_head("POST", f"/v2/{APP}/blobs/uploads/", content_length="0")
    body = inner + bytes(size)
    sizes = ("content-length", str(len(body))) if coding == "declared" else ("transfer-encoding", "chunked")

    with Wire(place.server.port) as wire:
        wire.send(
            refused(place, refusal, sizes),
            body if coding == "declared" else chunked(body),
            place.v2_head("GET", "/v2/_catalog"),
        )
        first, second = must(wire.final()), wire.final()

    assert 400 <= first.status < 500
    assert second is None or second.body.startswith(b'{"repositories":[')


def refused(place: Place, refusal: str, sizes: tuple[str, str]) -> bytes:
    gone = place.upload.rpartition("/")[0] + "/6f1c2b1e-0000-4000-8000-000000000001"
    heads: dict[str, tuple[str, str, Iterable[tuple[str, str]]]] = {
        "no token": ("PUT", TARGET, [("host", "x")]),
        "no route": ("PUT", "/v2/nowhere", with_token(place)),
        "no upload": ("PATCH", gone, with_token(place)),
        "no repository": ("POST", f"/v2/never/made/blobs/uploads/?digest={ABSENT}", with_token(place)),
        "no manifest": ("PUT", TARGET, with_token(place)),
        "bad part": ("PATCH", place.upload, with_token(place, ("content-range", "5-10"))),
    }
    method, path, headers = heads[refusal]
    return head(method, path, [*headers, sizes])


# --- two opinions on where a request ends -------------------------------------------------------------------------------


def followed(place: Place, framing: list[tuple[str, str]]) -> tuple[Answer, Answer | None]:
    """Send a request framed like that with another one behind it, and return the answers that come."""
    with Wire(place.server.port) as wire:
        wire.send(
            put(place, *framing),
            chunked(b"bytes"),
            place.v2_head("POST", f"/v2/{APP}/blobs/uploads/", content_length="0"),
        )
        first, second = must(wire.final()), wire.final()
    return first, second


BOTH = [
    [("content-length", "5"), ("transfer-encoding", "chunked")],
    [("transfer-encoding", "chunked"), ("content-length", "500")],
]


@pytest.mark.parametrize("framing", BOTH)
def test_a_request_with_two_framings_is_the_last_of_its_connection(
    place: Place, framing: list[tuple[str, str]]
) -> None:
    first, second = followed(place, framing)

    assert oci_error(first) == (405, "UNSUPPORTED")
    assert (first.headers["connection"], second) == ("close", None)


FRAMINGS: list[list[tuple[str, str]]] = [
    [("content-length", "5"), ("content-length", "6")],
    [("content-length", "5, 5")],
    [("transfer-encoding", "xchunked")],
    [("transfer-encoding", "chunked, identity")],
    [("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
    [("transfer-encoding ", "chunked")],
    [("transfer-encoding", "\x0bchunked")],
    [(" content-length", "5")],
    [("content-length\0", "5")],
]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_request_whose_end_is_doubtful_is_refused_and_the_connection_closed(
    place: Place, framing: list[tuple[str, str]]
) -> None:
    first, second = followed(place, framing)

    assert (first.status, first.body, second) == (400, b"", None)


HEADS = {
    "a folded header": b"GET /v2/ HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n",
    "NUL in a header": b"GET /v2/ HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n",
    "a bare CR in a header": b"GET /v2/ HTTP/1.1\r\nhost: x\r\na: b\rc: d\r\n\r\n",
    "no version": b"GET /v2/\r\n\r\n",
    "a version to come": b"GET /v2/ HTTP/9.9\r\n\r\n",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(128, 256)),
    "a header without a name": b"GET /v2/ HTTP/1.1\r\n: x\r\n\r\n",
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_http_does_not_allow_is_refused_before_the_doors(place: Place, what: str) -> None:
    answer = must(ask(place, HEADS[what]))

    assert (answer.status, answer.headers["connection"]) == (400, "close")


@pytest.mark.parametrize(
    "more",
    [
        {"x": "a" * 2_000_000},
        {f"x-{number}": "a" for number in range(150)},
        {"x" * 1_200_000: "a"},
        {"authorization": "Basic " + "a" * 1_200_000},
    ],
)
def test_a_head_that_is_too_large_is_refused_before_the_doors(place: Place, more: dict[str, str]) -> None:
    answer = must(ask(place, head("GET", "/v2/", {"host": "x"} | more)))

    assert (answer.status, answer.headers["connection"]) == (431, "close")


def test_a_large_head_within_the_limits_is_read(place: Place) -> None:
    more = [(f"x-{number}", "a" * 5000) for number in range(90)]

    assert must(ask(place, head("GET", "/v2/", with_token(place, *more)))).status == 200


# --- old and unusual ways to ask ----------------------------------------------------------------------------------------


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(place: Place) -> None:
    with Wire(place.server.port) as wire:
        wire.send(put(place, ("content-length", "5"), ("expect", "100-continue")))
        asked = must(wire.answer())
        wire.send(b"bytes")
        answer = must(wire.answer())

    assert asked.status == 100
    assert oci_error(answer) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("refusal", ["no token", "no route", "no upload", "no repository", "bad part"])
def test_a_client_that_waits_is_not_asked_for_a_body_that_is_refused_already(place: Place, refusal: str) -> None:
    start = refused(place, refusal, ("content-length", "5")).removesuffix(b"\r\n") + b"expect: 100-continue\r\n\r\n"

    with Wire(place.server.port) as wire:
        assert 400 <= must(wire.send(start).answer()).status < 500


def test_an_expectation_that_nobody_knows_is_no_reason_to_wait(place: Place) -> None:
    answer = must(ask(place, put(place, ("content-length", "5"), ("expect", "the-unexpected")), b"bytes"))

    assert oci_error(answer) == (405, "UNSUPPORTED")


def test_http_1_0_is_answered_and_the_connection_closed(place: Place) -> None:
    token = place.registry.authorization()["Authorization"].encode()

    with Wire(place.server.port) as wire:
        wire.send(b"GET /v2/%b/tags/list HTTP/1.0\r\nauthorization: %b\r\n\r\n" % (APP.encode(), token))
        first, second = must(wire.answer()), wire.answer()

    assert (first.status, first.body, second) == (200, b'{"name":"team/app","tags":["many","v1"]}', None)


def test_a_target_with_a_host_of_its_own_is_answered_as_its_path(place: Place) -> None:
    answer = must(ask(place, head("GET", "http://elsewhere.example/v2/nowhere", with_token(place))))

    assert oci_error(answer) == (404, "no route")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "BREW", "get", "CONNECT", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/moorage/layers/x"])
def test_a_method_that_an_address_has_not_is_refused(place: Place, path: str, method: str) -> None:
    answer = must(ask(place, head(method, path, {"host": "x", "content-length": "0"}), method=method))

    assert answer.status in ((200, 403) if method == "HEAD" and path != "/" else (404, 405))
    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-amzn-requestid"])


def test_the_id_of_a_request_is_given_once(place: Place) -> None:
    signed = place.sign("ecr", json_headers("DescribeRegistry"), b"{}") | {"content-length": "2", "connection": "close"}
    with_v2 = place.v2_head("GET", f"/v2/{APP}/tags/list", connection="close")

    for request in (head("POST", "/", signed) + b"{}", with_v2):
        with Wire(place.server.port) as wire:
            assert wire.send(request).everything().count(b"x-amzn-requestid:") == 1


def test_what_a_refused_request_sent_cannot_be_downloaded(place: Place) -> None:
    secret = b"never to be seen again"

    place.v2("PUT", f"{place.upload}?digest={ABSENT}", secret)

    assert oci_error(place.v2("GET", f"/v2/{APP}/blobs/{digest_of(CONTENT + secret)}")) == (404, "BLOB_UNKNOWN")


@pytest.mark.parametrize(
    "tail", ["", "?expires=9&signature=" + "0" * 64, "?expires=99999999999&signature=" + "0" * 64, "?" + "a" * 9000]
)
@pytest.mark.parametrize(
    "path", [f"123456789012/us-east-1/{ABSENT}/{APP}", "..%2f..%2fetc/passwd", "%ff", "a" * 9000, "x\\y"]
)
def test_a_signed_address_that_was_not_signed_here_is_denied(place: Place, path: str, tail: str) -> None:
    answer = place.v2("GET", f"/moorage/layers/{path}{tail}")

    assert oci_error(answer) == (403, "DENIED")

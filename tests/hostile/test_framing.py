"""Requests whose end, host or holder two readers may see differently: one request is answered as one, or it is the last."""

import time

import pytest

from tests.hostile.place import APP, Place, oci_error
from tests.hostile.wire import Answer, Wire, chunked, head

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchanged")]

TARGET = f"/v2/{APP}/manifests/bad"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


def answers(place: Place, rest: bytes, *, line: bytes = b"\r\n") -> tuple[Answer | None, Answer | None]:
    """Send a request that ends in ``rest`` and one behind it that lists repositories; return both answers."""
    token = place.registry.authorization()["Authorization"]
    start = f"PUT {TARGET} HTTP/1.1\nhost: {place.server.host}\nauthorization: {token}\n".encode().replace(b"\n", line)
    with Wire(place.server.port) as wire:
        wire.send(start, rest, place.v2_head("GET", "/v2/_catalog"))
        first = wire.final()
        return first, wire.final() if first else None


CLEAR = {
    "its length twice": b"content-length: 5\r\ncontent-length: 5\r\n\r\nbytes",
    "lines that end in LF alone": b"content-length: 5\n\nbytes",
    "extensions of chunks": CHUNKED + b"5;a=b\r\nbytes\r\n0;c\r\n\r\n",
    "spaces behind a chunk's size": CHUNKED + b"5 \r\nbytes\r\n0\r\n\r\n",
    "trailers that look like headers": CHUNKED + b"5\r\nbytes\r\n0\r\ncontent-length: 50\r\nhost: x\r\n\r\n",
    "an upgrade that is not there": b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\nbytes",
}


@pytest.mark.parametrize("what", CLEAR)
def test_what_has_one_reading_only_is_answered_and_so_is_what_follows(place: Place, what: str) -> None:
    first, second = answers(place, CLEAR[what], line=b"\n" if "LF" in what else b"\r\n")

    assert first is not None
    assert oci_error(first) == (405, "UNSUPPORTED")
    assert second is not None
    assert second.body.startswith(b'{"repositories":[')


DOUBTFUL = {
    "chunks that end in LF alone": CHUNKED + b"5\nbytes\n0\n\n",
    "a chunk's bytes that end in LF alone": CHUNKED + b"5\r\nbytes\n0\r\n\r\n",
    "an extension with a line of its own": CHUNKED + b'5;a="\n"\r\nbytes\r\n0\r\n\r\n',
    "an extension that ends in LF alone": CHUNKED + b"5;a\nbytes\r\n0\r\n\r\n",
    "a size with a prefix": CHUNKED + b"0x5\r\nbytes\r\n0\r\n\r\n",
    "a size with a sign": CHUNKED + b"+5\r\nbytes\r\n0\r\n\r\n",
    "a space before a size": CHUNKED + b" 5\r\nbytes\r\n0\r\n\r\n",
    "trailers without end": CHUNKED + b"5\r\nbytes\r\n0\r\n" + b"a: b\r\n" * 5_000 + b"\r\n",
    "a length on a folded line": b"content-length:\r\n 5\r\n\r\nbytes",
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_two_readers_may_end_elsewhere_is_refused_and_nothing_follows_it(place: Place, what: str) -> None:
    first, second = answers(place, DOUBTFUL[what])

    assert first is not None
    assert (first.status, second) == (400, None)


def test_a_coding_of_http_1_1_has_no_place_in_1_0(place: Place) -> None:
    start = place.v2_head("PUT", TARGET, transfer_encoding="chunked", connection="keep-alive")

    with Wire(place.server.port) as wire:
        wire.send(start.replace(b"HTTP/1.1", b"HTTP/1.0"), chunked(b"bytes"), place.v2_head("GET", "/v2/_catalog"))
        first, second = wire.final(), wire.final()

    assert first is not None
    assert (first.status, second) == (400, None)


@pytest.mark.parametrize("twice", [("host", "elsewhere.example"), ("authorization", "Basic eDp5")])
@pytest.mark.parametrize("first", [True, False])
def test_two_hosts_or_two_holders_are_one_too_many(place: Place, twice: tuple[str, str], *, first: bool) -> None:
    good = [("host", place.server.host), *place.registry.authorization().items()]

    with Wire(place.server.port) as wire:
        wire.send(head("GET", "/v2/", [twice, *good] if first else [*good, twice]))
        answer = wire.final()

    assert answer is not None
    assert oci_error(answer) == (400, "UNSUPPORTED")


def test_a_head_that_drips_is_not_waited_for(place: Place) -> None:
    with Wire(place.server.port) as wire:
        wire.send(b"GET /v2/ HTTP/1.1\r\nhost: x\r\nx: ")
        # Each of these bytes alone would be in time.
        for _ in range(60):
            wire.send(b"a")
            time.sleep(1)
            if wire.is_closed():
                return
    pytest.fail("a minute is more than anybody needs for a head")

"""Whole bodies: how slowly they may come, and how many at once."""

import asyncio
from collections.abc import Iterable, MutableMapping
from typing import Any

import pytest

from moorage.core import pace
from moorage.core.errors import ServerBusy
from moorage.web import http
from moorage.web.http import FREE, BodyTooLarge, ClientGone, Held, Room, read_body


class Client:
    """Sends chunks one after another, each after a pause; ``sent`` counts those that were asked for."""

    def __init__(self, chunks: Iterable[bytes], pause: float = 0) -> None:
        self._chunks = iter(chunks)
        self._pause = pause
        self.sent = 0

    async def receive(self) -> MutableMapping[str, Any]:
        await asyncio.sleep(self._pause)
        chunk = next(self._chunks, None)
        self.sent += 1
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}


def read(client: Client, held: Held, limit: int = 10**9) -> bytes:
    return asyncio.run(read_body(client.receive, limit, held))


def test_a_body_is_what_was_sent_however_it_was_cut() -> None:
    with Room().hold() as held:
        assert read(Client([b"ab"] * 50_000), held) == b"ab" * 50_000
        assert read(Client([]), held) == b""


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.2)
    monkeypatch.setattr(pace, "PATIENCE", 0.2)
    client = Client([b"a"] * 1_000, pause=0.01)

    with Room().hold() as held, pytest.raises(ClientGone):
        read(client, held)
    assert client.sent < 100


def test_what_the_server_takes_to_write_is_not_the_clients_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.2)
    monkeypatch.setattr(pace, "PATIENCE", 0.2)

    async def slowly_written() -> int:
        written = 0
        async for chunk, _ in http.body_chunks(Client([b"a" * 1024] * 10).receive):
            await asyncio.sleep(0.1)
            written += len(chunk)
        return written

    assert asyncio.run(slowly_written()) == 10 * 1024


def test_bodies_beyond_the_room_are_refused_until_one_of_them_is_answered() -> None:
    room = Room(1000)
    body = [b"a" * (FREE + 600)]

    with room.hold() as first, room.hold() as second:
        read(Client(body), first)
        with pytest.raises(ServerBusy):
            read(Client(body), second)
    with room.hold() as third:
        assert len(read(Client(body), third)) == FREE + 600
    assert room.left == 1000


def test_a_small_body_needs_no_room() -> None:
    with Room(0).hold() as held:
        assert len(read(Client([b"a"] * FREE), held)) == FREE


@pytest.mark.parametrize("limit", [10, FREE + 10])
def test_what_is_too_large_is_told_before_it_has_come_and_gives_its_room_back(limit: int) -> None:
    room = Room(1000)
    client = Client([b"a" * limit, b"a", *[b"a"] * 100])

    with room.hold() as held, pytest.raises(BodyTooLarge):
        read(client, held, limit)
    assert (client.sent, room.left) == (2, 1000)

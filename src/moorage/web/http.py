"""What both doors need of HTTP: a whole body within a limit, and an answer."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from moorage.core.errors import ServerBusy
from moorage.core.pace import PATIENCE, patience

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_USER_AGENT = 1024
"""Bytes of that header that conditions of policies are asked about."""

ROOM = 128 * 1024 * 1024
"""Bytes of whole bodies that one process holds at once. Read as JSON and base64 they take about three times as many."""
FREE = 64 * 1024
"""Bytes that every body may have, whatever others hold: most requests are smaller, and connections are limited."""

DROPPED_BYTES = 64 * 1024 * 1024
DROPPED_SECONDS = 5
"""How much is taken in, and for how long, of a body that was answered before its end."""


class BodyTooLarge(Exception):
    """More bytes than the door takes."""


class ClientGone(Exception):
    """The client went away before its body ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response; ``body`` is bytes or a stream of chunks.

    ``headers`` are lower-case; ``content-length`` is added for bytes. ``operation`` is what the metrics call the request.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes | AsyncGenerator[bytes] = b""
    operation: str = ""


class Incoming:
    """A request's body as it comes in: counted, and dropped where nobody wants the rest of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False
        self.received = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        """Return what comes next."""
        message = await self._receive()
        self.received += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        return message

    async def drop_rest(self, headers: Headers) -> None:
        """Take in what still comes of a body that is answered already, within limits.

        A client that first sends all and then listens would otherwise find the connection reset, and never hear why it
        was refused (RFC 9112, section 9.6). One that waits to be asked for its body sends none.
        """
        given = dict(headers)
        sends = given.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in given
        if not sends or b"expect" in given:
            return
        left = DROPPED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(DROPPED_SECONDS):
                while left > 0 and not self._ended:
                    left -= len((await self()).get("body", b""))


class Room:
    """What one process has left for whole bodies; used on the event loop alone."""

    def __init__(self, left: int = ROOM) -> None:
        self.left = left

    def hold(self) -> "Held":
        """Return what a request holds of it, for a ``with`` block that lasts as long as its body is needed."""
        return Held(self)


class Held:
    """The bytes of one body; leaving the block gives them back."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._room.left += self._taken
        self._taken = 0

    def keep(self, size: int) -> None:
        """Note that the body has come to ``size`` bytes; raises ServerBusy where there is no room for them."""
        more = max(size - FREE, 0) - self._taken
        if more > self._room.left:
            raise ServerBusy(1)
        self._room.left -= more
        self._taken += more


def new_id() -> str:
    """Return an id in the form of a UUID; a request has one, and so has its record."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


async def read_body(receive: Receive, limit: int, held: Held) -> bytes:
    """Return the whole body, at most ``limit`` bytes.

    Raises BodyTooLarge as soon as more than that has arrived, ServerBusy as soon as there is no room for it, ClientGone where
    the connection ends before the body.
    """
    # Not a list of the chunks: sent byte by byte, a body would take forty times its size.
    body = bytearray()
    async for chunk, _ in body_chunks(receive):
        size = len(body) + len(chunk)
        if size > limit:
            raise BodyTooLarge
        held.keep(size)
        body += chunk
    return bytes(body)


async def body_chunks(receive: Receive) -> AsyncIterator[tuple[bytes, bool]]:
    """Yield the body as it arrives, each piece with whether more comes; the last one may be empty. Raises ClientGone where the connection ends before the body, or it comes too slowly."""
    clock = asyncio.get_running_loop().time
    left, more = PATIENCE, True
    while more:
        # Only what the client takes is counted: while its bytes are being written nobody waits for it.
        began = clock()
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError:
            raise ClientGone from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        left = patience(left, clock() - began, len(chunk))
        more = message.get("more_body", False)
        if chunk or not more:
            yield chunk, more


async def send_answer(receive: Receive, send: Send, answer: Answer, *, head: bool = False) -> None:
    """Send ``answer``; without its body where the request was HEAD. A stream ends early when the client has gone."""
    headers = answer.headers
    body = answer.body
    if isinstance(body, bytes) and not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(body, bytes) or head:
        await send({"type": "http.response.body", "body": b"" if head else body})
        if not isinstance(body, bytes):
            await body.aclose()
        return
    # The server takes what is sent to nobody without a word, so the end of the connection is waited for beside it.
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async with aclosing(body) as chunks:
            async for chunk in chunks:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

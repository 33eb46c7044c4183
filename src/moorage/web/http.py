"""What both doors need of HTTP: a whole body within a limit, and an answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


BODY_SECONDS = 60
"""How long the next bytes of a body may take to arrive; what waits for them holds an upload or memory."""

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


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the whole body, at most ``limit`` bytes.

    Raises BodyTooLarge as soon as more than that has arrived, ClientGone where the connection ends before the body.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in body_chunks(receive):
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def body_chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body as it arrives; raises ClientGone where the connection ends before the body."""
    more = True
    while more:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = await receive()
        except TimeoutError:
            raise ClientGone from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        if chunk:
            yield chunk
        more = message.get("more_body", False)


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

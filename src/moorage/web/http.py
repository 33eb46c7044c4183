"""What both doors need of HTTP: a whole body within a limit, and an answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class BodyTooLarge(Exception):
    """More bytes than the door takes."""


class ClientGone(Exception):
    """The client went away before its body ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response; ``body`` is bytes, a whole file that the server sends by itself, or a stream of chunks.

    ``headers`` are lower-case; ``content-length`` is added for bytes. ``operation`` is what the metrics call the request.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes | Path | AsyncIterator[bytes] = b""
    operation: str = ""


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
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        if chunk:
            yield chunk
        more = message.get("more_body", False)


async def send_answer(send: Send, answer: Answer, *, head: bool = False) -> None:
    """Send ``answer``; without its body where the request was HEAD."""
    headers = answer.headers
    body = answer.body
    if isinstance(body, bytes) and not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if head or isinstance(body, bytes):
        await send({"type": "http.response.body", "body": b"" if head else body})
    elif isinstance(body, Path):
        await send({"type": "http.response.pathsend", "path": str(body)})
    else:
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

"""The ranges of bytes that a client asks for, and how several are sent at once (RFC 9110, section 14)."""

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

MAX_RANGES = 1024
"""What podman and skopeo ask for at most in one request when they fetch the missing pieces of a layer."""
GATHER = 1024 * 1024
"""Bytes that are gathered before they go on, so that a thousand pieces of a few bytes are not a thousand writes."""

Span = tuple[int, int]
"""Start and end (exclusive) of a range that is there."""

_unit = re.compile(rb"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_range = re.compile(rb"([0-9]{0,100})-([0-9]{0,100})")


class Unsatisfiable(Exception):
    """Ranges of bytes that do not exist, all of them."""


def byte_ranges(value: bytes | None, size: int) -> list[Span] | None:
    """Return the ranges of a Range header, in its order; None where the whole is to be sent.

    The whole is also the answer to a header that means nothing, to more than MAX_RANGES, and to ranges that together
    have more bytes than there are, which would make a short request an endless answer (section 14.2 leaves that open).
    Raises Unsatisfiable where each range begins beyond the end of the bytes, or beyond its own; one of several that does
    is left out.
    """
    found = _unit.fullmatch(value.strip()) if value else None
    specs = [spec for each in found[1].split(b",") if (spec := each.strip(b" \t"))] if found else []
    if not 0 < len(specs) <= MAX_RANGES:
        return None
    spans = []
    for spec in specs:
        named = _range.fullmatch(spec)
        if not named or not (named[1] or named[2]):
            return None
        spans.append(_span(named[1], named[2], size))
    there = [(start, end) for start, end in spans if start < end]
    if not there:
        raise Unsatisfiable
    return there if sum(end - start for start, end in there) <= size else None


def _span(first: bytes, last: bytes, size: int) -> Span:
    """Return one range within the size; its end is not beyond its start where there is nothing of it."""
    if not first:
        return size - min(int(last), size), size
    return int(first), min(int(last) + 1, size) if last else size


def content_range(span: Span, size: int) -> bytes:
    """Return the value of the header of that name."""
    return f"bytes {span[0]}-{span[1] - 1}/{size}".encode()


@dataclass(frozen=True, slots=True)
class Parts:
    """Several ranges in one body, each with a head of its own (``multipart/byteranges``, section 14.6)."""

    spans: Sequence[Span]
    size: int
    boundary: str

    @property
    def media_type(self) -> bytes:
        """The type that says where one part ends and the next begins."""
        return f"multipart/byteranges; boundary={self.boundary}".encode()

    def head(self, number: int) -> bytes:
        """Return what comes before the bytes of a part."""
        break_ = "\r\n" if number else ""
        opening = f"{break_}--{self.boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: "
        return opening.encode() + content_range(self.spans[number], self.size) + b"\r\n\r\n"

    @property
    def tail(self) -> bytes:
        """What ends the last part."""
        return f"\r\n--{self.boundary}--\r\n".encode()

    def length(self) -> int:
        """Return the length of the whole body."""
        heads = sum(len(self.head(number)) for number in range(len(self.spans)))
        return heads + sum(end - start for start, end in self.spans) + len(self.tail)

    def body(self, chunks: Generator[bytes]) -> Generator[bytes]:
        """Yield the whole body; ``chunks`` are the bytes of all ranges, each chunk of one. It ends early where they do."""
        return gathered(self._pieces(chunks))

    def _pieces(self, chunks: Generator[bytes]) -> Generator[bytes]:
        with closing(chunks):
            for number, (start, end) in enumerate(self.spans):
                yield self.head(number)
                left = end - start
                while left > 0:
                    chunk = next(chunks, b"")
                    if not chunk:
                        return
                    left -= len(chunk)
                    yield chunk
            yield self.tail


def gathered(pieces: Generator[bytes]) -> Generator[bytes]:
    """Yield the same bytes in larger pieces; one that is large already goes through as it is."""
    waiting: list[bytes] = []
    size = 0
    with closing(pieces):
        for piece in pieces:
            if size and size + len(piece) > GATHER:
                yield b"".join(waiting)
                waiting, size = [], 0
            waiting.append(piece)
            size += len(piece)
        if waiting:
            yield b"".join(waiting)

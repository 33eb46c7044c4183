"""Bytes on a socket, for what no client's library would send, and the answers that come back."""

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from typing import Self

PATIENCE = 20.0
"""Seconds until an answer that does not come counts as a hang."""


@dataclass(frozen=True)
class Answer:
    """An answer as it came; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One connection; every wait is bounded, and a wait that is over is a failure of the test."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file: BufferedReader = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> Self:
        """Send bytes; a server that no longer listens is no failure, it may have answered before."""
        try:
            for part in parts:
                self.socket.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def end_sending(self) -> Self:
        # The server may have answered and closed already.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def is_closed(self) -> bool:
        """Tell whether the server has closed the connection, perhaps after an answer."""
        self.socket.settimeout(0)
        try:
            while self.socket.recv(4096):
                pass
        except BlockingIOError:
            return False
        except ConnectionResetError:
            pass
        finally:
            self.socket.settimeout(PATIENCE)
        return True

    def answer(self, method: str = "GET") -> Answer | None:
        """Return the next answer, or None where the server closed the connection instead."""
        try:
            first = self._file.readline()
            if not first:
                return None
            status = int(first.split()[1])
            headers = dict(self._headers())
            return Answer(status, headers, self._body(method, status, headers))
        except ConnectionResetError:
            return None

    def final(self, method: str = "GET") -> Answer | None:
        """Return the next answer that is not an interim one (1xx)."""
        while (answer := self.answer(method)) and answer.status < 200:
            pass
        return answer

    def everything(self) -> bytes:
        """Return all that comes until the server closes the connection."""
        return self._file.read()

    def _headers(self) -> Iterable[tuple[str, str]]:
        while line := self._file.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def _body(self, method: str, status: int, headers: Mapping[str, str]) -> bytes:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if "content-length" in headers:
            return self._file.read(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        return self._file.read()

    def _chunks(self) -> Iterable[bytes]:
        while size := int(self._file.readline(), 16):
            yield self._file.read(size)
            self._file.readline()
        self._file.readline()


def head(method: str, target: bytes | str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> bytes:
    """Return the head of a request, with nothing in it that was not asked for."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    where = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [
        method.encode() + b" " + where + b" HTTP/1.1",
        *(f"{name}: {value}".encode("latin-1") for name, value in pairs),
    ]
    return b"\r\n".join([*lines, b"", b""])


def chunk(content: bytes) -> bytes:
    """Return one chunk of a body in chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def chunked(content: bytes) -> bytes:
    """Return a whole body in chunked transfer coding."""
    return chunk(content) + b"0\r\n\r\n"

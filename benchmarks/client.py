"""An HTTP/1.1 client that costs little: raw sockets, files sent by the kernel, bodies read into one reused buffer."""

import socket
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from urllib.parse import urlsplit

KEPT = 1 << 16  # bodies up to this size are kept, longer ones only counted
NO_BODY = {204, 304}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    size: int

    def expect(self, status: int) -> "Answer":
        if self.status != status:
            raise RuntimeError(f"expected {status}, got {self.status}: {self.body[:500]!r}")
        return self


@dataclass(slots=True)
class Client:
    """One connection to one port of the loopback, opened when needed and kept as long as the server keeps it."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    _socket: socket.socket | None = None
    _buffer: bytearray = field(default_factory=lambda: bytearray(1 << 18))

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | Path | None = None
    ) -> Answer:
        """Ask, read the whole answer, and follow one redirect of a GET."""
        answer = self._ask(method, path, self.headers | (headers or {}), body)
        if method == "GET" and answer.status in {302, 307}:
            place = urlsplit(answer.headers["location"])
            return self._ask(method, f"{place.path}?{place.query}", {}, None)
        return answer

    def send(self, request: bytes) -> Answer:
        """Send a request that is ready to go on the wire."""
        wire = self._connected()
        wire.sendall(request)
        return self._read(wire, head_only=False)

    def begin(self, part: bytes) -> None:
        """Send a part of a request, and wait for nothing."""
        self._connected().sendall(part)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | Path | None) -> Answer:
        wire = self._connected()
        size = body.stat().st_size if isinstance(body, Path) else len(body or b"")
        lengths = {} if body is None and method == "GET" else {"Content-Length": str(size)}
        wire.sendall(head(method, path, {"Host": f"localhost:{self.port}"} | headers | lengths))
        if isinstance(body, Path):
            with body.open("rb") as file:
                wire.sendfile(file)
        elif body:
            wire.sendall(body)
        return self._read(wire, head_only=method == "HEAD")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=300)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _read(self, wire: socket.socket, *, head_only: bool) -> Answer:
        with wire.makefile("rb") as stream:
            version, status, *_ = stream.readline().decode().split(maxsplit=2)
            headers: dict[str, str] = {}
            while (line := stream.readline()) not in {b"\r\n", b""}:
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body, size = (b"", 0) if head_only or int(status) in NO_BODY else self._read_body(stream, headers)
        if version == "HTTP/1.0" or headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(status), headers, body, size)

    def _read_body(self, stream: BufferedReader, headers: dict[str, str]) -> tuple[bytes, int]:
        if headers.get("transfer-encoding") == "chunked":
            chunks: list[bytes] = []
            while size := int(stream.readline().split(b";")[0], 16):
                chunks.append(stream.read(size))
                stream.readline()
            stream.readline()
            whole = b"".join(chunks)
            return whole, len(whole)
        length = int(headers.get("content-length", 0))
        if length <= KEPT:
            return stream.read(length), length
        left = length
        view = memoryview(self._buffer)
        while left:
            got = stream.readinto(view[: min(left, len(view))])
            if not got:
                raise RuntimeError(f"the connection ended {left} bytes early")
            left -= got
        return b"", length


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """Return the bytes of a request's head."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode()

"""A server that is told to stop lets end what runs, and then ends with status 0."""

import hashlib
import os
import signal
import socket
from collections.abc import Callable

import pytest

from tests.clients.registry import Registry
from tests.engines.programs import wait_until
from tests.engines.server import Server
from tests.hostile.wire import Wire, head
from tests.server.serving import APP, TRACEBACK, make_repository, sign_in

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
HALF = os.urandom(3 * MIB)
LARGE = os.urandom(64 * MIB)
"""More than all buffers between server and client hold."""

STOPS: dict[str, Callable[[Server], None]] = {
    "SIGTERM": lambda server: os.kill(server.pid, signal.SIGTERM),
    "SIGINT": lambda server: os.kill(server.pid, signal.SIGINT),
    # A terminal sends it to every process of the group.
    "Ctrl-C": lambda server: os.killpg(server.pid, signal.SIGINT),
    # A service manager may do that.
    "SIGTERM to all": lambda server: os.killpg(server.pid, signal.SIGTERM),
}
every_stop = pytest.mark.parametrize("stop", STOPS)


class Slow(Wire):
    """A connection whose client reads in small sips."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)


@pytest.fixture(params=["1", "2"])
def own(request: pytest.FixtureRequest, start_server: Callable[..., Server]) -> Server:
    server = start_server("--workers", str(request.param))
    make_repository(server)
    return server


def request_head(server: Server, registry: Registry, method: str, target: str, size: int = 0) -> bytes:
    headers = {"host": server.host, "content-length": str(size), **registry.authorization()}
    return head(method, target, headers)


def tell(server: Server, stop: str) -> None:
    """Tell it to stop and wait until its log says that it heard it and that the workers were told."""
    STOPS[stop](server)
    assert wait_until(lambda: "Stopping worker-" in server.log.read_text(), seconds=20)


def ended(server: Server) -> int:
    """Return the status with which it ends; it was told to, and is told no second time."""

    def is_over() -> bool:
        return os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    assert wait_until(is_over, seconds=20)
    assert TRACEBACK not in server.log.read_text()
    return server.stop()


@every_stop
def test_an_upload_that_runs_may_end(own: Server, stop: str) -> None:
    registry = sign_in(own)
    digest = f"sha256:{hashlib.sha256(HALF + HALF).hexdigest()}"
    where = registry.start_upload(APP)
    key = where.rpartition("/")[2]
    file = own.data / "blobs" / key[:2] / key
    with Wire(own.port) as wire:
        wire.send(request_head(own, registry, "PUT", f"{where}?digest={digest}", 2 * len(HALF)), HALF)
        assert wait_until(lambda: file.exists() and file.stat().st_size >= MIB, seconds=20)

        tell(own, stop)
        answer = wire.send(HALF).final("PUT")

    assert answer is not None
    assert answer.status == 201
    assert ended(own) == 0
    own.start()
    assert registry.must(200, "GET", f"/v2/{APP}/blobs/{digest}").body == HALF + HALF


@every_stop
def test_a_download_that_runs_may_end(own: Server, stop: str) -> None:
    registry = sign_in(own)
    digest = registry.push_blob(APP, LARGE)
    with Slow(own.port) as wire:
        wire.send(request_head(own, registry, "GET", f"/v2/{APP}/blobs/{digest}"))
        assert wire.socket.recv(1) == b"H"

        tell(own, stop)
        answer = b"".join(iter(lambda: wire.socket.recv(MIB), b""))

    assert answer.partition(b"\r\n\r\n")[2] == LARGE
    assert ended(own) == 0


def test_a_connection_that_asks_nothing_does_not_hold_a_server_up(own: Server) -> None:
    registry = sign_in(own)
    with Wire(own.port) as fresh, Wire(own.port) as used:
        used.send(request_head(own, registry, "GET", "/v2/"))
        assert used.final("GET") is not None

        assert own.stop() == 0
        assert fresh.final("GET") is None
        assert used.final("GET") is None


def test_nobody_is_let_in_after_the_end(own: Server) -> None:
    assert own.stop() == 0

    with pytest.raises(ConnectionRefusedError):
        Wire(own.port)


@every_stop
def test_a_server_that_does_nothing_ends_at_once_with_status_0(own: Server, stop: str) -> None:
    STOPS[stop](own)

    assert ended(own) == 0
    assert own.start().ready()


def test_two_signals_at_once_stop_a_server_as_one_does(own: Server) -> None:
    # While it is halted both wait; when it goes on, the second one comes amid the first.
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        os.kill(own.pid, number)

    assert ended(own) == 0

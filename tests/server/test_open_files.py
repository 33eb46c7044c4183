"""A server takes more uploads at once than the usual limit of open files would let it."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.engines.server import Server
from tests.server.serving import APP, make_repository, sign_in

pytestmark = pytest.mark.slow

LIMIT = 128
UPLOADS = 100
"""Two files each: more than the limit."""


@pytest.fixture
def _low_limit() -> Iterator[None]:
    """Programs that are started meanwhile may have 128 files open, unless they ask for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_low_limit")
def test_uploads_may_be_more_than_the_soft_limit_of_open_files(start_server: Callable[..., Server]) -> None:
    server = start_server()
    make_repository(server)
    registry = sign_in(server)
    fields = "".join(f"{name}: {value}\r\n" for name, value in registry.authorization().items())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the test itself has a connection to each

    with ExitStack() as stack:
        wires = []
        for _ in range(UPLOADS):
            place = registry.start_upload(APP)
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            wire.sendall(
                f"PATCH {place} HTTP/1.1\r\nHost: {server.host}\r\n{fields}Content-Length: 2\r\n\r\n1".encode()
            )
            wires.append(wire)
        for wire in wires:
            wire.sendall(b"2")
        answers = [wire.recv(12) for wire in wires]

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert answers == [b"HTTP/1.1 202"] * UPLOADS

"""``moorage health``: one line, and a status for scripts."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.cli.health import why_not_ready
from moorage.cli.main import main
from tests.engines.programs import free_port, plain_environment, run
from tests.engines.server import Server, moorage


def health(*args: str) -> Result:
    ran = CliRunner().invoke(main, ["health", *args])
    assert len(ran.output.splitlines()) == 1
    return ran


@pytest.fixture
def answering() -> Callable[[bytes], str]:
    """A function that has somebody answer one request with these bytes, and returns the URL."""

    def answer(words: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener, listener.accept()[0] as asker:
                asker.recv(65536)
                asker.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    return answer


def test_a_ready_server_is_said_to_be_so(answering: Callable[[bytes], str]) -> None:
    url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n")

    ran = health("--url", url)

    assert (ran.exit_code, ran.stdout) == (0, f"{url} is ready\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "it answers 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", "it answers 302"),
        (b"220 mail.example ESMTP\r\n", "it does not speak HTTP"),
        (b"", "Remote end closed connection without response"),
    ],
)
def test_one_that_is_not_is_said_to_be_so_with_the_reason(
    words: bytes, why: str, answering: Callable[[bytes], str]
) -> None:
    url = answering(words)

    ran = health("--url", url)

    assert (ran.exit_code, ran.stderr.strip()) == (1, f"Error: {url} is not ready: {why}")


def test_nobody_is_not_ready() -> None:
    assert "Connection refused" in health("--url", f"http://127.0.0.1:{free_port()}").stderr


def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert why_not_ready(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.1) == "timed out"


@pytest.mark.parametrize("url", ["localhost:4510", "ftp://localhost", "http://", "http://h:45x0", "http://[::1"])
def test_what_is_no_url_is_said_to_be_none(url: str) -> None:
    ran = health("--url", url)

    assert (ran.exit_code, ran.stderr) == (1, f"Error: {url} is not ready: that is not the URL of a server\n")


def test_a_folder_without_a_server_is_told_of(tmp_path: Path) -> None:
    ran = health("--data", str(tmp_path))

    assert (ran.exit_code, ran.stderr) == (
        1,
        f"Error: {tmp_path} does not say where a server is (No such file or directory): name its folder with --data, or its --url.\n",
    )


@pytest.mark.slow
def test_the_server_of_a_data_folder_is_found(own_server: Server) -> None:
    ask = [moorage(), "health", "--data", str(own_server.data)]
    # No proxy is asked for what is on this machine.
    environment = plain_environment(http_proxy="http://127.0.0.1:9")

    assert run(ask, env=environment).stdout == f"{own_server.url} is ready\n"
    own_server.stop()
    assert run(ask, env=environment, check=False).returncode == 1

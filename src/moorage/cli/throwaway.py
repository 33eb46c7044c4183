"""A server for the length of a block: on a free port of the loopback, in a folder that goes with it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from moorage.cli.environment import REGION, client_environment, in_the_way, past_proxies
from moorage.cli.health import why_not_ready
from moorage.cli.server import TAKEN
from moorage.config import ACCOUNT, Settings

START_SECONDS = 30
STOP_SECONDS = 10
_POLL_SECONDS = 0.02
_ANSWER_SECONDS = 2
_PORTS = 5
_TAIL_BYTES = 4096


class NotStarted(Exception):
    """The server did not get ready; the sentence ends with its log."""


class ThrowAway:
    """A server that is there within the block and gone after it, with all its data.

    It also goes when this process is killed, and takes no settings from this process's environment or folder.
    """

    def __init__(self, account: str = ACCOUNT, region: str = REGION, log: Path | None = None) -> None:
        self.account = account
        self.region = region
        self.url = ""
        self.registry = ""
        self.environment: dict[str, str] = {}
        self._log_path = log
        self._last_words = ""

    def __enter__(self) -> Self:
        for _ in range(_PORTS):
            with ExitStack() as stack:
                self._start(stack)
                if self._wait():
                    self._stack = stack.pop_all()
                    return self
            if self._process.returncode != TAKEN:
                break
        raise NotStarted(f"The server did not start. Its log ends with\n{self.log()}")

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def ended(self) -> bool:
        """Say whether the server is gone before its time."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The server's process, which leads a process group."""
        return self._process.pid

    def within(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return that environment with this server in it, and without what would keep a client from it."""
        hindering = in_the_way(environment)
        kept = {name: value for name, value in environment.items() if name not in hindering}
        return kept | past_proxies(environment) | self.environment

    def log(self) -> str:
        """Return the end of the server's log, also after the block, when its folder is gone."""
        return self._last_words if self._log.closed else self._tail()

    def _keep_last_words(self) -> None:
        self._last_words = self._tail()

    def _tail(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace")

    def _start(self, stack: ExitStack) -> None:
        self._port = stack.enter_context(reserved_port()).getsockname()[1]
        # The server makes it, once it would take it along: were it made here, a kill in between would leave it.
        folder = Path(tempfile.gettempdir()) / f"moorage-run-{secrets.token_hex(8)}"
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._data = folder / "data"
        # Appending: the server goes on at the end, whoever else writes.
        log = self._log_path.open("ab+") if self._log_path else tempfile.TemporaryFile("ab+")  # noqa: SIM115 - entered in the next line
        self._log = stack.enter_context(log)
        stack.callback(self._keep_last_words)
        where = ["--data", str(self._data), "--listen", f"127.0.0.1:{self._port}", "--account", self.account]
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and our own module
            [sys.executable, "-P", "-m", "moorage.cli.tethered", str(folder), *where],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")},
            # A terminal's Ctrl-C is for the command; the server outlives it.
            start_new_session=True,
        )
        stack.callback(_end, self._process)

    def _wait(self) -> bool:
        """Wait until it is ready, and take down how it is reached; False where it ended or took too long."""
        end = time.monotonic() + START_SECONDS
        while not self.ended and time.monotonic() < end:
            if self._ready():
                self._read_environment()
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _ready(self) -> bool:
        # It writes its address once the port was found free: before that, somebody else would answer.
        known = (self._data / Settings.ENDPOINT).exists()
        return known and why_not_ready(f"http://127.0.0.1:{self._port}", _ANSWER_SECONDS) is None

    def _read_environment(self) -> None:
        variables = client_environment(self._data, self.region)
        self.url = variables["AWS_ENDPOINT_URL"]
        self.registry = f"localhost:{self._port}"
        self.environment = {
            **variables,
            "MOORAGE_DATA": str(self._data),
            "MOORAGE_REGISTRY": self.registry,
        }


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    # Leaving the block closes the tether and waits.
    with process:
        pass


def reserved_port() -> socket.socket:
    """Return a socket that holds a free port of the loopback: nobody else is given it, and one server may still listen on it."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        held.setsockopt(socket.SOL_SOCKET, option, 1)
    return held

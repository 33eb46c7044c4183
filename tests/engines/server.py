"""The real ``moorage serve``, as its users start it: a process of its own, a port, a data folder."""

import os
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from moorage.adapters.sql.database import SqlDatabase
from moorage.adapters.sql.sealing import find_vault
from tests.engines.programs import free_port, plain_environment, run, tail, wait_until

ACCOUNT = "123456789012"
START_SECONDS = 30
STOP_SECONDS = 30


class Server:
    """One ``moorage serve`` on a free port of the loopback; starting it again keeps its port and its data."""

    def __init__(self, folder: Path, *args: str, environment: Mapping[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.log = folder / "moorage.log"
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"http://127.0.0.1:{self.port}"
        self._args = args
        self._environment = plain_environment(**(environment or {}))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that ``moorage serve`` is; it may have children in its process group."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self) -> Self:
        """Start it and return once it answers ``/readyz``."""
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [moorage(), "serve", *self._where(), *self._args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        if not wait_until(self.ready, seconds=START_SECONDS, alive=self._alive):
            self.kill()
            raise AssertionError(f"moorage serve did not get ready; its log ends with\n{tail(self.log)}")
        return self

    def stop(self) -> int:
        """Ask it to stop, wait until it has, and return its exit status."""
        process = self._process
        if process is None:
            return 0
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"moorage serve ignored SIGTERM; its log ends with\n{tail(self.log)}") from None
        self.kill()  # nothing is left to kill, unless a child outlived it
        return status

    def kill(self) -> None:
        """End it and its children at once, as a power cut would; no harm when it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not _group_lives(process.pid), seconds=5)

    def env(self) -> dict[str, str]:
        """Return what ``moorage env`` tells a shell to export."""
        printed = run([moorage(), "env", "--data", str(self.data)], env=self._environment).stdout
        words = shlex.split(printed, comments=True)
        return dict(word.split("=", 1) for word in words if "=" in word)

    def signing_key(self) -> bytes:
        """Return what it signs tokens and URLs with."""
        database = SqlDatabase(f"sqlite:///{self.data / 'moorage.db'}", connections=1)
        try:
            return find_vault(database, self.data / "secrets.key").signing_key(database.known_secret("server"))
        finally:
            database.close()

    def ready(self) -> bool:
        """Return whether ``/readyz`` answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _where(self) -> list[str]:
        return ["--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", "--account", ACCOUNT]

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def moorage() -> str:
    """Return the command that was installed beside the Python that runs this."""
    return str(Path(sys.executable).with_name("moorage"))


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

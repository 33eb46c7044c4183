"""A server that can be told when to die, and a client that remembers what it was promised."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from tests.clients.registry import Registry, Reply
from tests.durability.killed import ORDERS
from tests.engines.programs import ROOT, wait_until
from tests.engines.server import Server, moorage

DIED = (OSError, HTTPException, BotoCoreError)
"""What a client sees of a server that dies."""

INSTALL = "from tests.durability import killed\nkilled.install()\n"


class MortalServer(Server):
    """The real ``moorage serve``, with the calls wrapped that change the disk."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.args = args
        self._orders = folder / "orders"
        start = folder / "start"
        start.mkdir()
        (start / "sitecustomize.py").write_text(INSTALL)  # Python runs it before everything else
        environment = {"PYTHONPATH": f"{start}{os.pathsep}{ROOT}", ORDERS: str(self._orders)}
        # The main process would collect beside, and has a count of calls of its own.
        super().__init__(folder, "--collect-every", "0s", *args, environment=environment)

    def die_after(self, calls: int, end: str) -> None:
        """Let it die after so many more calls that change the disk."""
        new = self._orders.with_suffix(".new")
        new.write_text(f"{calls} {end}")
        new.replace(self._orders)

    def live_on(self) -> None:
        self._orders.unlink(missing_ok=True)

    def collect(self, keep_unused: str) -> int:
        """Run ``moorage collect`` on the same data, under the same orders; return its status."""
        command = [moorage(), "collect", "--data", str(self.data), "--keep-unused", keep_unused]
        return subprocess.run(command, env=self._environment, start_new_session=True, check=False).returncode

    def last_call(self) -> str:
        """Return the name of the call after which it died."""
        return self._orders.with_suffix(".last").read_text()

    def kill(self) -> None:
        """As every server's, but a process that has ended and that nobody waits for may still be listed."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert wait_until(lambda: not self._listens(), seconds=10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Memory:
    """A client that knows, for each path, which bodies the server may answer with: None stands for 404."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._promised: dict[str, set[bytes | None]] = {}

    def change(self, changes: Mapping[str, bytes | None], ask: Callable[[], Any]) -> None:
        """Ask for changes: until the answer is there, before and after are both right."""
        before = {path: self._promised.get(path, {None}) for path in changes}
        self._promised |= {path: before[path] | {new} for path, new in changes.items()}
        ask()
        self._promised |= {path: {new} for path, new in changes.items()}

    def send(
        self,
        changes: Mapping[str, bytes | None],
        status: int,
        method: str,
        path: str,
        body: bytes = b"",
        **headers: str,
    ) -> Reply:
        replies: list[Reply] = []
        self.change(changes, lambda: replies.append(self.registry.must(status, method, path, body, **headers)))
        return replies[0]

    def check(self) -> None:
        """Look at everything that was ever promised; what was seen is what must be seen from now on."""
        for path, allowed in self._promised.items():
            reply = self.registry.send("GET", path)
            assert reply.status in (200, 404), (path, reply)
            found = reply.body if reply.status == 200 else None
            assert found in allowed, (path, found, allowed)
            self._promised[path] = {found}

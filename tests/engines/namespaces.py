"""Linux namespaces that a process holds: when it is killed, the kernel ends all that was started in them and drops their mounts."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.engines.programs import Missing, found, tail, wait_until


class Namespaces:
    """Mounts and processes of their own, and a network where ``net`` is true, set up by a script.

    The script is given ``folder`` and then ``words``. It touches ``up`` in there when all is ready, and goes on for good.
    """

    def __init__(self, script: str, *words: str, net: bool = False) -> None:
        for program in ("unshare", "nsenter"):
            found(program, remedy="apt-get install util-linux")
        # Unix sockets have paths of 107 characters at most, so not in pytest's deep folders.
        self.folder = Path(tempfile.mkdtemp(prefix="moorage-apart-"))
        self.log = self.folder / "log"
        self._script = script
        self._words = words
        self._kinds = ["--net", "--mount", "--pid"] if net else ["--mount", "--pid"]
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._holder = subprocess.Popen(
                [
                    *("unshare", *self._kinds, "--fork", "--mount-proc", "--kill-child"),
                    *("sh", "-ec", self._script, "apart", str(self.folder), *self._words),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if not wait_until((self.folder / "up").exists, seconds=10, alive=self._alive):
            said = tail(self.log)
            self.__exit__()
            raise Missing(f"namespaces and mounts need root: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.wait()
        # What is mounted in there goes once its last process has ended.
        wait_until(self._removed, seconds=5)

    def holder(self) -> str:
        """Return the process that is the first one in here, as the machine numbers it."""
        assert self._holder
        return Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()[0]

    def inside(self) -> list[str]:
        """Return the words that start a command in here."""
        return ["nsenter", "--target", self.holder(), *self._kinds]

    def _alive(self) -> bool:
        return self._holder is not None and self._holder.poll() is None

    def _removed(self) -> bool:
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()

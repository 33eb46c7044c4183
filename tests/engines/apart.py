"""Namespaces of mounts and processes with the machine's own network: what runs in there meets no other engine of the machine.

When the process that holds them is killed, the kernel ends all that was started in there and drops its mounts.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.engines.programs import Missing, found, run, tail, wait_until

SETUP = """
mount --make-rprivate /
folder=$1; shift
for place; do
  mkdir -p "$folder$place" && mount --bind "$folder$place" "$place"
done
touch "$folder/up"
exec sleep infinity
"""


class Apart:
    """The namespaces; ``own`` are the machine's folders that have others bound over them, which lie in ``folder``."""

    def __init__(self, *own: str) -> None:
        for program in ("unshare", "nsenter"):
            found(program, remedy="apt-get install util-linux")
        # Unix sockets have paths of 107 characters at most, so not in pytest's deep folders.
        self.folder = Path(tempfile.mkdtemp(prefix="moorage-apart-"))
        self._own = own
        self._holder: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._holder = subprocess.Popen(
                [*namespaces, "sh", "-ec", SETUP, "apart", str(self.folder), *self._own],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if not wait_until((self.folder / "up").exists, seconds=10, alive=self._alive):
            said = tail(log)
            self.__exit__()
            raise Missing(f"namespaces and mounts need root: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._holder:
            self._holder.kill()
            self._holder.wait()
        # What is mounted in there goes once its last process has ended.
        wait_until(self._removed, seconds=5)

    def inside(self) -> list[str]:
        """Return the words that start a command in here."""
        assert self._holder
        child = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()[0]
        return ["nsenter", "--target", child, "--mount", "--pid"]

    def run(
        self, command: Sequence[str | Path], environment: Mapping[str, str], *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in here to its end."""
        return run([*self.inside(), *command], env=environment, check=check, stdin=None)

    def _alive(self) -> bool:
        return self._holder is not None and self._holder.poll() is None

    def _removed(self) -> bool:
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()

"""A buildkitd of the tests' own with runc below it, and buildctl pointed at it: rootful, in namespaces that end with the test."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.engines.apart import Apart
from tests.engines.programs import CACHE, found, plain_environment, run, tail, wait_until

REMEDY = "make clients builds it with Go 1.26 or newer; install Go first"
START_SECONDS = 30


class BuildKit:
    """One buildkitd; clients run beside it with the folder ``home``, where their logins are kept."""

    def __init__(self) -> None:
        self._buildkitd, self._buildctl = (
            found(name, remedy=REMEDY, also_in=[CACHE / "bin"]) for name in ("buildkitd", "buildctl")
        )
        found("runc", remedy="apt-get install runc")
        self._busybox = found("busybox", remedy="apt-get install busybox-static")
        self._apart = Apart("/run", "/var/lib")
        self.address = f"unix://{self._apart.folder}/socket"
        self.home = self._apart.folder / "home"
        self.log = self._apart.folder / "buildkitd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._apart.__enter__()
        self.home.mkdir()
        own = ["--addr", self.address, "--root", str(self._apart.folder / "root"), "--containerd-worker=false"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._apart.inside(), self._buildkitd, *own, "--oci-worker-snapshotter=overlayfs"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=plain_environment(TMPDIR=str(self._apart.folder)),
            )
        if not wait_until(self._ready, seconds=START_SECONDS, alive=self._alive, pause=0.05):
            said = tail(self.log)
            self.__exit__()
            raise AssertionError(f"buildkitd did not start; its log ends with\n{said}")
        return self

    def __exit__(self, *_: object) -> None:
        """End it with its namespaces, and whatever it has still running."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        self._apart.__exit__()
        if process is not None:
            process.wait()

    def buildctl(self, *args: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run buildctl with these arguments."""
        return self.beside([self._buildctl, "--addr", self.address, *args], check=check)

    def beside(self, command: Sequence[str | Path], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a client where buildkitd is; its login and settings are those of ``home``."""
        environment = plain_environment(HOME=str(self.home), DOCKER_CONFIG=str(self.home))
        return run([*self._apart.inside(), *command], env=environment, check=check)

    def context(self, folder: Path, *lines: str) -> Path:
        """Make what an image of busybox is built from; ``lines`` follow in its Dockerfile. No network is asked."""
        folder.mkdir()
        shutil.copy(self._busybox, folder / "busybox")
        (folder / "Dockerfile").write_text("\n".join(["FROM scratch", "COPY busybox /bin/busybox", *lines, ""]))
        return folder

    def forget(self) -> None:
        """Drop all that was built, so that what comes next is built or fetched again."""
        self.buildctl("prune", "--all")

    def _ready(self) -> bool:
        return self.buildctl("debug", "workers", check=False).returncode == 0

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

"""podman and buildah with images, settings and logins of the tests' own; neither has a server, so nothing has to be started."""

import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.engines.apart import Apart
from tests.engines.programs import found, plain_environment, run

REMEDY = "apt-get install podman buildah runc"

# Limits that a machine without CAP_SYS_RESOURCE can set, and a runtime that works with every layout of cgroups.
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
# A layer that is zstd:chunked is fetched in pieces, those that another layer has already are left out.
PIECES = """
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}
"""
INSECURE = '[[registry]]\nlocation = "{}"\ninsecure = true\n'


class Podman:
    """One store of images that podman and buildah share; ``insecure`` are registries that are spoken to in plain HTTP.

    With ``pieces`` it fetches of a layer only what it has not.
    """

    def __init__(self, *insecure: str, pieces: bool = False) -> None:
        self._programs = {name: found(name, remedy=REMEDY) for name in ("podman", "buildah", "conmon", "runc")}
        self._busybox = found("busybox", remedy="apt-get install busybox-static")
        self._insecure = insecure
        self._pieces = pieces
        self._apart = Apart("/run", "/var/lib", "/etc/containers")

    def __enter__(self) -> Self:
        self._apart.__enter__()
        etc = self._apart.folder / "etc" / "containers"
        (etc / "containers.conf").write_text(SETTINGS)
        (etc / "policy.json").write_text(POLICY)
        if self._pieces:
            (etc / "storage.conf").write_text(PIECES)
        (etc / "registries.conf").write_text("".join(INSECURE.format(each) for each in self._insecure))
        return self

    def __exit__(self, *_: object) -> None:
        self._apart.__exit__()

    def podman(
        self, *args: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run podman with these arguments."""
        return self._run("podman", *args, stdin=stdin, check=check)

    def buildah(
        self, *args: str | Path, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run buildah with these arguments."""
        return self._run("buildah", *args, stdin=stdin, check=check)

    def context(self, folder: Path, said: str) -> Path:
        """Make what an image is built from that has nothing but busybox in it and prints ``said``; no network is asked."""
        folder.mkdir()
        shutil.copy(self._busybox, folder / "busybox")
        (folder / "said").write_text(said)
        (folder / "Dockerfile").write_text(
            'FROM scratch\nCOPY busybox /bin/busybox\nCOPY said /said\nCMD ["/bin/busybox", "cat", "/said"]\n'
        )
        return folder

    def _run(self, program: str, *args: str | Path, stdin: str | None, check: bool) -> subprocess.CompletedProcess[str]:
        home = self._apart.folder
        environment = plain_environment(HOME=str(home), REGISTRY_AUTH_FILE=str(home / "auth.json"))
        return run([*self._apart.inside(), self._programs[program], *args], env=environment, stdin=stdin, check=check)

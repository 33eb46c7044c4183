"""A real Docker Engine of the tests' own.

It runs in a mount and a process namespace of its own, with folders of its own bound over ``/run`` and ``/etc/docker``: it meets no other
engine of the machine, and when the process that holds its namespaces is killed, the kernel ends all of it, containers included.
It has no network but the machine's: containers get ``--network host`` or ``none``. Registries on ``localhost:PORT`` are spoken to in
plain HTTP, as by every Docker Engine.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.engines.programs import CACHE, Missing, children_of, found, plain_environment, run, tail, wait_until

START_SECONDS = 30
STOP_SECONDS = 3  # enough for it to unmount its layers; a container that ignores SIGTERM would make it wait for 10
REMEDY = "apt-get install docker.io containerd runc iptables"
CAP_SYS_ADMIN = 1 << 21

BOUND = """
mount --make-rprivate /
mount --bind "$1/run" /run
mount --bind "$1/hosts" /etc/hosts
if [ -d /etc/docker ]; then mount --bind "$1/etc" /etc/docker; fi
folder=$1; shift
exec "$@"
"""


class DockerEngine:
    """One dockerd, and Debian's docker client pointed at it; the client's logins stay in a folder of the engine's."""

    remedy = REMEDY
    places: Sequence[Path] = ()
    drivers: Sequence[str] = ("overlay2", "vfs")
    variables: Mapping[str, str] = {}
    accounts: Sequence[str] = ("123456789012",)
    """Whose registries it knows by a name of AWS's form below localhost."""

    def __init__(self) -> None:
        if not _may_make_namespaces():
            raise Missing("a Docker Engine needs CAP_SYS_ADMIN for its mounts and containers: run the tests as root")
        self._dockerd = found("dockerd", remedy=self.remedy, also_in=self.places)
        found("containerd", remedy=self.remedy, also_in=self.places)
        for needed in ("runc", "unshare", "mount"):
            found(needed, remedy=REMEDY)
        # Debian's client by its full path: one elsewhere on PATH may be too new for this engine.
        self._client = found("docker", remedy=REMEDY, also_in=[Path("/usr/bin")])
        # Unix sockets have paths of 107 characters at most, so not in pytest's deep folders.
        self.folder = Path(tempfile.mkdtemp(prefix="moorage-docker-"))
        self.socket = self.folder / "docker.sock"
        self.log = self.folder / "dockerd.log"
        self.driver = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, with overlay2 where the filesystem allows it, and return once it answers."""
        for part in ("run", "etc", "config"):
            (self.folder / part).mkdir()
        # Names below localhost lead to this machine where systemd's resolver is; here the file says so.
        names = "".join(f"127.0.0.1 {account}.dkr.ecr.us-east-1.localhost\n" for account in self.accounts)
        (self.folder / "hosts").write_text(Path("/etc/hosts").read_text() + names)
        for driver in self.drivers:
            self.driver = driver
            self._launch()
            if wait_until(self._ready, seconds=START_SECONDS, alive=self._alive, pause=0.05):
                return self
            self._end()
        log = tail(self.log)
        self.stop()
        raise AssertionError(f"dockerd did not start; its log ends with\n{log}")

    def run(
        self, *args: str | Path, stdin: str | bytes | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run ``docker`` with these arguments."""
        return run([self._client, *args], env=self.env(), stdin=stdin, check=check, timeout=300)

    def env(self) -> dict[str, str]:
        """Return the environment that points any Docker client at this engine."""
        return plain_environment(DOCKER_HOST=f"unix://{self.socket}", DOCKER_CONFIG=str(self.folder / "config"))

    def import_busybox(self, name: str) -> None:
        """Make an image called ``name`` of the machine's static busybox; no network is asked."""
        busybox = found("busybox", remedy="apt-get install busybox-static")
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            root = Path(scratch)
            for part in ("bin", "etc", "tmp"):
                (root / part).mkdir()
            shutil.copy(busybox, root / "bin" / "busybox")
            for applet in ("sh", "echo", "cat", "ls", "sleep", "true", "false"):
                (root / "bin" / applet).symlink_to("busybox")
            layer = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
        self.run("import", "-", name, stdin=layer)

    def stop(self) -> None:
        """End it with all its containers and remove its folder."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self) -> None:
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        engine = [
            str(self._dockerd),
            *("--host", f"unix://{self.socket}"),
            *("--storage-driver", self.driver),
            *("--data-root", str(self.folder / f"data-{self.driver}")),
            *("--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid")),
            *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
        ]
        path = [*map(str, self.places), os.environ.get("PATH", os.defpath), "/usr/sbin:/sbin:/usr/bin:/bin"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*namespaces, "sh", "-ec", BOUND, "engine", str(self.folder), *engine],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=plain_environment(PATH=os.pathsep.join(path), **self.variables),
                start_new_session=True,
            )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # dockerd is process 1 of its namespace: with it goes everything in there. Asked first, so that it unmounts its layers.
        children = children_of(process.pid)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # --kill-child ends the namespace with it
            process.wait(15)
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), seconds=5)

    def _ready(self) -> bool:
        return self.socket.exists() and self.run("version", check=False).returncode == 0

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


class Moby(DockerEngine):
    """Docker's engine of today, which Debian has not: it keeps images in containerd 2, and speaks to registries with its words."""

    remedy = "make clients builds it with Go 1.26 or newer; install Go first"
    places = (CACHE / "bin",)
    drivers = ("overlayfs", "native")
    # Debian's client is older than what this engine wants to hear of itself.
    variables: Mapping[str, str] = {"DOCKER_MIN_API_VERSION": "1.41"}


def _may_make_namespaces() -> bool:
    status = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(effective, 16) & CAP_SYS_ADMIN)

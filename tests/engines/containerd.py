"""A containerd of the tests' own, Debian's or the second, and ctr pointed at it; it is ready in a fraction of a second."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.engines.programs import CACHE, found, plain_environment, run, tail, wait_until

REMEDY = "apt-get install containerd runc"
START_SECONDS = 30
SETTINGS = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'

# containerd 2: layers in pieces side by side, and what kubelet asks, answered without a network for pods.
SECOND_REMEDY = "make clients builds it with Go 1.26 or newer; install Go first"
SECOND_SETTINGS = """
version = 3
[plugins."io.containerd.transfer.v1.local"]
  config_path = "{hosts}"
  concurrent_layer_fetch_buffer = {piece}
[plugins."io.containerd.cri.v1.images"]
  concurrent_layer_fetch_buffer = {piece}
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{hosts}"
"""
PIECE = 1024 * 1024


class Containerd:
    """One containerd below ``folder``; ``within`` are the words that start it, and ctr, in namespaces that end with the test."""

    remedy = REMEDY
    places: Sequence[Path] = ()

    def __init__(self, folder: Path, within: Sequence[str]) -> None:
        self._containerd, self._ctr = (
            found(name, remedy=self.remedy, also_in=self.places) for name in ("containerd", "ctr")
        )
        self.folder = folder / "containerd"
        self.log = self.folder / "log"
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and return once it answers."""
        self.folder.mkdir()
        (self.folder / "config.toml").write_text(self.settings())
        own = [word for part in ("root", "state", "address") for word in (f"--{part}", str(self.folder / part))]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._within, self._containerd, "--config", self.folder / "config.toml", *own],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=plain_environment(TMPDIR=str(self.folder)),
            )
        if not wait_until(self._ready, seconds=START_SECONDS, alive=self._alive, pause=0.05):
            said = tail(self.log)
            self.stop()
            raise AssertionError(f"containerd did not start; its log ends with\n{said}")
        return self

    def ctr(
        self, *args: str, check: bool = True, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ctr with these arguments; ``more`` is added to its environment."""
        command: list[str | Path] = [*self._within, self._ctr, "--address", self.folder / "address", *args]
        return run(command, env=plain_environment(**(more or {})), check=check)

    def settings(self) -> str:
        return SETTINGS

    def stop(self) -> None:
        """Let go of it: it ends with the namespaces that it runs in, and so do its containers."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _ready(self) -> bool:
        return (self.folder / "address").exists() and self.ctr("version", check=False).returncode == 0

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


class Containerd2(Containerd):
    """The second containerd, which Debian has not, with crictl; what it is told of registries is below ``hosts``."""

    remedy = SECOND_REMEDY
    places = (CACHE / "bin",)

    def __init__(self, folder: Path, within: Sequence[str]) -> None:
        super().__init__(folder, within)
        self._crictl = found("crictl", remedy=self.remedy, also_in=self.places)
        self.hosts = self.folder / "hosts"

    def settings(self) -> str:
        return SECOND_SETTINGS.format(hosts=self.hosts, piece=PIECE)

    def crictl(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run crictl with these arguments, at containerd's socket."""
        address = f"unix://{self.folder / 'address'}"
        command: list[str | Path] = [self._crictl, "--image-endpoint", address, "--runtime-endpoint", address]
        return run([*self._within, *command, *args], env=plain_environment(), check=check)

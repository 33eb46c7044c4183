"""A machine of the tests' own inside this one: its own network, hosts file, engine folders and trust store.

Processes are started in it with ``nsenter``, and what was written below ``/etc``, ``/usr/local/share`` and ``/var/lib`` goes with its folder.
"""

import subprocess
from collections.abc import Mapping

from tests.engines.namespaces import Namespaces
from tests.engines.programs import found, plain_environment, tail, wait_until

SETUP = """
ip link set lo up
mount --make-rprivate /
# In the last one is trust's journal, and what the trust store's hooks write to on a Debian machine with Java.
for part in etc usr/local/share var/lib; do
  mkdir -p "$1/$part.up" "$1/$part.work"
  mount -t overlay overlay -o "lowerdir=/$part,upperdir=$1/$part.up,workdir=$1/$part.work" "/$part"
done
mkdir -p "$1/run" && mount --bind "$1/run" /run
mkdir -p /etc/docker
touch "$1/up"
exec sleep infinity
"""


class Box(Namespaces):
    """The namespaces, and the processes that were started in them."""

    def __init__(self) -> None:
        found("ip", remedy="apt-get install iproute2")
        super().__init__(SETUP, net=True)
        self._started: list[subprocess.Popen[bytes]] = []

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for process in self._started:
            process.kill()  # the word that started it; what it started has ended with the namespace
            process.wait()

    def start(self, command: list[str], environment: Mapping[str, str]) -> None:
        """Start a process that lives as long as the box; what it prints goes to the log."""
        with self.log.open("ab") as log:
            self._started.append(
                subprocess.Popen(
                    [*self.inside(), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                )
            )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in here, with nothing of the developer's configuration."""
        return subprocess.run(
            [*self.inside(), *command],
            capture_output=True,
            text=True,
            env=plain_environment(),
            timeout=120,
            check=False,
        )

    def start_docker(self) -> dict[str, str]:
        """Start a Docker Engine in here and return the environment that points clients at it."""
        dockerd = found("dockerd", remedy="apt-get install docker.io")
        socket = f"unix://{self.folder}/docker.sock"
        self.start(
            [
                str(dockerd),
                *("--host", socket, "--data-root", f"{self.folder}/docker", "--exec-root", f"{self.folder}/exec"),
                *("--pidfile", f"{self.folder}/docker.pid", "--storage-driver=overlay2"),
                *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
            ],
            plain_environment(PATH="/usr/sbin:/sbin:/usr/bin:/bin"),
        )
        environment = {"DOCKER_HOST": socket, "DOCKER_CONFIG": f"{self.folder}/config"}
        ready = ["env", *(f"{name}={value}" for name, value in environment.items()), "/usr/bin/docker", "version"]
        if not wait_until(lambda: self.run(*ready).returncode == 0, seconds=30):
            raise AssertionError(f"dockerd did not start: {tail(self.log)}")
        return environment

"""Who takes part: Moorage, the peers it is compared with, and the bare server that shows what the machine allows."""

import base64
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import boto3

from benchmarks.client import Client
from tests.engines.programs import CACHE, found, free_port, plain_environment, tail, wait_until
from tests.engines.server import Server

PEERS = CACHE / "peers"
REMEDY = "make bench sets it up"
# Distribution 3 would send its traces somewhere, and say for each that nobody is there.
QUIET = {"OTEL_TRACES_EXPORTER": "none"}
REPOSITORY = "bench/app"


class Running(Protocol):
    """What can be started, stopped and watched."""

    @property
    def port(self) -> int: ...
    @property
    def pid(self) -> int: ...
    def start(self) -> Self: ...
    def stop(self) -> object: ...


class Peer:
    """Another program on a free port, with a folder of its own."""

    def __init__(self, folder: Path, command: Callable[[Path, int], list[str]], ready: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._command = command
        self._ready_path = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the peer is not running")
        return self._process.pid

    def start(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                self._command(self._folder, self.port),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=plain_environment(AWS_ACCESS_KEY_ID="peer", AWS_SECRET_ACCESS_KEY="peer", **QUIET),
                start_new_session=True,
            )
        if not wait_until(self._ready, seconds=60, alive=self._alive):
            self.stop()
            raise AssertionError(f"a peer did not start; its log ends with\n{tail(log)}")
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self._ready_path}", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def docker_registry(folder: Path) -> Peer:
    """Return Debian's docker-registry 2.8: files in a folder, no authentication, and no directory entry synced."""
    return Peer(folder, partial(_registry, "docker-registry", PEERS / "usr" / "bin"), "/v2/")


def distribution(folder: Path) -> Peer:
    """Return Distribution 3: the same program ten years on, and syncing the folders of its small files as well."""
    return Peer(folder, partial(_registry, "registry", CACHE / "bin"), "/v2/")


def _registry(name: str, place: Path, folder: Path, port: int) -> list[str]:
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{cache: {{blobdescriptor: inmemory}}, filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    return [str(found(name, remedy=REMEDY, also_in=[place])), "serve", str(config)]


def nginx(folder: Path) -> Peer:
    """Return one nginx worker that serves ``folder``/files by sendfile: about what the machine allows."""

    def command(folder: Path, port: int) -> list[str]:
        (folder / "files").mkdir(exist_ok=True)
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY)
        config = folder / "nginx.conf"
        config.write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr error;\n"
            "events { worker_connections 512; }\n"
            f"http {{ access_log off; sendfile on; keepalive_requests 100000000; {temporary}\n"
            f"server {{ listen 127.0.0.1:{port}; root {folder}/files; }} }}\n"
        )
        program = found("nginx", remedy=REMEDY, also_in=[PEERS / "usr" / "sbin"])
        return [str(program), "-c", str(config), "-e", "stderr"]

    return Peer(folder, command, "/")


TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def moto(folder: Path) -> Peer:
    """Return moto's server; it does not check signatures."""

    def command(_folder: Path, port: int) -> list[str]:
        program = found("moto_server", remedy=REMEDY, also_in=[CACHE / "moto" / "bin"])
        return [str(program), "-H", "127.0.0.1", "-p", str(port)]

    return Peer(folder, command, "/moto-api/")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A registry that runs, and the headers that let a client in."""

    name: str
    service: Running
    headers: dict[str, str]

    def client(self) -> Client:
        return Client(self.service.port, dict(self.headers))


def ecr(port: int, environment: dict[str, str]) -> Any:
    """Return a boto3 client of the ECR API on that port."""
    return boto3.client(
        "ecr",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def logged_in(server: Server, name: str = "moorage") -> Contestant:
    """Return Moorage with a repository made and a registry password fetched, as ``docker login`` would have it."""
    api = ecr(server.port, server.env())
    api.create_repository(repositoryName=REPOSITORY)
    token = api.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    if not base64.b64decode(token).startswith(b"AWS:"):
        raise RuntimeError("the token is not one of a registry's")
    return Contestant(name, server, {"Authorization": f"Basic {token}"})


def memory(group: int, kind: str = "Pss") -> int:
    """Return the memory, in bytes, of all processes of a process group: their shares of it (Pss), or what each has (Rss)."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                rollup = (stat.parent / "smaps_rollup").read_text()
                total += int(rollup.partition(f"\n{kind}:")[2].split()[0]) * 1024
    return total

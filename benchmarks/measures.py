"""What is measured, one function each; figures are better when higher, except seconds and growth."""

import hashlib
import json
import mmap
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.client import Client, head
from benchmarks.peers import REPOSITORY, Contestant, memory
from tests.engines.programs import CACHE, found, plain_environment, run


class Started(Protocol):
    """What runs in a process group of its own."""

    @property
    def pid(self) -> int: ...


MIB = 1 << 20
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
BLOBS = f"/v2/{REPOSITORY}/blobs"
TAG = "latest"


class Layer:
    """A file of one size whose content, and so whose digest, can be renewed at little cost."""

    def __init__(self, folder: Path, size: int, *, sparse: bool = False) -> None:
        self.path = folder / f"layer-{size}"
        self.size = size
        with self.path.open("wb") as file:
            file.truncate(size)
            if not sparse:
                piece = os.urandom(min(size, MIB))
                for _ in range(size // len(piece)):
                    file.write(piece)
        self.digest = self.renew()

    def renew(self) -> str:
        with self.path.open("r+b") as file:
            file.write(os.urandom(32))
        with self.path.open("rb") as file:
            self.digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        return self.digest


# --- the registry ------------------------------------------------------------------------------------------------------


def push_layer(client: Client, layer: Layer) -> None:
    """Push as Docker does: POST, PATCH with the stream, PUT with the digest."""
    begun = client.request("POST", f"{BLOBS}/uploads/").expect(202)
    grown = client.request("PATCH", path_of(begun.headers), {"Content-Type": "application/octet-stream"}, layer.path)
    place = path_of(grown.expect(202).headers)
    joined = "&" if "?" in place else "?"
    client.request("PUT", f"{place}{joined}digest={layer.digest}").expect(201)


def push_image(client: Client, folder: Path) -> bytes:
    """Push a small image under the tag that is read later, and return its manifest."""
    layer, config = Layer(folder, 4096), Layer(folder, 2048)
    for part in (layer, config):
        push_layer(client, part)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": config.size, "digest": config.digest},
            "layers": [{"mediaType": LAYER, "size": layer.size, "digest": layer.digest}],
        }
    ).encode()
    client.request("PUT", f"/v2/{REPOSITORY}/manifests/{TAG}", {"Content-Type": MANIFEST}, manifest).expect(201)
    return manifest


def manifests_per_second(contestant: Contestant, path: str, *, seconds: int = 2, connections: int = 8) -> float:
    """Read one manifest by tag over several connections; every answer has to be a 200."""
    wrk = found("wrk", remedy="apt-get install wrk")
    fields = [word for name, value in contestant.headers.items() for word in ("-H", f"{name}: {value}")]
    where = f"http://127.0.0.1:{contestant.service.port}{path}"
    said = run([wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Accept: {MANIFEST}", *fields, where]).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None:
        raise RuntimeError(said)
    return float(rate.group(1))


def pulled_per_second(client: Client, path: str, size: int, times: int) -> float:
    """Pull the same bytes a few times over one connection; MiB per second."""
    began = time.perf_counter()
    for _ in range(times):
        if client.request("GET", path).expect(200).size != size:
            raise RuntimeError("the layer came back in another size")
    return size * times / MIB / (time.perf_counter() - began)


def pushed_per_second(client: Client, layer: Layer, times: int) -> float:
    """Push that many different layers over one connection; MiB per second, the digests known beforehand."""
    spent = 0.0
    for _ in range(times):
        layer.renew()
        began = time.perf_counter()
        push_layer(client, layer)
        spent += time.perf_counter() - began
    return layer.size * times / MIB / spent


def images_per_second(
    contestant: Contestant, workload: str, size: int, requests: int, *, workers: int = 10, repository: str = REPOSITORY
) -> float:
    """Have several clients at once push or pull that many images with one layer of that size."""
    load = found("load", remedy="make bench builds it", also_in=[CACHE / "bin"])
    options = {"url": f"http://127.0.0.1:{contestant.service.port}", "repository": repository, "workload": workload}
    options |= {"size": str(size), "workers": str(workers), "requests": str(requests)}
    said = run(
        [load, *(f"-{name}={value}" for name, value in options.items())],
        env=plain_environment(LOAD_AUTHORIZATION=contestant.headers.get("Authorization", "")),
        timeout=900,
    )
    rate: float = json.loads(said.stdout)["per_second"]
    return rate


# --- the API -----------------------------------------------------------------------------------------------------------


def signed_describes(port: int, environment: dict[str, str], count: int) -> list[bytes]:
    """Return DescribeRepositories requests, each with a body and so a signature of its own, ready for the wire."""
    region = environment["AWS_DEFAULT_REGION"]
    keys = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    signer = SigV4Auth(keys, "ecr", region)
    ready = []
    for number in range(count):
        body = json.dumps({"maxResults": 100 + number % 900}).encode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        }
        request = AWSRequest("POST", f"http://127.0.0.1:{port}/", data=body, headers=headers)
        signer.add_auth(request)
        ready.append(head("POST", "/", {**dict(request.headers.items()), "Content-Length": str(len(body))}) + body)
    return ready


def described_per_second(port: int, requests: list[bytes], repositories: int) -> float:
    client = Client(port)
    if len(json.loads(client.send(requests[0]).expect(200).body)["repositories"]) != repositories:
        raise RuntimeError("not all repositories are described")
    began = time.perf_counter()
    for request in requests:
        client.send(request).expect(200)
    rate = len(requests) / (time.perf_counter() - began)
    client.close()
    return rate


# --- what the machine allows -------------------------------------------------------------------------------------------


def hashed_per_second(size: int = 256 * MIB) -> float:
    """SHA-256 on one core; MiB per second."""
    piece = os.urandom(MIB)
    total = hashlib.sha256()
    began = time.perf_counter()
    for _ in range(size // MIB):
        total.update(piece)
    return size / MIB / (time.perf_counter() - began)


def written_per_second(folder: Path, size: int, times: int) -> float:
    """Write a new file and sync it, as plainly as can be; MiB per second."""
    piece = os.urandom(MIB)
    began = time.perf_counter()
    for number in range(times):
        with (folder / f"plain-{size}-{number}").open("wb", buffering=0) as file:
            for _ in range(size // MIB):
                file.write(piece)
            os.fsync(file.fileno())
    rate = size * times / MIB / (time.perf_counter() - began)
    for number in range(times):
        (folder / f"plain-{size}-{number}").unlink()
    return rate


def seconds_to_start(start: Callable[[], object]) -> float:
    began = time.perf_counter()
    start()
    return time.perf_counter() - began


def seconds_and_mib(start: Callable[[], Started], stop: Callable[[], object]) -> tuple[float, float]:
    """Start a server and return how long it took to be ready, and its memory then."""
    began = time.perf_counter()
    started = start()
    spent = time.perf_counter() - began
    try:
        return spent, memory(started.pid) / MIB
    finally:
        stop()


def path_of(headers: dict[str, str]) -> str:
    """Return the path of a Location, which may be a whole URL."""
    location = headers["location"]
    return location if location.startswith("/") else "/" + location.split("/", 3)[3]


def touch_memory() -> None:
    """Write to half of the free memory once.

    A virtual machine may hand its memory out page by page, so that the first writes to files would be timed ten times too slow.
    """
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    with mmap.mmap(-1, free) as memory:
        for page in range(0, free, mmap.PAGESIZE):
            memory[page] = 1

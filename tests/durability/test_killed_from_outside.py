"""A server of two processes, none of its calls wrapped, killed from outside at any instant: what it answered is so."""

import itertools
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.clients.people import admin, client, login_password
from tests.clients.registry import OCI_MANIFEST, Registry, digest_of, image_manifest
from tests.durability.kept import broken
from tests.durability.mortal import Memory, MortalServer
from tests.engines.programs import plain_environment, wait_until

pytestmark = pytest.mark.slow

ROUNDS = 5
CLIENTS = 3
DIED = (OSError, HTTPException)


class PlainServer(MortalServer):
    """A mortal server with none of its calls wrapped; what it forgets in a temporary folder goes with the test's."""

    def __init__(self, folder: Path, *args: str) -> None:
        super().__init__(folder, *args)
        self._environment = plain_environment(TMPDIR=str(folder))


class Place:
    """The server, and a client of one repository that remembers what it was promised."""

    def __init__(self, server: PlainServer) -> None:
        self.server = server
        with client(server, "ecr", admin(server)) as ecr:
            self.registry = Registry(server.port, login_password(ecr))
            for number in range(CLIENTS):
                ecr.create_repository(repositoryName=f"app/{number}")
        self.pushers = [Pusher(f"app/{number}", Memory(self.registry)) for number in range(CLIENTS)]

    def kill_and_look(self) -> None:
        self.server.kill()
        self.server.start()
        assert broken(self.server.data) == []
        for pusher in self.pushers:
            pusher.memory.check()

    def steps(self) -> int:
        """Return how many steps were acknowledged."""
        return sum(pusher.steps for pusher in self.pushers)

    def has_come_to(self, steps: int) -> bool:
        return self.steps() >= steps


class Pusher:
    """A client that pushes to one repository."""

    def __init__(self, repository: str, memory: Memory) -> None:
        self.repository = repository
        self.memory = memory
        self.steps = 0
        self._numbers = itertools.count()

    def blob(self, content: bytes) -> None:
        self.memory.send({self._blob(content): content}, 201, "POST", self._uploads(content), content)

    def blob_in_chunks(self, content: bytes) -> None:
        where = self.memory.registry.start_upload(self.repository)
        half = len(content) // 2
        self.memory.registry.must(202, "PATCH", where, content[:half])
        closing = f"{where}?digest={digest_of(content)}"
        self.memory.send({self._blob(content): content}, 201, "PUT", closing, content[half:])

    def put(self, manifest: bytes, tag: str) -> None:
        changes: dict[str, bytes | None] = dict.fromkeys(self._image(manifest, tag), manifest)
        self.memory.send(changes, 201, "PUT", self._image(manifest, tag)[1], manifest, Content_Type=OCI_MANIFEST)

    def delete(self, manifest: bytes, tag: str) -> None:
        by_digest, by_tag = self._image(manifest, tag)
        self.memory.send({by_digest: None, by_tag: None}, 202, "DELETE", by_digest)

    def push_until_it_dies(self, contents: random.Random) -> None:
        """Push images, move a tag to each and delete the one before, all of its own but one layer that others push too."""
        before: tuple[bytes, str] | None = None
        with suppress(*DIED):
            for number in self._numbers:
                layer, config = contents.randbytes(200_000), json.dumps([self.repository, number]).encode()
                shared = f"layer of everybody's {number} ".encode() * 2000
                manifest, tag = image_manifest(config, layer, shared), f"n{number}"
                steps: list[Callable[[], None]] = [
                    partial(self.blob_in_chunks, layer),
                    *(partial(self.blob, content) for content in (shared, config)),
                    *(partial(self.put, manifest, name) for name in (tag, "latest")),
                    *([partial(self.delete, *before)] if before else []),
                ]
                for step in steps:
                    step()
                    self.steps += 1
                before = manifest, tag

    def _uploads(self, content: bytes) -> str:
        return f"/v2/{self.repository}/blobs/uploads/?digest={digest_of(content)}"

    def _blob(self, content: bytes) -> str:
        return f"/v2/{self.repository}/blobs/{digest_of(content)}"

    def _image(self, manifest: bytes, tag: str) -> tuple[str, str]:
        manifests = f"/v2/{self.repository}/manifests"
        return f"{manifests}/{digest_of(manifest)}", f"{manifests}/{tag}"


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    (tmp_path / "server").mkdir()
    server = PlainServer(tmp_path / "server", "--workers", "2")
    request.node.user_properties.append(("log", str(server.log)))
    try:
        yield Place(server.start())
    finally:
        server.kill()


def test_what_was_acknowledged_outlives_a_kill_at_once(place: Place) -> None:
    pusher = place.pushers[0]
    for number in range(ROUNDS):
        layer, config = random.Random(number).randbytes(3_000_000), json.dumps({"round": number}).encode()
        pusher.blob(layer)
        pusher.blob(config)
        pusher.put(image_manifest(config, layer), "latest")
        place.kill_and_look()


def test_an_upload_goes_on_after_a_kill_where_it_was_acknowledged(place: Place) -> None:
    registry, pusher = place.registry, place.pushers[0]
    content = random.Random(1).randbytes(2_500_000)
    where = registry.start_upload(pusher.repository)
    registry.must(202, "PATCH", where, content[:1_000_000])

    # So many more bytes that they would be left over at the end.
    with _half_a_patch(registry, where, b"x" * 4_000_000):
        assert wait_until(lambda: _longest(place.server.data / "blobs") > len(content), seconds=10)
        place.kill_and_look()

    assert registry.must(204, "GET", where).headers["range"] == "0-999999"
    registry.must(202, "PATCH", where, content[1_000_000:1_500_000], Content_Range="1000000-1499999")
    closing = f"{where}?digest={digest_of(content)}"
    registry.must(201, "PUT", closing, content[1_500_000:])
    pulled = registry.must(200, "GET", f"/v2/{pusher.repository}/blobs/{digest_of(content)}").body
    assert pulled == content
    assert broken(place.server.data) == []


@contextmanager
def _half_a_patch(registry: Registry, where: str, content: bytes) -> Iterator[None]:
    """Send a request that says that twice these bytes follow, and leave it open."""
    head = [f"PATCH {where} HTTP/1.1", "Host: localhost", f"Content-Length: {2 * len(content)}"]
    head += [f"{name}: {value}" for name, value in registry.authorization().items()]
    with socket.create_connection(("127.0.0.1", registry.port)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + content)
        yield


def _longest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.glob("*/*"))


def test_kills_at_any_instant_of_pushes_at_once_lose_nothing_and_leave_nothing_half_there(
    place: Place, registry_number: int, kills: int, killed: Counter[str]
) -> None:
    instants = random.Random(f"instants {registry_number}")
    with ThreadPoolExecutor(CLIENTS) as threads:
        for kill in range(kills):
            pushing = [
                threads.submit(
                    pusher.push_until_it_dies, random.Random(f"{registry_number} {kill} {pusher.repository}")
                )
                for pusher in place.pushers
            ]
            # So many steps on, however fast the machine is, and then anywhere within a step.
            goal = place.steps() + instants.randrange(40)
            assert wait_until(partial(place.has_come_to, goal), seconds=60, pause=0.001)
            time.sleep(instants.uniform(0, 0.02))
            place.server.kill()
            for each in pushing:
                each.result()
            place.kill_and_look()
    killed.update(kills=kills, steps=place.steps())

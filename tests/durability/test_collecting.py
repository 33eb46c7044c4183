"""Collection beside everything else, and killed: what is in use stays whole, and nothing is left half there."""

import itertools
import json
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moorage.cli.main import main
from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry, digest_of, image_manifest
from tests.durability.kept import broken
from tests.durability.mortal import MortalServer
from tests.engines.programs import wait_until
from tests.engines.server import Server

pytestmark = pytest.mark.slow

CLIENTS = 3
KEEP = 2
"""Seconds of grace under load: many times what a push of the load takes."""


# --- killed after every call that changes the disk -----------------------------------------------------------------------


CALLS = (
    *("mkdir", "fsync"),  # of the folder, which is there
    *("commit", "commit", "commit"),
    *("commit", "commit", *["unlink"] * 6),
    *("mkdir", "fsync", "commit", "unlink"),
    *("mkdir", "fsync", "unlink"),
)
"""The calls of a collection that change the disk: of a deleted repository, two unused layers, an upload and a file without a row."""


@pytest.fixture
def rubbish(start_server: Callable[..., Server]) -> Path:
    """A data folder with all that a collection can find, and an image that stays."""
    server = start_server("--collect-every", "0s")  # or it erases the deleted repository itself
    with client(server, "ecr", admin(server)) as ecr:
        ecr.create_repository(repositoryName="app")
        registry = Registry(server.port, login_password(ecr))
        ecr.create_repository(repositoryName="gone")
    registry.push("app", "kept")
    with client(server, "ecr", admin(server)) as ecr:
        for tag in ("one", "two"):
            config, layer = json.dumps([tag]).encode(), f"layer of {tag}".encode()
            for content in (config, layer):
                registry.push_blob("gone", content)
            assert registry.put_manifest("gone", tag, image_manifest(config, layer)).status == 201
        give_tags(server.data, "gone", 500)
        ecr.delete_repository(repositoryName="gone", force=True)
    for layer in (b"one", b"two"):
        registry.push_blob("app", layer)
    where = registry.start_upload("app")
    registry.must(202, "PATCH", where, b"half")
    beside = (int(where.rpartition("/")[2][:2], 16) + 1) % 256
    key = f"{beside:02x}000000-0000-4000-8000-000000000000"
    orphan = server.data / "blobs" / key[:2] / key
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"bytes")
    server.stop()
    time.sleep(1.2)  # an eighth more than the time of grace
    return server.data


def give_tags(data: Path, name: str, number: int) -> None:
    """Give each image of a repository so many more tags that it goes in a transaction of its own."""
    with closing(sqlite3.connect(data / "moorage.db")) as database, database:
        database.execute(
            """
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
            INSERT INTO tags (repository_id, name, image_id)
            SELECT repository_id, 'more-' || images.id || '-' || i, images.id
            FROM n, images JOIN repositories ON repositories.id = repository_id WHERE repositories.name = ?
            """,
            (number, name),
        )


@pytest.mark.parametrize("end", ["crash", "power cut"])
def test_a_collection_may_die_after_every_call_and_the_next_one_finishes_it(
    rubbish: Path, tmp_path: Path, end: str
) -> None:
    last_calls = []
    for calls in itertools.count():
        folder = tmp_path / f"death-{calls}"
        shutil.copytree(rubbish, folder / "data")
        mortal = MortalServer(folder)
        mortal.die_after(calls, end)
        if mortal.collect("1s") == 0:
            break
        last_calls.append(mortal.last_call())
        assert broken(mortal.data) == []
        again = CliRunner().invoke(main, ["collect", "--data", str(mortal.data), "--keep-unused", "1s"])
        assert again.exit_code == 0, again.output
        assert broken(mortal.data) == []
        assert len(bytes_of(mortal.data)) == 2

    assert last_calls == [f"nothing before {CALLS[0]}", *CALLS]
    assert broken(mortal.data) == []
    assert len(bytes_of(mortal.data)) == 2


# --- under load -----------------------------------------------------------------------------------------------------------


def pull(registry: Registry, name: str, manifest: bytes) -> None:
    """Pull an image by its digest, every byte."""
    assert registry.must(200, "GET", f"/v2/{name}/manifests/{digest_of(manifest)}").body == manifest
    document = json.loads(manifest)
    for part in [document["config"], *document["layers"]]:
        body = registry.must(200, "GET", f"/v2/{name}/blobs/{part['digest']}").body
        assert digest_of(body) == part["digest"]


class Client:
    """Pushes as Docker does: asks for each blob first, and sends what is not there. Some layers are everybody's."""

    def __init__(self, registry: Registry, ecr: Any, number: int) -> None:
        self.registry = registry
        self.ecr = ecr
        self.name = f"app/{number}"
        self.images: list[bytes] = []
        self.pushed = 0
        self.deleted = 0
        self.begun_anew = 0
        self.found = 0
        self._random = random.Random(number)

    def go_on_until(self, end: float) -> None:
        while time.monotonic() < end:
            self.push()
            pull(self.registry, self.name, self._random.choice(self.images))
            if len(self.images) > 3:
                self.delete(self._random.randrange(len(self.images)))
            if self._random.random() < 0.1:
                self.begin_anew()

    def push(self) -> None:
        # Few enough that the same ones come and go all the time.
        layers = [f"layer {self._random.randrange(30)} of everybody".encode() * 500 for _ in range(2)]
        config = json.dumps([self.name, self._random.randrange(1000)]).encode()
        for content in (config, *layers):
            self.ensure(content)
            time.sleep(self._random.uniform(0, 0.05))
        manifest = image_manifest(config, *layers)
        assert self.registry.put_manifest(self.name, f"v{self.pushed}", manifest).status == 201
        self.pushed += 1
        if manifest not in self.images:
            self.images.append(manifest)

    def ensure(self, content: bytes) -> None:
        if self.registry.send("HEAD", f"/v2/{self.name}/blobs/{digest_of(content)}").status == 200:
            self.found += 1
        else:
            self.registry.push_blob(self.name, content)

    def delete(self, number: int) -> None:
        self.registry.must(202, "DELETE", f"/v2/{self.name}/manifests/{digest_of(self.images[number])}")
        del self.images[number]
        self.deleted += 1

    def begin_anew(self) -> None:
        """Delete the repository with all that is in it, and make another one of the same name."""
        self.ecr.delete_repository(repositoryName=self.name, force=True)
        self.ecr.create_repository(repositoryName=self.name)
        self.registry.must(404, "GET", f"/v2/{self.name}/manifests/{digest_of(self.images[-1])}")
        self.images = []
        self.begun_anew += 1


@contextmanager
def loaded(server: Server, seconds: float) -> Iterator[list[Client]]:
    with client(server, "ecr", admin(server)) as ecr:
        for number in range(CLIENTS):
            ecr.create_repository(repositoryName=f"app/{number}")
        registry = Registry(server.port, login_password(ecr))
        clients = [Client(registry, ecr, number) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as threads:
            end = time.monotonic() + seconds
            running = [threads.submit(each.go_on_until, end) for each in clients]
            yield clients
            for each in running:
                each.result()


def test_beside_pushes_pulls_and_deletes_a_collection_takes_nothing_that_is_in_use(
    tmp_path: Path, load_seconds: float, figures: list[str], request: pytest.FixtureRequest
) -> None:
    server = Server(tmp_path, "--workers", "2", "--collect-every", "1s", "--keep-unused", f"{KEEP}s")
    request.node.user_properties.append(("log", str(server.log)))
    server.start()
    try:
        with loaded(server, load_seconds) as clients:
            pass
        for each in clients:
            for manifest in each.images:
                pull(each.registry, each.name, manifest)
        assert broken(server.data) == []
        pushed = sum(each.pushed for each in clients)
        found = sum(each.found for each in clients)
        removed = server.log.read_text().count("removed what is unused")
        figures.append(
            f"{load_seconds:.0f} s of load: {pushed} images pushed, {found} layers found there, {removed} collections that removed something, 0 lost"
        )
        assert removed
        assert found
        assert all(each.begun_anew for each in clients)
        assert wait_until(lambda: "remnant" in server.log.read_text(), seconds=20)
        # Once nobody pushes, nothing but what is in use is left.
        used = {part for each in clients for manifest in each.images for part in parts(manifest)}
        assert wait_until(lambda: len(bytes_of(server.data)) == len(used), seconds=20)
    finally:
        server.kill()


def bytes_of(data: Path) -> list[Path]:
    return list((data / "blobs").glob("*/*"))


def parts(manifest: bytes) -> list[str]:
    document = json.loads(manifest)
    return [part["digest"] for part in [document["config"], *document["layers"]]]

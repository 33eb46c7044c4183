"""What a page costs in a store of a million images beside one of a thousand, and what deleting half of them does to others.

    .venv/bin/python -m benchmarks.scale     a line for each page

Rows are written straight into the tables of a new store; pushing so many would take hours. Half of the images are in a repository in
which only the last hundred have no tag, the other half in one in which only the last hundred have one: a page of the few that reads the
many shows. A tenth as many repositories are empty.
"""

import base64
import hashlib
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks import peers
from benchmarks.client import head
from tests.engines.server import Server

SMALL, LARGE = 1_000, 1_000_000
PAGE = 50
FEW = 100
TIMES = 40
"""Requests for a page in each round; the quickest quarter counts, for what else the machine does only adds to it."""
ERASING = 15
"""Seconds in which others write while a deleted repository is erased."""

TAGGED, UNTAGGED = "bench/tagged", "bench/untagged"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
API = "AmazonEC2ContainerRegistry_V20150921"

COUNTED = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :number)"
REPOSITORIES = f"""
INSERT INTO repositories (account, region, name, created_at, mutability, exclusions, scan_on_push, encryption)
{COUNTED} SELECT :account, :region, printf('empty/%08d', i), 0, 'MUTABLE', '[]', 0, 'AES256' FROM n
"""
IMAGES = f"""
INSERT INTO images (repository_id, digest, media_type, artifact_type, size, pushed_at, content, tagged)
{COUNTED} SELECT :repository, digest(:name || i), '{MANIFEST}', 'application/vnd.oci.image.config.v1+json', 30000000, 1700000000 + i,
zeroblob(500), (i <= :number - {FEW}) = :tagged FROM n
"""
TAGS = """
INSERT INTO tags (repository_id, name, image_id)
SELECT repository_id, printf('build-%08d', id), id FROM images WHERE repository_id = :repository AND tagged
"""
COUNT = "UPDATE repositories SET image_count = :number WHERE id = :repository"
COUNT_REPOSITORIES = """
UPDATE registries SET repository_count = (
    SELECT count(*) FROM repositories WHERE repositories.account = registries.account AND repositories.region = registries.region
)
"""


@dataclass(slots=True)
class Measured:
    """What was measured: seconds in the store of few images and in the one of many, each of several rounds."""

    what: str
    small: list[float] = field(default_factory=list)
    large: list[float] = field(default_factory=list)

    @property
    def times(self) -> float:
        """How many times as long it takes among many."""
        return statistics.median(large / small for small, large in zip(self.small, self.large, strict=True))


class Store:
    """A server on a store of so many images."""

    def __init__(self, folder: Path, images: int) -> None:
        self.images = images
        self.server = Server(folder)
        self.server.start()
        contestant = peers.logged_in(self.server)
        self.client = contestant.client()
        self._keys = self.server.env()
        api = peers.ecr(self.server.port, self._keys)
        for name in (TAGGED, UNTAGGED):
            api.create_repository(repositoryName=name)
        self.server.stop()
        self.middle = self._fill()
        self.server.start()

    def _fill(self) -> dict[str, int]:
        """Write the rows, and return the ids of the images in the middle of each repository."""
        middle = {}
        with closing(sqlite3.connect(self.server.data / "moorage.db")) as database, database:
            database.create_function("digest", 1, _digest, deterministic=True)
            found = database.execute("SELECT name, id, account, region FROM repositories").fetchall()
            numbers = {name: number for name, number, *_ in found}
            here = {"account": found[0][2], "region": found[0][3]}
            database.execute(REPOSITORIES, {**here, "number": self.images // 10})
            for name in (TAGGED, UNTAGGED):
                half = {"repository": numbers[name], "number": self.images // 2}
                database.execute(IMAGES, {**half, "name": name, "tagged": name == TAGGED})
                for statement in (TAGS, COUNT):
                    database.execute(statement, half)
                [last] = database.execute("SELECT max(id) FROM images").fetchone()
                middle[name] = last - self.images // 4
            database.execute(COUNT_REPOSITORIES)
        return middle

    def get(self, path: str) -> Callable[[], bytes]:
        """Return a request to the registry door."""
        return lambda: self.client.request("GET", path).expect(200).body

    def call(self, operation: str, **given: Any) -> Callable[[], bytes]:
        """Return a request to the AWS door, signed already."""
        port, body = self.server.port, json.dumps(given).encode()
        headers = {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{API}.{operation}",
        }
        request = AWSRequest("POST", f"http://127.0.0.1:{port}/", data=body, headers=headers)
        keys = Credentials(self._keys["AWS_ACCESS_KEY_ID"], self._keys["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(keys, "ecr", self._keys["AWS_DEFAULT_REGION"]).add_auth(request)
        fields = {**dict(request.headers.items()), "Content-Length": str(len(body))}
        ready = head("POST", "/", fields) + body
        return lambda: self.client.send(ready).expect(200).body

    def following(self, operation: str, *key: int | str, **given: Any) -> Callable[[], bytes]:
        """Return a request for the page that follows a key: its token is a real one, set to that key."""
        token = json.loads(self.call(operation, **given)())["nextToken"]
        mark = json.loads(base64.urlsafe_b64decode(token))[0]
        return self.call(
            operation, **given, nextToken=base64.urlsafe_b64encode(json.dumps([mark, *key]).encode()).decode()
        )


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def pages(store: Store) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each page with the request for it; all have as many entries, whatever the store."""
    tags, size = f"/v2/{TAGGED}/tags/list?n={PAGE}", {"maxResults": PAGE}
    repository = f"empty/{store.images // 20:08}"
    yield "tags: first", store.get(tags)
    yield "tags: middle", store.get(f"{tags}&last=build-{store.middle[TAGGED]:08}")
    yield "catalog: first", store.get(f"/v2/_catalog?n={PAGE}")
    yield "catalog: middle", store.get(f"/v2/_catalog?n={PAGE}&last={repository}")
    yield "DescribeRepositories: first", store.call("DescribeRepositories", **size)
    yield "DescribeRepositories: middle", store.following("DescribeRepositories", repository, **size)
    for operation, end in (("ListImages", [""]), ("DescribeImages", [])):
        for name in (TAGGED, UNTAGGED):
            given = {"repositoryName": name, **size}
            yield f"{operation}: first of {name}", store.call(operation, **given)
            yield f"{operation}: middle of {name}", store.following(operation, store.middle[name], *end, **given)
            for status in ("TAGGED", "UNTAGGED"):
                yield f"{operation}: {status} of {name}", store.call(operation, **given, filter={"tagStatus": status})


def entries(body: bytes) -> int:
    return max(len(member) for member in json.loads(body).values() if isinstance(member, list))


def timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def measured_pages(small: Store, large: Store, rounds: int) -> Iterator[Measured]:
    """Ask for each page of both stores in turns."""
    both_pages = [
        (Measured(what), first, second) for (what, first), (_, second) in zip(pages(small), pages(large), strict=True)
    ]
    for row, of_small, of_large in both_pages:
        if [entries(of_small()), entries(of_large())] != [PAGE, PAGE]:
            raise RuntimeError(f"{row.what} has not {PAGE} entries")
    for _ in range(rounds):
        for row, of_small, of_large in both_pages:
            # One by one: whatever else the machine does is shared, and lasts for one round of a page.
            both = [(timed(of_small), timed(of_large)) for _ in range(TIMES)]
            row.small.append(statistics.quantiles([each for each, _ in both], n=4)[0])
            row.large.append(statistics.quantiles([each for _, each in both], n=4)[0])
    yield from (row for row, *_ in both_pages)


def measured_deletion(small: Store, large: Store) -> Iterator[Measured]:
    """Delete a repository of half of the images, and write beside what comes of it."""
    deleted, beside = (
        Measured("DeleteRepository of half of them"),
        Measured("a write while they are erased, 99 of 100 are quicker"),
    )
    for store, found, slow in ((small, deleted.small, beside.small), (large, deleted.large, beside.large)):
        found.append(timed(store.call("DeleteRepository", repositoryName=TAGGED, force=True)))
        write = store.call("PutImageTagMutability", repositoryName=UNTAGGED, imageTagMutability="MUTABLE")
        writes: list[float] = []
        end = time.monotonic() + ERASING
        while time.monotonic() < end:
            writes.append(timed(write))
            time.sleep(0.01)
        slow.append(statistics.quantiles(writes, n=100)[-1])
    yield from (deleted, beside)


def measured(folder: Path, rounds: int) -> list[Measured]:
    """Return the slowest page of each kind, as slow as it is beside a thousand images, and then the deletion."""
    with ExitStack() as stack:
        small, large = (Store(folder / f"scale-{images}", images) for images in (SMALL, LARGE))
        for store in (small, large):
            stack.callback(store.server.kill)
        kinds: dict[str, Measured] = {}
        for row in measured_pages(small, large, rounds):
            print(shown(row), file=sys.stderr)
            kind = row.what.partition(":")[0]
            kinds[kind] = max(kinds.get(kind, row), row, key=lambda each: each.times)
        deletion = list(measured_deletion(small, large))
    return [*kinds.values(), *deletion]


def shown(row: Measured) -> str:
    small, large = statistics.median(row.small), statistics.median(row.large)
    return f"{row.what:<44} {small * 1000:8.2f} ms {large * 1000:8.2f} ms  {row.times:.2f}"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="moorage-scale-"))
    try:
        for row in measured(folder, rounds=5):
            print(shown(row))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

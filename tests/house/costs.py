"""What a request costs: how often it leaves the event loop, and what it asks of the database and of the disk."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import Engine, event

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.sql import hot
from moorage.core.names import UploadId
from moorage.web.pools import Pools
from tests.clients.registry import OCI_MANIFEST, digest_of, image_manifest
from tests.hostile.inside import CONFIG, LAYER, Inside
from tests.hostile.place import APP, json_headers

FRAMING = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")


@dataclass
class Cost:
    """``hops`` to a thread and back; ``syncs`` of files and folders; a commit that is ``durable`` syncs once more."""

    hops: int = 0
    statements: int = 0
    commits: int = 0
    durable: int = 0
    syncs: int = 0


class Meter:
    """Counts what the application in this process does between two readings."""

    def __init__(self) -> None:
        self._cost = Cost()

    def read(self, work: Callable[[], Any]) -> Cost:
        self._cost.__init__()  # type: ignore[misc] # the listeners keep the one they were made with
        work()
        return Cost(*astuple(self._cost))

    @contextmanager
    def listening(self) -> Iterator[None]:
        event.listen(Engine, "connect", self._follow)
        connect = hot._connect  # noqa: SLF001 - its one connection is not SQLAlchemy's

        def followed(*args: Any) -> sqlite3.Connection:
            connection = connect(*args)
            self._follow(connection)
            return connection

        try:
            with (
                mock.patch.object(hot, "_connect", followed),
                mock.patch.object(Pools, "rows", self._counting("hops", Pools.rows)),
                mock.patch.object(Pools, "bytes", self._counting("hops", Pools.bytes)),
                # Counted instead: nothing here has to outlive the power.
                mock.patch.object(os, "fsync", self._counting("syncs", lambda _: None)),
                mock.patch.object(os, "fdatasync", self._counting("syncs", lambda _: None)),
            ):
                yield
        finally:
            event.remove(Engine, "connect", self._follow)

    def _counting(self, what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            setattr(self._cost, what, getattr(self._cost, what) + 1)
            return work(*args, **kwargs)

        return counted

    def _follow(self, connection: sqlite3.Connection, _record: object = None) -> None:
        writes, durable = False, True

        def traced(statement: str) -> None:
            nonlocal writes, durable
            if statement.startswith("PRAGMA synchronous"):
                durable = statement.endswith("FULL")
            elif statement.startswith("BEGIN"):
                writes = statement != "BEGIN"
            elif statement.startswith("COMMIT") and writes:
                self._cost.commits += 1
                self._cost.durable += durable
            self._cost.statements += not statement.startswith((*FRAMING, "--"))

        connection.set_trace_callback(traced)


def measured() -> dict[str, Cost]:
    """Return what each request costs a server that has seen its like before: rights are remembered, folders are there."""
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder, meter.listening():
        inside = Inside(Path(folder)).fill()
        try:
            _all_folders(inside.settings.blobs, inside)
            for _ in range(2):
                costs = {name: meter.read(work) for name, work in _requests(inside)}
        finally:
            inside.close()
    return costs


def _all_folders(blobs: Path, inside: Inside) -> None:
    """Make the 256 folders of blobs: the first in each costs two syncs more."""
    store = inside._app._layers._blobs  # noqa: SLF001 - what the application remembers of its folders
    assert isinstance(store, DiskBlobs)
    for number in range(256):
        key = UploadId(f"{number:02x}000000-0000-4000-8000-000000000000")
        store.writer(key).close()
        (blobs / key[:2] / key).unlink()


def _requests(inside: Inside) -> Iterator[tuple[str, Callable[[], Any]]]:
    v2, salt = inside.v2, os.urandom(8)
    layer = LAYER + salt
    place = ""

    def begin() -> None:
        nonlocal place
        place = v2("POST", f"/v2/{APP}/blobs/uploads/").headers["location"]

    def ecr(operation: str, document: Any) -> None:
        body = json.dumps(document).encode()
        # As all clients do; who does not is asked who it is before its body is read.
        headers = json_headers(operation) | {"content-length": str(len(body))}
        assert inside.ask(inside.signed("ecr", headers, body)).status == 200

    yield "GET of a manifest by tag", lambda: v2("GET", f"/v2/{APP}/manifests/v1")
    yield "HEAD of a layer", lambda: v2("HEAD", f"/v2/{APP}/blobs/{digest_of(LAYER)}")
    yield "GET of a layer, up to 1 MiB", lambda: v2("GET", f"/v2/{APP}/blobs/{digest_of(LAYER)}")
    yield "POST of an upload", begin
    yield "PATCH with a layer, up to 1 MiB", lambda: v2("PATCH", place, layer)
    yield "PUT with the digest", lambda: v2("PUT", f"{place}?digest={digest_of(layer)}")
    manifest = image_manifest(CONFIG, layer)
    yield "PUT of a manifest with a tag", lambda: v2("PUT", f"/v2/{APP}/manifests/v2", manifest, kind=OCI_MANIFEST)
    yield "POST of a whole layer", lambda: inside.push_blob(APP, layer + b"once more")
    yield "DescribeRepositories", lambda: ecr("DescribeRepositories", {})
    yield "DescribeImages", lambda: ecr("DescribeImages", {"repositoryName": APP})
    yield (
        "BatchGetImage",
        lambda: ecr("BatchGetImage", {"repositoryName": APP, "imageIds": [{"imageTag": "v1"}]}),
    )
    yield "GetAuthorizationToken", lambda: ecr("GetAuthorizationToken", {})


def table(costs: dict[str, Cost] | None = None) -> str:
    """Return the costs as a table; they are measured where none are given."""
    lines = [
        "| request | hops | statements | commits | of them synced | syncs of files and folders |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | " + " | ".join(map(str, astuple(cost))) + " |" for name, cost in (costs or measured()).items()
    ]
    return "\n".join(lines)

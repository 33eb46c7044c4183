"""Collection of what is unused, beside everything else that goes on: rows first, bytes after.

A blob's key is used once, so bytes whose row is gone can be deleted whenever: no new row will ever name them. What is decided
from a page of rows is decided again under the lock that keeps pushes, mounts and answers out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from moorage.actions.steps import PAGE, pages
from moorage.core.collection import Grace, Kind, Unused
from moorage.core.digests import Digest
from moorage.core.errors import StorageFull, UploadBusy
from moorage.core.names import Registry, RepositoryName, UploadId
from moorage.ports import Blobs, Database

ROWS = 200
"""Rows of a deleted repository that are erased in one transaction: others wait for it."""


class Collection:
    """What may go, and its going. Both are asked for by whoever runs the server, so there is no right to check.

    ``rest`` is called after each of the many transactions that erase deleted repositories, so that others have their turn; it
    returns True where no more is to be erased now.
    """

    def __init__(
        self, database: Database, blobs: Blobs, grace: Grace, rest: Callable[[], bool] = lambda: False
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._grace = grace
        self._rest = rest

    def unused(self, now: datetime) -> Iterator[Unused]:
        """Yield what ``collect`` would remove; nothing is changed."""
        for remnants in self._remnants():
            yield from (each for _, each in remnants)
        for layers in self._layers(now):
            yield from layers
        for contents in self._contents(now):
            yield from contents
        for uploads in self._uploads(now):
            yield from uploads
        yield from self.files(now)

    def files(self, now: datetime) -> Iterator[Unused]:
        """Yield files that no row knows."""
        for files in self._files(now):
            yield from files

    def collect(self, now: datetime) -> Iterator[Unused]:
        """Remove what is unused and yield it. Stopped at any moment, it leaves unused bytes at worst, which the next run finds."""
        yield from self.erase()
        for layers in self._layers(now):
            yield from self._release(layers, now)
        for contents in self._contents(now):
            yield from self._forget(contents, now)
        for uploads in self._uploads(now):
            yield from (each for each in uploads if self._abandon(each, now))
        for files in self._files(now):
            yield from (each for each in files if self._sweep(each))

    def erase(self) -> Iterator[Unused]:
        """Erase what deleted repositories left, and yield each of them.

        Nobody was told of anything in them since they were deleted, so their rows have no time of grace; contents have theirs.
        """
        for remnants in self._remnants():
            for number, remnant in remnants:
                more = True
                while more:
                    # After a power cut it is done again; what deletes bytes waits for the disk, and for this with it.
                    with self._database.write(durable=False) as tx:
                        more = tx.remnants.erase(number, ROWS)
                    if not more:
                        yield remnant
                    if self._rest():
                        return

    # --- what there is ------------------------------------------------------------------------------------------------

    def _remnants(self) -> Iterator[list[tuple[int, Unused]]]:
        return pages(self._database, lambda tx, after: tx.remnants.page(after, PAGE), 0, lambda row: row[0])

    def _layers(self, now: datetime) -> Iterator[list[Unused]]:
        before = self._grace.told_before(now)
        for page in pages(
            self._database,
            lambda tx, after: tx.layers.unreferenced(before, after, PAGE),
            (0, ""),
            lambda row: (row[0], row[1].digest or ""),
        ):
            yield [unused for _, unused in page]

    def _contents(self, now: datetime) -> Iterator[list[Unused]]:
        before = self._grace.told_before(now)
        return pages(
            self._database,
            lambda tx, after: tx.layers.unused(before, after, PAGE),
            "",
            lambda row: row.digest or "",
        )

    def _uploads(self, now: datetime) -> Iterator[list[Unused]]:
        before = self._grace.left_before(now)
        return pages(
            self._database,
            lambda tx, after: tx.uploads.abandoned(before, after, PAGE),
            "",
            lambda row: row.key or "",
        )

    def _files(self, now: datetime) -> Iterator[list[Unused]]:
        stored = self._blobs.stored(self._grace.left_before(now))
        while batch := list(islice(stored, PAGE)):
            known = self._known([each.key for each in batch])
            yield [
                Unused(kind=Kind.FILE, size=each.size, since=each.changed_at, key=each.key)
                for each in batch
                if each.key not in known
            ]

    def _known(self, keys: list[UploadId]) -> set[UploadId]:
        with self._database.read() as tx:
            return tx.layers.keys(keys) | tx.uploads.keys(keys)

    # --- its going ----------------------------------------------------------------------------------------------------

    def _release(self, layers: list[Unused], now: datetime) -> Iterator[Unused]:
        of_repository: dict[tuple[Registry, RepositoryName], dict[Digest, Unused]] = defaultdict(dict)
        for each in layers:
            if each.repository and each.digest:
                of_repository[each.repository][each.digest] = each
        for (registry, name), held in of_repository.items():
            with self._database.write() as tx:
                repository = tx.repositories.lock(registry, name)
                gone = tx.layers.release(repository, list(held), self._grace.told_before(now)) if repository else []
            yield from (held[digest] for digest in gone)

    def _forget(self, contents: list[Unused], now: datetime) -> Iterator[Unused]:
        of_digest = {each.digest: each for each in contents if each.digest}
        with self._database.write() as tx:
            gone = tx.layers.forget(list(of_digest), self._grace.told_before(now))
        for digest, each in of_digest.items():
            if digest in gone:
                self._blobs.delete(gone[digest])
                yield each

    def _abandon(self, upload: Unused, now: datetime) -> bool:
        with self._alone(upload) as key:
            if key is None:
                return False
            with self._database.write() as tx:
                gone = tx.uploads.abandon(key, self._grace.left_before(now))
            if gone:
                self._blobs.delete(key)
            return gone

    def _sweep(self, file: Unused) -> bool:
        with self._alone(file) as key:
            # A row that came since was committed by whoever had the file before.
            if key is None or self._known([key]):
                return False
            self._blobs.delete(key)
            return True

    @contextmanager
    def _alone(self, unused: Unused) -> Iterator[UploadId | None]:
        """Keep every writer out of the bytes; None where one has them, so that they are in use."""
        try:
            writer = self._blobs.writer(unused.key) if unused.key else None
        except (UploadBusy, StorageFull):
            # For an upload without bytes there is a file to be made, and this is what makes room.
            writer = None
        try:
            yield unused.key if writer else None
        finally:
            if writer:
                writer.close()

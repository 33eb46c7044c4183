"""Whether every row has its bytes, and what to do about one that has not."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from moorage.actions.steps import PAGE, pages
from moorage.core.digests import Digest, algorithm_of, digest_from, digest_of, start_hash
from moorage.core.inspection import Fault, Finding
from moorage.core.manifests import lacks
from moorage.core.names import UploadId
from moorage.ports import Blobs, Database, InspectionRows

Row = TypeVar("Row", bound=tuple[Any, ...])

MANIFESTS = 20
"""Manifests that are read in one; each may have 4 MiB."""


class Inspection:
    """Looks at the whole store beside everything else that goes on. Whoever runs the server asks, so there is no right to check."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def total(self) -> int:
        """Return how many bytes there are to look at."""
        with self._database.read() as tx:
            return tx.inspection.total()

    def findings(
        self, *, digests: bool, sparse: bool, seen: Callable[[int], None] = lambda _: None
    ) -> Iterator[Finding]:
        """Yield what is wrong.

        ``digests`` has every byte read and hashed; ``sparse`` says that images may refer to what is not there; ``seen`` is
        told how many bytes were looked at.
        """
        yield from self._contents(digests=digests, seen=seen)
        if digests:
            yield from self._manifests()
        if not sparse:
            yield from self._incomplete()
        yield from self._uploads()

    def repair(self, finding: Finding) -> bool:
        """Forget the row that claims bytes which are not there, so that the next push is asked for them; False where nothing is forgotten."""
        digest, key = finding.digest, finding.key
        # What cannot be read now may be read again when a cable is back.
        if key is None or finding.fault is Fault.UNREADABLE:
            return False
        if digest is None:
            with self._database.write() as tx:
                tx.uploads.remove(key)
            return True
        with self._database.read() as tx:
            holders = tx.inspection.holders(digest)
        for registry, name in holders:
            with self._database.write() as tx:
                repository = tx.repositories.lock(registry, name)
                # A push of what was lost has the content lie elsewhere.
                if repository and tx.layers.lies_under(digest, key):
                    tx.layers.remove(repository, digest)
        with self._database.write() as tx:
            return tx.layers.lies_under(digest, key) and tx.layers.forget_lost(digest)

    def _contents(self, *, digests: bool, seen: Callable[[int], None]) -> Iterator[Finding]:
        for digest, key, size in self._rows(lambda rows, after: rows.contents(after, PAGE), ""):
            fault = self._fault(digest, key, size, digests=digests)
            # It may have been collected since its row was read, bytes and all.
            if fault and self._has_row(key):
                yield Finding(fault=fault, digest=digest, key=key)
            seen(size)

    def _manifests(self) -> Iterator[Finding]:
        for _, registry, name, digest, content in self._rows(lambda rows, after: rows.images(after, MANIFESTS), 0):
            if digest_of(content, algorithm_of(digest)) != digest:
                yield Finding(fault=Fault.DIGEST, digest=digest, repository=(registry, name))

    def _incomplete(self) -> Iterator[Finding]:
        for image, registry, name, digest, media_type, content in self._rows(
            lambda rows, after: rows.incomplete(after, MANIFESTS), 0
        ):
            with self._database.read() as tx:
                absent = tx.inspection.absent(image)
            if lacks(content, media_type, absent):
                yield Finding(fault=Fault.INCOMPLETE, digest=digest, repository=(registry, name))

    def _uploads(self) -> Iterator[Finding]:
        for key, registry, name, size in self._rows(lambda rows, after: rows.uploads(after, PAGE), ""):
            try:
                fault = Fault.UPLOAD if (self._blobs.size(key) or 0) < size else None
            except OSError:
                fault = Fault.UNREADABLE
            if fault and self._has_row(key):
                yield Finding(fault=fault, key=key, repository=(registry, name))

    def _rows(self, read: Callable[[InspectionRows, Any], list[Row]], start: int | str) -> Iterator[Row]:
        for page in pages(self._database, lambda tx, after: read(tx.inspection, after), start, lambda row: row[0]):
            yield from page

    def _fault(self, digest: Digest, key: UploadId, size: int, *, digests: bool) -> Fault | None:
        try:
            there = self._blobs.size(key)
            if there != size:
                return Fault.LOST if there is None else Fault.SIZE
            if digests:
                running = start_hash(algorithm_of(digest))
                for chunk in self._blobs.chunks(key, 0, size):
                    running.update(chunk)
                if digest_from(running) != digest:
                    return Fault.DIGEST
        except FileNotFoundError:
            return Fault.LOST
        except OSError:
            return Fault.UNREADABLE
        return None

    def _has_row(self, key: UploadId) -> bool:
        with self._database.read() as tx:
            return bool(tx.layers.keys([key]) or tx.uploads.keys([key]))

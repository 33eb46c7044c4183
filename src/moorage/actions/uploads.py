"""What a caller may ask of uploads: start, go on, complete, cancel. Bytes first, row second.

How far an upload has come is not synced: it survives the end of the process, and after a power cut the client begins the
layer again. The layer that it completes is: its bytes, their directory entry, then its row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from moorage.actions.access import Guard
from moorage.actions.steps import found, locked
from moorage.core.calls import Call
from moorage.core.digests import SHA256, Algorithm, Digest
from moorage.core.errors import AccessDenied, StorageFull, UploadNotFound
from moorage.core.names import RepositoryName, UploadId, parse_upload
from moorage.core.operations import (
    COMPLETE_LAYER_UPLOAD,
    GET_DOWNLOAD_URL_FOR_LAYER,
    INITIATE_LAYER_UPLOAD,
    UPLOAD_LAYER_PART,
)
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Repository
from moorage.core.settings import DEFAULTS
from moorage.core.uploads import Upload, chosen, completed_parts, continues, grown, one_more, with_part
from moorage.ports import Blobs, Database, HotReads, Transaction, Writer

MOST_ORIGINS = 100
"""Repositories that a mount without a source looks into: its transaction keeps others waiting."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The layer that an upload became; ``new`` is false where the repository held it already."""

    digest: Digest
    new: bool


class Session:
    """One request's hold on an upload: nobody else writes to it until ``close``.

    ``algorithm`` is that of the digest to come, where it is known; else the upload's guess at it.
    """

    def __init__(
        self,
        name: RepositoryName,
        upload: Upload,
        writer: Writer,
        algorithm: Algorithm | None = None,
        quotas: Quotas = ECR,
    ) -> None:
        self.name = name
        self.upload = upload
        self.writer = writer
        self._quotas = quotas
        self.received = 0
        self.closed = False
        writer.start(upload.size, algorithm or upload.algorithm)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Take more bytes, at most 1024 pieces at once; raises LayerTooLarge, StorageFull."""
        size = sum(map(len, chunks))
        grown(self.upload, self.received + size, self._quotas)
        self.writer.write(chunks)
        self.received += size

    def close(self) -> None:
        """Let go; bytes that were not kept or completed do not count."""
        self.writer.close()
        self.closed = True


class Uploads:
    """Actions on uploads; each raises AccessDenied without the right to it, RepositoryNotFound, UploadNotFound."""

    def __init__(
        self,
        database: Database,
        hot: HotReads,
        blobs: Blobs,
        guard: Guard,
        *,
        new_id: Callable[[], UploadId],
        now: Callable[[], datetime],
        quotas: Quotas = ECR,
    ) -> None:
        self._database = database
        self._hot = hot
        self._blobs = blobs
        self._guard = guard
        self._quotas = quotas
        self._new_id = new_id
        # Bytes may come for hours after the call: what collection goes by is when they had come.
        self._now = now

    def start(self, call: Call, name: RepositoryName, algorithm: Algorithm = SHA256) -> Upload:
        """Start an upload; raises TooManyUploads.

        Its digest will probably be of ``algorithm``: of another one, its bytes are read again at the end.
        """
        with self._database.write(durable=False) as tx:
            repository = locked(tx, self._guard, call, INITIATE_LAYER_UPLOAD, name)
            # Two starts at once in two repositories may both be the last one that is allowed.
            one_more(tx.uploads.count(call.caller.identity_id), self._quotas)
            upload = self._new(call, repository, algorithm)
            tx.uploads.add(upload)
        return upload

    def start_at_once(self, call: Call, name: RepositoryName, algorithm: Algorithm = SHA256) -> Session:
        """Start an upload that the same request will complete; it has no row that another could find."""
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, INITIATE_LAYER_UPLOAD, name)
            self._guard.allow_repository(tx, call, UPLOAD_LAYER_PART, repository.name)
        upload = self._new(call, repository, algorithm)
        return Session(name, upload, self._blobs.writer(upload.id), quotas=self._quotas)

    def _new(self, call: Call, repository: Repository, algorithm: Algorithm) -> Upload:
        return Upload(
            id=self._new_id(),
            repository_id=repository.id,
            started_at=call.at,
            touched_at=call.at,
            algorithm=algorithm,
            owner=call.caller.identity_id,
        )

    def resume(
        self,
        call: Call,
        name: RepositoryName,
        upload_id: str,
        first_byte: int | None,
        action: str,
        algorithm: Algorithm | None = None,
    ) -> Session:
        """Take hold of an upload to write to it, or to complete it under a digest of ``algorithm``.

        ``first_byte`` is where the caller believes to go on, None where it does not say. Raises InvalidLayerPart where the
        upload stands elsewhere, UploadBusy while another request holds it.
        """
        writer = self._blobs.writer(self._known(call, name, upload_id, action).id)
        try:
            # Read again now that nobody else can change it: it may have been completed before the hold was gained.
            upload = self._known(call, name, upload_id, action)
            if first_byte is not None:
                continues(upload, first_byte, call.registry, name)
            return Session(name, upload, writer, algorithm, self._quotas)
        except BaseException:
            writer.close()
            raise

    def _known(self, call: Call, name: RepositoryName, upload_id: str, action: str) -> Upload:
        """Return an upload that the caller may do ``action`` to, in one look-up where that suffices."""
        parsed = parse_upload(upload_id)
        hot = self._hot.upload(call.caller.account, call.registry, name, parsed) if parsed else None
        if hot and self._guard.allow_remembered(hot[0], call, action, name):
            return hot[1]
        with self._database.read() as tx:
            return _upload(tx, found(tx, self._guard, call, action, name), upload_id)

    def keep(self, call: Call, session: Session) -> Upload:
        """Acknowledge what the registry door received."""
        return self._store(call, session, grown(session.upload, session.received, self._quotas))

    def keep_part(self, call: Call, session: Session) -> Upload:
        """Acknowledge one part of the AWS API."""
        return self._store(call, session, with_part(session.upload, session.received, self._quotas))

    def _store(self, call: Call, session: Session, upload: Upload) -> Upload:
        with self._database.write(durable=False) as tx:
            repository = locked(tx, self._guard, call, UPLOAD_LAYER_PART, session.name)
            grown_to = replace(upload, touched_at=self._now())
            if repository.id != upload.repository_id or not tx.uploads.update(grown_to):
                raise UploadNotFound(upload.id, session.name, call.registry.account)
        session.writer.keep()
        return upload

    def complete(self, call: Call, session: Session, offered: tuple[str, ...], *, parts: bool) -> Completed:
        """Make an upload a layer of its repository.

        Raises InvalidLayer where the bytes' digest, of the session's algorithm, is none of those offered; ``parts`` applies the AWS API's rules too
        (EmptyUpload, LayerPartTooSmall). Where the same content is stored already, the bytes received are dropped.
        """
        upload = grown(session.upload, session.received, self._quotas)
        if parts:
            completed_parts(upload, call.registry, session.name)
        if session.writer.size < upload.size:
            # What is left of lost bytes is no layer, whatever digest it has.
            raise UploadNotFound(upload.id, session.name, call.registry.account)
        digest = chosen(self._sealed(session), offered)
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, COMPLETE_LAYER_UPLOAD, session.name)
            if session.received:
                self._guard.allow_repository(tx, call, UPLOAD_LAYER_PART, repository.name)
            if repository.id != upload.repository_id:
                raise UploadNotFound(upload.id, session.name, call.registry.account)
            key, new = tx.layers.add(repository, digest, upload.id, upload.size, self._now())
            if key != upload.id and self._blobs.size(key) != upload.size:
                # What was stored is lost; here it is again.
                tx.layers.move(digest, upload.id)
                key = upload.id
            tx.uploads.remove(upload.id)
        if key != upload.id:
            self._blobs.delete(upload.id)
        return Completed(digest, new)

    def _sealed(self, session: Session) -> Digest:
        """Sync the bytes; where that fails the upload is over, for the system says only once that bytes were lost."""
        try:
            return session.writer.seal()
        except (OSError, StorageFull):
            try:
                with self._database.write() as tx:
                    tx.uploads.remove(session.upload.id)
            finally:
                # Of the two this must not be left out: the same bytes would sync without a word at the next try.
                self._blobs.delete(session.upload.id)
            raise

    def drop(self, session: Session) -> None:
        """Throw the bytes of an upload away that ``start_at_once`` began and that did not complete."""
        self._blobs.delete(session.upload.id)

    def status(self, call: Call, name: RepositoryName, upload_id: str) -> Upload:
        """Return how far an upload has come."""
        return self._known(call, name, upload_id, UPLOAD_LAYER_PART)

    def cancel(self, call: Call, name: RepositoryName, upload_id: str) -> None:
        """Forget an upload and its bytes; raises UploadBusy while another request writes to it."""
        session = self.resume(call, name, upload_id, None, UPLOAD_LAYER_PART)
        try:
            with self._database.write() as tx:
                tx.uploads.remove(session.upload.id)
            self._blobs.delete(session.upload.id)
        finally:
            session.close()

    def mount(self, call: Call, name: RepositoryName, digest: Digest, source: RepositoryName | None) -> bool:
        """Take a layer over from ``source``, or from any repository of the registry that allows it.

        Asked for are, as by ECR, the setting BLOB_MOUNTING, the right to push to the one and to pull from the other, and the same encryption
        (Amazon ECR User Guide, "Blob mounting"). Returns False where any is missing: an upload follows.
        """
        with self._database.write() as tx:
            target = locked(tx, self._guard, call, INITIATE_LAYER_UPLOAD, name)
            settings = tx.repositories.settings(call.registry)
            if settings.get("BLOB_MOUNTING", DEFAULTS["BLOB_MOUNTING"]) != "ENABLED":
                return False
            self._guard.allow_repository(tx, call, COMPLETE_LAYER_UPLOAD, name)
            for origin in _origins(tx, call, digest, source):
                if origin.encryption == target.encryption and self._may_pull(tx, call, origin):
                    return tx.layers.mount(target, digest, call.at)
        return False

    def _may_pull(self, tx: Transaction, call: Call, origin: Repository) -> bool:
        try:
            self._guard.allow_repository(tx, call, GET_DOWNLOAD_URL_FOR_LAYER, origin.name)
        except AccessDenied:
            return False
        return True


def _origins(tx: Transaction, call: Call, digest: Digest, source: RepositoryName | None) -> list[Repository]:
    """Return the repositories that a layer might be mounted from: they hold it; nothing is said about rights."""
    if source is None:
        return tx.repositories.holding(call.registry, digest, MOST_ORIGINS)
    origin = tx.repositories.get(call.registry, source)
    return [origin] if origin and tx.layers.get(origin, [digest]) else []


def _upload(tx: Transaction, repository: Repository, upload_id: str) -> Upload:
    parsed = parse_upload(upload_id)
    upload = tx.uploads.get(repository, parsed) if parsed else None
    if upload is None:
        raise UploadNotFound(upload_id[:64], repository.name, repository.registry.account)
    return upload

"""Uploads of blobs at the registry door.

The session's id is in the path of a relative Location: some clients drop a query, some refuse an absolute URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from moorage.actions.uploads import Completed, Session, Uploads
from moorage.core.calls import Call
from moorage.core.digests import SHA256, Algorithm, Digest, algorithm_of, parse_digest
from moorage.core.errors import InvalidLayerPart, Refused
from moorage.core.names import RepositoryName, UploadId, parse_repository
from moorage.core.operations import COMPLETE_LAYER_UPLOAD, UPLOAD_LAYER_PART
from moorage.web.http import Answer, ClientGone, body_chunks
from moorage.web.oci.errors import API_VERSION
from moorage.web.oci.requests import Route, algorithm, content_range, digest, repository
from moorage.web.pools import Pools

if TYPE_CHECKING:
    from moorage.web.oci.door import OciRequest  # the door imports this module

GATHER = 1024 * 1024
"""Bytes that are gathered before they are handed to a thread."""
GATHERED = 128 * 1024 * 1024
"""Bytes that all uploads of a process gather together: of very many at once each gathers less."""
PIECES = 1024
"""Pieces that one write to a file can take (Linux, IOV_MAX)."""

T = TypeVar("T")


class Sessions:
    """``/v2/<name>/blobs/uploads/`` and below."""

    def __init__(self, uploads: Uploads, pools: Pools) -> None:
        self._uploads = uploads
        self._pools = pools
        self._receiving = 0

    async def start(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Start an upload; mount a blob from another repository, or take it whole, where the query says so."""
        name, hint = repository(route.name), request.query.get("digest-algorithm")
        expected = algorithm(hint) if hint is not None else SHA256
        mount, source = request.query.get("mount"), request.query.get("from")
        wanted, origin = parse_digest(mount or ""), parse_repository(source or "")
        if wanted and (origin or source is None):
            mounted = await self._pools.rows(self._uploads.mount, call, name, wanted, origin)
            if mounted:
                return _stored(name, wanted)
        whole = request.query.get("digest")
        if whole is not None and mount is None:
            return await self._take_whole(request, call, name, digest(whole))
        upload = await self._pools.rows(request.recording(202, self._uploads.start), call, name, expected)
        return _going_on(202, name, upload.id, 0)

    async def _take_whole(self, request: OciRequest, call: Call, name: RepositoryName, wanted: Digest) -> Answer:
        taken: list[Session] = []

        def hold() -> Session:
            taken.append(self._uploads.start_at_once(call, name, algorithm_of(wanted)))
            return taken[0]

        try:
            await self._receive(request, call, hold, self._completing(call, wanted), 201)
        except (Refused, ClientGone):
            # Refused means that no row has these bytes. After any other failure one may, so they are left alone.
            for session in taken:
                await asyncio.shield(self._pools.bytes(self._uploads.drop, session))
            raise
        return _stored(name, wanted)

    async def append(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Take a chunk, or a stream of bytes without a length."""
        name = repository(route.name)
        hold = self._holding(request, call, route, UPLOAD_LAYER_PART, None)
        upload = await self._receive(request, call, hold, partial(self._uploads.keep, call), 202)
        return _going_on(202, name, upload.id, upload.size)

    async def complete(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Take the rest, if any, and make the upload a blob."""
        name, wanted = repository(route.name), digest(request.query.get("digest") or "")
        hold = self._holding(request, call, route, COMPLETE_LAYER_UPLOAD, algorithm_of(wanted))
        await self._receive(request, call, hold, self._completing(call, wanted), 201)
        return _stored(name, wanted)

    async def status(self, _request: OciRequest, call: Call, route: Route) -> Answer:
        """Say how far an upload has come."""
        name = repository(route.name)
        upload = await self._pools.rows(self._uploads.status, call, name, route.reference)
        return _going_on(204, name, upload.id, upload.size)

    async def cancel(self, _request: OciRequest, call: Call, route: Route) -> Answer:
        """Forget an upload."""
        await self._pools.bytes(self._uploads.cancel, call, repository(route.name), route.reference)
        return Answer(status=204, headers=[API_VERSION])

    def _holding(
        self, request: OciRequest, call: Call, route: Route, action: str, expected: Algorithm | None
    ) -> Callable[[], Session]:
        """Return what takes hold of an upload."""
        stated = content_range(request.headers.get(b"content-range"))
        first, name = stated[0] if stated else None, repository(route.name)
        return partial(self._uploads.resume, call, name, route.reference, first, action, expected)

    def _completing(self, call: Call, wanted: Digest) -> Callable[[Session], Completed]:
        return lambda session: self._uploads.complete(call, session, (wanted,), parts=False)

    async def _receive(
        self, request: OciRequest, call: Call, hold: Callable[[], Session], end: Callable[[Session], T], status: int
    ) -> T:
        """Take hold of an upload, write the body, do what ends the request, and let go of the upload, whatever happens.

        Where the first piece of a body is all of it, that is one hop to a thread, with the record in the audit log: who pushes many
        small layers waits for hops more than for bytes.
        """
        session: Session | None = None
        rest: list[bytes] = []
        stated = content_range(request.headers.get(b"content-range"))

        def finish() -> T:
            with closing(session or hold()) as held:
                if rest:
                    held.write(rest)
                if stated and held.received != stated[1] - stated[0] + 1:
                    raise _not_as_stated(held, call, stated)
                return end(held)

        try:
            chunks = body_chunks(request.receive)
            # Who waits to be asked for the body is refused before it is.
            first, more = (b"", True) if b"expect" in request.headers else await anext(chunks)
            if more:
                session = await self._pools.bytes(hold)
                rest = await self._all_but_the_last(first, chunks, session)
            elif first:
                rest = [first]
            return await self._pools.bytes(request.recording(status, finish))
        finally:
            if session and not session.closed:
                await asyncio.shield(self._pools.bytes(session.close))

    async def _all_but_the_last(
        self, first: bytes, chunks: AsyncIterator[tuple[bytes, bool]], session: Session
    ) -> list[bytes]:
        """Write the body as it arrives: while one gathering is written and hashed, the next one comes in. Return the last."""
        writing: asyncio.Future[None] | None = None
        gathered = [first] if first else []
        size = len(first)
        self._receiving += 1
        try:
            async for chunk, _ in chunks:
                if chunk:
                    gathered.append(chunk)
                size += len(chunk)
                if size >= min(GATHER, GATHERED // self._receiving) or len(gathered) == PIECES:
                    if writing:
                        await writing
                    writing = self._pools.bytes(session.write, gathered)
                    gathered, size = [], 0
            if writing:
                await writing
                writing = None
        finally:
            self._receiving -= 1
            # Nothing may still be writing when the session is closed, whatever ended this.
            if writing:
                with suppress(Exception):
                    await asyncio.shield(writing)
        return gathered


def _not_as_stated(session: Session, call: Call, stated: tuple[int, int]) -> InvalidLayerPart:
    return InvalidLayerPart(
        f"The layer part has {session.received} bytes instead of the {stated[1] - stated[0] + 1} of its Content-Range",
        session.name,
        call.registry.account,
        session.upload.id,
        session.upload.size - 1,
    )


def _going_on(status: int, name: RepositoryName, upload: UploadId, size: int) -> Answer:
    return Answer(
        status=status,
        headers=[
            API_VERSION,
            (b"location", f"/v2/{name}/blobs/uploads/{upload}".encode()),
            (b"docker-upload-uuid", upload.encode()),
            (b"range", f"0-{max(size - 1, 0)}".encode()),
        ],
    )


def _stored(name: RepositoryName, wanted: Digest) -> Answer:
    return Answer(
        status=201,
        headers=[
            API_VERSION,
            (b"location", f"/v2/{name}/blobs/{wanted}".encode()),
            (b"docker-content-digest", wanted.encode()),
        ],
    )

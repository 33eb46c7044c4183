"""Uploads of blobs at the registry door.

The session's id is in the path of a relative Location: some clients drop a query, some refuse an absolute URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from moorage.actions.uploads import Session, Uploads
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
        upload = await self._pools.rows(self._uploads.start, call, name, expected)
        return _going_on(202, name, upload.id, 0)

    async def _take_whole(self, request: OciRequest, call: Call, name: RepositoryName, wanted: Digest) -> Answer:
        session = await self._pools.bytes(self._uploads.start_at_once, call, name, algorithm_of(wanted))
        end = partial(self._uploads.complete, call, session, (wanted,), parts=False)
        try:
            await self._receive(request, call, session, end)
        except (Refused, ClientGone):
            # Refused means that no row has these bytes. After any other failure one may, so they are left alone.
            await asyncio.shield(self._pools.bytes(self._uploads.drop, session))
            raise
        return _stored(name, wanted)

    async def append(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Take a chunk, or a stream of bytes without a length."""
        name = repository(route.name)
        session = await self._resume(request, call, name, route, UPLOAD_LAYER_PART, None)
        upload = await self._receive(request, call, session, partial(self._uploads.keep, call, session))
        return _going_on(202, name, upload.id, upload.size)

    async def complete(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Take the rest, if any, and make the upload a blob."""
        name, wanted = repository(route.name), digest(request.query.get("digest") or "")
        session = await self._resume(request, call, name, route, COMPLETE_LAYER_UPLOAD, algorithm_of(wanted))
        await self._receive(
            request, call, session, partial(self._uploads.complete, call, session, (wanted,), parts=False)
        )
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

    async def _resume(
        self,
        request: OciRequest,
        call: Call,
        name: RepositoryName,
        route: Route,
        action: str,
        expected: Algorithm | None,
    ) -> Session:
        stated = content_range(request.headers.get(b"content-range"))
        first = stated[0] if stated else None
        return await self._pools.bytes(self._uploads.resume, call, name, route.reference, first, action, expected)

    async def _receive(self, request: OciRequest, call: Call, session: Session, end: Callable[[], T]) -> T:
        """Write the body, do what ends the request, and let go of the upload, whatever happens.

        Of a small body all of that is one hop to a thread: who pushes many small layers waits for hops more than for bytes.
        """

        def finish() -> T:
            with closing(session):
                if rest:
                    session.write(rest)
                if stated and session.received != stated[1] - stated[0] + 1:
                    raise _not_as_stated(session, call, stated)
                return end()

        self._receiving += 1
        try:
            stated = content_range(request.headers.get(b"content-range"))
            rest = await self._all_but_the_last(request, session)
            return await self._pools.bytes(finish)
        finally:
            self._receiving -= 1
            if not session.closed:
                await asyncio.shield(self._pools.bytes(session.close))

    async def _all_but_the_last(self, request: OciRequest, session: Session) -> list[bytes]:
        """Write the body as it arrives: while one gathering is written and hashed, the next one comes in. Return the last."""
        writing: asyncio.Future[None] | None = None
        gathered: list[bytes] = []
        size = 0
        try:
            async for chunk in body_chunks(request.receive):
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

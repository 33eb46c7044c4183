"""Manifests at the registry door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.actions.images import Images
from moorage.core.calls import Call
from moorage.core.digests import SHA256, Digest, algorithm_of, parse_digest
from moorage.core.errors import ManifestTooLarge
from moorage.core.images import Served
from moorage.core.manifests import MAX_MANIFEST
from moorage.core.names import Tag
from moorage.web.http import Answer, BodyTooLarge, Room, read_body
from moorage.web.oci.errors import API_VERSION, STORED
from moorage.web.oci.requests import Route, repository, sought, tag, tag_or_digest
from moorage.web.pools import Pools

if TYPE_CHECKING:
    from moorage.web.oci.door import OciRequest  # the door imports this module


class Manifests:
    """GET, HEAD, PUT and DELETE of ``/v2/<name>/manifests/<reference>``."""

    def __init__(self, images: Images, pools: Pools, room: Room, *, sparse: bool) -> None:
        self._images = images
        self._pools = pools
        self._room = room
        self._sparse = sparse

    async def get(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Serve the bytes of a manifest as they were pushed."""
        name = repository(route.name)
        reference = sought(route.reference)
        served = await self._pools.hot(self._images.pull_at_once, call, name, reference)
        if served is None:
            served = await self._pools.rows(self._images.pull, call, name, reference)
        if request.method == "GET" and self._images.pull_is_news(call, served):
            # Nobody waits for the note.
            self._pools.rows(self._images.note_pulls, call, [served.id])
        return _served(served)

    async def put(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Store a manifest under a tag or its digest, and under every ``tag`` of the query.

        Its digest is of the algorithm of the digest in the path, and else of the one that ECR has.
        """
        name, reference = repository(route.name), tag_or_digest(route.reference)
        named = [tag(each) for each in request.query.every("tag")]
        stated = request.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        digest = parse_digest(reference)
        tags = list(dict.fromkeys(named if digest else [Tag(reference), *named]))
        with self._room.hold() as held:
            try:
                content = await read_body(request.receive, MAX_MANIFEST, held)
            except BodyTooLarge:
                raise ManifestTooLarge(MAX_MANIFEST) from None
            put = await self._pools.rows(
                request.recording(201, self._images.put),
                call,
                name,
                content,
                media_type=stated,
                tags=tags,
                digest=digest,
                algorithm=algorithm_of(digest) if digest else SHA256,
                sparse=self._sparse,
            )
        headers = [
            API_VERSION,
            (b"location", f"/v2/{name}/manifests/{put.manifest.digest}".encode()),
            (b"docker-content-digest", put.manifest.digest.encode()),
        ]
        if put.manifest.subject:
            headers.append((b"oci-subject", put.manifest.subject.encode()))
        if named:
            headers.append((b"oci-tag", ", ".join(tags).encode()))
        return Answer(status=201, headers=headers)

    async def delete(self, _request: OciRequest, call: Call, route: Route) -> Answer:
        """Delete an image by its digest, or take a tag off."""
        name = repository(route.name)
        reference = sought(route.reference)
        if ":" in reference:
            await self._pools.rows(self._images.delete_manifest, call, name, Digest(reference))
        else:
            await self._pools.rows(self._images.untag, call, name, Tag(reference))
        return Answer(status=202, headers=[API_VERSION])


def _served(served: Served) -> Answer:
    return Answer(
        status=200,
        headers=[
            API_VERSION,
            (b"content-type", served.media_type.encode()),
            (b"content-length", str(len(served.content)).encode()),
            (b"docker-content-digest", served.digest.encode()),
            STORED,
        ],
        body=served.content,
    )

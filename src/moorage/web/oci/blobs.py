"""Blobs at the registry door."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import TYPE_CHECKING

from moorage.actions.layers import Layers
from moorage.core.calls import Call
from moorage.core.operations import BATCH_CHECK_LAYER_AVAILABILITY, GET_DOWNLOAD_URL_FOR_LAYER
from moorage.core.uploads import Layer
from moorage.web.http import Answer, Headers
from moorage.web.oci.errors import API_VERSION, STORED, error_answer
from moorage.web.oci.ranges import Parts, Unsatisfiable, byte_ranges, content_range
from moorage.web.oci.requests import Route, repository, sought_blob
from moorage.web.pools import Pools

if TYPE_CHECKING:
    from moorage.web.oci.door import OciRequest  # the door imports this module

_log = logging.getLogger("moorage.web.oci")

OCTETS = (b"content-type", b"application/octet-stream")


class Blobs:
    """GET, HEAD and DELETE of ``/v2/<name>/blobs/<digest>``."""

    def __init__(self, layers: Layers, pools: Pools) -> None:
        self._layers = layers
        self._pools = pools

    async def head(self, _request: OciRequest, call: Call, route: Route) -> Answer:
        """Tell whether the repository holds a blob, and how many bytes it has."""
        layer = await self._layer(call, route, BATCH_CHECK_LAYER_AVAILABILITY)
        return Answer(status=200, headers=[*_headers(layer), OCTETS, (b"content-length", str(layer.size).encode())])

    async def get(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """Serve a blob, or ranges of it."""
        return await self.serve(await self._layer(call, route, GET_DOWNLOAD_URL_FOR_LAYER), request.headers)

    async def delete(self, _request: OciRequest, call: Call, route: Route) -> Answer:
        """Delete a blob that no image of the repository refers to."""
        name = repository(route.name)
        await self._pools.rows(self._layers.delete, call, name, sought_blob(route.reference))
        return Answer(status=202, headers=[API_VERSION])

    async def _layer(self, call: Call, route: Route, action: str) -> Layer:
        name = repository(route.name)
        wanted = sought_blob(route.reference)
        layer = await self._pools.hot(self._layers.one_at_once, call, name, wanted, action)
        if layer is None:
            layer = await self._pools.rows(self._layers.one, call, name, wanted, action)
        return layer

    async def serve(self, layer: Layer, asked: Mapping[bytes, bytes]) -> Answer:
        """Return the bytes of a layer, or those that a request's headers ask for.

        They are open before it is said that they come: from then on a collection takes nothing away from who reads.
        """
        headers = _headers(layer)
        # If-Range names a version that nobody was told, so it is another one (RFC 9110, section 13.1.5).
        wanted = None if b"if-range" in asked else asked.get(b"range")
        try:
            spans = byte_ranges(wanted, layer.size)
        except Unsatisfiable:
            return Answer(status=416, headers=[*headers, (b"content-range", f"bytes */{layer.size}".encode())])
        if spans is None:
            return await self._stream(200, [*headers, OCTETS], layer.size, self._layers.chunks(layer, 0, layer.size))
        if len(spans) == 1:
            start, end = spans[0]
            headers += [OCTETS, (b"content-range", content_range(spans[0], layer.size))]
            return await self._stream(206, headers, end - start, self._layers.chunks(layer, start, end))
        parts = Parts(spans, layer.size, os.urandom(16).hex())
        headers.append((b"content-type", parts.media_type))
        return await self._stream(206, headers, parts.length(), parts.body(self._layers.pieces(layer, spans)))

    async def _stream(self, status: int, headers: Headers, length: int, chunks: Generator[bytes]) -> Answer:
        try:
            first = await self._pools.bytes(next, chunks, b"")
        except FileNotFoundError as lost:
            _log.error("%s is not there: moorage check tells which layer has lost its bytes", lost.filename)
            return error_answer(500, "UNKNOWN", "The bytes of this layer are lost; moorage check tells its operator so")
        headers.append((b"content-length", str(length).encode()))
        return Answer(status=status, headers=headers, body=self._sent(chunks, first, length - len(first)))

    async def _sent(self, chunks: Generator[bytes], chunk: bytes, left: int) -> AsyncGenerator[bytes]:
        """Read one chunk ahead of the one that is being sent; ``left`` counts the bytes after it."""
        ahead: asyncio.Future[bytes] | None = None
        try:
            while left > 0:
                ahead = self._pools.bytes(next, chunks, b"")
                yield chunk
                chunk = await ahead
                if not chunk:
                    return
                left -= len(chunk)
            if chunk:
                yield chunk
        finally:
            # A client may leave while a thread is still reading for it.
            if ahead:
                await asyncio.wait([ahead])
            chunks.close()


def _headers(layer: Layer) -> Headers:
    return [
        API_VERSION,
        (b"docker-content-digest", layer.digest.encode()),
        (b"accept-ranges", b"bytes"),
        STORED,
    ]

"""Listings at the registry door: tags, repositories, referrers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from moorage.actions.images import Images
from moorage.actions.repositories import Repositories
from moorage.core.calls import Call
from moorage.core.errors import InvalidParameter
from moorage.core.manifests import OCI_INDEX
from moorage.web.http import Answer, Headers
from moorage.web.oci.errors import API_VERSION, STORED
from moorage.web.oci.requests import Route, digest, next_link, repository
from moorage.web.pools import Pools

if TYPE_CHECKING:
    from moorage.web.oci.door import OciRequest  # the door imports this module

REFERRERS = 100
"""Referrers on one page; fewer where their annotations may be large."""


class Listings:
    """``/v2/<name>/tags/list``, ``/v2/_catalog`` and ``/v2/<name>/referrers/<digest>``."""

    def __init__(self, images: Images, repositories: Repositories, pools: Pools) -> None:
        self._images = images
        self._repositories = repositories
        self._pools = pools

    async def tags(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """List tags in lexical order."""
        name, size, last = repository(route.name), request.query.page_size(), request.query.get("last") or ""
        found = await self._pools.rows(self._images.tags, call, name, last, size + 1)
        return _page({"name": name}, "tags", list(found), size, f"/v2/{name}/tags/list")

    async def catalog(self, request: OciRequest, call: Call, _route: Route) -> Answer:
        """List the registry's repositories by name."""
        size, last = request.query.page_size(), request.query.get("last") or ""
        found = await self._pools.rows(self._repositories.page, call, last, size + 1)
        return _page({}, "repositories", [each.name for each in found], size, "/v2/_catalog")

    async def referrers(self, request: OciRequest, call: Call, route: Route) -> Answer:
        """List the manifests whose subject a digest is, as an index; there need be no image of that digest."""
        name, subject = repository(route.name), digest(route.reference)
        artifact_type = request.query.get("artifactType")
        after = request.query.get("last") or "0"
        if not after.isdecimal() or len(after) > 18:  # noqa: PLR2004 - digits of a row's number
            raise InvalidParameter("NextToken", "Invalid next token provided")
        found = await self._pools.rows(
            self._images.referrers, call, name, subject, artifact_type, int(after), REFERRERS
        )
        headers: Headers = [API_VERSION, STORED, (b"content-type", OCI_INDEX.encode())]
        if artifact_type is not None:
            headers.append((b"oci-filters-applied", b"artifactType"))
        if found.last is not None:
            headers.append(next_link(f"/v2/{name}/referrers/{subject}", REFERRERS, str(found.last), artifact_type))
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found.entries}
        body = await self._pools.rows(msgspec.json.encode, index)
        return Answer(status=200, headers=headers, body=body)


def _page(body: dict[str, object], member: str, found: list[str], size: int, path: str) -> Answer:
    headers: Headers = [API_VERSION, (b"content-type", b"application/json")]
    if len(found) > size > 0:
        headers.append(next_link(path, size, found[size - 1]))
    return Answer(status=200, headers=headers, body=msgspec.json.encode({**body, member: found[:size]}))

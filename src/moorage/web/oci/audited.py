"""What the audit log says of a request at this door: the operation that ECR's own registry would call, and its parameters."""

from typing import Any

from moorage.core.calls import Call
from moorage.core.digests import looks_like_digest
from moorage.core.errors import InvalidParameter
from moorage.web.oci.requests import Query, Route

_CREATED = 201


def done(operation: str, query: Query, status: int) -> str:
    """Return what a request that succeeded has done: one that would start an upload may have had no need of it."""
    if operation != "InitiateLayerUpload" or status != _CREATED:
        return operation
    return "MountLayer" if _asked(query, "mount") else "CompleteLayerUpload"


def parameters(route: Route, call: Call, operation: str, query: Query) -> dict[str, Any]:
    """Return the parameters of a request as those of the operation; of the query only what the registry reads."""
    told: dict[str, Any] = {"registryId": call.registry.account}
    if route.name:
        told["repositoryName"] = route.name
    if route.kind == "manifest":
        told |= _images(operation, route.reference, query)
    elif route.kind == "blob":
        told["layerDigest"] = route.reference
    elif route.kind == "upload":
        told["uploadId"] = route.reference
    elif route.kind == "referrers":
        told["subjectId"] = {"imageDigest": route.reference}
    digest, mount, source = _asked(query, "digest"), _asked(query, "mount"), _asked(query, "from")
    if route.kind in ("upload", "uploads") and digest:
        told["layerDigests"] = digest
    if route.kind == "uploads" and mount:
        told |= {"layerDigest": mount[0], **({"sourceRepositoryName": source[0]} if source else {})}
    return told


def _images(operation: str, reference: str, query: Query) -> dict[str, Any]:
    named = {"imageDigest" if looks_like_digest(reference) else "imageTag": reference}
    if operation != "PutImage":
        return {"imageIds": [named]}
    tags = _asked(query, "tag")
    return {**named, **({"imageTags": tags} if tags else {})}


def _asked(query: Query, name: str) -> list[str]:
    """Return the values of a parameter, none of a query that cannot be read: the log tells of requests that are refused as well."""
    try:
        return query.every(name)
    except InvalidParameter:
        return []

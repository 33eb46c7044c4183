"""Manifests and indexes (OCI image specification; Docker image manifest version 2, schemas 1 and 2).

Parsed once, from the exact bytes that are stored and served. What a manifest says beyond its references is its author's
business and is kept as it came.
"""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NewType

from moorage.core.digests import SHA256, Algorithm, Digest, digest_of, parse_digest
from moorage.core.documents import Unreadable, read_document
from moorage.core.errors import InvalidParameter, ManifestTooLarge, RegistryError

MediaType = NewType("MediaType", str)

DOCKER_MANIFEST = MediaType("application/vnd.docker.distribution.manifest.v2+json")
DOCKER_LIST = MediaType("application/vnd.docker.distribution.manifest.list.v2+json")
DOCKER_SCHEMA_1 = MediaType("application/vnd.docker.distribution.manifest.v1+json")
DOCKER_SIGNED = MediaType("application/vnd.docker.distribution.manifest.v1+prettyjws")
OCI_MANIFEST = MediaType("application/vnd.oci.image.manifest.v1+json")
OCI_INDEX = MediaType("application/vnd.oci.image.index.v1+json")

IMAGES = frozenset({DOCKER_MANIFEST, OCI_MANIFEST})
INDEXES = frozenset({DOCKER_LIST, OCI_INDEX})
LEGACY = frozenset({DOCKER_SCHEMA_1, DOCKER_SIGNED})

SCHEMA_VERSION = 2
MAX_MANIFEST = 4 * 1024 * 1024
MAX_REFERENCES = 10_000
"""More entries than any image has; a manifest of 4 MiB could otherwise ask for 50,000 look-ups."""

_media_type = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}")

_members = {
    name.casefold(): name
    for name in ("artifactType", "config", "fsLayers", "layers", "manifests", "mediaType", "schemaVersion", "subject")
}
_of_descriptors = {name.casefold(): name for name in ("digest", "mediaType", "size", "urls")}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob or to an image; ``foreign`` ones are fetched from elsewhere and need not be held."""

    digest: Digest
    size: int
    media_type: str
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A parsed manifest: ``blobs`` are config and layers, ``images`` the entries of an index.

    ``artifact_type`` is what ECR calls artifactMediaType: the manifest's own, else that of its config.
    """

    content: bytes
    media_type: MediaType
    digest: Digest
    blobs: tuple[Descriptor, ...] = ()
    images: tuple[Descriptor, ...] = ()
    subject: Digest | None = None
    artifact_type: str | None = None


def refused_manifest() -> InvalidParameter:
    """Return ECR's one refusal of a manifest: it speaks of the syntax even where the JSON is fine."""
    return InvalidParameter("ImageManifest", "Invalid JSON syntax")


def parse_manifest(content: bytes, stated: str | None, algorithm: Algorithm = SHA256) -> Manifest:
    """Return the manifest in ``content``, its digest being of ``algorithm``.

    ``stated`` is the media type that came beside it (imageManifestMediaType, Content-Type); the document's own wins where
    only one of the two is there, and they must agree where both are. Raises ManifestTooLarge beyond 4 MiB, and InvalidParameter for text that is not JSON, a
    media type that ECR does not keep, a document that is image and index at once, members that are given twice, and broken descriptors.
    """
    if len(content) > MAX_MANIFEST:
        raise ManifestTooLarge(MAX_MANIFEST)
    try:
        document = read_document(content)
    except Unreadable:
        raise refused_manifest() from None
    if not isinstance(document, dict) or _is_ambiguous(document) or _is_repetitive(content):
        raise refused_manifest()
    media_type = _media_type_of(document, stated)
    digest = digest_of(content, algorithm)
    if media_type in LEGACY:
        return Manifest(content=content, media_type=media_type, digest=digest, blobs=_schema_1(document))
    if document.get("schemaVersion") != SCHEMA_VERSION or ("manifests" in document) == (
        "layers" in document or "config" in document
    ):
        raise refused_manifest()
    own = document.get("artifactType")
    artifact_type = _checked_media_type(own) if own is not None else None
    subject = _descriptor(document["subject"]).digest if document.get("subject") is not None else None
    if media_type in INDEXES:
        return Manifest(
            content=content,
            media_type=media_type,
            digest=digest,
            images=_descriptors(document.get("manifests")),
            subject=subject,
            artifact_type=artifact_type,
        )
    config = _descriptor(document.get("config"))
    return Manifest(
        content=content,
        media_type=media_type,
        digest=digest,
        blobs=(config, *_descriptors(document.get("layers"))),
        subject=subject,
        artifact_type=artifact_type or config.media_type,
    )


def lacks(content: bytes, media_type: MediaType, absent: Collection[Digest]) -> bool:
    """Tell whether a stored image needs one of the blobs that are absent; those that are fetched from elsewhere it does not."""
    try:
        blobs = parse_manifest(content, media_type).blobs
    except RegistryError:
        # Damaged, it says nothing that could excuse one.
        return True
    return any(part.digest in absent and not part.foreign for part in blobs)


def _is_ambiguous(document: dict[str, Any]) -> bool:
    """Tell whether others may read another document than this one, and fetch what was never looked at here.

    Readers in Go do not look at the case of a member's name; and old ones take ``fsLayers`` for the layers of a newer manifest.
    """
    if any(_members.get(name.casefold(), name) != name for name in document):
        return True
    return "fsLayers" in document and not document.keys().isdisjoint(("config", "layers", "manifests"))


def _is_repetitive(content: bytes) -> bool:
    """Tell whether a document that is known to be JSON has an object with two members of one name, of which readers take either."""
    try:
        json.loads(content, object_pairs_hook=_members_once, parse_int=len, parse_float=len)
    except (_RepeatedError, ValueError, RecursionError):
        # What this reader cannot read it cannot vouch for either.
        return True
    return False


class _RepeatedError(Exception):
    """A member that is given twice."""


def _members_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _RepeatedError


def _media_type_of(document: dict[str, Any], stated: str | None) -> MediaType:
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise refused_manifest()
    # Clients that know no better send a manifest as plain JSON; that states nothing.
    if stated in (None, "", "application/json", "application/octet-stream"):
        stated = None
    if own and stated and own != stated:
        raise refused_manifest()
    media_type = MediaType(own or stated or "")
    if media_type not in IMAGES | INDEXES | LEGACY:
        raise refused_manifest()
    return media_type


def _descriptors(entries: Any) -> tuple[Descriptor, ...]:
    if not isinstance(entries, list) or len(entries) > MAX_REFERENCES:
        raise refused_manifest()
    return tuple(_descriptor(entry) for entry in entries)


def _descriptor(entry: Any) -> Descriptor:
    # Readers in Go do not look at the case of a member's name.
    if not isinstance(entry, dict) or any(_of_descriptors.get(name.casefold(), name) != name for name in entry):
        raise refused_manifest()
    size, text = entry.get("size"), entry.get("digest")
    digest = parse_digest(text) if isinstance(text, str) else None
    if digest is None or type(size) is not int or not 0 <= size < 2**63:
        raise refused_manifest()
    urls = entry.get("urls")
    return Descriptor(
        digest, size, _checked_media_type(entry.get("mediaType")), foreign=isinstance(urls, list) and bool(urls)
    )


def _checked_media_type(text: Any) -> str:
    if not isinstance(text, str) or not _media_type.fullmatch(text):
        raise refused_manifest()
    return text


def _schema_1(document: dict[str, Any]) -> tuple[Descriptor, ...]:
    entries = document.get("fsLayers")
    if document.get("schemaVersion") != 1 or not isinstance(entries, list) or len(entries) > MAX_REFERENCES:
        raise refused_manifest()
    digests = [parse_digest(str(entry.get("blobSum"))) if isinstance(entry, dict) else None for entry in entries]
    if None in digests:
        raise refused_manifest()
    return tuple(Descriptor(digest, 0, "application/octet-stream") for digest in digests if digest)


def referrer_entry(content: bytes, media_type: str, digest: Digest, artifact_type: str | None) -> dict[str, Any]:
    """Return the descriptor of a stored referrer, as the referrers API lists it, with the annotations of its manifest."""
    entry: dict[str, Any] = {"mediaType": media_type, "digest": digest, "size": len(content)}
    if artifact_type:
        entry["artifactType"] = artifact_type
    try:
        annotations = read_document(content).get("annotations")
    except Unreadable:
        # It was parsed with more of the stack left; one such manifest must not take the whole listing down.
        annotations = None
    if isinstance(annotations, dict):
        entry["annotations"] = {key: value for key, value in annotations.items() if isinstance(value, str)}
    return entry

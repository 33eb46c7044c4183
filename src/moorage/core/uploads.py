"""Uploads of layers: what may follow what (Amazon ECR API Reference, UploadLayerPart and CompleteLayerUpload)."""

from dataclasses import dataclass, replace
from datetime import datetime

from moorage.core.digests import SHA256, Algorithm, Digest
from moorage.core.errors import (
    EmptyUpload,
    InvalidLayer,
    InvalidLayerPart,
    LayerPartTooSmall,
    LayerTooLarge,
    TooManyUploads,
)
from moorage.core.names import Registry, RepositoryName, UploadId
from moorage.core.quotas import ECR, MIB, Quotas

PART_SIZE = 10 * MIB
"""What InitiateLayerUpload advises."""
MIN_PART = 5 * MIB
MAX_PART = 20 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload of one repository. ``size`` counts acknowledged bytes, ``touched_at`` is when the last ones came.

    ``parts``, ``small_last_part`` and ``small_part`` (a part below 5 MiB was followed by another) are kept for the rules
    of the AWS API; the registry door has no parts. ``algorithm`` is what its bytes are hashed with as they come: a guess at the
    digest that it will be completed under. ``owner`` is the id of the user who started it.
    """

    id: UploadId
    repository_id: int
    started_at: datetime
    touched_at: datetime
    size: int = 0
    parts: int = 0
    small_last_part: bool = False
    small_part: bool = False
    algorithm: Algorithm = SHA256
    owner: str = "unknown"


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob that a repository holds: where its bytes lie, how many they are, and what manifests call it.

    ``told_at`` is when it was last noted that a client was told that it is there.
    """

    digest: Digest
    key: UploadId
    size: int
    told_at: datetime
    media_type: str | None = None


def one_more(already_open: int, quotas: Quotas = ECR) -> None:
    """Raise TooManyUploads unless a user who has so many uploads open may start another one."""
    if already_open >= quotas.uploads:
        raise TooManyUploads(quotas.uploads)


def continues(upload: Upload, first_byte: int, registry: Registry, name: RepositoryName) -> None:
    """Raise InvalidLayerPart unless ``first_byte`` is where the upload stands."""
    if first_byte != upload.size:
        raise InvalidLayerPart(
            f"First byte of the layer part is {first_byte} instead of {upload.size}",
            name,
            registry.account,
            upload.id,
            upload.size - 1,
        )


def grown(upload: Upload, received: int, quotas: Quotas = ECR) -> Upload:
    """Return the upload with ``received`` more bytes from the registry door; raises LayerTooLarge."""
    if upload.size + received > quotas.layer:
        raise LayerTooLarge(upload.id, "layer size in bytes", quotas.layer)
    return replace(upload, size=upload.size + received)


def with_part(upload: Upload, received: int, quotas: Quotas = ECR) -> Upload:
    """Return the upload with one more part from the AWS API; raises LayerTooLarge."""
    if upload.parts >= quotas.parts:
        raise LayerTooLarge(upload.id, "number of layer parts", quotas.parts)
    return replace(
        grown(upload, received, quotas),
        parts=upload.parts + 1,
        small_part=upload.small_part or upload.small_last_part,
        small_last_part=received < MIN_PART,
    )


def completed_parts(upload: Upload, registry: Registry, name: RepositoryName) -> None:
    """Check that an upload may be completed through the AWS API; raises EmptyUpload or LayerPartTooSmall."""
    if not upload.size:
        raise EmptyUpload(upload.id, name, registry.account)
    if upload.small_part:
        raise LayerPartTooSmall


def chosen(calculated: Digest, offered: tuple[str, ...]) -> Digest:
    """Return the digest of the bytes received if it is among those ``offered``; raises InvalidLayer."""
    if calculated not in offered:
        raise InvalidLayer
    return calculated

"""Images of a repository, and what putting or deleting one does (Amazon ECR API Reference, PutImage and BatchDeleteImage)."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from moorage.core.digests import Digest
from moorage.core.errors import (
    ImageAlreadyExists,
    ImageReferenced,
    ImageTagAlreadyExists,
    ManifestLayersNotFound,
    ReferencedImagesNotFound,
    TooManyImages,
    TooManyTagsOnImage,
)
from moorage.core.manifests import Descriptor, Manifest
from moorage.core.names import Tag
from moorage.core.repositories import Repository

MAX_IMAGES = 100_000
MAX_TAGS = 1_000


class TagStatus(StrEnum):
    """The filter of ListImages and DescribeImages."""

    TAGGED = "TAGGED"
    UNTAGGED = "UNTAGGED"
    ANY = "ANY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as it is stored, without its bytes. ``size`` is in bytes, as imageSizeInBytes."""

    id: int
    digest: Digest
    media_type: str
    artifact_type: str | None
    subject: Digest | None
    size: int
    pushed_at: datetime
    pulled_at: datetime | None
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What a pull of a manifest needs: the stored image's id, its bytes, and when it was last pulled."""

    id: int
    digest: Digest
    media_type: str
    pulled_at: datetime | None
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The part of a repository that a put can touch, true until the transaction ends.

    ``blobs`` and ``images`` are those of the manifest's references that the repository holds, with their sizes;
    ``known`` tells whether the manifest itself is there; ``tagged`` is what the tag points at now; ``tag_count`` counts
    the tags of the manifest's image.
    """

    known: bool
    tagged: Digest | None
    tag_count: int
    image_count: int
    blobs: Mapping[Digest, int]
    images: Mapping[Digest, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPlan:
    """What a put will change. ``size`` is the imageSizeInBytes of what is added."""

    add: bool
    move_tag: bool
    size: int


def plan_put(repository: Repository, shelf: Shelf, manifest: Manifest, tag: Tag | None) -> PutPlan:
    """Decide what putting ``manifest`` under ``tag`` does.

    In this order: references exist, the tag may move, something changes, quotas. Raises ManifestLayersNotFound,
    ReferencedImagesNotFound, ImageTagAlreadyExists, ImageAlreadyExists, TooManyImages, TooManyTagsOnImage. A subject need
    not exist (OCI distribution specification, "Pushing Manifests with Subject").
    """
    name, account = repository.name, repository.registry.account
    missing = _missing(manifest.blobs, shelf.blobs)
    if missing:
        raise ManifestLayersNotFound(missing, name, account)
    missing = _missing(manifest.images, shelf.images)
    if missing:
        raise ReferencedImagesNotFound(missing, name, account)
    if tag and shelf.tagged and not repository.mutability.may_move(tag):
        raise ImageTagAlreadyExists(tag, name)
    same_tag = tag is None or shelf.tagged == manifest.digest
    if shelf.known and same_tag:
        raise ImageAlreadyExists(manifest.digest, tag, name, account)
    if not shelf.known and shelf.image_count >= MAX_IMAGES:
        raise TooManyImages(name, account, MAX_IMAGES)
    if tag and not same_tag and shelf.tag_count >= MAX_TAGS:
        raise TooManyTagsOnImage(tag, name, account, MAX_TAGS)
    return PutPlan(add=not shelf.known, move_tag=tag is not None, size=_size(manifest, shelf))


def _missing(references: tuple[Descriptor, ...], held: Mapping[Digest, int]) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(part.digest for part in references if part.digest not in held and not part.foreign))


def _size(manifest: Manifest, shelf: Shelf) -> int:
    """Return ECR's size: of an index the largest of its images, else the sum of config and layers, each counted once."""
    if manifest.images:
        return max(shelf.images.get(part.digest, 0) for part in manifest.images)
    return sum(shelf.blobs.get(digest, 0) for digest in {part.digest for part in manifest.blobs})


@dataclass(frozen=True, slots=True)
class ImageId:
    """How a caller names an image: by tag, by digest, or both. Texts as they came; None where absent."""

    digest: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """Why one id of a batch could not be served (Amazon ECR API Reference, ImageFailure)."""

    id: ImageId
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What one id of BatchDeleteImage removes: one tag, or the whole image with the tags that it has."""

    tags: tuple[Tag, ...]
    image: bool


def plan_delete(tags: Set[Tag], by_tag: Tag | None, indexes: tuple[Digest, ...]) -> Removal:
    """Decide what deleting an image does, named by one of its ``tags`` or by its digest.

    A tag that is not the last one is only taken off. Raises ImageReferenced where the image itself would go while
    ``indexes`` refer to it.
    """
    if by_tag and len(tags) > 1:
        return Removal((by_tag,), image=False)
    if indexes:
        raise ImageReferenced(indexes)
    return Removal(tuple(sorted(tags)), image=True)

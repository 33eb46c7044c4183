"""Images of a repository, and what putting or deleting one does (Amazon ECR API Reference, PutImage and BatchDeleteImage)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from moorage.core.budgets import BATCH
from moorage.core.digests import DIGEST_PATTERN, Digest, looks_like_digest
from moorage.core.errors import (
    BatchTooLarge,
    ImageTagAlreadyExists,
    ManifestLayersNotFound,
    ManifestNotFound,
    ReferencedImagesNotFound,
    TooManyImages,
    TooManyTagsOnImage,
)
from moorage.core.manifests import Descriptor, Manifest
from moorage.core.names import TAG_PATTERN, Tag, parse_tag
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Repository


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
    ``known`` tells whether the manifest itself is there; ``tagged`` is what those of the put's tags that there are point at now;
    ``tag_count`` counts the tags of the manifest's image.
    """

    known: bool
    tagged: Mapping[Tag, Digest]
    tag_count: int
    image_count: int
    blobs: Mapping[Digest, int]
    images: Mapping[Digest, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPlan:
    """What a put will change. ``size`` is the imageSizeInBytes of what is added."""

    add: bool
    move_tags: tuple[Tag, ...]
    size: int


def plan_put(
    repository: Repository,
    shelf: Shelf,
    manifest: Manifest,
    tags: Sequence[Tag],
    *,
    quotas: Quotas = ECR,
    sparse: bool = False,
) -> PutPlan:
    """Decide what putting ``manifest`` under ``tags``, each named once, changes; it may be nothing.

    In this order: references exist, unless the manifest may be ``sparse``; the tags may move; quotas. Raises
    ManifestLayersNotFound, ReferencedImagesNotFound, ImageTagAlreadyExists, TooManyImages, TooManyTagsOnImage. A subject need not
    exist (OCI distribution specification, "Pushing Manifests with Subject").
    """
    name, account = repository.name, repository.registry.account
    if not sparse:
        if missing := _missing(manifest.blobs, shelf.blobs):
            raise ManifestLayersNotFound(missing, name, account)
        if missing := _missing(manifest.images, shelf.images):
            raise ReferencedImagesNotFound(missing, name, account)
    for tag in tags:
        if tag in shelf.tagged and not repository.mutability.may_move(tag):
            raise ImageTagAlreadyExists(tag, name)
    if not shelf.known and shelf.image_count >= quotas.images:
        raise TooManyImages(name, account, quotas.images)
    move_tags = tuple(tag for tag in tags if shelf.tagged.get(tag) != manifest.digest)
    if beyond := move_tags[max(quotas.tags - shelf.tag_count, 0) :]:
        raise TooManyTagsOnImage(beyond[0], name, account, quotas.tags)
    return PutPlan(add=not shelf.known, move_tags=move_tags, size=_size(manifest, shelf))


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


class FoundImages:
    """The images that the ids of one batch name."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._by_digest = {image.digest: image for image in images}
        self._by_tag = {tag: image for image in self._by_digest.values() for tag in image.tags}

    def resolve(self, wanted: ImageId) -> Image | ImageFailure:
        """Return the image that an id names, or ECR's reason why there is none."""
        digest, tag = wanted.digest, wanted.tag
        if digest is None and tag is None:
            return _invalid(wanted, "MissingDigestAndTag", "both tag and digest cannot be null")
        if digest is not None and not looks_like_digest(digest):
            return _invalid(wanted, "InvalidImageDigest", f"image digest should satisfy the regex '{DIGEST_PATTERN}'")
        if tag is not None and parse_tag(tag) is None:
            return _invalid(wanted, "InvalidImageTag", f"image tag should satisfy the regex '{TAG_PATTERN}'")
        by_tag = self._by_tag.get(Tag(tag)) if tag is not None else None
        found = by_tag if digest is None else self._by_digest.get(Digest(digest))
        if found is None or (tag is not None and by_tag is None):
            return ImageFailure(wanted, "ImageNotFound", str(ManifestNotFound()))
        if by_tag is not None and by_tag.digest != found.digest:
            return _invalid(wanted, "ImageTagDoesNotMatchDigest", "given tag does not map to the given digest")
        return found

    def entries(self, ids: Iterable[ImageId]) -> tuple[list[tuple[Image, Tag | None]], list[ImageFailure]]:
        """Return image and tag of each entry that a batch has, once: an id by digest alone has one for each of the image's tags."""
        entries: dict[tuple[Digest, Tag | None], Image] = {}
        failures = []
        for wanted in ids:
            image = self.resolve(wanted)
            if isinstance(image, ImageFailure):
                failures.append(image)
                continue
            tags = (Tag(wanted.tag),) if wanted.tag is not None else image.tags or (None,)
            entries |= {(image.digest, tag): image for tag in tags}
        return [(image, tag) for (_, tag), image in entries.items()], failures


def check_batch(entries: Iterable[tuple[Image, Tag | None]], lengths: Mapping[Digest, int]) -> None:
    """Raise BatchTooLarge where the manifests of the entries, each as often as it has one, have too many bytes together."""
    size = sum(lengths[image.digest] for image, _ in entries)
    if size > BATCH:
        raise BatchTooLarge(size, BATCH)


def _invalid(wanted: ImageId, code: str, reason: str) -> ImageFailure:
    return ImageFailure(wanted, code, f"Invalid request parameters: {reason}")


def removed_tags(image: Image, wanted: Iterable[ImageId]) -> frozenset[Tag] | None:
    """Return the tags that deleting ``wanted``, all ids of one image, takes off it; None where the image itself goes.

    It goes when an id names it by digest alone, or when none of its tags would be left.
    """
    tags = frozenset(Tag(each.tag) for each in wanted if each.tag is not None)
    by_digest = any(each.tag is None for each in wanted)
    return None if by_digest or tags >= frozenset(image.tags) else tags

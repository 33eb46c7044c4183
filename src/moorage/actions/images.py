"""What a caller may ask of images. A push of a manifest and PutImage are the same action."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from moorage.actions.access import Guard
from moorage.actions.steps import found, locked
from moorage.core.budgets import REFERRERS, fitting
from moorage.core.calls import Call
from moorage.core.digests import SHA256, Algorithm, Digest, parse_digest
from moorage.core.errors import (
    MOST_NAMED,
    ImageDigestDoesNotMatch,
    ImageNotFound,
    ImageReferenced,
    InvalidParameter,
    ManifestNotFound,
    RegistryError,
    StorageFull,
)
from moorage.core.images import (
    FoundImages,
    Image,
    ImageFailure,
    ImageId,
    Served,
    TagStatus,
    check_batch,
    plan_put,
    removed_tags,
)
from moorage.core.manifests import INDEXES, Manifest, parse_manifest, referrer_entry
from moorage.core.names import RepositoryName, Tag
from moorage.core.operations import BATCH_DELETE_IMAGE, BATCH_GET_IMAGE, DESCRIBE_IMAGES, LIST_IMAGES, PUT_IMAGE
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Repository
from moorage.ports import Database, HotReads, Transaction

_log = logging.getLogger("moorage.actions")

PULL_NOTED_EVERY = timedelta(hours=1)
"""How exact lastRecordedPullTime is; ECR promises 24 hours."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a put found and did; ``changed`` is false where image and tag were there already."""

    manifest: Manifest
    changed: bool


@dataclass(frozen=True, slots=True)
class Got:
    """One entry of BatchGetImage."""

    image: Image
    tag: Tag | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Referrers:
    """A page of descriptors; ``last`` is the id after which the next page begins, None where there is none."""

    entries: list[dict[str, Any]]
    last: int | None


class Images:
    """Actions on images; each raises AccessDenied without the right to it, and RepositoryNotFound."""

    def __init__(self, database: Database, hot: HotReads, guard: Guard, quotas: Quotas = ECR) -> None:
        self._database = database
        self._hot = hot
        self._guard = guard
        self._quotas = quotas

    def put(
        self,
        call: Call,
        name: RepositoryName,
        content: bytes,
        *,
        media_type: str | None,
        tags: Sequence[Tag],
        digest: str | None,
        algorithm: Algorithm = SHA256,
        sparse: bool = False,
    ) -> Put:
        """Store a manifest under its digest of ``algorithm``, and point tags at it: all of them or none.

        ``digest`` is what the caller says that the bytes hash to; a ``sparse`` manifest may refer to what is not there. Refusals
        come in ECR's order: rights, repository, manifest, digest, references, immutability, quotas (InvalidParameter,
        ImageDigestDoesNotMatch and those of plan_put).
        """
        parsed = _parsed(content, media_type, algorithm)
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, PUT_IMAGE, name)
            if isinstance(parsed, RegistryError):
                raise parsed
            if digest is not None and digest != parsed.digest:
                raise ImageDigestDoesNotMatch(digest, name, call.registry.account)
            shelf = tx.images.shelf(repository, parsed, tags)
            plan = plan_put(repository, shelf, parsed, tags, quotas=self._quotas, sparse=sparse)
            if plan.add:
                tx.images.add(repository, parsed, plan.size, call.at)
            for tag in plan.move_tags:
                tx.images.point_tag(repository, tag, parsed.digest)
        return Put(parsed, plan.add or bool(plan.move_tags))

    def pull(self, call: Call, name: RepositoryName, reference: Digest | Tag) -> Served:
        """Return a manifest by tag or digest; raises ManifestNotFound."""
        while True:
            with self._database.read() as tx:
                found(tx, self._guard, call, BATCH_GET_IMAGE, name)
            hot = self._hot.manifest(call.caller.account, call.registry, name, reference)
            if hot is None:
                raise ManifestNotFound
            # What decides, or the repository, may be another one since: then it is decided again.
            if self._guard.allow_remembered(hot[0], call, BATCH_GET_IMAGE, name):
                return hot[1]

    def pull_at_once(self, call: Call, name: RepositoryName, reference: Digest | Tag) -> Served | None:
        """As ``pull``, in one look-up; None where that does not suffice: it is not there, or rights have to be read."""
        hot = self._hot.manifest(call.caller.account, call.registry, name, reference)
        if hot and self._guard.allow_remembered(hot[0], call, BATCH_GET_IMAGE, name, at_once=True):
            return hot[1]
        return None

    def pull_is_news(self, call: Call, image: Served | Image) -> bool:
        """Tell whether a pull has to be noted by ``note_pulls``."""
        return image.pulled_at is None or call.at - image.pulled_at > PULL_NOTED_EVERY

    def note_pulls(self, call: Call, images: list[int]) -> None:
        """Note that images were pulled now. A note that cannot be taken is logged: it is no reason to refuse a pull."""
        try:
            # One by one: two who note the same images in other orders would wait for each other.
            for image in images:
                with self._database.write(durable=False) as tx:
                    tx.images.record_pull(image, call.at)
        except StorageFull as full:
            # Every pull would say so, onto the same disk.
            _log.debug("request %s: a pull could not be noted: %s", call.request_id, full)
        except Exception:  # noqa: BLE001 - whatever it is, the pull is served
            _log.exception("request %s: a pull could not be noted", call.request_id)

    def get(self, call: Call, name: RepositoryName, ids: list[ImageId]) -> tuple[list[Got], list[ImageFailure]]:
        """Return manifests: one entry per id by tag, one per tag of the image by digest; and the ids that name nothing.

        Raises BatchTooLarge before any of them is read where they are too many bytes for one answer.
        """
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, BATCH_GET_IMAGE, name)
            entries, failures = FoundImages(_find(tx, repository, ids)).entries(ids)
            images = list({image.id: image for image, _ in entries}.values())
            if images:
                check_batch(entries, tx.images.lengths(images))
            content = tx.images.content(images) if images else {}
        news = [image.id for image in images if self.pull_is_news(call, image)]
        if news:
            self.note_pulls(call, sorted(news))
        return [Got(image, tag, content[image.digest]) for image, tag in entries], failures

    def delete(self, call: Call, name: RepositoryName, ids: list[ImageId]) -> tuple[list[ImageId], list[ImageFailure]]:
        """Delete images and tags; return what was removed, once each, and the ids that could not be.

        A tag that is not the image's last one is only taken off. Indexes go before the images that they refer to, in
        whichever order they were named.
        """
        removed: list[ImageId] = []
        failures = []
        wanted_of: dict[int, list[ImageId]] = defaultdict(list)
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, BATCH_DELETE_IMAGE, name)
            images = _find(tx, repository, ids)
            named = FoundImages(images)
            for wanted in ids:
                image = named.resolve(wanted)
                if isinstance(image, ImageFailure):
                    failures.append(image)
                else:
                    wanted_of[image.id].append(wanted)
            # An index came after what it refers to, and that may be indexes too.
            for image in sorted(images, key=lambda each: (each.media_type not in INDEXES, -each.id)):
                if image.id in wanted_of:
                    gone, kept = _remove(tx, repository, image, wanted_of[image.id])
                    removed += gone
                    failures += kept
        return removed, failures

    def delete_manifest(self, call: Call, name: RepositoryName, digest: Digest) -> None:
        """Delete an image by its digest; raises ManifestNotFound, ImageReferenced."""
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, BATCH_DELETE_IMAGE, name)
            images = tx.images.find(repository, digests=[digest], tags=[])
            if not images:
                raise ManifestNotFound
            if indexes := tx.images.indexes_of(repository, digest, MOST_NAMED + 1):
                raise ImageReferenced(indexes)
            tx.images.remove(images[0])

    def untag(self, call: Call, name: RepositoryName, tag: Tag) -> None:
        """Take a tag off its image, which stays (OCI distribution specification, "Deleting tags"); raises ManifestNotFound."""
        with self._database.write() as tx:
            repository = locked(tx, self._guard, call, BATCH_DELETE_IMAGE, name)
            if not tx.images.find(repository, digests=[], tags=[tag]):
                raise ManifestNotFound
            tx.images.untag(repository, [tag])

    def pairs(
        self, call: Call, name: RepositoryName, status: TagStatus, after: tuple[int, str], limit: int
    ) -> list[tuple[int, Digest, Tag | None]]:
        """Return up to ``limit`` pairs of image and tag in the order in which the images came, those after ``after``."""
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, LIST_IMAGES, name)
            return tx.images.pair_page(repository, status, after, limit)

    def tags(self, call: Call, name: RepositoryName, after: str, limit: int) -> list[Tag]:
        """Return up to ``limit`` tags in lexical order, those after ``after``."""
        with self._database.read() as tx:
            return tx.images.tag_page(found(tx, self._guard, call, LIST_IMAGES, name), after, limit)

    def page(self, call: Call, name: RepositoryName, status: TagStatus, after: int, limit: int) -> list[Image]:
        """Return up to ``limit`` images in the order in which they came, those after the id ``after``."""
        with self._database.read() as tx:
            return tx.images.page(found(tx, self._guard, call, DESCRIBE_IMAGES, name), status, after, limit)

    def describe(self, call: Call, name: RepositoryName, ids: list[ImageId]) -> list[Image]:
        """Return images by their ids, each once; raises ImageNotFound with the first that is missing."""
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, DESCRIBE_IMAGES, name)
            named = FoundImages(_find(tx, repository, ids))
        described = {}
        for wanted in ids:
            image = named.resolve(wanted)
            if isinstance(image, ImageFailure):
                raise _described_failure(image, name, call)
            described[image.digest] = image
        return list(described.values())

    def referrers(
        self, call: Call, name: RepositoryName, subject: Digest, artifact_type: str | None, after: int, limit: int
    ) -> Referrers:
        """Return descriptors of up to ``limit`` images with that subject, those after the id ``after``.

        They are fewer where their manifests have many bytes, for the annotations of each are shown.
        """
        with self._database.read() as tx:
            repository = found(tx, self._guard, call, BATCH_GET_IMAGE, name)
            images = tx.images.referrers(repository, subject, artifact_type, after, limit + 1)
            lengths = tx.images.lengths(images) if images else {}
            shown = images[: min(limit, fitting(REFERRERS, [lengths[image.digest] for image in images]))]
            content = tx.images.content(shown) if shown else {}
        entries = [
            referrer_entry(content[image.digest], image.media_type, image.digest, image.artifact_type)
            for image in shown
        ]
        return Referrers(entries, shown[-1].id if len(images) > len(shown) else None)


def _parsed(content: bytes, media_type: str | None, algorithm: Algorithm) -> Manifest | RegistryError:
    """Parse before the transaction, refuse within it: whether the repository exists is said first."""
    try:
        return parse_manifest(content, media_type, algorithm)
    except RegistryError as refusal:
        return refusal


def _find(tx: Transaction, repository: Repository, ids: list[ImageId]) -> list[Image]:
    digests = [each.digest for each in ids if each.digest is not None and parse_digest(each.digest)]
    return tx.images.find(repository, digests=digests, tags=[each.tag for each in ids if each.tag is not None])


def _remove(
    tx: Transaction, repository: Repository, image: Image, wanted: list[ImageId]
) -> tuple[list[ImageId], list[ImageFailure]]:
    tags = removed_tags(image, wanted)
    if tags is not None:
        tx.images.untag(repository, sorted(tags))
        return [ImageId(image.digest, tag) for tag in sorted(tags)], []
    if indexes := tx.images.indexes_of(repository, image.digest, MOST_NAMED + 1):
        reason = str(ImageReferenced(indexes))
        return [], [ImageFailure(each, "ImageReferencedByManifestList", reason) for each in wanted]
    tx.images.remove(image)
    return [ImageId(image.digest, tag) for tag in image.tags or (None,)], []


def _described_failure(failure: ImageFailure, name: RepositoryName, call: Call) -> ImageNotFound | InvalidParameter:
    if failure.code.startswith("Invalid") or failure.code == "MissingDigestAndTag":
        return InvalidParameter("imageIds", failure.reason.removeprefix("Invalid request parameters: "))
    return ImageNotFound(failure.id.digest, failure.id.tag, name, call.registry.account)

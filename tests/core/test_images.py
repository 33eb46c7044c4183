from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.digests import Digest
from moorage.core.errors import (
    ImageTagAlreadyExists,
    ManifestLayersNotFound,
    ReferencedImagesNotFound,
    RegistryError,
    TooManyImages,
    TooManyTagsOnImage,
)
from moorage.core.images import (
    FoundImages,
    Image,
    ImageFailure,
    ImageId,
    PutPlan,
    Shelf,
    plan_put,
    removed_tags,
)
from moorage.core.manifests import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest
from moorage.core.names import AccountId, Region, Registry, RepositoryName, Tag
from moorage.core.quotas import ECR, Quotas
from moorage.core.repositories import Mutability, Repository, TagMutability

AT = datetime(2026, 8, 3, tzinfo=UTC)
APP = Repository(
    id=1,
    registry=Registry(AccountId("111122223333"), Region("us-east-1")),
    name=RepositoryName("team/app"),
    created_at=AT,
)
FROZEN = replace(APP, mutability=TagMutability(Mutability.IMMUTABLE))
V1 = Tag("v1")


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def part(letter: str, *, foreign: bool = False) -> Descriptor:
    return Descriptor(digest(letter), 7, "a/b", foreign)


IMAGE = Manifest(
    content=b"{}", media_type=OCI_MANIFEST, digest=digest("e"), blobs=(part("c"), part("1"), part("2"), part("1"))
)
INDEX = Manifest(content=b"{}", media_type=OCI_INDEX, digest=digest("f"), images=(part("3"), part("4")))
SHELF = Shelf(
    known=False,
    tagged={},
    tag_count=0,
    image_count=0,
    blobs={digest("c"): 10, digest("1"): 100, digest("2"): 1000},
    images={digest("3"): 5, digest("4"): 50},
)


def refusal(repository: Repository, shelf: Shelf, manifest: Manifest = IMAGE) -> type[RegistryError] | None:
    try:
        plan_put(repository, shelf, manifest, [V1])
    except RegistryError as refused:
        return type(refused)
    return None


# --- putting ----------------------------------------------------------------------------------------------------------


def test_a_new_image_is_added_and_tagged() -> None:
    assert plan_put(APP, SHELF, IMAGE, [V1]) == PutPlan(add=True, move_tags=(V1,), size=1110)


def test_a_new_image_without_a_tag_is_only_added() -> None:
    assert plan_put(APP, SHELF, IMAGE, []) == PutPlan(add=True, move_tags=(), size=1110)


def test_a_known_image_is_only_tagged() -> None:
    assert plan_put(APP, replace(SHELF, known=True), IMAGE, [V1]) == PutPlan(add=False, move_tags=(V1,), size=1110)


def test_a_known_image_under_its_own_tag_changes_nothing() -> None:
    there = replace(SHELF, known=True, tagged={V1: IMAGE.digest}, tag_count=ECR.tags, image_count=ECR.images)

    assert plan_put(APP, there, IMAGE, [V1]) == PutPlan(add=False, move_tags=(), size=1110)


def test_the_size_of_an_image_counts_each_blob_once() -> None:
    assert plan_put(APP, SHELF, IMAGE, []).size == 10 + 100 + 1000


def test_the_size_of_an_index_is_that_of_its_largest_image() -> None:
    assert plan_put(APP, SHELF, INDEX, []).size == 50


def test_an_index_of_nothing_has_no_size() -> None:
    assert plan_put(APP, SHELF, replace(INDEX, images=()), []).size == 0


def test_a_foreign_layer_need_not_be_held_and_has_no_size() -> None:
    manifest = replace(IMAGE, blobs=(part("c"), part("9", foreign=True)))

    assert plan_put(APP, SHELF, manifest, []).size == 10


def test_missing_layers_are_named_once_each_in_their_order() -> None:
    with pytest.raises(ManifestLayersNotFound) as refused:
        plan_put(APP, replace(SHELF, blobs={digest("2"): 1}), IMAGE, [V1])

    assert refused.value.digests == (digest("c"), digest("1"))


def test_missing_images_are_named() -> None:
    with pytest.raises(ReferencedImagesNotFound) as refused:
        plan_put(APP, replace(SHELF, images={digest("4"): 1}), INDEX, [V1])

    assert refused.value.digests == (digest("3"),)


def test_a_sparse_manifest_may_refer_to_what_is_not_there_and_its_size_is_of_what_is() -> None:
    assert plan_put(APP, replace(SHELF, blobs={digest("2"): 1}), IMAGE, [], sparse=True).size == 1
    assert plan_put(APP, replace(SHELF, images={digest("4"): 7}), INDEX, [], sparse=True).size == 7


def test_an_image_is_put_under_several_tags_of_which_those_that_point_elsewhere_move() -> None:
    tags = [Tag("v1"), Tag("v2"), Tag("v3")]
    shelf = replace(SHELF, known=True, tagged={Tag("v1"): IMAGE.digest, Tag("v2"): digest("8")}, tag_count=1)

    assert plan_put(APP, shelf, IMAGE, tags).move_tags == ("v2", "v3")


def test_one_tag_that_may_not_move_refuses_them_all() -> None:
    with pytest.raises(ImageTagAlreadyExists) as refused:
        plan_put(FROZEN, replace(SHELF, tagged={V1: digest("8")}), IMAGE, [Tag("free"), V1, Tag("also-free")])

    assert refused.value.tag == V1


def test_the_first_of_several_tags_that_is_too_much_is_named() -> None:
    shelf = replace(SHELF, known=True, tag_count=ECR.tags - 2, tagged={Tag("mine"): IMAGE.digest})
    three = [Tag("mine"), Tag("a"), Tag("b")]

    assert plan_put(APP, shelf, IMAGE, three).move_tags == ("a", "b")
    with pytest.raises(TooManyTagsOnImage) as refused:
        plan_put(APP, shelf, IMAGE, [*three, Tag("c"), Tag("d")])
    assert refused.value.tag == "c"


def test_a_subject_need_not_exist() -> None:
    assert plan_put(APP, SHELF, replace(IMAGE, subject=digest("9")), []).add


def test_refusals_come_in_ecrs_order() -> None:
    everything_wrong = replace(
        SHELF, blobs={}, images={}, tagged={V1: digest("8")}, tag_count=ECR.tags, image_count=ECR.images
    )
    references_exist = replace(everything_wrong, blobs=SHELF.blobs, images=SHELF.images)

    assert refusal(FROZEN, everything_wrong) is ManifestLayersNotFound
    assert refusal(FROZEN, everything_wrong, INDEX) is ReferencedImagesNotFound
    assert refusal(FROZEN, references_exist) is ImageTagAlreadyExists
    assert refusal(APP, references_exist) is TooManyImages
    assert refusal(APP, replace(references_exist, image_count=ECR.images - 1)) is TooManyTagsOnImage
    assert refusal(APP, replace(references_exist, image_count=ECR.images - 1, tag_count=ECR.tags - 1)) is None


def test_an_immutable_tag_cannot_even_be_put_where_it_is() -> None:
    assert refusal(FROZEN, replace(SHELF, known=True, tagged={V1: IMAGE.digest})) is ImageTagAlreadyExists


def test_an_immutable_tag_that_is_free_can_be_taken() -> None:
    assert refusal(FROZEN, SHELF) is None


def test_a_full_repository_still_takes_an_image_that_it_knows() -> None:
    assert refusal(APP, replace(SHELF, known=True, image_count=ECR.images)) is None


def test_an_operator_may_want_other_numbers() -> None:
    few = Quotas(images=1, tags=2)

    assert plan_put(APP, replace(SHELF, image_count=0), IMAGE, [V1, Tag("v2")], quotas=few).add
    with pytest.raises(TooManyImages, match="which is '1'"):
        plan_put(APP, replace(SHELF, image_count=1), IMAGE, [V1], quotas=few)
    with pytest.raises(TooManyTagsOnImage, match="which is '2'"):
        plan_put(APP, SHELF, IMAGE, [V1, Tag("v2"), Tag("v3")], quotas=few)


def test_an_image_full_of_tags_still_takes_a_put_without_one() -> None:
    assert not plan_put(APP, replace(SHELF, known=True, tag_count=ECR.tags), IMAGE, []).move_tags


# --- naming -----------------------------------------------------------------------------------------------------------

A = Image(
    id=1,
    digest=digest("a"),
    media_type=OCI_MANIFEST,
    artifact_type=None,
    subject=None,
    size=1,
    pushed_at=AT,
    pulled_at=None,
    tags=(Tag("a1"), Tag("a2")),
)
B = replace(A, id=2, digest=digest("b"), tags=(Tag("b1"),))
FOUND = FoundImages([A, B])


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        (ImageId(tag="a1"), A),
        (ImageId(tag="b1"), B),
        (ImageId(digest("a")), A),
        (ImageId(digest("a"), "a2"), A),
    ],
)
def test_an_image_is_named_by_tag_by_digest_or_by_both(wanted: ImageId, image: Image) -> None:
    assert FOUND.resolve(wanted) is image


@pytest.mark.parametrize(
    ("wanted", "code", "reason"),
    [
        (ImageId(), "MissingDigestAndTag", "both tag and digest cannot be null"),
        (ImageId("x"), "InvalidImageDigest", "image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
        (ImageId(""), "InvalidImageDigest", "image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"),
        (ImageId("x", "!"), "InvalidImageDigest", "image digest should satisfy the regex"),
        (ImageId(tag="!"), "InvalidImageTag", "image tag should satisfy the regex '[a-zA-Z0-9-_.]+'"),
        (ImageId(tag=""), "InvalidImageTag", "image tag should satisfy the regex '[a-zA-Z0-9-_.]+'"),
        (ImageId(digest("a"), "b1"), "ImageTagDoesNotMatchDigest", "given tag does not map to the given digest"),
    ],
)
def test_an_id_that_makes_no_sense_has_ecrs_code_and_reason(wanted: ImageId, code: str, reason: str) -> None:
    failure = FOUND.resolve(wanted)

    assert isinstance(failure, ImageFailure)
    assert (failure.id, failure.code) == (wanted, code)
    assert failure.reason.startswith(f"Invalid request parameters: {reason}")


@pytest.mark.parametrize(
    "wanted",
    [
        ImageId(tag="none"),
        ImageId(digest("9")),
        ImageId("sha512:00"),
        ImageId("md5:FF"),
        ImageId(digest("a"), "none"),
        ImageId(digest("9"), "a1"),
    ],
)
def test_an_id_that_names_nothing_is_not_found(wanted: ImageId) -> None:
    assert FOUND.resolve(wanted) == ImageFailure(wanted, "ImageNotFound", "Requested image not found")


@pytest.mark.parametrize(
    ("wanted", "removed"),
    [
        ([ImageId(tag="a1")], {"a1"}),
        ([ImageId(digest("a"), "a1")], {"a1"}),
        ([ImageId(tag="a1"), ImageId(tag="a1")], {"a1"}),
        ([ImageId(tag="a1"), ImageId(tag="a2")], None),
        ([ImageId(digest("a"))], None),
        ([ImageId(tag="a1"), ImageId(digest("a"))], None),
    ],
)
def test_an_image_goes_by_its_digest_or_with_its_last_tag(wanted: list[ImageId], removed: set[str] | None) -> None:
    assert removed_tags(A, wanted) == removed


@given(st.sets(st.sampled_from(["a1", "a2", None]), min_size=1))
def test_what_a_deletion_leaves_always_has_a_tag(tags: set[str | None]) -> None:
    removed = removed_tags(A, [ImageId(A.digest, tag) for tag in tags])

    assert removed is None or set(A.tags) - removed

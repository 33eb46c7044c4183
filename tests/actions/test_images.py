from collections.abc import Callable
from datetime import timedelta

import pytest

from moorage.core.budgets import BATCH, REFERRERS
from moorage.core.digests import SHA256, SHA512, Digest, digest_of
from moorage.core.errors import (
    AccessDenied,
    BatchTooLarge,
    ImageDigestDoesNotMatch,
    ImageNotFound,
    ImageTagAlreadyExists,
    InvalidParameter,
    LayerReferenced,
    ManifestLayersNotFound,
    ManifestNotFound,
    ReferencedImagesNotFound,
    RepositoryNotFound,
    TooManyImages,
    TooManyTagsOnImage,
)
from moorage.core.images import ImageId, TagStatus
from moorage.core.manifests import OCI_MANIFEST, Manifest
from moorage.core.names import RepositoryName, Tag
from moorage.core.quotas import Quotas
from moorage.core.repositories import Mutability, TagMutability
from tests.actions.desk import Desk, at, by_digest, by_tag, refusal
from tests.contracts.rows import AT, descriptor, image, index

NOWHERE = "sha256:" + "0" * 64
NONE = RepositoryName("team/none")


# --- putting ----------------------------------------------------------------------------------------------------------


def test_a_put_that_is_wrong_in_every_way_is_refused_in_ecrs_order(desk: Desk) -> None:
    frozen = desk.repository("frozen", mutability=TagMutability(Mutability.IMMUTABLE))
    desk.push(frozen, "first", "v1")
    good = image("second", "layer of second")
    full = desk.beside(Quotas(images=1))
    stranger = desk.someone()
    said = [
        refusal(lambda: desk.put(NONE, b"{", "v1", digest=NOWHERE, call=stranger)),
        refusal(lambda: desk.put(NONE, b"{", "v1", digest=NOWHERE)),
        refusal(lambda: desk.put(frozen, b"{", "v1", digest=NOWHERE)),
        refusal(lambda: desk.put(frozen, good, "v1", digest=NOWHERE)),
        refusal(lambda: desk.put(frozen, good, "v1", digest=good.digest)),
    ]
    desk.parts(frozen, "second", "layer of second")
    said += [
        refusal(lambda: desk.put(frozen, good, "v1", digest=good.digest)),
        refusal(lambda: full.put(frozen, good, "v2", digest=good.digest)),
    ]

    assert said == [
        AccessDenied,
        RepositoryNotFound,
        InvalidParameter,
        ImageDigestDoesNotMatch,
        ManifestLayersNotFound,
        ImageTagAlreadyExists,
        TooManyImages,
    ]
    assert desk.put(frozen, good, "v2", digest=good.digest).changed


def test_a_refused_put_leaves_everything_as_it_was(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")
    before = desk.rows()

    assert refusal(lambda: desk.put(app, image("two", "no such layer"), "v1")) is ManifestLayersNotFound
    assert desk.rows() == before


def test_what_a_manifest_lacks_is_named(desk: Desk, app: RepositoryName) -> None:
    desk.layer(app, "there")
    lacking, child = image("one", "there", "missing"), image("child")

    with pytest.raises(ManifestLayersNotFound) as layers:
        desk.put(app, lacking)
    with pytest.raises(ReferencedImagesNotFound) as images:
        desk.put(app, index(child))

    assert layers.value.digests == (digest_of(b"config of one"), digest_of(b"missing"))
    assert images.value.digests == (child.digest,)


def test_layers_and_images_of_other_repositories_do_not_count(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    there = desk.push(other, "one", "v1")

    assert refusal(lambda: desk.put(app, there)) is ManifestLayersNotFound
    assert refusal(lambda: desk.put(app, index(there))) is ReferencedImagesNotFound


def test_an_image_is_kept_and_served_byte_for_byte(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    by_name = desk.images.pull(desk.admin, app, Tag("v1"))

    assert (by_name.content, by_name.digest, by_name.media_type) == (pushed.content, pushed.digest, OCI_MANIFEST)
    assert desk.images.pull(desk.admin, app, pushed.digest) == by_name


def test_putting_an_image_again_under_its_tag_changes_nothing(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    before = desk.rows()
    again = desk.put(app, pushed, "v1", call=at(desk.admin, AT + timedelta(days=1)))

    assert not again.changed
    assert not desk.put(app, pushed).changed
    assert desk.rows() == before


def test_a_further_tag_is_added_and_the_time_of_the_push_stays(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    assert desk.put(app, pushed, "v2", call=at(desk.admin, AT + timedelta(days=1))).changed

    [described] = desk.images.describe(desk.admin, app, [by_tag("v2")])
    assert (described.tags, described.pushed_at) == (("v1", "v2"), AT)


def test_a_tag_that_moves_leaves_the_old_image_where_it_is(desk: Desk, app: RepositoryName) -> None:
    one, two = desk.push(app, "one", "v1"), desk.push(app, "two", "latest")
    desk.put(app, two, "v1")

    assert desk.shelf(app) == {one.digest: set(), two.digest: {"latest", "v1"}}


def test_an_immutable_tag_does_not_move_not_even_to_where_it_is(desk: Desk) -> None:
    frozen = desk.repository("frozen", mutability=TagMutability(Mutability.IMMUTABLE))
    one, two = desk.push(frozen, "one", "v1"), desk.push(frozen, "two")

    assert refusal(lambda: desk.put(frozen, two, "v1")) is ImageTagAlreadyExists
    assert refusal(lambda: desk.put(frozen, one, "v1")) is ImageTagAlreadyExists
    desk.images.delete(desk.admin, frozen, [by_tag("v1")])
    assert desk.put(frozen, two, "v1").changed


@pytest.mark.parametrize(
    ("mode", "moves"),
    [
        (Mutability.IMMUTABLE_WITH_EXCLUSION, {"latest", "dev-1"}),
        (Mutability.MUTABLE_WITH_EXCLUSION, {"1.0", "dev", "latest2"}),
    ],
)
def test_tags_that_a_filter_excludes_are_the_exception(desk: Desk, mode: Mutability, moves: set[str]) -> None:
    name = desk.repository("filtered", mutability=TagMutability(mode, ("latest", "dev-*")))
    tags = ["latest", "latest2", "dev", "dev-1", "1.0"]
    desk.push(name, "one", *tags)
    two = desk.push(name, "two")

    assert {tag for tag in tags if refusal(lambda tag=tag: desk.put(name, two, tag)) is None} == moves  # type: ignore[misc] # a lambda's default has no type


def test_a_change_of_mutability_acts_on_the_next_put(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")
    two = desk.push(app, "two")
    desk.repositories.put_mutability(desk.admin, app, TagMutability(Mutability.IMMUTABLE))
    assert refusal(lambda: desk.put(app, two, "v1")) is ImageTagAlreadyExists

    desk.repositories.put_mutability(desk.admin, app, TagMutability())
    assert desk.put(app, two, "v1").changed


def test_an_image_has_so_many_tags_and_no_more(desk: Desk, app: RepositoryName) -> None:
    desk = desk.beside(Quotas(tags=2))
    pushed = desk.push(app, "one", "v1", "v2")

    with pytest.raises(TooManyTagsOnImage, match=r"'v3'.* which is '2'"):
        desk.put(app, pushed, "v3")
    assert not desk.put(app, pushed, "v2").changed


def test_the_size_of_an_image_is_that_of_its_blobs_and_of_an_index_that_of_its_largest(
    desk: Desk, app: RepositoryName
) -> None:
    small = desk.parts(app, "one", "12345")
    large = desk.parts(app, "two", "1234567890")
    for each in (small, large, index(small, large)):
        desk.put(app, each)
    described = desk.images.describe(desk.admin, app, [by_digest(each) for each in (small, large, index(small, large))])

    assert [each.size for each in described] == [len("config of one") + 5, len("config of two") + 10] * 1 + [
        len("config of two") + 10
    ]


def test_an_image_may_speak_of_a_subject_that_is_not_there(desk: Desk, app: RepositoryName) -> None:
    subject = image("subject")
    signature = desk.parts(app, "signature", subject=descriptor(subject), artifactType="application/vnd.signature")
    desk.put(app, signature)

    assert referrers(desk, app, subject.digest) == [signature.digest]
    assert referrers(desk, app, subject.digest, "application/vnd.signature") == [signature.digest]
    assert referrers(desk, app, subject.digest, "application/vnd.other") == []


def referrers(desk: Desk, name: RepositoryName, subject: Digest, kind: str | None = None, limit: int = 10) -> list[str]:
    """Return the digests of all pages, after looking at what each page holds at most."""
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = desk.images.referrers(desk.admin, name, subject, kind, after, limit)
        assert len(page.entries) <= limit
        assert len(page.entries) == 1 or sum(entry["size"] for entry in page.entries) <= REFERRERS
        found, after = found + [entry["digest"] for entry in page.entries], page.last
    return found


@pytest.mark.parametrize(("size", "limit"), [(10, 3), (REFERRERS // 3, 10), (REFERRERS + 1, 10)])
def test_pages_of_referrers_have_so_many_and_so_many_bytes_and_hold_each_once(
    desk: Desk, app: RepositoryName, size: int, limit: int
) -> None:
    subject = image("subject")
    pushed = []
    for number in range(5):
        signature = desk.parts(app, f"signature {number}", subject=descriptor(subject), annotations={"a": "b" * size})
        pushed.append(desk.put(app, signature).manifest.digest)

    assert referrers(desk, app, subject.digest, limit=limit) == pushed


def large(desk: Desk, name: RepositoryName, seed: str, *tags: str) -> Manifest:
    """Push an image whose manifest has a quarter of what a batch may have."""
    return desk.push(name, seed, *tags, annotations={"a": "b" * (BATCH // 4 - 1000)})


def test_a_batch_of_more_bytes_than_one_answer_may_have_is_refused_unread(desk: Desk, app: RepositoryName) -> None:
    pushed = [large(desk, app, f"image {number}", f"v{number}") for number in range(5)]

    assert len(desk.images.get(desk.admin, app, [by_tag(f"v{number}") for number in range(4)])[0]) == 4
    with pytest.raises(BatchTooLarge, match="one answer has 16777216 at most"):
        desk.images.get(desk.admin, app, [by_digest(each) for each in pushed])


def test_a_manifest_counts_as_often_as_it_would_be_in_the_answer(desk: Desk, app: RepositoryName) -> None:
    tags = [f"v{number}" for number in range(5)]
    pushed = large(desk, app, "one", *tags)

    assert refusal(lambda: desk.images.get(desk.admin, app, [by_digest(pushed)])) is BatchTooLarge
    assert len(desk.images.get(desk.admin, app, [by_tag("v1")] * 100)[0]) == 1
    assert len(desk.images.get(desk.admin, app, [by_digest(pushed, "v2"), by_tag("v2")])[0]) == 1


# --- pulling ----------------------------------------------------------------------------------------------------------


def test_what_is_not_there_cannot_be_pulled(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")

    assert refusal(lambda: desk.images.pull(desk.admin, app, Tag("v2"))) is ManifestNotFound
    assert refusal(lambda: desk.images.pull(desk.admin, desk.repository("other"), pushed.digest)) is ManifestNotFound
    assert refusal(lambda: desk.images.pull(desk.admin, NONE, Tag("v1"))) is RepositoryNotFound


def test_a_pull_is_noted_once_an_hour(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")

    def pull(minutes: int) -> bool:
        call = at(desk.admin, AT + timedelta(minutes=minutes))
        served = desk.images.pull(call, app, Tag("v1"))
        news = desk.images.pull_is_news(call, served)
        if news:
            desk.images.note_pulls(call, [served.id])
        return news

    assert [pull(minutes) for minutes in (0, 1, 60, 61, 62, 122)] == [True, False, False, True, False, True]
    [described] = desk.images.describe(desk.admin, app, [by_tag("v1")])
    assert described.pulled_at == AT + timedelta(minutes=122)


def test_describing_and_listing_are_no_pulls_and_getting_is_one(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")
    later = at(desk.admin, AT + timedelta(days=1))
    desk.images.pairs(later, app, TagStatus.ANY, (0, ""), 10)
    [before] = desk.images.describe(later, app, [by_tag("v1")])
    desk.images.get(later, app, [by_tag("v1")])
    [after] = desk.images.describe(later, app, [by_tag("v1")])

    assert (before.pulled_at, after.pulled_at) == (None, later.at)


def test_noting_the_pull_of_an_image_that_has_gone_does_no_harm(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    served = desk.images.pull(desk.admin, app, Tag("v1"))
    desk.images.delete(desk.admin, app, [by_digest(pushed)])
    before = desk.rows()
    desk.images.note_pulls(desk.admin, [served.id])

    assert desk.rows() == before


def test_a_batch_has_an_entry_for_each_tag_of_a_digest_and_one_for_a_tag(desk: Desk, app: RepositoryName) -> None:
    one, two = desk.push(app, "one", "v1", "v2"), desk.push(app, "two")
    ids = [by_tag("v1"), by_digest(one), by_digest(one, "v2"), by_digest(two), by_tag("v1")]
    got, failures = desk.images.get(desk.admin, app, ids)

    assert [(entry.image.digest, entry.tag, entry.content) for entry in got] == [
        (one.digest, "v1", one.content),
        (one.digest, "v2", one.content),
        (two.digest, None, two.content),
    ]
    assert failures == []


def test_ids_that_name_nothing_fail_alone(desk: Desk, app: RepositoryName) -> None:
    one, two = desk.push(app, "one", "v1"), desk.push(app, "two", "v2")
    wrong = [by_tag("no"), ImageId(NOWHERE), by_digest(one, "v2"), ImageId(), ImageId("sha256"), by_tag("-/-")]
    got, failures = desk.images.get(desk.admin, app, [*wrong, by_digest(two)])

    assert [entry.tag for entry in got] == ["v2"]
    assert [(failure.id, failure.code) for failure in failures] == list(
        zip(
            wrong,
            [
                "ImageNotFound",
                "ImageNotFound",
                "ImageTagDoesNotMatchDigest",
                "MissingDigestAndTag",
                "InvalidImageDigest",
                "InvalidImageTag",
            ],
            strict=True,
        )
    )


def test_describing_lists_each_image_once_with_all_its_tags(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1", "v2")
    described = desk.images.describe(desk.admin, app, [by_tag("v1"), by_digest(one), by_tag("v2")])

    assert [(each.digest, each.tags) for each in described] == [(one.digest, ("v1", "v2"))]


def test_describing_is_refused_with_the_first_id_that_is_missing(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one", "v1")

    with pytest.raises(ImageNotFound, match=r"\{imageDigest:'null', imageTag:'x'\}"):
        desk.images.describe(desk.admin, app, [by_tag("v1"), by_tag("x"), by_tag("y")])
    assert refusal(lambda: desk.images.describe(desk.admin, app, [ImageId()])) is InvalidParameter


def test_several_tags_are_put_at_once_or_not_at_all(desk: Desk) -> None:
    name = desk.repository("frozen", mutability=TagMutability(Mutability.IMMUTABLE))
    one, two = desk.push(name, "one", "v1"), desk.parts(name, "two", "layer of two")
    before = desk.rows()

    assert refusal(lambda: desk.put(name, two, tags=[Tag("v2"), Tag("v1")])) is ImageTagAlreadyExists
    assert desk.rows() == before
    assert desk.put(name, two, tags=[Tag("v2"), Tag("v3")]).changed
    assert desk.shelf(name) == {one.digest: {"v1"}, two.digest: {"v2", "v3"}}


def test_an_image_under_digests_of_two_algorithms_is_two_images(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1")
    long = digest_of(one.content, SHA512)

    put = desk.put(app, one, tags=[Tag("long")], digest=long, algorithm=SHA512)

    assert put.manifest.digest == long
    assert desk.shelf(app) == {one.digest: {"v1"}, long: {"long"}}
    assert desk.images.pull(desk.admin, app, long).content == desk.images.pull(desk.admin, app, one.digest).content


def test_a_digest_of_another_algorithm_than_the_one_asked_for_does_not_match(desk: Desk, app: RepositoryName) -> None:
    one = desk.parts(app, "one", "layer of one")

    for digest, algorithm in ((digest_of(one.content, SHA512), SHA256), (one.digest, SHA512)):
        with pytest.raises(ImageDigestDoesNotMatch):
            desk.put(app, one, digest=digest, algorithm=algorithm)


def test_a_sparse_image_is_taken_where_that_is_allowed_and_is_whole_once_its_parts_have_come(
    desk: Desk, app: RepositoryName
) -> None:
    one = image("one", "layer of one")
    for manifest in (index(one), one):
        with pytest.raises((ManifestLayersNotFound, ReferencedImagesNotFound)):
            desk.put(app, manifest)
        assert desk.put(app, manifest, sparse=True).changed

    for part in one.blobs:
        assert desk.layers.available(desk.admin, app, [part.digest]) == {}
    for text in ("config of one", "layer of one"):
        desk.layer(app, text)
        with pytest.raises(LayerReferenced):
            desk.layers.delete(desk.admin, app, digest_of(text.encode()))


# --- ways around an immutable tag -------------------------------------------------------------------------------------


def test_whoever_may_only_push_moves_no_immutable_tag_and_has_no_way_around(desk: Desk) -> None:
    frozen = desk.repository("frozen", mutability=TagMutability(Mutability.IMMUTABLE))
    old, new = desk.push(frozen, "old", "v1"), desk.parts(frozen, "new", "layer of new")
    pusher = desk.someone(
        "ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:BatchGetImage"
    )

    assert refusal(lambda: desk.put(frozen, new, "v1", call=pusher)) is ImageTagAlreadyExists
    ways: list[Callable[[], object]] = [
        lambda: desk.images.untag(pusher, frozen, Tag("v1")),
        lambda: desk.images.delete_manifest(pusher, frozen, old.digest),
        lambda: desk.images.delete(pusher, frozen, [by_tag("v1")]),
        lambda: desk.layers.delete(pusher, frozen, old.blobs[0].digest),
        lambda: desk.repositories.put_mutability(pusher, frozen, TagMutability(Mutability.MUTABLE)),
        lambda: desk.repositories.delete(pusher, frozen, force=True),
    ]
    assert [refusal(way) for way in ways] == [AccessDenied] * len(ways)
    assert desk.images.pull(pusher, frozen, Tag("v1")).digest == old.digest
    # What may be pushed is what is new.
    assert desk.put(frozen, new, "v2", call=pusher).changed

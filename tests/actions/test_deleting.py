import pytest

from moorage.core.errors import ImageReferenced, ManifestNotFound
from moorage.core.images import ImageFailure, ImageId
from moorage.core.manifests import Manifest
from moorage.core.names import RepositoryName, Tag
from tests.actions.desk import Desk, by_digest, by_tag, refusal
from tests.contracts.rows import index

NOWHERE = "sha256:" + "0" * 64


def outcome(desk: Desk, app: RepositoryName, *ids: ImageId) -> tuple[list[ImageId], list[str]]:
    removed, failures = desk.images.delete(desk.admin, app, list(ids))
    return removed, [failure.code for failure in failures]


def test_a_tag_of_many_is_only_taken_off(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1", "v2")

    assert outcome(desk, app, by_tag("v1")) == ([by_digest(one, "v1")], [])
    assert desk.shelf(app) == {one.digest: {"v2"}}


def test_the_last_tag_takes_the_image_with_it(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1")

    assert outcome(desk, app, by_tag("v1")) == ([by_digest(one, "v1")], [])
    assert desk.shelf(app) == {}


def test_all_tags_at_once_take_the_image_with_them(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1", "v2")

    assert outcome(desk, app, by_tag("v2"), by_tag("v1")) == ([by_digest(one, "v1"), by_digest(one, "v2")], [])
    assert desk.shelf(app) == {}


def test_a_digest_takes_the_image_with_all_its_tags(desk: Desk, app: RepositoryName) -> None:
    one, two = desk.push(app, "one", "v1", "v2"), desk.push(app, "two")

    assert outcome(desk, app, by_digest(one)) == ([by_digest(one, "v1"), by_digest(one, "v2")], [])
    assert outcome(desk, app, by_digest(two)) == ([by_digest(two)], [])
    assert desk.shelf(app) == {}


def test_a_digest_with_its_tag_is_that_tag(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1", "v2")

    assert outcome(desk, app, by_digest(one, "v1")) == ([by_digest(one, "v1")], [])
    assert desk.shelf(app) == {one.digest: {"v2"}}


def test_ids_that_overlap_remove_once(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1")

    assert outcome(desk, app, by_tag("v1"), by_digest(one), by_tag("v1")) == ([by_digest(one, "v1")], [])


def test_ids_that_cannot_be_deleted_fail_alone_and_change_nothing(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1")
    desk.push(app, "two", "v2")
    before = desk.rows()
    removed, codes = outcome(
        desk, app, by_tag("no"), ImageId(NOWHERE), by_digest(one, "v2"), by_digest(one, "no"), ImageId()
    )

    assert removed == []
    assert codes == [
        "ImageNotFound",
        "ImageNotFound",
        "ImageTagDoesNotMatchDigest",
        "ImageNotFound",
        "MissingDigestAndTag",
    ]
    assert desk.rows() == before


def members(desk: Desk, app: RepositoryName, seed: str = "child") -> tuple[Manifest, Manifest]:
    child = desk.push(app, seed, "child", "other")
    parent = index(child)
    desk.put(app, parent, "all")
    return child, parent


def test_a_refusal_names_ten_indexes_however_many_there_are(desk: Desk, app: RepositoryName) -> None:
    child = desk.push(app, "child", "child")
    parents = [index(child, annotations={"number": str(number)}) for number in range(12)]
    for parent in parents:
        desk.put(app, parent)

    _, [failure] = desk.images.delete(desk.admin, app, [by_digest(child)])

    named = ", ".join(parent.digest for parent in parents[:10])
    assert failure.reason == f"Requested image referenced by manifest list: [{named}, and more]"
    with pytest.raises(ImageReferenced, match="and more"):
        desk.images.delete_manifest(desk.admin, app, child.digest)


def test_an_image_of_an_index_stays_by_whatever_name_it_is_deleted(desk: Desk, app: RepositoryName) -> None:
    child, parent = members(desk, app)
    failed = ImageFailure(
        by_digest(child),
        "ImageReferencedByManifestList",
        f"Requested image referenced by manifest list: [{parent.digest}]",
    )

    assert desk.images.delete(desk.admin, app, [by_digest(child)]) == ([], [failed])
    assert outcome(desk, app, by_tag("child"), by_tag("other")) == ([], ["ImageReferencedByManifestList"] * 2)
    assert outcome(desk, app, by_tag("child")) == ([by_digest(child, "child")], [])
    assert outcome(desk, app, by_tag("other")) == ([], ["ImageReferencedByManifestList"])
    assert desk.shelf(app) == {child.digest: {"other"}, parent.digest: {"all"}}


def test_an_index_leaves_its_images(desk: Desk, app: RepositoryName) -> None:
    child, parent = members(desk, app)

    assert outcome(desk, app, by_tag("all")) == ([by_digest(parent, "all")], [])
    assert desk.shelf(app) == {child.digest: {"child", "other"}}


@pytest.mark.parametrize("seed", "abcdefgh")  # the order of the digests is another one for each
def test_an_index_of_indexes_and_their_images_go_together_in_whichever_order(
    desk: Desk, app: RepositoryName, seed: str
) -> None:
    child, parent = members(desk, app, seed)
    grandparent = index(parent)
    desk.put(app, grandparent, "everything")

    removed, codes = outcome(desk, app, by_digest(child), by_digest(parent), by_digest(grandparent))
    assert codes == []
    assert [each.digest for each in removed] == [grandparent.digest, parent.digest, child.digest, child.digest]
    assert desk.shelf(app) == {}


def test_a_manifest_is_deleted_by_its_digest_unless_an_index_has_it(desk: Desk, app: RepositoryName) -> None:
    child, parent = members(desk, app)
    delete = desk.images.delete_manifest

    assert refusal(lambda: delete(desk.admin, app, child.digest)) is ImageReferenced
    delete(desk.admin, app, parent.digest)
    delete(desk.admin, app, child.digest)
    assert refusal(lambda: delete(desk.admin, app, child.digest)) is ManifestNotFound
    assert desk.shelf(app) == {}


def test_taking_the_last_tag_off_leaves_the_image(desk: Desk, app: RepositoryName) -> None:
    one = desk.push(app, "one", "v1")
    desk.images.untag(desk.admin, app, Tag("v1"))

    assert desk.shelf(app) == {one.digest: set()}
    assert refusal(lambda: desk.images.untag(desk.admin, app, Tag("v1"))) is ManifestNotFound

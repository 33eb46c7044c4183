from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.core.calls import Call
from moorage.core.collection import Kind
from moorage.core.errors import (
    AccessDenied,
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
    TooManyRepositories,
    TooManyTags,
    ValidationFailed,
)
from moorage.core.images import TagStatus
from moorage.core.names import Region, Registry, RepositoryName
from moorage.core.quotas import Quotas
from moorage.core.repositories import MAX_RESOURCE_TAGS, Encryption, Mutability, Repository, TagMutability
from tests.actions.desk import Desk, policy
from tests.contracts.rows import AT, HERE, image

NONE = RepositoryName("team/none")
APP = RepositoryName("team/app")
# Each example makes a repository of its own in the one database of the test.
one_database = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def wanted(name: str = "team/app", **more: Any) -> Repository:
    return Repository(registry=HERE, name=RepositoryName(name), created_at=AT, **more)


# --- creating ---------------------------------------------------------------------------------------------------------


def test_a_repository_is_described_as_it_was_created(desk: Desk) -> None:
    asked = wanted(
        mutability=TagMutability(Mutability.IMMUTABLE_WITH_EXCLUSION, ("dev-*",)),
        scan_on_push=True,
        encryption=Encryption("KMS", "arn:aws:kms:us-east-1:111122223333:key/1"),
    )
    created = desk.repositories.create(desk.admin, asked, {"team": "a"})

    assert created == replace(asked, id=created.id)
    assert desk.repositories.named(desk.admin, [APP]) == [created]
    assert desk.repositories.tags(desk.admin, APP) == {"team": "a"}


def test_a_name_is_given_once_in_a_registry(desk: Desk, app: RepositoryName) -> None:
    with pytest.raises(RepositoryAlreadyExists):
        desk.repositories.create(desk.admin, wanted(app, scan_on_push=True), {"team": "b"})

    assert desk.repositories.tags(desk.admin, app) == {}
    west = Registry(HERE.account, Region("us-west-2"))
    there = replace(desk.admin, registry=west)
    assert desk.repositories.create(there, replace(wanted(app), registry=west), {}).name == app


def test_a_registry_has_so_many_repositories_and_no_more(desk: Desk) -> None:
    desk = desk.beside(Quotas(repositories=2))
    desk.repository("aa"), desk.repository("bb")

    with pytest.raises(TooManyRepositories):
        desk.repository("cc")
    with pytest.raises(RepositoryAlreadyExists):
        desk.repository("bb")


def test_a_repository_with_resource_tags_needs_the_right_to_tag_too(desk: Desk) -> None:
    creator = desk.someone("ecr:CreateRepository")

    with pytest.raises(AccessDenied, match="ecr:TagResource"):
        desk.repositories.create(creator, wanted(), {"team": "a"})
    desk.repositories.create(creator, wanted(), {})


def test_conditions_see_the_resource_tags_of_a_request(desk: Desk) -> None:
    tagged = {"StringEquals": {"aws:RequestTag/Team": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}
    someone = desk.someone("ecr:CreateRepository", "ecr:TagResource", Condition=tagged)

    for tags in ({}, {"Team": "b"}, {"Team": "a", "more": "1"}):
        with pytest.raises(AccessDenied):
            desk.repositories.create(someone, wanted(), tags)
    desk.repositories.create(someone, wanted(), {"Team": "a"})
    with pytest.raises(AccessDenied):
        desk.repositories.tag(someone, APP, {"Team": "b"})
    desk.repositories.tag(someone, APP, {"Team": "a"})


def test_an_account_of_another_number_is_not_let_in(desk: Desk, app: RepositoryName) -> None:
    theirs = desk.identities.bootstrap(HERE.account, AT, keep=lambda _: None)
    foreign = replace(desk.admin, registry=Registry(type(HERE.account)("444455556666"), HERE.region))

    assert theirs is None
    with pytest.raises(AccessDenied):
        desk.repositories.named(foreign, [app])


# --- describing -------------------------------------------------------------------------------------------------------


def test_repositories_are_described_in_the_order_asked_and_once_each(desk: Desk) -> None:
    names = [desk.repository(name) for name in ("bb", "aa", "cc")]
    described = desk.repositories.named(desk.admin, [names[2], names[0], names[2]])

    assert [each.name for each in described] == ["cc", "bb"]


def test_one_name_that_is_missing_refuses_all(desk: Desk, app: RepositoryName) -> None:
    with pytest.raises(RepositoryNotFound, match="'team/none'"):
        desk.repositories.named(desk.admin, [app, NONE, RepositoryName("team/other")])


def test_each_name_that_is_asked_for_needs_the_right_to_it(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    someone = desk.someone("ecr:DescribeRepositories", resource=HERE.repository_arn(app))

    assert [each.name for each in desk.repositories.named(someone, [app])] == [app]
    with pytest.raises(AccessDenied):
        desk.repositories.named(someone, [app, other])
    with pytest.raises(AccessDenied):
        desk.repositories.page(someone, "", 10)


# --- pages ------------------------------------------------------------------------------------------------------------

SEEDS = {"one": ["v1", "v3", "v2"], "two": [], "three": ["a"], "four": [], "five": ["b", "-", "Z"]}
Walk = Callable[[Desk, Call, RepositoryName, int], Iterator[list[Any]]]


def pages(fetch: Callable[[Any], list[Any]], key: Callable[[Any], Any], start: Any) -> Iterator[list[Any]]:
    """Walk pages as a client would; what a page is told to begin after is the last entry of the one before."""
    after = start
    while page := fetch(after):
        yield page
        assert key(page[-1]) != after, "the next page would be the same"
        after = key(page[-1])


def tag_pages(desk: Desk, call: Call, name: RepositoryName, limit: int) -> Iterator[list[Any]]:
    return pages(lambda after: desk.images.tags(call, name, after, limit), lambda tag: tag, "")


def image_pages(desk: Desk, call: Call, name: RepositoryName, limit: int) -> Iterator[list[Any]]:
    for page in pages(lambda after: desk.images.page(call, name, TagStatus.ANY, after, limit), lambda each: each.id, 0):
        yield [each.digest for each in page]


def pair_pages(desk: Desk, call: Call, name: RepositoryName, limit: int) -> Iterator[list[Any]]:
    found = pages(
        lambda after: desk.images.pairs(call, name, TagStatus.ANY, after, limit),
        lambda each: (each[0], each[2] or ""),
        (0, ""),
    )
    for page in found:
        yield [(digest, tag) for _, digest, tag in page]


def repository_pages(desk: Desk, call: Call, _name: RepositoryName, limit: int) -> Iterator[list[Any]]:
    for page in pages(lambda after: desk.repositories.page(call, after, limit), lambda each: each.name, ""):
        yield [each.name for each in page]


LISTINGS = pytest.mark.parametrize("listing", [tag_pages, image_pages, pair_pages, repository_pages])


@pytest.fixture
def filled(desk: Desk, app: RepositoryName) -> RepositoryName:
    desk.fill(app, SEEDS)
    for name in ("zz", "aa", "a-b", "a/b", "a.b", "m"):
        desk.repository(name)
    return app


@LISTINGS
@pytest.mark.parametrize("limit", range(1, 10))
def test_pages_hold_everything_once_whatever_their_size(
    desk: Desk, filled: RepositoryName, listing: Walk, limit: int
) -> None:
    walked = list(listing(desk, desk.admin, filled, limit))
    whole = next(listing(desk, desk.admin, filled, 1000))

    assert list(chain.from_iterable(walked)) == whole
    assert len(set(whole)) == len(whole) >= 5
    assert {len(page) for page in walked[:-1]} <= {limit}


@LISTINGS
@one_database
@given(limit=st.integers(1, 5), added=st.lists(st.text("abcxyz019", min_size=2, max_size=4), unique=True, max_size=8))
def test_what_was_there_throughout_is_listed_once_whatever_comes_and_goes_meanwhile(
    desk: Desk, listing: Walk, limit: int, added: list[str]
) -> None:
    with desk.database.write() as tx:
        for repository in tx.repositories.page(HERE, "", 1000):
            tx.repositories.remove(repository, AT)
    name = desk.repository()
    desk.fill(name, SEEDS)
    for each in ("zz", "mm", "az"):
        desk.repository(each)
    before = set(next(listing(desk, desk.admin, name, 1000)))
    walked: list[Any] = []
    rest = iter(added)
    for page in listing(desk, desk.admin, name, limit):
        walked += page
        if new := next(rest, None):
            desk.repository(f"{new}-new")
            desk.fill(name, {f"image {new}": [f"tag-{new}", f"{new}-tag"]})
            gone = RepositoryName(f"{new}-gone")
            desk.repositories.delete(desk.admin, desk.repository(gone), force=False)

    assert before <= set(walked)
    assert len(walked) == len(set(walked))


@pytest.mark.parametrize("status", TagStatus)
@pytest.mark.parametrize("limit", [1, 2, 9])
def test_pages_of_tagged_and_of_untagged_images_hold_those(
    desk: Desk, filled: RepositoryName, status: TagStatus, limit: int
) -> None:
    found = pages(lambda after: desk.images.page(desk.admin, filled, status, after, limit), lambda image: image.id, 0)
    tagged = {image(seed).digest: bool(tags) for seed, tags in SEEDS.items()}

    assert [each.digest for each in chain.from_iterable(found)] == [
        digest for digest, has in tagged.items() if status in (TagStatus.ANY, "TAGGED" if has else "UNTAGGED")
    ]


# --- deleting ---------------------------------------------------------------------------------------------------------


def test_a_repository_with_images_is_deleted_by_force_only(desk: Desk, app: RepositoryName) -> None:
    desk.push(app, "one")
    before = desk.rows()
    with pytest.raises(RepositoryNotEmpty):
        desk.repositories.delete(desk.admin, app, force=False)
    assert desk.rows() == before

    assert desk.repositories.delete(desk.admin, app, force=True).name == app
    with pytest.raises(RepositoryNotFound):
        desk.repositories.delete(desk.admin, app, force=True)


def test_a_repository_without_images_is_deleted_with_its_layers_and_uploads(desk: Desk, app: RepositoryName) -> None:
    desk.layer(app, "layer")
    desk.uploads.start(desk.admin, app)
    desk.repositories.tag(desk.admin, app, {"team": "a"})
    desk.repositories.delete(desk.admin, app, force=False)
    assert [each.kind for each in desk.collection.erase()] == [Kind.REMNANT]

    rows = desk.rows()
    assert [rows[table] for table in ("repositories", "repository_tags", "layers", "uploads")] == [[], [], [], []]


def test_a_later_repository_of_the_same_name_has_nothing_of_the_first(desk: Desk, app: RepositoryName) -> None:
    pushed = desk.push(app, "one", "v1")
    upload = desk.uploads.start(desk.admin, app)
    desk.repositories.delete(desk.admin, app, force=True)
    desk.repository(app)

    assert desk.shelf(app) == {}
    assert desk.layers.available(desk.admin, app, [part.digest for part in pushed.blobs]) == {}
    with pytest.raises(Exception, match="does not exist"):
        desk.uploads.status(desk.admin, app, upload.id)


# --- settings and tags ------------------------------------------------------------------------------------------------


def test_scanning_and_mutability_are_kept_and_leave_one_another_alone(desk: Desk, app: RepositoryName) -> None:
    frozen = TagMutability(Mutability.MUTABLE_WITH_EXCLUSION, ("v*",))
    desk.repositories.put_mutability(desk.admin, app, frozen)
    put = desk.repositories.put_scanning(desk.admin, app, scan_on_push=True)

    assert (put.mutability, put.scan_on_push) == (frozen, True)
    assert desk.repositories.named(desk.admin, [app]) == [put]
    with pytest.raises(RepositoryNotFound):
        desk.repositories.put_mutability(desk.admin, NONE, frozen)
    with pytest.raises(RepositoryNotFound):
        desk.repositories.put_scanning(desk.admin, NONE, scan_on_push=True)


def test_resource_tags_are_added_overwritten_and_removed_by_key(desk: Desk, app: RepositoryName) -> None:
    desk.repositories.tag(desk.admin, app, {"a": "1", "b": "1"})
    desk.repositories.tag(desk.admin, app, {"b": "2", "c": "2"})
    desk.repositories.untag(desk.admin, app, ["a", "never"])

    assert desk.repositories.tags(desk.admin, app) == {"b": "2", "c": "2"}


def test_a_repository_carries_fifty_resource_tags_and_no_more(desk: Desk, app: RepositoryName) -> None:
    most = {f"key-{number}": "" for number in range(MAX_RESOURCE_TAGS)}
    desk.repositories.tag(desk.admin, app, most)
    desk.repositories.tag(desk.admin, app, {"key-0": "again"})

    with pytest.raises(TooManyTags):
        desk.repositories.tag(desk.admin, app, {"one-more": ""})
    with pytest.raises(TooManyTags):
        desk.repositories.create(desk.admin, wanted("other"), {**most, "one-more": ""})
    assert desk.repositories.tags(desk.admin, app) == {**most, "key-0": "again"}


@pytest.mark.parametrize("action", ["tag", "untag", "tags"])
def test_resource_tags_of_a_repository_that_is_not_there_are_refused(desk: Desk, action: str) -> None:
    given: dict[str, list[Any]] = {"tag": [{"a": "1"}], "untag": [["a"]], "tags": []}

    with pytest.raises(RepositoryNotFound):
        getattr(desk.repositories, action)(desk.admin, NONE, *given[action])


def test_account_settings_have_defaults_and_are_kept_by_region(desk: Desk) -> None:
    west = replace(desk.admin, registry=Registry(HERE.account, Region("us-west-2")))
    assert desk.repositories.setting(desk.admin, "BLOB_MOUNTING") == "DISABLED"
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "ENABLED")
    desk.repositories.put_setting(desk.admin, "BLOB_MOUNTING", "ENABLED")

    assert desk.repositories.setting(desk.admin, "BLOB_MOUNTING") == "ENABLED"
    assert desk.repositories.setting(desk.admin, "REGISTRY_POLICY_SCOPE") == "V2"
    assert desk.repositories.setting(west, "BLOB_MOUNTING") == "DISABLED"


def test_settings_that_are_none_are_refused(desk: Desk) -> None:
    for name, value in (("NO_SUCH", "ENABLED"), ("BLOB_MOUNTING", "MAYBE")):
        with pytest.raises(ValidationFailed):
            desk.repositories.put_setting(desk.admin, name, value)
    with pytest.raises(ValidationFailed):
        desk.repositories.setting(desk.admin, "NO_SUCH")


def test_conditions_see_the_name_of_an_account_setting(desk: Desk) -> None:
    someone = desk.someone("ecr:PutAccountSetting", Condition={"StringEquals": {"ecr:AccountSetting": "BLOB_MOUNTING"}})

    desk.repositories.put_setting(someone, "BLOB_MOUNTING", "ENABLED")
    with pytest.raises(AccessDenied):
        desk.repositories.put_setting(someone, "REGISTRY_POLICY_SCOPE", "V2")


def test_rights_that_are_taken_away_are_gone_at_the_next_call(desk: Desk, app: RepositoryName) -> None:
    someone = desk.someone("ecr:*")
    desk.repositories.named(someone, [app])
    desk.identities.put_inline(desk.admin, someone.caller.user_name, "no", policy(["ecr:Describe*"], effect="Deny"))

    with pytest.raises(AccessDenied, match="explicit deny"):
        desk.repositories.named(someone, [app])

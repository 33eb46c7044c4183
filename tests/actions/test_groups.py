from collections.abc import Callable

import pytest

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.errors import DeleteConflict, EntityAlreadyExists, IdentityLimitExceeded, NoSuchEntity
from moorage.core.identities import Group
from tests.actions.callers import ACCOUNT, READ_ONLY, document


@pytest.fixture
def devs(identities: Identities, admin: Call) -> Group:
    return identities.groups.create(admin, "Devs", "/teams/")


def test_a_group_is_found_whatever_the_case_of_its_name(identities: Identities, admin: Call, devs: Group) -> None:
    assert devs.arn == f"arn:aws:iam::{ACCOUNT}:group/teams/Devs"
    assert devs.id.startswith("AGPA")
    assert identities.groups.get(admin, "dEVS", "", 9) == (devs, [])
    with pytest.raises(EntityAlreadyExists, match=r"^Group with name DEVS already exists\.$"):
        identities.groups.create(admin, "DEVS")
    with pytest.raises(NoSuchEntity, match=r"^The group with name ops cannot be found\.$"):
        identities.groups.get(admin, "ops", "", 9)


def test_every_change_of_a_group_acts_on_the_next_request_of_its_members(
    identities: Identities, admin: Call, ada: Call, devs: Group, may: Callable[..., bool]
) -> None:
    answers = [may(ada)]
    identities.put_inline(admin, "Devs", "push", document("ecr:*"), Group)
    answers.append(may(ada))
    identities.groups.add_user(admin, "devs", "ada")
    answers.append(may(ada))
    identities.delete_inline(admin, "Devs", "push", Group)
    answers.append(may(ada))
    identities.attach(admin, "Devs", READ_ONLY, Group)
    answers.append(may(ada, "ecr:BatchGetImage"))
    identities.put_inline(admin, "Devs", "no-pull", document("ecr:BatchGetImage", "Deny"), Group)
    answers.append(may(ada, "ecr:BatchGetImage"))
    identities.groups.remove_user(admin, "devs", "ada")
    identities.attach(admin, "ada", READ_ONLY)
    answers.append(may(ada, "ecr:BatchGetImage"))

    assert answers == [False, False, True, False, True, False, True]


def test_members_are_listed_by_name_and_groups_by_member(
    identities: Identities, admin: Call, ada: Call, devs: Group
) -> None:
    identities.create_user(admin, "Bob")
    ops = identities.groups.create(admin, "admins")
    for name in ("bob", "ADA", "bob"):
        identities.groups.add_user(admin, "devs", name)
    identities.groups.add_user(admin, "admins", "ada")

    assert [user.name for user in identities.groups.get(admin, "devs", "", 9)[1]] == ["ada", "Bob"]
    assert [user.name for user in identities.groups.get(admin, "devs", "ada", 9)[1]] == ["Bob"]
    assert identities.groups.of_user(admin, "ada") == [ops, devs]
    assert identities.groups.page(admin, "/teams/", "", 9) == [devs]


def test_who_is_no_member_cannot_be_removed(identities: Identities, admin: Call, ada: Call, devs: Group) -> None:
    with pytest.raises(NoSuchEntity):
        identities.groups.remove_user(admin, "devs", "ada")
    for ask in (identities.groups.add_user, identities.groups.remove_user):
        with pytest.raises(NoSuchEntity, match=r"^The user with name nobody cannot be found\.$"):
            ask(admin, "devs", "nobody")


def test_a_user_is_in_ten_groups_at_most(identities: Identities, admin: Call, ada: Call) -> None:
    for number in range(11):
        identities.groups.create(admin, f"g{number}")
    for number in range(10):
        identities.groups.add_user(admin, f"g{number}", "ada")

    identities.groups.add_user(admin, "g0", "ada")
    with pytest.raises(IdentityLimitExceeded, match=r"^Cannot exceed quota for GroupsPerUser: 10$"):
        identities.groups.add_user(admin, "g10", "ada")


def test_what_still_belongs_together_is_not_deleted(
    identities: Identities, admin: Call, ada: Call, devs: Group
) -> None:
    identities.groups.add_user(admin, "devs", "ada")
    identities.attach(admin, "devs", READ_ONLY, Group)
    identities.put_inline(admin, "devs", "push", document("ecr:*"), Group)
    identities.delete_key(admin, "ada", ada.caller.access_key_id)
    with pytest.raises(DeleteConflict, match=r"^Cannot delete entity, must remove users from group first\.$"):
        identities.delete_user(admin, "ada")
    sentences: list[str] = []
    steps: list[Callable[[], None]] = [
        lambda: identities.groups.remove_user(admin, "devs", "ada"),
        lambda: identities.detach(admin, "devs", READ_ONLY, Group),
        lambda: identities.delete_inline(admin, "devs", "push", Group),
    ]
    for take_away in steps:
        with pytest.raises(DeleteConflict) as refused:
            identities.groups.delete(admin, "devs")
        sentences.append(str(refused.value))
        take_away()
    identities.groups.delete(admin, "devs")

    assert sentences == [
        "Cannot delete entity, must remove users from group first.",
        "Cannot delete entity, must detach all policies first.",
        "Cannot delete entity, must delete policies first.",
    ]


def test_a_group_is_renamed_and_keeps_its_members(identities: Identities, admin: Call, ada: Call, devs: Group) -> None:
    identities.groups.add_user(admin, "devs", "ada")
    identities.groups.create(admin, "ops")

    identities.groups.update(admin, "devs", "DEVS", None)
    with pytest.raises(EntityAlreadyExists):
        identities.groups.update(admin, "devs", "Ops", None)
    identities.groups.update(admin, "devs", "builders", "/b/")

    group, members = identities.groups.get(admin, "builders", "", 9)
    assert (group.id, group.path, [user.name for user in members]) == (devs.id, "/b/", ["ada"])

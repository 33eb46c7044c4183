"""Rows of groups, roles, tags and managed policies of one's own, on every engine."""

from dataclasses import replace
from datetime import timedelta

import pytest

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.identities import Group, Held, Role, User
from moorage.core.managed_policies import OwnPolicy, PolicyVersion
from moorage.core.names import Region
from moorage.ports import PolicyRows
from tests.contracts.test_identities import AT, HERE, POLICY, THERE, user

GROUP = Group(account=HERE, name="Devs", id="AGPA1", path="/teams/", created_at=AT)
ROLE = Role(account=HERE, name="ci", id="AROA1", created_at=AT, trust="{}", description="d", max_session=7200)
MINE = OwnPolicy(account=HERE, name="Mine", id="ANPA1", path="/own/", created_at=AT, updated_at=AT, description="d")


@pytest.fixture
def ada(database: SqlDatabase) -> User:
    """Store two accounts, and a user, a group, a role and a policy of one."""
    one = replace(user("Ada"), boundary=MINE.arn)
    with database.write() as tx:
        for account in (HERE, THERE):
            tx.identities.add_account(account, AT)
        for identity in (one, GROUP, ROLE):
            tx.identities.add(identity)
        tx.policies.add(MINE, "one")
    return one


def test_the_adapter_is_the_port(database: SqlDatabase) -> None:
    with database.read() as tx:
        rows: PolicyRows = tx.policies
        assert rows is tx.policies


def test_every_kind_comes_back_as_it_was_and_names_of_kinds_are_apart(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.identities.add(Group(account=HERE, name="ada", id="AGPA2", created_at=AT))

        assert tx.identities.find(User, HERE, "ADA") == ada
        assert tx.identities.find(Group, HERE, "devs") == GROUP
        assert tx.identities.find(Role, HERE, "CI") == ROLE
        assert tx.identities.find(Role, HERE, "ada") is None
        assert [tx.identities.identity(each.id) for each in (ada, GROUP, ROLE)] == [ada, GROUP, ROLE]
        assert tx.identities.identity("AIDA?") is None
        assert [tx.identities.count(kind, HERE) for kind in (User, Group, Role)] == [1, 2, 1]


def test_an_identity_changes_and_keeps_its_id(database: SqlDatabase, ada: User) -> None:
    changed = replace(ROLE, path="/x/", boundary=POLICY, trust="[]", description="", max_session=3600)
    renamed = replace(ada, name="Bob", path="/y/", boundary=None)
    with database.write() as tx:
        tx.identities.update(changed)
        tx.identities.update(renamed)

        assert tx.identities.find(Role, HERE, "ci") == changed
        assert tx.identities.find(User, HERE, "bob") == renamed
        assert tx.identities.find(User, HERE, "ada") is None


def test_the_last_use_of_a_role_is_noted_and_no_update_takes_it_back(database: SqlDatabase, ada: User) -> None:
    later = AT + timedelta(hours=1)
    with database.write() as tx:
        tx.identities.note_use(ROLE.id, later, Region("eu-west-1"))
        tx.identities.update(ROLE)
        found = tx.identities.find(Role, HERE, "ci")

    assert found == replace(ROLE, used_at=later, used_in=Region("eu-west-1"))


def test_roles_are_found_by_whom_they_name(database: SqlDatabase, ada: User) -> None:
    trusting = replace(ROLE, id="AROA2", name="other", account=THERE, trust=f'{{"AWS":"{ada.arn}"}}')
    with database.write() as tx:
        tx.identities.add(trusting)

        assert tx.identities.trusting(ada.arn) == [trusting]
        assert tx.identities.trusting("arn:aws:iam::%:user/_") == []


def test_members_join_and_leave(database: SqlDatabase, ada: User) -> None:
    bob, cleo = user("bob"), user("Cleo")
    with database.write() as tx:
        for each in (bob, cleo):
            tx.identities.add(each)
        for each in (cleo, ada, bob, ada):
            tx.identities.join(GROUP, each)

        assert [each.name for each in tx.identities.members(GROUP.id, "", 9)] == ["Ada", "bob", "Cleo"]
        assert [each.name for each in tx.identities.members(GROUP.id, "Ada", 1)] == ["bob"]
        assert tx.identities.groups_of(ada.id) == [GROUP]
        assert tx.identities.leave(GROUP, ada)
        assert not tx.identities.leave(GROUP, ada)
        assert tx.identities.groups_of(ada.id) == []
        tx.identities.remove(bob)
        assert [each.name for each in tx.identities.members(GROUP.id, "", 9)] == ["Cleo"]
        tx.identities.remove(GROUP)
        assert tx.identities.groups_of(cleo.id) == []


def test_a_user_has_its_own_policies_and_those_of_its_groups_in_their_default_versions(
    database: SqlDatabase, ada: User
) -> None:
    with database.write() as tx:
        tx.identities.join(GROUP, ada)
        tx.identities.attach(ada.id, POLICY)
        tx.identities.attach(GROUP.id, MINE.arn)
        tx.identities.put_inline(ada.id, "own", "2")
        tx.identities.put_inline(GROUP.id, "shared", "3")
        tx.policies.add_version(MINE, 2, "two", AT)

        assert set(tx.identities.policies(ada.id)) == {
            Held(POLICY, None),
            Held(MINE.arn, "one", "Devs"),
            Held("own", "2"),
            Held("shared", "3", "Devs"),
        }
        assert set(tx.identities.policies(GROUP.id)) == {Held(MINE.arn, "one"), Held("shared", "3")}
        tx.policies.update(replace(MINE, default=2, last=2))
        assert Held(MINE.arn, "two", "Devs") in tx.identities.policies(ada.id)
        assert tx.identities.attached(ada.id) == [POLICY]


def test_a_boundary_comes_with_the_text_of_its_default_version(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        assert tx.identities.boundary(ada.id) == Held(MINE.arn, "one")
        tx.identities.update(replace(ada, boundary=POLICY))
        assert tx.identities.boundary(ada.id) == Held(POLICY, None)
        tx.identities.update(replace(ada, boundary=None))
        assert tx.identities.boundary(ada.id) is None


def test_tags_are_set_as_a_whole_and_read_in_order(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        for rows, owner in ((tx.identities, ada.id), (tx.policies, MINE)):
            rows.set_tags(owner, {"b": "1", "a": "", "C": "3"})  # type: ignore[arg-type] # each takes its own owner
            assert list(rows.tags(owner).items()) == [("C", "3"), ("a", ""), ("b", "1")]  # type: ignore[arg-type] # as above
            rows.set_tags(owner, {"b": "2"})  # type: ignore[arg-type] # as above
            assert rows.tags(owner) == {"b": "2"}  # type: ignore[arg-type] # as above
            rows.set_tags(owner, {})  # type: ignore[arg-type] # as above
            assert rows.tags(owner) == {}  # type: ignore[arg-type] # as above


def test_a_policy_comes_back_as_it_was_whatever_the_case_of_its_name(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        assert tx.policies.get(MINE.arn) == MINE
        assert tx.policies.get(MINE.arn.lower()) is None
        assert tx.policies.named(HERE, "mINE") == MINE
        assert tx.policies.named(THERE, "Mine") is None
        assert (tx.policies.all(HERE), tx.policies.count(HERE), tx.policies.count(THERE)) == ([MINE], 1, 0)


def test_versions_come_latest_first_and_go_one_by_one(database: SqlDatabase, ada: User) -> None:
    with database.write() as tx:
        tx.policies.add_version(MINE, 2, "two", AT)
        assert tx.policies.versions(MINE) == [PolicyVersion(2, "two", AT), PolicyVersion(1, "one", AT)]
        tx.policies.remove_version(MINE, 1)
        assert tx.policies.versions(MINE) == [PolicyVersion(2, "two", AT)]
        tx.policies.remove(MINE)
        assert tx.policies.versions(MINE) == []
        assert tx.policies.get(MINE.arn) is None


def test_who_has_a_policy_is_counted_and_listed_by_account(database: SqlDatabase, ada: User) -> None:
    stranger = user("zoe", account=THERE)
    with database.write() as tx:
        tx.identities.add(stranger)
        for each in (ada, GROUP, ROLE, stranger):
            tx.identities.attach(each.id, POLICY)

        assert tx.policies.uses(HERE) == {POLICY: (3, 0), MINE.arn: (0, 1)}
        assert [each.name for each in tx.policies.attached_to(HERE, POLICY)] == ["Ada", "ci", "Devs"]
        assert tx.policies.bounding(HERE, MINE.arn) == [ada]
        assert tx.policies.bounding(THERE, MINE.arn) == []

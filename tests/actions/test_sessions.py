"""Who may become a role, what a session may do, and when it ends."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from moorage.actions import access, sessions
from moorage.actions.accounts import Accounts
from moorage.actions.sessions import Wish
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    CredentialsInvalid,
    IdentityInvalid,
    IdentityLimitExceeded,
    MalformedPolicy,
    NoSuchEntity,
    PackedPolicyTooLarge,
    RegistryError,
    SessionExpired,
)
from moorage.core.identities import Role
from moorage.core.names import Registry, RepositoryName, Tag
from moorage.core.sessions import Session, refused_with
from tests.actions.desk import Desk, call_of, policy, refusal
from tests.contracts.rows import AT, HERE, THEIRS

PULL = "ecr:BatchGetImage"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
HERE_ROOT = f"arn:aws:iam::{HERE.account}:root"


def trust(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def role(desk: Desk, *actions: str, name: str = "builder", trusting: str = trust(HERE_ROOT), **more: Any) -> Role:
    """Make a role that may do these actions."""
    made = desk.identities.roles.create(desk.admin, name, trusting, **more)
    if actions:
        desk.identities.put_inline(desk.admin, name, "some", policy(actions), Role)
    return made


def call_with(session: Session, registry: Registry = HERE) -> Call:
    return Call(caller=session.caller, registry=registry, at=AT, request_id="1", context={"aws:sourceip": "127.0.0.1"})


def assume(desk: Desk, call: Call, arn: str, **wish: Any) -> Session:
    return desk.sessions.assume(call, arn, Wish(name="one", **wish))[0]


def pull(desk: Desk, call: Call, name: RepositoryName) -> type[Exception] | None:
    return refusal(lambda: desk.images.pull_at_once(call, name, Tag("v1")) or desk.images.pull(call, name, Tag("v1")))


@pytest.fixture
def app(desk: Desk) -> RepositoryName:
    name = desk.repository()
    desk.push(name, "one", "v1")
    return name


# --- who may -----------------------------------------------------------------------------------------------------------


def test_a_session_may_do_what_its_role_may_and_is_called_by_both_names(desk: Desk, app: RepositoryName) -> None:
    builder = role(desk, PULL)

    session = assume(desk, desk.admin, builder.arn)

    assert session.caller.arn == f"arn:aws:sts::{HERE.account}:assumed-role/builder/one"
    assert session.caller.user_id == f"{builder.id}:one"
    assert session.expires_at - session.made_at == timedelta(hours=1)
    call = call_with(session)
    assert pull(desk, call, app) is None
    assert refusal(lambda: desk.images.untag(call, app, Tag("v1"))) is AccessDenied
    assert desk.identities.caller(call).arn == session.caller.arn


def test_trust_in_the_account_leaves_it_to_the_callers_policies(desk: Desk) -> None:
    builder = role(desk)

    assert refusal(lambda: assume(desk, desk.someone(), builder.arn)) is AccessDenied
    assert assume(desk, desk.someone("sts:AssumeRole"), builder.arn).id


def test_trust_in_a_user_is_enough_within_the_account_and_a_permission_without_trust_is_not(desk: Desk) -> None:
    ada = desk.someone()
    trusted = role(desk, trusting=trust(ada.caller.arn))

    assert assume(desk, ada, trusted.arn).id
    assert refusal(lambda: assume(desk, desk.admin, trusted.arn)) is AccessDenied


def test_across_accounts_both_have_to_allow(desk: Desk) -> None:
    key = desk.identities.bootstrap(THEIRS.account, AT, keep=lambda _: None)
    assert key
    stranger = call_of(key, THEIRS)
    builder, closed = role(desk, trusting=trust(THEIRS.account)), role(desk, name="closed")

    assert assume(desk, stranger, builder.arn).account == HERE.account
    assert refusal(lambda: assume(desk, stranger, closed.arn)) is AccessDenied
    desk.identities.put_inline(stranger, "admin", "no", policy(["sts:*"], effect="Deny"))
    assert refusal(lambda: assume(desk, stranger, builder.arn)) is AccessDenied


def test_who_may_not_cannot_tell_a_role_from_one_that_is_not_there(desk: Desk) -> None:
    builder = role(desk)
    ada = desk.someone()

    def said(arn: str) -> str:
        with pytest.raises(AccessDenied) as refused:
            assume(desk, ada, arn)
        return str(refused.value).replace(arn, "ROLE")

    assert said(builder.arn) == said(builder.arn + "2")
    with pytest.raises(AccessDenied):
        assume(desk, desk.admin, builder.arn + "2")


def test_an_external_id_has_to_be_the_one_that_the_role_wants(desk: Desk) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "secret-of-both"}}
    builder = role(desk, trusting=trust(HERE_ROOT, Condition=wanted))

    assert refusal(lambda: assume(desk, desk.admin, builder.arn)) is AccessDenied
    assert refusal(lambda: assume(desk, desk.admin, builder.arn, external_id="Secret-of-both")) is AccessDenied
    assert assume(desk, desk.admin, builder.arn, external_id="secret-of-both").id


def test_tags_and_a_source_identity_have_to_be_trusted_too(desk: Desk) -> None:
    plain = role(desk)
    more = role(
        desk,
        name="more",
        trusting=trust(HERE_ROOT, Action=["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]),
    )

    assert refusal(lambda: assume(desk, desk.admin, plain.arn, tags=[("team", "a")])) is AccessDenied
    assert refusal(lambda: assume(desk, desk.admin, plain.arn, source_identity="ada")) is AccessDenied
    session = assume(desk, desk.admin, more.arn, tags=[("team", "a")], source_identity="ada")
    assert (dict(session.tags), session.source_identity) == ({"team": "a"}, "ada")


# --- what it may -------------------------------------------------------------------------------------------------------


def test_session_policies_limit_and_give_nothing(desk: Desk, app: RepositoryName) -> None:
    builder = role(desk, PULL)

    assert pull(desk, call_with(assume(desk, desk.admin, builder.arn, policy=policy(["iam:*"]))), app) is AccessDenied
    assert pull(desk, call_with(assume(desk, desk.admin, builder.arn, policy=policy(["ecr:*"]))), app) is None
    assert pull(desk, call_with(assume(desk, desk.admin, builder.arn, policies=[READ_ONLY])), app) is None
    wide = call_with(assume(desk, desk.admin, builder.arn, policy=policy(["*"])))
    assert refusal(lambda: desk.images.untag(wide, app, Tag("v1"))) is AccessDenied


def test_a_change_of_the_role_acts_on_sessions_that_are_there(desk: Desk, app: RepositoryName) -> None:
    builder = role(desk, PULL)
    call = call_with(assume(desk, desk.admin, builder.arn))
    assert pull(desk, call, app) is None

    desk.identities.delete_inline(desk.admin, "builder", "some", Role)
    assert pull(desk, call, app) is AccessDenied

    desk.identities.roles.delete(desk.admin, "builder")
    assert pull(desk, call, app) is CredentialsInvalid
    role(desk, PULL)
    assert pull(desk, call, app) is CredentialsInvalid


def test_a_repository_that_names_the_role_lets_its_sessions_in(desk: Desk, app: RepositoryName) -> None:
    builder = role(desk)
    call = call_with(assume(desk, desk.admin, builder.arn))
    named = {"Effect": "Allow", "Principal": {"AWS": builder.arn}, "Action": PULL}
    desk.policies.set(desk.admin, app, json.dumps({"Version": "2012-10-17", "Statement": named}), force=False)

    assert pull(desk, call, app) is None
    limited = call_with(assume(desk, desk.admin, builder.arn, policy=policy(["iam:*"])))
    assert pull(desk, limited, app) is AccessDenied


def test_conditions_ask_for_the_tags_of_the_session_and_the_role(desk: Desk, app: RepositoryName) -> None:
    trusting = trust(HERE_ROOT, Action=["sts:AssumeRole", "sts:TagSession"])
    builder = role(desk, trusting=trusting, tags=[("stage", "test")])
    both = {
        "StringEquals": {
            "aws:PrincipalTag/team": "a",
            "aws:PrincipalTag/stage": "test",
            "aws:PrincipalArn": builder.arn,
        }
    }
    desk.identities.put_inline(desk.admin, "builder", "some", policy([PULL], Condition=both), Role)

    assert pull(desk, call_with(assume(desk, desk.admin, builder.arn)), app) is AccessDenied
    assert pull(desk, call_with(assume(desk, desk.admin, builder.arn, tags=[("team", "a")])), app) is None


def test_a_session_hands_on_its_transitive_tags_and_lasts_an_hour_in_a_chain(desk: Desk) -> None:
    trusting = trust(HERE_ROOT, Action=["sts:AssumeRole", "sts:TagSession"])
    first, second = (
        role(desk, "sts:*", trusting=trusting, max_session=7200),
        role(desk, name="next", trusting=trusting, max_session=7200),
    )
    tagged = assume(desk, desk.admin, first.arn, tags=[("team", "a"), ("own", "b")], transitive=["team"], seconds=7200)

    chained = assume(desk, call_with(tagged), second.arn)
    assert dict(chained.tags) == {"team": "a"}
    with pytest.raises(IdentityInvalid, match="role chaining"):
        assume(desk, call_with(tagged), second.arn, seconds=7200)
    with pytest.raises(IdentityInvalid, match="conflicts with a transitive"):
        assume(desk, call_with(tagged), second.arn, tags=[("Team", "b")])
    with pytest.raises(IdentityInvalid, match="must be included"):
        assume(desk, desk.admin, first.arn, tags=[("own", "b")], transitive=["team"])


def test_no_policy_keeps_a_user_from_temporary_credentials(desk: Desk) -> None:
    for caller in (desk.someone(), desk.someone("*", effect="Deny")):
        assert desk.sessions.of_user(caller, None).caller.arn == caller.caller.arn


def test_credentials_of_a_user_do_what_the_user_may_but_iam(desk: Desk, app: RepositoryName) -> None:
    call = call_with(desk.sessions.of_user(desk.admin, None))

    assert pull(desk, call, app) is None
    assert refusal(lambda: desk.identities.user(call, None)) is AccessDenied
    assert refusal(lambda: desk.sessions.of_user(call, None)) is AccessDenied


# --- how long ----------------------------------------------------------------------------------------------------------


def test_a_session_lasts_no_longer_than_its_role_allows(desk: Desk) -> None:
    builder = role(desk, max_session=7200)

    assert assume(desk, desk.admin, builder.arn, seconds=7200).expires_at == AT + timedelta(hours=2)
    with pytest.raises(IdentityInvalid, match="MaxSessionDuration"):
        assume(desk, desk.admin, builder.arn, seconds=7201)


def test_credentials_are_good_with_their_token_until_they_end(desk: Desk) -> None:
    session = assume(desk, desk.admin, role(desk).arn)
    found = desk.hot.key(session.id)
    assert isinstance(found, Session)
    assert (found.secret, found.caller) == (session.secret, session.caller)

    key = desk.hot.key(desk.admin.caller.access_key_id)
    assert key
    assert refused_with(found, session.token, AT) is None
    for token in (None, "", session.token + "x", session.token[:-1]):
        assert isinstance(refused_with(found, token, AT), CredentialsInvalid)
    assert isinstance(refused_with(found, session.token, session.expires_at), SessionExpired)
    assert isinstance(refused_with(key, session.token, AT), CredentialsInvalid)
    assert refused_with(key, None, AT) is None


def test_a_registry_token_outlives_the_credentials_that_asked_for_it_and_old_sessions_go(
    desk: Desk, app: RepositoryName
) -> None:
    builder = role(desk, PULL)
    call = call_with(assume(desk, desk.admin, builder.arn))
    later = AT + timedelta(hours=12)

    assume(desk, replace(desk.admin, at=later), builder.arn)
    assert pull(desk, replace(call, at=later), app) is None

    assume(desk, replace(desk.admin, at=AT + timedelta(hours=14)), builder.arn)
    assert pull(desk.beside(), replace(call, at=later), app) is CredentialsInvalid


def test_nothing_of_a_session_that_signs_or_proves_lies_in_the_database_or_in_logs(desk: Desk) -> None:
    session = assume(desk, desk.admin, role(desk).arn)

    rows = repr(desk.rows())
    for secret in (session.secret, session.token):
        assert secret not in rows
        assert secret not in repr(session)


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_a_user_and_a_role_have_so_many_sessions_that_are_not_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 2)
    builder, ada = role(desk), desk.someone()
    for _ in range(2):
        desk.sessions.of_user(ada, 900)
        assume(desk, desk.admin, builder.arn)
    before = desk.rows()

    for ask in (lambda: desk.sessions.of_user(ada, 900), lambda: assume(desk, desk.admin, builder.arn)):
        assert refusal(ask) is IdentityLimitExceeded
    assert desk.rows() == before
    # Others have their own, and what is over does not count.
    assert desk.sessions.of_user(desk.someone(), 900).id
    assert desk.sessions.of_user(replace(ada, at=AT + timedelta(minutes=16)), 900).id


def test_sessions_of_a_role_share_what_its_policies_come_to(desk: Desk) -> None:
    builder = role(desk, PULL)
    calls = [call_with(assume(desk, desk.admin, builder.arn)) for _ in range(2)]
    for call in calls:
        desk.identities.caller(call)

    rights = [
        each.policies
        for (_, user), (_, each) in desk.guard._callers._kept.items()  # noqa: SLF001 - what is kept is what costs memory
        if isinstance(each, access._Rights) and user.startswith(builder.id)  # noqa: SLF001 - the same
    ]

    assert len(rights) == 2
    assert rights[0].identity[0] is rights[1].identity[0]


@pytest.mark.parametrize(
    ("wish", "refused"),
    [
        ({"policy": "{"}, MalformedPolicy),
        ({"policy": policy(["ecr:*"], Condition={"StringLike": {"aws:x": "y" * 2100}})}, PackedPolicyTooLarge),
        # What is too long is not even read.
        ({"policy": "{" * 2049}, PackedPolicyTooLarge),
        ({"policies": ["arn:aws:iam::aws:policy/None"]}, NoSuchEntity),
        ({"policies": [f"arn:aws:iam::{THEIRS.account}:policy/theirs"]}, NoSuchEntity),
    ],
)
def test_a_bad_wish_makes_nothing(desk: Desk, wish: dict[str, Any], refused: type[RegistryError]) -> None:
    builder = role(desk)
    before = desk.rows()

    with pytest.raises(refused):
        assume(desk, desk.admin, builder.arn, **wish)

    assert desk.rows() == before


@pytest.mark.parametrize(
    "arn",
    [
        "builder",
        "arn:aws:iam::1:role/builder",
        "arn:aws:iam::111122223333:user/admin",
        "arn:aws:sts::111122223333:assumed-role/a/b",
    ],
)
def test_what_is_no_role_is_refused(desk: Desk, arn: str) -> None:
    with pytest.raises(IdentityInvalid):
        assume(desk, desk.admin, arn)


# --- the root user -----------------------------------------------------------------------------------------------------


def test_root_may_do_everything_from_the_machine_itself_alone(desk: Desk, app: RepositoryName) -> None:
    made = Accounts(desk.database).root(HERE.account, AT, 3600)
    here = call_with(made)
    elsewhere = replace(here, context={"aws:sourceip": "192.0.2.1"})

    assert made.caller.arn == HERE_ROOT
    assert pull(desk, here, app) is None
    assert pull(desk, elsewhere, app) is AccessDenied


def test_root_mends_a_policy_that_keeps_everybody_out(desk: Desk, app: RepositoryName) -> None:
    root = call_with(Accounts(desk.database).root(HERE.account, AT, 3600))
    closed = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}'
    desk.policies.set(desk.admin, app, closed, force=True)
    assert refusal(lambda: desk.policies.delete(desk.admin, app)) is AccessDenied
    assert pull(desk, root, app) is AccessDenied

    desk.policies.delete(root, app)

    assert pull(desk, desk.admin, app) is None


def test_root_stays_on_the_machine_whatever_names_it_and_becomes_nobody_else(desk: Desk, app: RepositoryName) -> None:
    builder = role(desk, "*")
    root = call_with(Accounts(desk.database).root(HERE.account, AT, 3600))
    elsewhere = replace(root, context={"aws:sourceip": "192.0.2.1"})
    for named in (HERE.account, "*"):
        statement = {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "ecr:*"}
        desk.policies.set(desk.admin, app, json.dumps({"Version": "2012-10-17", "Statement": statement}), force=False)
        assert pull(desk, elsewhere, app) is AccessDenied
        assert pull(desk, replace(root, context={}), app) is AccessDenied

    assert refusal(lambda: assume(desk, root, builder.arn)) is AccessDenied


def test_a_login_of_root_ends_with_the_session_that_asked_for_it(desk: Desk) -> None:
    root = Accounts(desk.database).root(HERE.account, AT, 3600)

    assert desk.tokens.issue(call_with(root))[1] == root.expires_at
    assert desk.tokens.issue(desk.admin)[1] == AT + timedelta(hours=12)


def test_a_session_whose_role_is_gone_is_nobodys(desk: Desk) -> None:
    session = assume(desk, desk.admin, role(desk, "*").arn)
    with desk.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("DELETE FROM principals WHERE kind = 'role'")
        connection.commit()

    assert desk.hot.key(session.id) is None
    assert refusal(lambda: desk.identities.caller(call_with(session))) is CredentialsInvalid


def test_who_is_at_the_source_of_a_session_stays_the_same_in_a_chain(desk: Desk) -> None:
    every = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    wanted = {"StringEquals": {"sts:SourceIdentity": "alice"}}
    first = role(desk, "sts:*", trusting=trust(HERE_ROOT, Action=every))
    for_alice = role(desk, name="for-alice", trusting=trust(HERE_ROOT, Action=every, Condition=wanted))
    mallory = call_with(assume(desk, desk.admin, first.arn, source_identity="mallory"))

    with pytest.raises(IdentityInvalid, match="SourceIdentity"):
        assume(desk, mallory, for_alice.arn, source_identity="alice")
    assert refusal(lambda: assume(desk, mallory, for_alice.arn)) is AccessDenied
    alice = call_with(assume(desk, desk.admin, first.arn, source_identity="alice"))
    assert assume(desk, alice, for_alice.arn).source_identity == "alice"

"""What the policies of repositories and registries let in and keep out, and from when on."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from moorage.actions.sessions import Wish
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    InvalidParameter,
    InvalidTagParameter,
    RegistryPolicyNotFound,
    RepositoryNotFound,
    RepositoryPolicyNotFound,
    ValidationFailed,
)
from moorage.core.names import RepositoryName, Tag
from tests.actions.desk import Desk, call_of, policy, refusal
from tests.contracts.rows import AT, HERE, THEIRS

APP = HERE.repository_arn("team/app")
PULL = "ecr:BatchGetImage"


@pytest.fixture
def app(desk: Desk) -> RepositoryName:
    name = desk.repository()
    desk.push(name, "one", "v1")
    return name


@pytest.fixture
def stranger(desk: Desk) -> Call:
    """Return a call of another account's administrator to this registry."""
    key = desk.identities.bootstrap(THEIRS.account, AT, keep=lambda _: None)
    assert key
    return call_of(key)


def document(*actions: str, principal: Any = "*", effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": list(actions), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def pull(desk: Desk, call: Call, name: RepositoryName) -> type[Exception] | None:
    """Pull as the registry door does, and return what it is refused with."""
    return refusal(lambda: desk.images.pull_at_once(call, name, Tag("v1")) or desk.images.pull(call, name, Tag("v1")))


def set_policy(desk: Desk, name: RepositoryName, text: str, *, force: bool = False) -> str:
    return desk.policies.set(desk.admin, name, text, force=force)


# --- what they decide --------------------------------------------------------------------------------------------------


def test_a_policy_lets_a_user_in_who_has_no_other_permission(desk: Desk, app: RepositoryName) -> None:
    ada = desk.someone()
    assert pull(desk, ada, app) is AccessDenied

    set_policy(desk, app, document(PULL, principal={"AWS": ada.caller.arn}))

    assert pull(desk, ada, app) is None
    assert pull(desk, desk.someone(), app) is AccessDenied


def test_a_policy_keeps_an_administrator_out_at_once_and_lets_in_again_at_once(desk: Desk, app: RepositoryName) -> None:
    assert pull(desk, desk.admin, app) is None

    set_policy(desk, app, document(PULL, effect="Deny"))
    assert pull(desk, desk.admin, app) is AccessDenied

    desk.policies.delete(desk.admin, app)
    assert pull(desk, desk.admin, app) is None


def test_a_change_acts_in_every_process(desk: Desk, app: RepositoryName) -> None:
    other = desk.beside()
    assert pull(other, desk.admin, app) is None

    set_policy(desk, app, document(PULL, effect="Deny"))

    assert pull(other, desk.admin, app) is AccessDenied


def test_across_accounts_both_have_to_allow(desk: Desk, app: RepositoryName, stranger: Call) -> None:
    assert pull(desk, stranger, app) is AccessDenied

    set_policy(desk, app, document(PULL, principal={"AWS": THEIRS.account}))

    assert pull(desk, stranger, app) is None
    desk.identities.put_inline(call_of_own(stranger), "admin", "no", policy(["ecr:*"], effect="Deny"))
    assert pull(desk, stranger, app) is AccessDenied


def call_of_own(stranger: Call) -> Call:
    return Call(caller=stranger.caller, registry=THEIRS, at=stranger.at, request_id="1")


def test_a_stranger_cannot_tell_what_is_not_there_from_what_is_hidden(
    desk: Desk, app: RepositoryName, stranger: Call
) -> None:
    def refused(name: str) -> str:
        with pytest.raises(AccessDenied) as refusal:
            desk.images.pull(stranger, RepositoryName(name), Tag("v1"))
        return str(refusal.value).replace(name, "NAME")

    assert refused(app) == refused("no/such")


def test_a_policy_goes_with_its_repository(desk: Desk, app: RepositoryName) -> None:
    ada = desk.someone()
    set_policy(desk, app, document("ecr:*", principal={"AWS": ada.caller.arn}))
    desk.repositories.delete(desk.admin, app, force=True)
    desk.repository()
    desk.push(app, "one", "v1")

    assert pull(desk, ada, app) is AccessDenied
    assert refusal(lambda: desk.policies.get(desk.admin, app)) is RepositoryPolicyNotFound


def test_who_comes_later_under_a_users_name_has_no_part_in_what_that_user_was_given(
    desk: Desk, app: RepositoryName
) -> None:
    desk.identities.create_user(desk.admin, "ada")
    ada = call_of(desk.identities.create_key(desk.admin, "ada"))
    set_policy(desk, app, document(PULL, principal={"AWS": ada.caller.arn}))
    assert json.loads(desk.policies.get(desk.admin, app))["Statement"][0]["Principal"] == {"AWS": ada.caller.arn}

    desk.identities.delete_key(desk.admin, "ada", ada.caller.access_key_id)
    desk.identities.delete_user(desk.admin, "ada")
    desk.identities.create_user(desk.admin, "ada")
    again = call_of(desk.identities.create_key(desk.admin, "ada"))

    assert pull(desk, again, app) is AccessDenied
    shown = json.loads(desk.policies.get(desk.admin, app))["Statement"][0]["Principal"]["AWS"]
    assert shown == ada.caller.user_id


def test_resource_tags_decide_and_a_change_of_them_acts_at_once(desk: Desk, app: RepositoryName) -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/Team": "a", "ecr:ResourceTag/team": "a"}}
    ada = desk.someone(PULL, Condition=tagged)
    assert pull(desk, ada, app) is AccessDenied

    desk.repositories.tag(desk.admin, app, {"team": "a"})
    assert pull(desk, ada, app) is None

    desk.repositories.untag(desk.admin, app, ["team"])
    assert pull(desk, ada, app) is AccessDenied


def test_the_registrys_policy_is_asked_for_every_action(desk: Desk, app: RepositoryName, stranger: Call) -> None:
    desk.policies.put_registry(
        desk.admin, document(PULL, principal={"AWS": THEIRS.account}, Resource=HERE.repository_arn("team/*"))
    )
    assert pull(desk, stranger, app) is None

    desk.policies.put_registry(desk.admin, document(PULL, effect="Deny", Resource="*"))
    assert pull(desk, desk.admin, app) is AccessDenied

    desk.policies.delete_registry(desk.admin)
    assert pull(desk, desk.admin, app) is None
    assert pull(desk, stranger, app) is AccessDenied


def test_there_is_no_way_back_to_a_policy_that_speaks_of_three_actions_alone(desk: Desk) -> None:
    assert refusal(lambda: desk.repositories.put_setting(desk.admin, "REGISTRY_POLICY_SCOPE", "V1")) is ValidationFailed


def test_a_token_is_a_matter_of_ones_own_account_alone(desk: Desk) -> None:
    desk.policies.put_registry(desk.admin, document("ecr:GetAuthorizationToken", effect="Deny", Resource="*"))

    assert desk.tokens.issue(desk.admin)


# --- documents ---------------------------------------------------------------------------------------------------------

COMPACT = '{"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":"*","Sid":"PublicRead"}],"Version":"2012-10-17"}'
PRETTY = """{
  "Version" : "2012-10-17",
  "Statement" : [ {
    "Sid" : "PublicRead",
    "Effect" : "Allow",
    "Principal" : "*",
    "Action" : [ "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer" ]
  } ]
}"""


def test_a_document_is_shown_in_ecrs_form(desk: Desk, app: RepositoryName) -> None:
    assert set_policy(desk, app, COMPACT) == PRETTY
    assert desk.policies.get(desk.admin, app) == PRETTY
    assert desk.policies.delete(desk.admin, app) == PRETTY


def test_an_account_is_shown_as_its_root(desk: Desk, app: RepositoryName) -> None:
    set_policy(desk, app, document(PULL, principal={"AWS": ["444455556666", HERE.account]}))

    shown = json.loads(desk.policies.get(desk.admin, app))["Statement"][0]["Principal"]["AWS"]
    assert shown == ["arn:aws:iam::444455556666:root", f"arn:aws:iam::{HERE.account}:root"]


BAD = [
    "",
    "nothing",
    "[]",
    "{}",
    '{"Version":"2012-10-17","Statement":[]}',
    document("ecr:*").replace("Allow", "Perhaps"),
    document("ecr:*").replace("2012-10-17", "2012-10-18"),
    document("ecr:*").replace("Principal", "Principle"),
    document("ecr:*", principal={"AWS": "ada"}),
    document("ecr:*", principal={"AWS": f"arn:aws:iam::{HERE.account}:user/nobody"}),
    document("ecr:*", principal={"AWS": f"arn:aws:iam::{HERE.account}:user/*"}),
    document("ecr:*", Condition={"StringEquals": {"nothing": "x"}}),
    document("ecr:*", Condition={"StringIs": {"aws:SourceIp": "x"}}),
    document("ecr:*", Sid="\ud800"),
    document("ecr:*", Resource="repository"),
    document("ecr:*", principal={"Service": "foo"}),
    '{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}',
    "[" * 9000,
    json.dumps(
        {"Version": "2012-10-17", "Statement": json.loads(document("ecr:*"))["Statement"] | {"Sid": "s" * 10_240}}
    ),
]


@pytest.mark.parametrize("text", BAD)
def test_a_bad_document_is_refused_with_ecrs_sentence_and_changes_nothing(
    desk: Desk, app: RepositoryName, text: str
) -> None:
    set_policy(desk, app, COMPACT)
    before = desk.rows()

    with pytest.raises(InvalidParameter) as refused:
        set_policy(desk, app, text)

    assert str(refused.value) == (
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
    )
    assert desk.rows() == before


def test_a_statement_of_a_registrys_policy_says_what_it_is_about(desk: Desk) -> None:
    with pytest.raises(InvalidParameter, match="Invalid registry policy provided"):
        desk.policies.put_registry(desk.admin, document("ecr:CreateRepository"))
    assert refusal(lambda: desk.policies.registry(desk.admin)) is RegistryPolicyNotFound


def test_a_user_of_an_account_that_is_elsewhere_may_be_named(desk: Desk, app: RepositoryName) -> None:
    elsewhere = "arn:aws:iam::999988887777:role/deploy"

    assert elsewhere in set_policy(desk, app, document(PULL, principal={"AWS": elsewhere}))


def test_nobody_locks_themselves_out_unless_they_say_so(desk: Desk, app: RepositoryName) -> None:
    everything = document("ecr:*", effect="Deny")
    with pytest.raises(InvalidParameter):
        set_policy(desk, app, everything)
    assert refusal(lambda: desk.policies.get(desk.admin, app)) is RepositoryPolicyNotFound

    set_policy(desk, app, everything, force=True)
    assert refusal(lambda: set_policy(desk, app, COMPACT)) is AccessDenied


def test_a_denial_of_others_is_no_lock_out(desk: Desk, app: RepositoryName) -> None:
    elsewhere = {"IpAddress": {"aws:SourceIp": "10.9.8.0/24"}}

    set_policy(desk, app, document("ecr:*", effect="Deny", Condition=elsewhere))


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk, name: desk.policies.get(desk.admin, name),
        lambda desk, name: desk.policies.delete(desk.admin, name),
    ],
)
def test_a_policy_that_is_not_there(
    desk: Desk, app: RepositoryName, ask: Callable[[Desk, RepositoryName], Any]
) -> None:
    assert refusal(lambda: ask(desk, app)) is RepositoryPolicyNotFound
    assert refusal(lambda: ask(desk, RepositoryName("no/such"))) is RepositoryNotFound


def test_a_registrys_policy_that_is_not_there(desk: Desk) -> None:
    assert refusal(lambda: desk.policies.registry(desk.admin)) is RegistryPolicyNotFound
    assert refusal(lambda: desk.policies.delete_registry(desk.admin)) is RegistryPolicyNotFound


# --- what a second reading found ---------------------------------------------------------------------------------------


def test_a_document_that_grows_when_it_is_kept_goes_on_meaning_what_it_meant(desk: Desk, app: RepositoryName) -> None:
    accounts = [f"{number:012}" for number in range(500)]
    text = document(PULL, principal={"AWS": accounts})
    assert len(text) < 10_240 < len(set_policy(desk, app, text))

    assert pull(desk, desk.admin, app) is None


def test_whoever_comes_into_an_account_that_was_not_here_has_no_part_in_what_its_users_were_given(
    desk: Desk, app: RepositoryName
) -> None:
    robot = f"arn:aws:iam::{THEIRS.account}:user/robot"
    set_policy(desk, app, document(PULL, principal={"AWS": robot}))
    assert robot in desk.policies.get(desk.admin, app)

    key = desk.identities.bootstrap(THEIRS.account, AT, keep=lambda _: None, user="robot")
    assert key
    assert key.user.arn == robot
    assert pull(desk, call_of(key), app) is AccessDenied

    set_policy(desk, app, document(PULL, principal={"AWS": robot}))
    assert pull(desk, call_of(key), app) is None


def test_a_session_that_is_named_is_one_of_the_role_as_it_is_now(desk: Desk, app: RepositoryName) -> None:
    def become() -> Call:
        trust = {"Effect": "Allow", "Principal": {"AWS": HERE.account}, "Action": "sts:AssumeRole"}
        role = desk.identities.roles.create(desk.admin, "ci", json.dumps({"Version": "2012-10-17", "Statement": trust}))
        session, _ = desk.sessions.assume(desk.admin, role.arn, Wish(name="one"))
        return replace(desk.admin, caller=session.caller)

    first = become()
    set_policy(desk, app, document(PULL, principal={"AWS": first.caller.arn}))
    assert pull(desk, first, app) is None
    assert first.caller.arn in desk.policies.get(desk.admin, app)

    desk.identities.roles.delete(desk.admin, "ci")
    assert pull(desk, become(), app) is AccessDenied


@pytest.mark.parametrize("unique", ["AIDAABCDEFGHIJKLMNOPQ", "AROAABCDEFGHIJKLMNOPQ", "AROAABCDEFGHIJKLMNOPQ:one"])
def test_a_unique_id_of_nobody_is_refused(desk: Desk, app: RepositoryName, unique: str) -> None:
    with pytest.raises(InvalidParameter):
        set_policy(desk, app, document(PULL, principal={"AWS": unique}))


def test_nobody_locks_themselves_out_by_a_tag_of_the_repository(desk: Desk, app: RepositoryName) -> None:
    desk.repositories.tag(desk.admin, app, {"stage": "prod"})
    tagged = {"StringEquals": {"aws:ResourceTag/stage": "prod"}}

    with pytest.raises(InvalidParameter):
        set_policy(desk, app, document("ecr:*", effect="Deny", Condition=tagged))


def test_two_tags_that_differ_in_case_alone_are_refused_for_conditions_know_no_case(
    desk: Desk, app: RepositoryName
) -> None:
    desk.repositories.tag(desk.admin, app, {"Stage": "production"})

    with pytest.raises(InvalidTagParameter):
        desk.repositories.tag(desk.admin, app, {"stage": "test"})
    desk.repositories.tag(desk.admin, app, {"Stage": "test"})
    assert desk.repositories.tags(desk.admin, app) == {"Stage": "test"}


def test_a_deny_that_comes_between_the_two_looks_of_a_pull_stops_it(
    desk: Desk, app: RepositoryName, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, find = desk.beside(), desk.hot.manifest
    closing = [lambda: set_policy(other, app, document(PULL, effect="Deny"))]

    def find_late(*asked: Any) -> Any:
        if closing:
            closing.pop()()
        return find(*asked)

    monkeypatch.setattr(desk.hot, "manifest", find_late)
    assert refusal(lambda: desk.images.pull(desk.admin, app, Tag("v1"))) is AccessDenied

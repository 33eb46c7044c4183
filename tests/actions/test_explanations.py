"""What is explained is what the guard decides."""

import json
from dataclasses import replace
from typing import Any

import pytest

from moorage.actions.accounts import Accounts
from moorage.actions.explanations import Explanations
from moorage.actions.sessions import Wish
from moorage.core.audit import Failure, read, record
from moorage.core.calls import Call
from moorage.core.errors import AccessDenied, InvalidParameter, NoSuchEntity
from moorage.core.explanations import Explanation, Question
from moorage.core.identities import Role
from moorage.core.names import RepositoryName, Tag
from tests.actions.desk import Desk, call_of, policy, refusal
from tests.contracts.rows import AT, HERE, THEIRS

APP = HERE.repository_arn("team/app")
PULL = "ecr:BatchGetImage"


def explained(desk: Desk, call: Call, action: str = PULL, resource: str = APP, **given: str) -> Explanation:
    question = Question(
        call.caller.arn, action, resource, HERE.region, given or call.context, call.caller.access_key_id, HERE.account
    )
    return Explanations(desk.database, desk.guard).explain(question, AT)


@pytest.fixture
def app(desk: Desk) -> RepositoryName:
    name = desk.repository()
    desk.push(name, "one", "v1")
    desk.repositories.tag(desk.admin, name, {"stage": "test"})
    return name


def may_pull(desk: Desk, call: Call, name: RepositoryName) -> bool:
    return refusal(lambda: desk.images.pull(call, name, Tag("v1"))) is None


def statement(effect: str, principal: Any, action: str = PULL, **more: Any) -> str:
    one = {"Effect": effect, "Principal": principal, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": one})


def become(desk: Desk, trust: str, *actions: str, name: str = "ci", **wish: Any) -> Call:
    role = desk.identities.roles.create(desk.admin, name, trust)
    if actions:
        desk.identities.put_inline(desk.admin, name, "some", policy(actions), Role)
    session, _ = desk.sessions.assume(desk.admin, role.arn, Wish(name="one", **wish))
    return replace(desk.admin, caller=session.caller)


TRUST = statement("Allow", {"AWS": HERE.account}, "sts:AssumeRole")


def test_it_says_of_everybody_what_the_guard_decides(desk: Desk, app: RepositoryName) -> None:
    key = desk.identities.bootstrap(THEIRS.account, AT, keep=lambda _: None)
    assert key
    callers = [
        desk.admin,
        desk.someone(),
        desk.someone(PULL),
        desk.someone(PULL, Condition={"StringEquals": {"aws:ResourceTag/stage": "test"}}),
        desk.someone(PULL, Condition={"StringEquals": {"aws:ResourceTag/stage": "prod"}}),
        call_of(key),
        become(desk, TRUST, PULL),
        become(desk, TRUST, PULL, name="limited", policy=policy(["iam:*"])),
        replace(desk.admin, caller=Accounts(desk.database).root(HERE.account, AT, 3600).caller),
    ]
    for text in (
        None,
        statement("Allow", {"AWS": THEIRS.account}),
        statement("Allow", "*"),
        statement("Deny", "*"),
        statement("Deny", "*", Condition={"StringEquals": {"aws:PrincipalAccount": THEIRS.account}}),
    ):
        if text:
            desk.policies.set(desk.admin, app, text, force=True)
        for call in callers:
            assert explained(desk, call).decision.allowed is may_pull(desk, call, app), (text, call.caller.arn)


def test_a_role_is_explained_by_its_trust_policy(desk: Desk) -> None:
    wanted = {"StringEquals": {"sts:ExternalId": "ours"}}
    trust = statement("Allow", {"AWS": HERE.account}, "sts:AssumeRole", Condition=wanted)
    role = desk.identities.roles.create(desk.admin, "ci", trust)

    refused = explained(desk, desk.admin, "sts:AssumeRole", role.arn)
    assert not refused.decision.allowed
    assert [sight.failing for sight in refused.nearly] == [("StringEquals sts:ExternalId",)]
    assert explained(desk, desk.admin, "sts:AssumeRole", role.arn, **{"sts:externalid": "ours"}).decision.allowed
    assert not explained(desk, desk.admin, "sts:AssumeRole", f"{role.arn}2").decision.allowed


def test_what_is_settled_cannot_be_given(desk: Desk, app: RepositoryName) -> None:
    desk.repositories.tag(desk.admin, app, {"stage": "prod"})
    ada = desk.someone(PULL, Condition={"StringEquals": {"aws:ResourceTag/stage": "test"}})

    known = {"aws:sourceip": "10.0.0.1", "aws:username": ada.caller.user_name}
    assert not explained(desk, ada, **known).decision.allowed
    for key in (
        "aws:resourcetag/stage",
        "ecr:resourcetag/team",
        "aws:username",
        "aws:principaltag/team",
        "aws:requestedregion",
    ):
        with pytest.raises(InvalidParameter, match=key):
            explained(desk, ada, **{key: "another"})


def test_root_is_told_that_it_can_mend_a_policy_that_keeps_everybody_out(desk: Desk, app: RepositoryName) -> None:
    desk.policies.set(desk.admin, app, statement("Deny", "*", "ecr:*"), force=True)
    root = replace(desk.admin, caller=Accounts(desk.database).root(HERE.account, AT, 3600).caller)

    assert explained(desk, root, "ecr:DeleteRepositoryPolicy").decision.allowed
    assert not explained(desk, desk.admin, "ecr:DeleteRepositoryPolicy").decision.allowed


def test_who_is_not_there_or_not_let_in_is_said(desk: Desk) -> None:
    for arn in ("ada", f"arn:aws:iam::{HERE.account}:user/ada", f"arn:aws:iam::{THEIRS.account}:root"):
        nobody = replace(desk.admin, caller=replace(desk.admin.caller, arn=arn))
        with pytest.raises(NoSuchEntity):
            explained(desk, nobody)
    Accounts(desk.database).switch(HERE.account, disabled=True)
    with pytest.raises(NoSuchEntity, match="disabled"):
        explained(desk, desk.admin)


def test_who_may_ask_within_an_account_is_told_of_it_alone(desk: Desk, app: RepositoryName) -> None:
    explanations = Explanations(desk.database, desk.guard)
    ada = desk.someone(PULL)

    def ask(by: Call, principal: str, resource: str = APP) -> Explanation:
        return explanations.asked(by, Question(principal, PULL, resource, HERE.region, {}))

    only_ada = desk.someone("moorage:Explain", resource=ada.caller.arn)
    assert ask(desk.admin, ada.caller.arn).decision.allowed
    assert ask(only_ada, ada.caller.arn).decision.allowed
    with pytest.raises(AccessDenied, match=rf"moorage:Explain on resource: {desk.admin.caller.arn}"):
        ask(only_ada, desk.admin.caller.arn)
    with pytest.raises(NoSuchEntity, match="There is no principal"):
        ask(desk.admin, f"arn:aws:iam::{THEIRS.account}:user/admin")
    with pytest.raises(InvalidParameter, match="of the caller's account"):
        ask(desk.admin, ada.caller.arn, THEIRS.repository_arn("team/app"))


def test_who_may_ask_about_one_role_is_not_told_of_another_that_is_called_alike(desk: Desk) -> None:
    explanations = Explanations(desk.database, desk.guard)
    role = desk.identities.roles.create(desk.admin, "admin", TRUST, path="/prod/")
    asker = desk.someone("moorage:Explain", resource=f"arn:aws:iam::{HERE.account}:role/team/*")
    everybody = desk.someone("moorage:Explain")
    but = {"Effect": "Deny", "Action": "moorage:Explain", "Resource": role.arn}
    desk.identities.put_inline(
        desk.admin, everybody.caller.user_name, "but", json.dumps({"Version": "2012-10-17", "Statement": but})
    )

    def ask(by: Call, principal: str) -> Explanation:
        return explanations.asked(by, Question(principal, PULL, APP, HERE.region, {}))

    assert not ask(desk.admin, role.arn).decision.allowed
    assert not ask(desk.admin, f"arn:aws:sts::{HERE.account}:assumed-role/admin/one").decision.allowed
    for alike in ("role/team/admin", "role/prod/ADMIN", "role/admin"):
        with pytest.raises((NoSuchEntity, AccessDenied)):
            ask(asker, f"arn:aws:iam::{HERE.account}:{alike}")
    with pytest.raises(AccessDenied):
        ask(everybody, f"arn:aws:sts::{HERE.account}:assumed-role/admin/one")
    for root in ("arn:aws-cn:iam", "arn:aws-x:iam"):
        with pytest.raises(NoSuchEntity):
            ask(desk.admin, f"{root}::{HERE.account}:root")


def test_what_was_denied_is_told_to_who_may_ask_about_everybody(desk: Desk) -> None:
    explanations = Explanations(desk.database, desk.guard)
    ada = desk.someone()
    told = f"User: {ada.caller.arn} is not authorized to perform: {PULL} on resource: {APP} because of nothing"
    foreign = told.replace(HERE.account, THEIRS.account)
    with desk.database.write() as tx:
        for number, said in enumerate((told, foreign, "The security token included in the request is invalid.")):
            failure = Failure("AccessDeniedException", said, APP)
            line = record(replace(ada, request_id=str(number)), "ecr", "BatchGetImage", {}, failure, str(number))
            entry = read(line)
            assert entry
            tx.audit.add([entry])

    assert explanations.asked_denied(desk.admin, None)[1] == told
    assert explanations.asked_denied(desk.admin, "0")[0].request.caller.arn == ada.caller.arn
    with pytest.raises(NoSuchEntity, match="refused by no policy"):
        explanations.asked_denied(desk.admin, "2")
    with pytest.raises(NoSuchEntity, match="No such denial"):
        explanations.asked_denied(desk.admin, "1")
    desk.identities.delete_key(desk.admin, ada.caller.user_name, ada.caller.access_key_id)
    desk.identities.delete_user(desk.admin, ada.caller.user_name)
    with pytest.raises(NoSuchEntity, match="Said when it was denied: User"):
        explanations.asked_denied(desk.admin, "0")
    only_ada = desk.someone("moorage:Explain", resource=ada.caller.arn)
    for request in (None, "0", "2", "3"):
        with pytest.raises(AccessDenied, match=r"moorage:Explain on resource: \*"):
            explanations.asked_denied(only_ada, request)


@pytest.mark.parametrize("there", [True, False])
def test_what_the_caller_was_not_told_by_its_arn_is_explained_by_it(desk: Desk, there: bool) -> None:  # noqa: FBT001 - a parameter of the test
    explanations = Explanations(desk.database, desk.guard)
    ada = desk.someone()
    if there:
        desk.identities.create_user(desk.admin, "eve", "/hr/")
    with pytest.raises(AccessDenied) as refused:
        desk.identities.key_use(ada, "AKIANOBODY") if not there else desk.identities.user(ada, "EVE")
    failure = Failure("AccessDenied", str(refused.value), refused.value.resource)
    entry = read(record(ada, "iam", refused.value.action.removeprefix("iam:"), {}, failure, "1"))
    assert entry
    with desk.database.write() as tx:
        tx.audit.add([entry])

    explained, said = explanations.asked_denied(desk.admin, None)

    assert explained.request.resource == (f"arn:aws:iam::{HERE.account}:user/hr/eve" if there else "*")
    assert not explained.decision.allowed
    assert "hr" not in said

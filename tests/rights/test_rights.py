"""Every question of the table, asked by everybody who must not have an answer: denied in ECR's words, nothing told, nothing done."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from moorage import wiring
from moorage.actions import access
from moorage.core.access import AccessRequest, Decision, Policies, decide
from moorage.core.managed_policies import managed_policy
from moorage.core.names import AccountId
from moorage.core.operations import ASSUME_ROLE, ECR, OWN, ROUTES, SET_SOURCE_IDENTITY, STS, TAG_SESSION, Resource
from tests.engines.server import ACCOUNT
from tests.rights.questions import QUESTIONS, Question
from tests.rights.scene import ABSENT, APP, EVERYTHING, THERE, Said, Scene, Who, policy

READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
GONE = "555566667777"
OF_TRUST = (ASSUME_ROLE, TAG_SESSION, SET_SOURCE_IDENTITY)

Told = tuple[int, str, str]

INVALID = "The security token included in the request is invalid."
NO_LONGER_GOOD: dict[str, Told] = {
    "ecr": (400, "UnrecognizedClientException", INVALID),
    "sts": (403, "InvalidClientTokenId", INVALID),
    "v2": (403, "DENIED", INVALID),
}
OVER = "The security token included in the request is expired"
SESSION_OVER: dict[str, Told] = {"ecr": (400, "ExpiredTokenException", OVER), "sts": (403, "ExpiredToken", OVER)}
TOKEN_OVER: dict[str, Told] = {
    "v2": (403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
}
NOBODY: dict[str, Told] = {"v2": (401, "", "Not Authorized\n")}


@dataclass(frozen=True)
class Circumstance:
    """A reason to be denied; either ``because`` ends the sentence for rights that ``may`` does not have, or ``always`` is said."""

    make: Callable[[Scene], Who]
    because: str = ""
    always: dict[str, Told] = field(default_factory=dict)
    may: frozenset[str] = frozenset()
    abroad: bool = False

    def asks(self, question: Question) -> bool:
        """Tell whether a question is one that has to be denied here."""
        if self.always:
            return question.door in self.always
        return (question.goes_abroad or not self.abroad) and bool(self.missing(question, APP))

    def missing(self, question: Question, name: str) -> list[tuple[str, str]]:
        wanted = zip(question.rights, question.needs(name), strict=True)
        return [need for right, need in wanted if need[0] not in self.may and right.resource is not Resource.SOURCE]

    def told(self, question: Question, who: Who, name: str) -> Told:
        """Return what has to be said."""
        if self.always:
            status, code, sentence = self.always[question.door]
        else:
            action, resource = self.missing(question, name)[0]
            reason = "" if action in OF_TRUST else f" {self.because.format(action)}"
            sentence = f"User: {who.arn} is not authorized to perform: {action} on resource: {resource}{reason}"
            status, code = {"ecr": (400, "AccessDeniedException"), "sts": (403, "AccessDenied"), "v2": (403, "DENIED")}[
                question.door
            ]
        return (status, "", "") if question.name.startswith("HEAD") else (status, code, sentence)


def _switched_off(scene: Scene) -> Who:
    who = scene.someone("off", EVERYTHING)
    scene.iam(scene.admin, "UpdateAccessKey", UserName="off", AccessKeyId=who.key, Status="Inactive")
    return who


def _deleted(scene: Scene) -> Who:
    who = scene.someone("gone", EVERYTHING)
    for operation, more in (
        ("DeleteAccessKey", {"AccessKeyId": who.key}),
        ("DeleteUserPolicy", {"PolicyName": "p0"}),
        ("DeleteUser", {}),
    ):
        scene.iam(scene.admin, operation, UserName="gone", **more)
    return who


def _of_a_deleted_role(scene: Scene) -> Who:
    trust = policy("sts:AssumeRole", Principal={"AWS": ACCOUNT}).replace('"Resource": "*", ', "")
    scene.iam(scene.admin, "CreateRole", RoleName="gone", AssumeRolePolicyDocument=trust)
    who = scene.become(scene.admin, "gone")
    scene.iam(scene.admin, "DeleteRole", RoleName="gone")
    return who


def _of_a_disabled_account(scene: Scene) -> Who:
    with wiring.accounts(scene.inside.settings, sealing=True) as accounts:
        key = accounts.create(datetime.now(UTC), AccountId(GONE))
        who = Who(arn=key.user.arn, key=key.id, secret=key.secret)
        who = scene.at_another_time_and_place(who, timedelta())
        accounts.switch(AccountId(GONE), disabled=True)
    return who


def _bounded(scene: Scene) -> Who:
    who = scene.someone("bounded", EVERYTHING)
    scene.iam(scene.admin, "PutUserPermissionsBoundary", UserName="bounded", PermissionsBoundary=READ_ONLY)
    return who


def _session_over(scene: Scene) -> Who:
    who = scene.become(scene.admin)
    scene.change("UPDATE sessions SET expires_at = made_at - 60 WHERE id = ?", who.key)
    return who


def _read_only() -> frozenset[str]:
    held = managed_policy(READ_ONLY)
    assert held
    return frozenset(json.loads(held.document)["Statement"][0]["Action"])


NO_IDENTITY = "because no identity-based policy allows the {} action"
NO_RESOURCE = "because no resource-based policy allows the {} action"
ELSEWHERE = policy("ecr:*", Resource=f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/*")

CIRCUMSTANCES: dict[str, Circumstance] = {
    "no permission": Circumstance(lambda s: s.someone("nobody"), NO_IDENTITY),
    "permission in another region": Circumstance(lambda s: s.someone("elsewhere", ELSEWHERE), NO_IDENTITY),
    "read only": Circumstance(lambda s: s.someone("reader", READ_ONLY), NO_IDENTITY, may=_read_only()),
    "an explicit deny": Circumstance(
        lambda s: s.someone("denied", EVERYTHING, policy(["ecr:*", "sts:*", "moorage:*"], "Deny")),
        "with an explicit deny in an identity-based policy",
    ),
    "a permissions boundary": Circumstance(
        _bounded, "because no permissions boundary allows the {} action", may=_read_only()
    ),
    "a session limited by its policy": Circumstance(
        lambda s: s.become(s.admin, Policy=policy("ecr:DescribeImageScanFindings")),
        "because no session policy allows the {} action",
    ),
    "another account": Circumstance(lambda s: s.partner, NO_RESOURCE, abroad=True),
    "another account's user without a permission": Circumstance(
        lambda s: s.someone("stranger", by=s.partner), NO_IDENTITY, abroad=True
    ),
    "a key that is switched off": Circumstance(_switched_off, always=NO_LONGER_GOOD),
    "a deleted user": Circumstance(_deleted, always=NO_LONGER_GOOD),
    "a deleted role": Circumstance(_of_a_deleted_role, always=NO_LONGER_GOOD),
    "a disabled account": Circumstance(_of_a_disabled_account, always=NO_LONGER_GOOD),
    "an expired session": Circumstance(_session_over, always=SESSION_OVER),
    "an expired token": Circumstance(
        lambda s: s.at_another_time_and_place(s.admin, timedelta(hours=12, seconds=1)), always=TOKEN_OVER
    ),
    "another region's token": Circumstance(
        lambda s: s.at_another_time_and_place(s.admin, timedelta(), "eu-west-1"), always=NOBODY
    ),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene that is left as it is: nobody gets anything done."""
    made = Scene(tmp_path_factory.mktemp("rights"))
    yield made
    made.inside.close()


@pytest.fixture(scope="module")
def people(scene: Scene) -> dict[str, Who]:
    return {name: circumstance.make(scene) for name, circumstance in CIRCUMSTANCES.items()}


@pytest.fixture
def own_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("rights"))
    yield made
    made.inside.close()


def told(said: Said) -> Told:
    return said.status, said.code, said.sentence


@pytest.mark.parametrize("name", CIRCUMSTANCES)
def test_who_must_be_denied_is_denied_everything_in_ecrs_words_and_learns_and_changes_nothing(
    name: str, scene: Scene, people: dict[str, Who], record_property: Callable[[str, object], None]
) -> None:
    circumstance, who = CIRCUMSTANCES[name], people[name]
    asked = [question for question in QUESTIONS if circumstance.asks(question)]
    before = scene.kept()

    wrong = []
    for question in asked:
        there, absent = question.ask(scene, who, APP), question.ask(scene, who, ABSENT)
        if told(there) != circumstance.told(question, who, APP):
            wrong.append(f"{question.name}: {told(there)}")
        if there.of(APP) != absent.of(ABSENT):
            wrong.append(f"{question.name} tells the absent from the forbidden: {told(there)}, {told(absent)}")

    assert wrong == []
    assert scene.kept() == before
    record_property("asked", f"{name}: {len(asked)} of {len(QUESTIONS)} questions, of a repository and of none")


def test_every_question_is_denied_to_somebody_and_few_need_no_right() -> None:
    without = {question.name for question in QUESTIONS if not question.rights}

    assert without == {"GetCallerIdentity", "GetSessionToken", "GET base", "HEAD base"}
    for name in ("no permission", "an explicit deny", "a session limited by its policy"):
        assert {q.name for q in QUESTIONS if CIRCUMSTANCES[name].asks(q)} == {q.name for q in QUESTIONS} - without


# --- who may ------------------------------------------------------------------------------------------------------------


def is_denied(said: Said) -> bool:
    return said.code.startswith("AccessDenied") or said.status in (401, 403)


def test_readers_are_denied_nothing_that_only_reads(scene: Scene, people: dict[str, Who]) -> None:
    for name in ("read only", "a permissions boundary"):
        asked = [question for question in QUESTIONS if not CIRCUMSTANCES[name].asks(question)]

        assert len(asked) > 20
        assert [question.name for question in asked if is_denied(question.ask(scene, people[name], APP))] == []


@pytest.mark.slow
def test_what_a_repository_lets_another_account_do_it_does_and_no_other_repository_tells_of_itself(
    own_scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    scene = own_scene
    stranger = scene.someone("stranger", by=scene.partner)
    shared = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": THERE}, "Action": "ecr:*"}],
        }
    )
    asked = [question for question in QUESTIONS if question.goes_abroad and question.rights]
    lent = {q.name for q in asked if {right.resource for right in q.rights} <= {Resource.REPOSITORY, Resource.SOURCE}}

    done, wrong = set(), []
    for question in asked:
        # Some of the questions take away what others need.
        scene.fill()
        scene.ecr(scene.admin, "SetRepositoryPolicy", {"repositoryName": APP, "policyText": shared})
        told_absent = question.ask(scene, scene.partner, ABSENT)
        without = question.ask(scene, stranger, APP), question.ask(scene, stranger, ABSENT)
        if told(told_absent) != CIRCUMSTANCES["another account"].told(question, scene.partner, ABSENT):
            wrong.append(f"{question.name} of none: {told(told_absent)}")
        if without[0].of(APP) != without[1].of(ABSENT) or not is_denied(without[0]):
            wrong.append(f"{question.name} by a stranger: {told(without[0])}, {told(without[1])}")
        if not is_denied(question.ask(scene, scene.partner, APP)):
            done.add(question.name)

    assert wrong == []
    assert done == lent
    record_property("asked", f"another account that is let in: {len(asked)} questions, {len(lent)} of them allowed")


def test_a_resource_of_another_account_is_no_resource_whatever_is_there(scene: Scene) -> None:
    """What is named by an ARN is looked for in the registry of who asks."""
    for question in QUESTIONS:
        if question.name.partition(" ")[0] in ("TagResource", "UntagResource", "ListTagsForResource"):
            said = [question.ask(scene, scene.partner, name) for name in (APP, ABSENT)]

            assert said[0].of(APP) == said[1].of(ABSENT)
            assert said[0].code == "InvalidParameterException"


def test_a_password_outlives_the_session_that_asked_for_it(scene: Scene, people: dict[str, Who]) -> None:
    """As at ECR; it lasts for its twelve hours, and as long as the role is there."""
    over = people["an expired session"]

    assert scene.v2(over, "GET", f"/v2/{APP}/tags/list").status == 200


# --- the table ----------------------------------------------------------------------------------------------------------


@dataclass
class Heard:
    """What the guard was asked."""

    asked: list[AccessRequest] = field(default_factory=list)

    def __call__(self, request: AccessRequest, policies: Policies, *, trusted: bool = False) -> Decision:
        self.asked.append(request)
        return decide(request, policies, trusted=trusted)

    def needs(self) -> list[tuple[str, str]]:
        """Return the actions and resources, each once, in the order in which they were asked for."""
        return list(dict.fromkeys((request.action, request.resource) for request in self.asked))


BROUGHT = ("aws:requesttag/", "aws:tagkeys", "ecr:accountsetting", "sts:")
"""What the condition keys begin with that a question itself can bring."""
SESSION_TAGS = {
    "aws:RequestTag/${TagKey}",
    "aws:TagKeys",
    "sts:ExternalId",
    "sts:SourceIdentity",
    "sts:TransitiveTagKeys",
}


def keys_of(request: AccessRequest) -> set[str]:
    keys = {key for key in request.context if key.startswith(BROUGHT)}
    return {"aws:requesttag/${tagkey}" if key.startswith("aws:requesttag/") else key for key in keys}


@pytest.mark.slow
def test_every_question_asks_for_the_rights_of_the_table_in_its_order_with_its_condition_keys(
    own_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A condition has to be there for the condition keys to be gathered; it keeps nobody out.
    deny = policy("iam:DeleteRole", "Deny", Condition={"StringEquals": {"aws:username": "nobody"}})
    who = own_scene.someone("all", EVERYTHING, deny)
    own_scene.ecr(own_scene.admin, "PutAccountSetting", {"name": "BLOB_MOUNTING", "value": "ENABLED"})

    for question in QUESTIONS:
        own_scene.fill()
        name = "team/new" if "CreateRepository" in question.name else APP
        heard = Heard()
        monkeypatch.setattr(access, "decide", heard)
        said = question.ask(own_scene, who, name)
        monkeypatch.undo()

        assert not is_denied(said), (question.name, told(said))
        assert heard.needs() == question.needs(name), (question.name, told(said))
        for right in question.rights:
            brought = {key.lower() for key in right.keys}
            if "sts" in question.door and " with " not in question.name:
                brought -= {key.lower() for key in SESSION_TAGS}
            if question.name == "CreateRepository":
                brought = set()
            (found,) = {frozenset(keys_of(each)) for each in heard.asked if each.action == right.action}
            assert found == brought, (question.name, right.action)


def test_every_operation_route_and_right_of_the_table_is_asked_for_by_a_question() -> None:
    asked = {question.name.partition(" ")[0] for question in QUESTIONS if question.door != "v2"}
    used = {(question.door, right) for question in QUESTIONS for right in question.rights}

    assert asked == set(ECR) | set(STS) | set(OWN)
    assert {" ".join(question.name.split()[:2]) for question in QUESTIONS if question.door == "v2"} == {
        f"{method} {kind}" for kind, method in ROUTES
    }
    of_json = [*ECR.values(), *OWN.values()]
    assert {right for door, right in used if door == "ecr"} == {right for rights in of_json for right in rights}
    assert {right for door, right in used if door == "sts"} == {right for rights in STS.values() for right in rights}
    assert {right for door, right in used if door == "v2"} == {r for use in ROUTES.values() for r in use.rights}

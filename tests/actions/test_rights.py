"""Every public action asks for a right before it does anything, and what is not allowed is not done."""

import inspect
import pkgutil
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from moorage import actions
from moorage.actions.account import Account
from moorage.actions.accounts import Accounts
from moorage.actions.audit import AuditTrail
from moorage.actions.collection import Collection
from moorage.actions.explanations import Explanations
from moorage.actions.groups import Groups
from moorage.actions.identities import Identities
from moorage.actions.images import Images
from moorage.actions.inspection import Inspection
from moorage.actions.layers import Layers
from moorage.actions.policies import Policies
from moorage.actions.repositories import Repositories
from moorage.actions.resource_policies import ResourcePolicies
from moorage.actions.rights import NO_CONTEXT
from moorage.actions.roles import Roles
from moorage.actions.sessions import Sessions
from moorage.actions.simulations import Simulations
from moorage.actions.tokens import Tokens
from moorage.actions.uploads import Session, Uploads
from moorage.actions.usage import Usage, UsageNotes
from moorage.core.calls import Call
from moorage.core.digests import digest_of
from moorage.core.errors import AccessDenied, Refused
from moorage.core.explanations import Question
from moorage.core.identities import Role, User
from moorage.core.images import TagStatus
from moorage.core.manifests import Manifest
from moorage.core.names import RepositoryName, Tag
from moorage.core.operations import (
    BATCH_CHECK_LAYER_AVAILABILITY,
    GET_DOWNLOAD_URL_FOR_LAYER,
    IAM_RIGHTS,
    REQUEST_TAG,
    TAG_KEYS,
)
from moorage.core.repositories import Repository, TagMutability
from tests.actions.desk import COMPLETE, PART, Desk, by_tag, policy
from tests.actions.rights_of_identities import (
    ACCOUNT,
    GRANTS,
    GROUPS,
    MANAGED,
    MINE,
    POLICIES,
    ROLES,
    SIMULATIONS,
    Row,
    prepare,
)
from tests.contracts.rows import AT, HERE

NOUNS = (
    Account,
    Accounts,
    AuditTrail,
    Collection,
    Explanations,
    Groups,
    Inspection,
    Identities,
    Images,
    Layers,
    Policies,
    Repositories,
    ResourcePolicies,
    Roles,
    Sessions,
    Simulations,
    Tokens,
    Uploads,
    Usage,
    UsageNotes,
)

WITHOUT_A_RIGHT = {
    "AuditTrail.catch_up": "whoever runs the server asks for it, on the machine itself",
    "AuditTrail.entries": "whoever runs the server asks for it, on the machine itself",
    "AuditTrail.forget": "whoever runs the server asks for it, on the machine itself",
    "Explanations.explain": "whoever runs the server asks for it, on the machine itself",
    "Explanations.denied": "the same",
    "Usage.forget": "whoever runs the server asks for it, on the machine itself",
    "Usage.of": "whoever runs the server asks for it, on the machine itself",
    "Usage.write": "the server's own: what its guard has decided",
    "UsageNotes.note": "follows a decision",
    "UsageNotes.put_back": "the server's own: what its guard has decided",
    "UsageNotes.take": "the server's own: what its guard has decided",
    "Accounts.all": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.create": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.get": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.give_key": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.name": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.root": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Accounts.switch": "whoever runs the server asks for it, on the machine itself; no door may import it",
    "Collection.collect": "whoever runs the server asks for it, on the machine itself",
    "Collection.erase": "whoever runs the server asks for it, on the machine itself",
    "Collection.files": "whoever runs the server asks for it, on the machine itself",
    "Inspection.findings": "whoever runs the server asks for it, on the machine itself",
    "Inspection.repair": "whoever runs the server asks for it, on the machine itself",
    "Inspection.total": "whoever runs the server asks for it, on the machine itself",
    "Collection.unused": "whoever runs the server asks for it, on the machine itself",
    "Identities.bootstrap": "the server's own, before there is a caller",
    "Identities.caller": "whoever has a good key may know whose it is, as in STS",
    "Sessions.of_user": "no policy has a say in it, as in STS",
    "Images.pull_at_once": "allows only what was remembered as allowed; else pull decides",
    "Layers.one_at_once": "allows only what was remembered as allowed; else one decides",
    "Images.pull_is_news": "looks at an image that the caller was given",
    "Identities.note_key_use": "follows a request whose signature was verified",
    "Images.note_pulls": "follows a pull that was allowed",
    "Layers.signed": "the signed URL is the proof",
    "Layers.chunks": "reads a layer that the caller was given",
    "Layers.pieces": "the same",
    "Sessions.assume": "the trust policy of the role decides; tests/actions/test_sessions.py",
    "Uploads.drop": "throws away what the same request has sent",
}


@dataclass
class Scene:
    """A repository with an image, an upload under way and a session that was allowed; and whether it is there at all."""

    desk: Desk
    name: RepositoryName
    manifest: Manifest
    upload: str
    session: Session

    @property
    def wanted(self) -> Repository:
        return Repository(registry=HERE, name=self.name, created_at=AT)


Ask = Callable[[Scene, Call], Any]
TEAM = {"team": "a"}
ANY = TagStatus.ANY
LAYER = digest_of(b"layer of one")
ADA = f"arn:aws:iam::{HERE.account}:user/ada"
ALIAS = "our-company"
APP = HERE.repository_arn("team/app")
OPEN = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}'

# The method, the action and the resource that its refusal names, and how to ask.
ON_REPOSITORIES: list[tuple[str, str, Ask]] = [
    ("Images.put", "ecr:PutImage", lambda s, c: s.desk.put(s.name, s.manifest, "v2", call=c)),
    ("Images.pull", "ecr:BatchGetImage", lambda s, c: s.desk.images.pull(c, s.name, Tag("v1"))),
    ("Images.get", "ecr:BatchGetImage", lambda s, c: s.desk.images.get(c, s.name, [by_tag("v1")])),
    ("Images.delete", "ecr:BatchDeleteImage", lambda s, c: s.desk.images.delete(c, s.name, [by_tag("v1")])),
    (
        "Images.delete_manifest",
        "ecr:BatchDeleteImage",
        lambda s, c: s.desk.images.delete_manifest(c, s.name, s.manifest.digest),
    ),
    ("Images.untag", "ecr:BatchDeleteImage", lambda s, c: s.desk.images.untag(c, s.name, Tag("v1"))),
    ("Images.pairs", "ecr:ListImages", lambda s, c: s.desk.images.pairs(c, s.name, ANY, (0, ""), 9)),
    ("Images.tags", "ecr:ListImages", lambda s, c: s.desk.images.tags(c, s.name, "", 9)),
    ("Images.page", "ecr:DescribeImages", lambda s, c: s.desk.images.page(c, s.name, ANY, 0, 9)),
    ("Images.describe", "ecr:DescribeImages", lambda s, c: s.desk.images.describe(c, s.name, [by_tag("v1")])),
    (
        "Images.referrers",
        "ecr:BatchGetImage",
        lambda s, c: s.desk.images.referrers(c, s.name, s.manifest.digest, None, 0, 9),
    ),
    ("Layers.available", BATCH_CHECK_LAYER_AVAILABILITY, lambda s, c: s.desk.layers.available(c, s.name, [LAYER])),
    (
        "Layers.one",
        BATCH_CHECK_LAYER_AVAILABILITY,
        lambda s, c: s.desk.layers.one(c, s.name, LAYER, BATCH_CHECK_LAYER_AVAILABILITY),
    ),
    (
        "Layers.one",
        GET_DOWNLOAD_URL_FOR_LAYER,
        lambda s, c: s.desk.layers.one(c, s.name, LAYER, GET_DOWNLOAD_URL_FOR_LAYER),
    ),
    ("Layers.delete", "ecr:BatchDeleteImage", lambda s, c: s.desk.layers.delete(c, s.name, LAYER)),
    ("Layers.downloadable", GET_DOWNLOAD_URL_FOR_LAYER, lambda s, c: s.desk.layers.downloadable(c, s.name, LAYER)),
    ("Repositories.create", "ecr:CreateRepository", lambda s, c: s.desk.repositories.create(c, s.wanted, {})),
    ("Repositories.create", "ecr:CreateRepository", lambda s, c: s.desk.repositories.create(c, s.wanted, TEAM)),
    ("Repositories.named", "ecr:DescribeRepositories", lambda s, c: s.desk.repositories.named(c, [s.name])),
    (
        "Repositories.delete",
        "ecr:DeleteRepository",
        lambda s, c: s.desk.repositories.delete(c, s.name, force=True),
    ),
    (
        "Repositories.put_mutability",
        "ecr:PutImageTagMutability",
        lambda s, c: s.desk.repositories.put_mutability(c, s.name, TagMutability()),
    ),
    (
        "Repositories.put_scanning",
        "ecr:PutImageScanningConfiguration",
        lambda s, c: s.desk.repositories.put_scanning(c, s.name, scan_on_push=True),
    ),
    ("Repositories.tag", "ecr:TagResource", lambda s, c: s.desk.repositories.tag(c, s.name, TEAM)),
    ("Repositories.untag", "ecr:UntagResource", lambda s, c: s.desk.repositories.untag(c, s.name, ["team"])),
    (
        "ResourcePolicies.set",
        "ecr:SetRepositoryPolicy",
        lambda s, c: s.desk.policies.set(c, s.name, OPEN, force=False),
    ),
    ("ResourcePolicies.get", "ecr:GetRepositoryPolicy", lambda s, c: s.desk.policies.get(c, s.name)),
    ("ResourcePolicies.delete", "ecr:DeleteRepositoryPolicy", lambda s, c: s.desk.policies.delete(c, s.name)),
    ("Repositories.tags", "ecr:ListTagsForResource", lambda s, c: s.desk.repositories.tags(c, s.name)),
    ("Uploads.start", "ecr:InitiateLayerUpload", lambda s, c: s.desk.uploads.start(c, s.name)),
    ("Uploads.start_at_once", "ecr:InitiateLayerUpload", lambda s, c: s.desk.uploads.start_at_once(c, s.name)),
    ("Uploads.resume", PART, lambda s, c: s.desk.uploads.resume(c, s.name, s.upload, 0, PART)),
    ("Uploads.resume", COMPLETE, lambda s, c: s.desk.uploads.resume(c, s.name, s.upload, None, COMPLETE)),
    ("Uploads.status", PART, lambda s, c: s.desk.uploads.status(c, s.name, s.upload)),
    ("Uploads.cancel", PART, lambda s, c: s.desk.uploads.cancel(c, s.name, s.upload)),
    ("Uploads.mount", "ecr:InitiateLayerUpload", lambda s, c: s.desk.uploads.mount(c, s.name, LAYER, s.name)),
]

OTHERS: list[tuple[str, str, str, Ask]] = [
    ("Uploads.keep", PART, APP, lambda s, c: s.desk.uploads.keep(c, s.session)),
    ("Uploads.keep_part", PART, APP, lambda s, c: s.desk.uploads.keep_part(c, s.session)),
    (
        "Uploads.complete",
        COMPLETE,
        APP,
        lambda s, c: s.desk.uploads.complete(c, s.session, (digest_of(b"more"),), parts=False),
    ),
    (
        "Repositories.page",
        "ecr:DescribeRepositories",
        HERE.repository_arn("*"),
        lambda s, c: s.desk.repositories.page(c, "", 9),
    ),
    (
        "Repositories.describe_registry",
        "ecr:DescribeRegistry",
        "*",
        lambda s, c: s.desk.repositories.describe_registry(c),
    ),
    (
        "Repositories.setting",
        "ecr:GetAccountSetting",
        "*",
        lambda s, c: s.desk.repositories.setting(c, "BLOB_MOUNTING"),
    ),
    (
        "Repositories.put_setting",
        "ecr:PutAccountSetting",
        "*",
        lambda s, c: s.desk.repositories.put_setting(c, "BLOB_MOUNTING", "ENABLED"),
    ),
    (
        "ResourcePolicies.put_registry",
        "ecr:PutRegistryPolicy",
        "*",
        lambda s, c: s.desk.policies.put_registry(c, OPEN),
    ),
    ("ResourcePolicies.registry", "ecr:GetRegistryPolicy", "*", lambda s, c: s.desk.policies.registry(c)),
    (
        "ResourcePolicies.delete_registry",
        "ecr:DeleteRegistryPolicy",
        "*",
        lambda s, c: s.desk.policies.delete_registry(c),
    ),
    ("Sessions.account_of_key", "sts:GetAccessKeyInfo", "*", lambda s, c: s.desk.sessions.account_of_key(c, "AKIA")),
    ("Sessions.may_decode", "sts:DecodeAuthorizationMessage", "*", lambda s, c: s.desk.sessions.may_decode(c)),
    ("Tokens.issue", "ecr:GetAuthorizationToken", "*", lambda s, c: s.desk.tokens.issue(c)),
    ("Identities.create_user", "iam:CreateUser", f"{ADA}2", lambda s, c: s.desk.identities.create_user(c, "ada2")),
    ("Identities.user", "iam:GetUser", ADA, lambda s, c: s.desk.identities.user(c, "ada")),
    (
        "Identities.users",
        "iam:ListUsers",
        f"arn:aws:iam::{HERE.account}:user/",
        lambda s, c: s.desk.identities.users(c, "/", "", 9),
    ),
    ("Identities.delete_user", "iam:DeleteUser", ADA, lambda s, c: s.desk.identities.delete_user(c, "ada")),
    ("Identities.create_key", "iam:CreateAccessKey", ADA, lambda s, c: s.desk.identities.create_key(c, "ada")),
    ("Identities.keys", "iam:ListAccessKeys", ADA, lambda s, c: s.desk.identities.keys(c, "ada")),
    (
        "Identities.set_key",
        "iam:UpdateAccessKey",
        ADA,
        lambda s, c: s.desk.identities.set_key(c, "ada", "AKIA", active=False),
    ),
    ("Identities.delete_key", "iam:DeleteAccessKey", ADA, lambda s, c: s.desk.identities.delete_key(c, "ada", "AKIA")),
    ("Identities.create_alias", "iam:CreateAccountAlias", "*", lambda s, c: s.desk.identities.create_alias(c, ALIAS)),
    ("Identities.aliases", "iam:ListAccountAliases", "*", lambda s, c: s.desk.identities.aliases(c)),
    ("Identities.delete_alias", "iam:DeleteAccountAlias", "*", lambda s, c: s.desk.identities.delete_alias(c, ALIAS)),
    (
        "Identities.key_use",
        "iam:GetAccessKeyLastUsed",
        f"arn:aws:iam::{HERE.account}:user/admin",
        lambda s, c: s.desk.identities.key_use(c, s.desk.admin.caller.access_key_id),
    ),
    (
        "Explanations.asked",
        "moorage:Explain",
        ADA,
        lambda s, c: _explanations(s).asked(c, Question(ADA, "iam:GetUser", ADA, HERE.region, {})),
    ),
    ("Explanations.asked_denied", "moorage:Explain", "*", lambda s, c: _explanations(s).asked_denied(c, None)),
    (
        "Identities.update_user",
        "iam:UpdateUser",
        ADA,
        lambda s, c: s.desk.identities.update_user(c, "ada", None, "/"),
    ),
]


def _at_the_desk(row: Row) -> tuple[str, str, str, Ask]:
    method, action, resource, ask = row
    return method, action, resource, lambda scene, call: ask(scene.desk, call)


def _explanations(scene: Scene) -> Explanations:
    return Explanations(scene.desk.database, scene.desk.guard)


OTHERS += [_at_the_desk(row) for row in (*ACCOUNT, *GROUPS, *ROLES, *POLICIES, *GRANTS, *SIMULATIONS)]
ALL = [(method, action, APP, ask) for method, action, ask in ON_REPOSITORIES] + OTHERS


@pytest.fixture
def scene(desk: Desk) -> Scene:
    name = desk.repository("team/app")
    desk.repositories.tag(desk.admin, name, {"team": "b"})
    desk.identities.create_user(desk.admin, "ada")
    desk.identities.put_inline(desk.admin, "ada", "some", policy(["ecr:*"]))
    desk.identities.attach(desk.admin, "ada", MANAGED)
    desk.identities.create_alias(desk.admin, ALIAS)
    prepare(desk)
    manifest = desk.push(name, "one", "v1")
    upload, started = (desk.uploads.start(desk.admin, name).id for _ in range(2))
    session = desk.uploads.resume(desk.admin, name, started, 0, PART)
    session.write([b"more"])
    return Scene(desk, name, manifest, upload, session)


def test_every_public_action_is_in_the_table_or_needs_no_right_for_a_stated_reason() -> None:
    public = {
        f"{noun.__name__}.{name}"
        for noun in NOUNS
        for name, member in inspect.getmembers(noun, inspect.isfunction)
        if not name.startswith("_")
    }
    asked = {method for method, *_ in ALL}

    assert public == asked | set(WITHOUT_A_RIGHT)
    assert asked & set(WITHOUT_A_RIGHT) == set()


def test_every_module_of_actions_has_its_nouns_in_the_table() -> None:
    modules = {module.name for module in pkgutil.iter_modules(actions.__path__)}

    assert modules == {noun.__module__.rpartition(".")[2] for noun in NOUNS} | {
        "access",
        "credentials",
        "rights",
        "grants",
        "identity_steps",
        "steps",
    }


@pytest.mark.parametrize(("method", "action", "resource", "ask"), ALL, ids=[f"{row[0]}-{row[1]}" for row in ALL])
def test_nothing_is_done_for_a_caller_without_the_right(
    scene: Scene, method: str, action: str, resource: str, ask: Ask
) -> None:
    desk = scene.desk
    stranger = desk.someone(NotAction=action)
    before, bytes_before = desk.rows(), desk.files()

    with closing(scene.session), pytest.raises(AccessDenied) as refused:
        ask(scene, stranger)

    assert (refused.value.action, refused.value.resource) == (action, resource)
    shown = refused.value.shown or resource
    assert f"{action} on resource: {shown} because no identity-based policy allows" in str(refused.value)
    assert (desk.rows(), desk.files()) == (before, bytes_before)


@pytest.mark.parametrize(("method", "action", "ask"), ON_REPOSITORIES, ids=[f"{r[0]}-{r[1]}" for r in ON_REPOSITORIES])
def test_who_may_not_learns_nothing_of_what_is_there(scene: Scene, method: str, action: str, ask: Ask) -> None:
    stranger = scene.desk.someone()
    with pytest.raises(AccessDenied) as there:
        ask(scene, stranger)
    scene.session.close()
    scene.desk.repositories.delete(scene.desk.admin, scene.name, force=True)

    with pytest.raises(AccessDenied) as gone:
        ask(scene, stranger)
    assert str(gone.value) == str(there.value)


@pytest.mark.parametrize(("method", "action", "resource", "ask"), ALL, ids=[f"{row[0]}-{row[1]}" for row in ALL])
def test_the_right_that_a_refusal_names_is_enough_to_be_refused_no_more(
    scene: Scene, method: str, action: str, resource: str, ask: Ask
) -> None:
    allowed = scene.desk.someone(action, resource=resource if resource.startswith("arn:") else "*")
    further = {"Repositories.create": "ecr:TagResource", "Uploads.start_at_once": PART, "Uploads.complete": PART}
    refusal: Refused | None = None
    with closing(scene.session):
        try:
            ask(scene, allowed)
        except Refused as refused:
            refusal = refused

    assert (refusal.action if isinstance(refusal, AccessDenied) else None) in {None, further.get(method)}


def test_an_operation_of_iam_brings_the_condition_keys_that_the_table_says(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    identities, admin = scene.desk.identities, scene.desk.admin
    stage = [("stage", "test")]
    for kind, name in ((User, "ada"), (Role, "ci")):
        identities.put_boundary(admin, name, MANAGED, kind)
        identities.tag(admin, name, stage, kind)
    identities.policies.tag(admin, MINE, stage)
    told: dict[str, set[str]] = {}
    allow = scene.desk.guard.allow

    def listen(tx: Any, call: Call, action: str, resource: str, context: Any = NO_CONTEXT) -> None:
        kept = {re.sub(r"tag/.*", "tag/${tagkey}", key) for key in context}
        told.setdefault(action, set()).update(kept)
        allow(tx, call, action, resource, context)

    monkeypatch.setattr(scene.desk.guard, "allow", listen)
    stranger = scene.desk.someone()
    told.clear()
    for _, action, _, ask in ALL:
        if action.startswith("iam:"):
            with pytest.raises(AccessDenied):
                ask(scene, stranger)

    rights = {right.action: right for right in IAM_RIGHTS.values()}
    # What those alone bring who make something with tags or a boundary; policies of AWS's have no tags.
    of_new = {REQUEST_TAG.lower(), TAG_KEYS.lower(), "iam:permissionsboundary"}
    of_aws = {"iam:GetPolicy", "iam:GetPolicyVersion"}
    for action, keys in told.items():
        listed = {key.lower() for key in rights[action].all_keys}
        if action in of_aws:
            assert keys == set()
        else:
            assert keys == (listed - of_new if action.startswith("iam:Create") else listed), action
    assert len(told) > 70

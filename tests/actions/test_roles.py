import json
from collections.abc import Callable
from typing import Any

import pytest

from moorage.actions.identities import Identities
from moorage.core.calls import Call
from moorage.core.errors import (
    AccessDenied,
    DeleteConflict,
    EntityAlreadyExists,
    IdentityInputInvalid,
    IdentityLimitExceeded,
    MalformedPolicy,
    NoSuchEntity,
    PolicyNotAttachable,
    UnmodifiableEntity,
)
from moorage.core.identities import Role
from tests.actions.callers import ACCOUNT, OTHER, READ_ONLY, TRUST, call_of, document, start

REPLICATION = "replication.ecr.amazonaws.com"
LINKED = "AWSServiceRoleForECRReplication"


def trusting(principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_a_role_is_given_back_as_it_was_made(identities: Identities, admin: Call) -> None:
    made = identities.roles.create(
        admin, "Ci", TRUST, path="/ci/", description="builds", max_session=7200, boundary=READ_ONLY, tags=[("a", "b")]
    )

    assert made.arn == f"arn:aws:iam::{ACCOUNT}:role/ci/Ci"
    assert made.id.startswith("AROA")
    assert identities.roles.get(admin, "cI") == (made, {"a": "b"})
    assert identities.roles.page(admin, "/ci/", "", 9) == [made]
    with pytest.raises(EntityAlreadyExists, match=r"^Role with name CI already exists\.$"):
        identities.roles.create(admin, "CI", TRUST)
    with pytest.raises(NoSuchEntity, match=r"^The role with name other cannot be found\.$"):
        identities.roles.get(admin, "other")


def test_a_role_changes_in_what_is_given_alone(identities: Identities, admin: Call) -> None:
    identities.roles.create(admin, "ci", TRUST, description="builds")

    identities.roles.update(admin, "ci", None, 7200)
    assert [identities.roles.get(admin, "ci")[0].description] == ["builds"]
    identities.roles.update(admin, "ci", "", None)
    role, _ = identities.roles.describe(admin, "ci", "tests")
    assert (role.description, role.max_session) == ("tests", 7200)
    identities.roles.trust(admin, "ci", trusting({"AWS": OTHER}))
    # As IAM does, which shows an account by its root.
    assert json.loads(identities.roles.get(admin, "ci")[0].trust) == json.loads(
        trusting({"AWS": f"arn:aws:iam::{OTHER}:root"})
    )


def test_whoever_is_named_in_this_store_must_be_there(identities: Identities, admin: Call) -> None:
    user = identities.create_user(admin, "ada", "/ops/")
    role = identities.roles.create(admin, "ci", trusting({"AWS": [user.arn, user.id, ACCOUNT]}))
    start(identities, OTHER)

    identities.roles.trust(admin, "ci", trusting({"AWS": [role.arn, f"arn:aws:iam::{OTHER}:user/admin"]}))
    identities.roles.trust(admin, "ci", trusting({"AWS": "arn:aws:iam::999988887777:user/of-another-store"}))
    for text in (
        f"arn:aws:iam::{ACCOUNT}:user/ada",
        f"arn:aws:iam::{ACCOUNT}:user/ops/Ada",
        f"arn:aws:iam::{ACCOUNT}:role/ada",
        f"arn:aws:iam::{OTHER}:user/nobody",
        "AIDAAAAAAAAAAAAAAAAAA",
    ):
        with pytest.raises(MalformedPolicy) as refused:
            identities.roles.trust(admin, "ci", trusting({"AWS": text}))
        assert str(refused.value) == f'Invalid principal in policy: "AWS":"{text}"'


def test_a_later_user_of_the_same_name_is_not_trusted(identities: Identities, admin: Call) -> None:
    user = identities.create_user(admin, "ada", '/"quoted"/')
    identities.roles.create(admin, "ci", trusting({"AWS": user.arn}))
    other = call_of(start(identities, OTHER))
    identities.roles.create(other, "ci", trusting({"AWS": [user.arn, ACCOUNT]}).replace("user/", "user\\/"))

    identities.delete_user(admin, "ada")
    identities.create_user(admin, "ada", '/"quoted"/')

    assert json.loads(identities.roles.get(admin, "ci")[0].trust)["Statement"]["Principal"] == {"AWS": user.id}
    assert json.loads(identities.roles.get(other, "ci")[0].trust)["Statement"]["Principal"] == {
        "AWS": [user.id, f"arn:aws:iam::{ACCOUNT}:root"]
    }


def test_a_later_role_of_the_same_name_has_no_sessions_that_are_trusted(identities: Identities, admin: Call) -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build"
    with pytest.raises(MalformedPolicy, match="Invalid principal in policy"):
        identities.roles.create(admin, "target", trusting({"AWS": session}))
    gone = identities.roles.create(admin, "ci", trusting({"AWS": ACCOUNT}), path="/builds/")
    with pytest.raises(MalformedPolicy, match="Invalid principal in policy"):
        identities.roles.create(admin, "target", trusting({"AWS": session.replace("ci", "CI")}))
    identities.roles.create(admin, "target", trusting({"AWS": session}))
    other = call_of(start(identities, OTHER))
    identities.roles.create(other, "target", trusting({"AWS": [session, f"{session}er"]}))

    identities.roles.delete(admin, "ci")
    identities.roles.create(admin, "ci", trusting({"AWS": ACCOUNT}))

    assert json.loads(identities.roles.get(admin, "target")[0].trust)["Statement"]["Principal"] == {
        "AWS": f"{gone.id}:build"
    }
    assert json.loads(identities.roles.get(other, "target")[0].trust)["Statement"]["Principal"] == {
        "AWS": [f"{gone.id}:build", f"{gone.id}:builder"]
    }


def test_a_user_who_is_renamed_is_still_trusted(identities: Identities, admin: Call) -> None:
    user = identities.create_user(admin, "ada")
    identities.roles.create(admin, "ci", trusting({"AWS": user.arn}))

    identities.update_user(admin, "ada", "eve", "/ops/")

    role, _ = identities.roles.get(admin, "ci")
    assert json.loads(role.trust)["Statement"]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ops/eve"}


def test_a_trust_policy_has_so_many_characters_that_are_not_white_space(identities: Identities, admin: Call) -> None:
    def of(size: int) -> str:
        empty = {"Version": "2012-10-17", "Id": "", "Statement": json.loads(TRUST)["Statement"]}
        short = len("".join(json.dumps(empty).split()))
        return json.dumps({**empty, "Id": "a" * (size - short)}, indent=4)

    identities.roles.create(admin, "ci", of(2048))
    with pytest.raises(IdentityLimitExceeded, match=r"^Cannot exceed quota for ACLSizePerRole: 2048$"):
        identities.roles.trust(admin, "ci", of(2049))


def test_what_is_no_trust_policy_makes_no_role(identities: Identities, admin: Call) -> None:
    for text in ("{", document("sts:AssumeRole"), trusting({"AWS": "nobody"})):
        with pytest.raises(MalformedPolicy):
            identities.roles.create(admin, "ci", text)
    assert identities.roles.page(admin, "/", "", 9) == []


def test_a_role_that_still_has_something_is_not_deleted(identities: Identities, admin: Call) -> None:
    identities.roles.create(admin, "ci", TRUST)
    identities.attach(admin, "ci", READ_ONLY, Role)
    identities.put_inline(admin, "ci", "push", document("ecr:*"), Role)

    with pytest.raises(DeleteConflict, match=r"^Cannot delete entity, must detach all policies first\.$"):
        identities.roles.delete(admin, "ci")
    identities.detach(admin, "ci", READ_ONLY, Role)
    with pytest.raises(DeleteConflict, match=r"^Cannot delete entity, must delete policies first\.$"):
        identities.roles.delete(admin, "ci")
    identities.delete_inline(admin, "ci", "push", Role)
    identities.roles.delete(admin, "ci")
    with pytest.raises(NoSuchEntity):
        identities.roles.get(admin, "ci")


# --- service-linked roles ----------------------------------------------------------------------------------------------


def test_the_role_of_a_service_is_made_with_its_policy_and_only_once(identities: Identities, admin: Call) -> None:
    role = identities.roles.create_linked(admin, REPLICATION, "copies", None)

    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{REPLICATION}/{LINKED}"
    assert json.loads(role.trust)["Statement"][0]["Principal"] == {"Service": REPLICATION}
    assert identities.attached(admin, LINKED, "/", Role) == [
        ("ECRReplicationServiceRolePolicy", "arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy")
    ]
    with pytest.raises(IdentityInputInvalid, match="has been taken in this account, please try a different suffix"):
        identities.roles.create_linked(admin, REPLICATION, "", None)
    with pytest.raises(IdentityInputInvalid, match=r"^Custom suffix is not allowed for ecr\.amazonaws\.com$"):
        identities.roles.create_linked(admin, "ecr.amazonaws.com", "", "mine")
    with pytest.raises(IdentityInputInvalid, match="has no service es"):
        identities.roles.create_linked(admin, "es.amazonaws.com", "", None)


def test_nobody_but_its_service_changes_a_service_linked_role(identities: Identities, admin: Call) -> None:
    identities.roles.create_linked(admin, REPLICATION, "", None)
    changes: list[Callable[[], object]] = [
        lambda: identities.roles.delete(admin, LINKED),
        lambda: identities.roles.trust(admin, LINKED, TRUST),
        lambda: identities.roles.update(admin, LINKED, None, 7200),
        lambda: identities.attach(admin, LINKED, READ_ONLY, Role),
        lambda: identities.detach(admin, LINKED, READ_ONLY, Role),
        lambda: identities.put_inline(admin, LINKED, "push", document("ecr:*"), Role),
        lambda: identities.delete_inline(admin, LINKED, "push", Role),
        lambda: identities.put_boundary(admin, LINKED, READ_ONLY, Role),
        lambda: identities.delete_boundary(admin, LINKED, Role),
    ]
    for change in changes:
        with pytest.raises(UnmodifiableEntity):
            change()
    identities.roles.update(admin, LINKED, "copies", None)
    with pytest.raises(IdentityInputInvalid):
        identities.roles.create(admin, "fake", TRUST, path=f"/aws-service-role/{REPLICATION}/")


def test_a_service_linked_role_is_deleted_by_a_task_that_can_be_asked_for(identities: Identities, admin: Call) -> None:
    identities.roles.create_linked(admin, REPLICATION, "", None)
    identities.roles.create(admin, "ci", TRUST)

    task = identities.roles.delete_linked(admin, LINKED)

    identities.roles.deleted_linked(admin, task)
    for other in ("task/aws-service-role/x", task + "A", "*"):
        with pytest.raises(NoSuchEntity):
            identities.roles.deleted_linked(admin, other)
    with pytest.raises(IdentityInputInvalid):
        identities.roles.delete_linked(admin, "ci")
    with pytest.raises(NoSuchEntity):
        identities.roles.delete_linked(admin, LINKED)


def test_the_policy_of_a_service_is_attached_to_nobody_else(identities: Identities, admin: Call) -> None:
    with pytest.raises(PolicyNotAttachable):
        identities.attach(admin, "admin", "arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy")


def test_which_services_may_have_roles_can_be_limited(identities: Identities, admin: Call, ada: Call) -> None:
    identities.attach(admin, "ada", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess")

    identities.roles.create_linked(ada, REPLICATION, "", None)
    with pytest.raises(AccessDenied):
        identities.roles.create_linked(ada, "ecr.amazonaws.com", "", None)

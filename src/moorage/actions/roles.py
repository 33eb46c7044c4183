"""Roles and who may become them, and the roles of ECR's own (IAM User Guide, "IAM roles", "Service-linked roles")."""

import json
import re
from dataclasses import replace
from typing import NamedTuple

from moorage.actions.grants import document_size
from moorage.actions.identity_steps import Steps, check_modifiable
from moorage.core.arns import principal_of
from moorage.core.calls import Call
from moorage.core.errors import DeleteConflict, IdentityInputInvalid, IdentityLimitExceeded, NoSuchEntity
from moorage.core.identities import HOUR, Role
from moorage.core.identity_tags import Pairs
from moorage.core.operations import ASSUME_ROLE
from moorage.core.trust_policies import MAX_TRUST, parse_trust_policy, unknown_principal, with_roots
from moorage.ports import Transaction


class _Service(NamedTuple):
    """What a service's own role is called, and the policy that it has."""

    role: str
    policy: str


SERVICES = {
    "ecr.amazonaws.com": _Service("AWSServiceRoleForECRTemplate", "ECRTemplateServiceRolePolicy"),
    "pullthroughcache.ecr.amazonaws.com": _Service(
        "AWSServiceRoleForECRPullThroughCache", "AWSECRPullThroughCache_ServiceRolePolicy"
    ),
    "replication.ecr.amazonaws.com": _Service("AWSServiceRoleForECRReplication", "ECRReplicationServiceRolePolicy"),
}
"""Amazon ECR User Guide, "Using service-linked roles for Amazon ECR"."""

_unique_id = re.compile(r"A[A-Z]{3}[A-Z0-9]+", re.ASCII)
_task = re.compile(r"task/aws-service-role/([a-z.]+)/([A-Za-z]+)/([A-Z0-9]{21})", re.ASCII)


class Roles(Steps):
    """The operations on roles. Each raises AccessDenied or CredentialsInvalid as the guard does, and NoSuchEntity."""

    def create(
        self,
        call: Call,
        name: str,
        trust: str,
        *,
        path: str = "/",
        description: str = "",
        max_session: int = HOUR,
        boundary: str | None = None,
        tags: Pairs = (),
    ) -> Role:
        """Create a role without rights; raises EntityAlreadyExists, also for a name that differs only in case.

        Raises MalformedPolicy for its trust policy, and as a new user does for the rest.
        """
        role = Role(
            account=call.caller.account,
            name=name,
            id=self._new_id(Role.prefix),
            path=path,
            created_at=call.at,
            boundary=boundary,
            trust=_plain(trust),
            description=description,
            max_session=max_session,
        )
        if role.of_a_service:
            raise IdentityInputInvalid("Path must not begin with /aws-service-role/, which is of service-linked roles.")
        return self._add(call, role, tags, lambda tx: _check_trust(tx, trust))

    def get(self, call: Call, name: str) -> tuple[Role, dict[str, str]]:
        """Return a role with its tags."""
        with self._reading(call, "iam:GetRole", Role, name) as (tx, role):
            return role, tx.identities.tags(role.id)

    def page(self, call: Call, path: str, after: str, limit: int) -> list[Role]:
        """Return up to ``limit`` roles under a path prefix in the order of their lower-case names, those after ``after``."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListRoles", f"arn:aws:iam::{account}:role{path}")
            return tx.identities.page(Role, account, path, after, limit)

    def update(self, call: Call, name: str, description: str | None, max_session: int | None) -> None:
        """Change what is given of a role."""
        with self._changing(call, "iam:UpdateRole", Role, name) as (tx, role):
            if max_session is not None:
                check_modifiable(role)
            kept = replace(role, description=role.description if description is None else description)
            tx.identities.update(replace(kept, max_session=max_session or role.max_session))

    def describe(self, call: Call, name: str, description: str) -> tuple[Role, dict[str, str]]:
        """Change the description of a role and return it."""
        with self._changing(call, "iam:UpdateRoleDescription", Role, name) as (tx, role):
            described = replace(role, description=description)
            tx.identities.update(described)
            return described, tx.identities.tags(role.id)

    def trust(self, call: Call, name: str, document: str) -> None:
        """Say anew who may become a role; raises MalformedPolicy, IdentityLimitExceeded."""
        with self._changing(call, "iam:UpdateAssumeRolePolicy", Role, name) as (tx, role):
            check_modifiable(role)
            _check_trust(tx, document)
            tx.identities.update(replace(role, trust=_plain(document)))

    def delete(self, call: Call, name: str) -> None:
        """Forget a role; raises DeleteConflict while it has policies."""
        with self._changing(call, "iam:DeleteRole", Role, name, leaves=True) as (tx, role):
            check_modifiable(role)
            for remaining, first in (
                (tx.identities.attached(role.id), "detach all policies"),
                (tx.identities.inline(role.id), "delete policies"),
            ):
                if remaining:
                    raise DeleteConflict(f"Cannot delete entity, must {first} first.")
            self._remove(tx, role)

    # --- service-linked roles --------------------------------------------------------------------------------------

    def create_linked(self, call: Call, service: str, description: str, suffix: str | None) -> Role:
        """Create the role of one of ECR's services; raises IdentityInputInvalid for others, and where it is there."""
        known = SERVICES.get(service)
        role = Role(
            account=call.caller.account,
            name=known.role if known else "AWSServiceRoleFor",
            id=self._new_id(Role.prefix),
            path=f"/aws-service-role/{service}/",
            created_at=call.at,
            trust=_trust_of(service),
            description=description,
        )
        with self._database.write() as tx:
            context = {"iam:awsservicename": service}
            self._guard.allow(tx, call, "iam:CreateServiceLinkedRole", role.arn, context)
            if known is None:
                raise IdentityInputInvalid(f"Moorage has no service {service} that a role could be linked to.")
            if suffix is not None:
                raise IdentityInputInvalid(f"Custom suffix is not allowed for {service}")
            tx.identities.lock(role.account)
            if tx.identities.find(Role, role.account, role.name):
                raise IdentityInputInvalid(
                    f"Service role name {role.name} has been taken in this account, please try a different suffix."
                )
            tx.identities.add(role)
            tx.identities.attach(role.id, f"arn:aws:iam::aws:policy/aws-service-role/{known.policy}")
        return role

    def delete_linked(self, call: Call, name: str) -> str:
        """Forget a service-linked role and return the name of the task that did, which is over by then."""
        with self._changing(call, "iam:DeleteServiceLinkedRole", Role, name, leaves=True) as (tx, role):
            if not role.of_a_service:
                raise IdentityInputInvalid(f"The role {role.name} is not a service-linked role.")
            self._remove(tx, role)
        return f"task{role.path}{role.name}/{role.id}"

    def deleted_linked(self, call: Call, task: str) -> None:
        """Return where ``task`` names the deletion of a service-linked role that was; raises NoSuchEntity."""
        found = _task.fullmatch(task)
        arn = f"arn:aws:iam::{call.caller.account}:role/aws-service-role/{found[1]}/{found[2]}" if found else "*"
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:GetServiceLinkedRoleDeletionStatus", arn)
            if not found or tx.identities.identity(found[3]):
                raise NoSuchEntity(f"Deletion task {task[:200]} cannot be found.")


def _trust_of(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ASSUME_ROLE}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def _check_trust(tx: Transaction, document: str) -> None:
    """Raise MalformedPolicy for what is no trust policy or names somebody who is not there, IdentityLimitExceeded for too long a one."""
    if document_size(document) > MAX_TRUST:
        raise IdentityLimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST}")
    for text in parse_trust_policy(document).principals:
        if not _is_there(tx, text):
            raise unknown_principal(text)


def _is_there(tx: Transaction, principal: str) -> bool:
    """Tell whether a principal is there, as far as can be known: accounts that are not in this store may be anywhere."""
    unique, _, _ = principal.partition(":")
    if _unique_id.fullmatch(unique):
        return tx.identities.identity(unique) is not None
    found = principal_of(principal)
    if not found or found.kind is None or tx.identities.version(found.account) is None:
        return True
    identity = tx.identities.find(found.kind, found.account, found.name)
    if identity is None:
        return False
    # The ARN of a session has lost the path of its role.
    return identity.name == found.name if found.session else identity.arn == principal


def _plain(document: str) -> str:
    """Return a trust policy as it is kept: accounts named by their roots, and without escapes.

    Behind these a principal would not be found when it goes.
    """
    if "\\" not in document:
        return with_roots(document)
    try:
        return with_roots(json.dumps(json.loads(document), ensure_ascii=False, separators=(",", ":")))
    except (ValueError, RecursionError):
        return document  # refused by the parser

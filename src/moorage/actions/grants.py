"""What an identity has: managed and inline policies, a permissions boundary, tags. The same for users, groups and roles.

Sources: IAM User Guide, "IAM and AWS STS quotas", "Permissions boundaries for IAM entities".
"""

from collections.abc import Sequence
from dataclasses import replace

from moorage.actions.identity_steps import (
    Steps,
    check_boundary,
    check_limit,
    check_modifiable,
    checked_arn,
    policy_of,
)
from moorage.core.access import parse_policy
from moorage.core.calls import Call
from moorage.core.errors import IdentityLimitExceeded, NoSuchEntity, PolicyNotAttachable
from moorage.core.identities import Group, Identity, Role, User
from moorage.core.identity_tags import Pairs, plan_tags, plan_untag, requested

MAX_ATTACHED = 10
"""Managed policies of one identity."""

MAX_INLINE: dict[type[Identity], int] = {User: 2_048, Group: 5_120, Role: 10_240}
"""Characters of all inline policies of one identity, white space not counted."""


class Grants(Steps):
    """The operations on what an identity has; ``kind`` says of which kind it is.

    Each raises AccessDenied or CredentialsInvalid as the guard does, NoSuchEntity for an identity that is not there, and
    UnmodifiableEntity where it would change a service-linked role.
    """

    def check(self, call: Call, name: str | None, action: str, kind: type[Identity] = User) -> Identity:
        """Return an identity that the caller may do ``action`` to."""
        with self._reading(call, action, kind, name) as (_, identity):
            return identity

    # --- managed policies ------------------------------------------------------------------------------------------

    def attach(self, call: Call, name: str, arn: str, kind: type[Identity] = User) -> None:
        """Attach a managed policy; attaching it again changes nothing.

        Raises NoSuchEntity for no such policy, PolicyNotAttachable, IdentityLimitExceeded.
        """
        action, context = f"iam:Attach{kind.noun}Policy", {"iam:policyarn": arn}
        with self._changing(call, action, kind, name, context, bounded=True) as (tx, identity):
            check_modifiable(identity)
            policy = policy_of(tx, identity.account, checked_arn(arn))
            if policy is None:
                raise NoSuchEntity(f"Policy {arn} does not exist or is not attachable.")
            if not policy.attachable:
                raise PolicyNotAttachable
            others = [each for each in tx.identities.attached(identity.id) if each != arn]
            check_limit(len(others), MAX_ATTACHED, f"PoliciesPer{kind.noun}")
            tx.identities.attach(identity.id, arn)

    def detach(self, call: Call, name: str, arn: str, kind: type[Identity] = User) -> None:
        """Detach a managed policy; raises NoSuchEntity where it is not attached."""
        action, context = f"iam:Detach{kind.noun}Policy", {"iam:policyarn": arn}
        with self._changing(call, action, kind, name, context, bounded=True) as (tx, identity):
            check_modifiable(identity)
            if not tx.identities.detach(identity.id, checked_arn(arn)):
                raise NoSuchEntity(f"Policy {arn} was not found.")

    def attached(self, call: Call, name: str, path: str = "/", kind: type[Identity] = User) -> list[tuple[str, str]]:
        """Return name and ARN of the managed policies whose path begins with ``path``, in the order of their names."""
        with self._reading(call, f"iam:ListAttached{kind.noun}Policies", kind, name) as (tx, identity):
            arns = tx.identities.attached(identity.id)
        pairs = [(arn.rpartition("/")[2], arn) for arn in arns]
        found = [pair for pair in pairs if arn_path(pair[1]).startswith(path)]
        return sorted(found, key=lambda pair: (pair[0].lower(), pair[1].split(":")[4] != "aws"))

    # --- inline policies -------------------------------------------------------------------------------------------

    def put_inline(self, call: Call, name: str, policy: str, document: str, kind: type[Identity] = User) -> None:
        """Store an inline policy, new or in place of the one it is named as.

        Raises MalformedPolicy, and IdentityLimitExceeded where the inline policies of the identity get too long.
        """
        with self._changing(call, f"iam:Put{kind.noun}Policy", kind, name, bounded=True) as (tx, identity):
            check_modifiable(identity)
            parse_policy(document)
            others = tx.identities.inline(identity.id)
            kept = [text for other, text in others.items() if other.lower() != policy.lower()]
            limit = MAX_INLINE[kind]
            if sum(document_size(text) for text in [*kept, document]) > limit:
                raise IdentityLimitExceeded(
                    f"Maximum policy size of {limit} bytes exceeded for {kind.kind} {identity.name}"
                )
            tx.identities.put_inline(identity.id, policy, document)

    def inline(self, call: Call, name: str, policy: str, kind: type[Identity] = User) -> tuple[Identity, str, str]:
        """Return the identity, the name and the text of an inline policy; raises NoSuchEntity."""
        with self._reading(call, f"iam:Get{kind.noun}Policy", kind, name) as (tx, identity):
            for known, document in tx.identities.inline(identity.id).items():
                if known.lower() == policy.lower():
                    return identity, known, document
        raise _no_inline(kind, policy)

    def inline_names(self, call: Call, name: str, kind: type[Identity] = User) -> list[str]:
        """Return the names of the inline policies in order."""
        with self._reading(call, f"iam:List{kind.noun}Policies", kind, name) as (tx, identity):
            return list(tx.identities.inline(identity.id))

    def delete_inline(self, call: Call, name: str, policy: str, kind: type[Identity] = User) -> None:
        """Remove an inline policy; raises NoSuchEntity."""
        with self._changing(call, f"iam:Delete{kind.noun}Policy", kind, name, bounded=True) as (tx, identity):
            check_modifiable(identity)
            if not tx.identities.remove_inline(identity.id, policy):
                raise _no_inline(kind, policy)

    # --- permissions boundaries, of users and roles ----------------------------------------------------------------

    def put_boundary(self, call: Call, name: str, arn: str, kind: type[Identity]) -> None:
        """Bound what a user or a role may do by a managed policy, in place of the one before; raises NoSuchEntity."""
        action, context = f"iam:Put{kind.noun}PermissionsBoundary", {"iam:permissionsboundary": arn}
        with self._changing(call, action, kind, name, context) as (tx, identity):
            check_modifiable(identity)
            check_boundary(tx, identity.account, arn)
            tx.identities.update(replace(identity, boundary=arn))

    def delete_boundary(self, call: Call, name: str, kind: type[Identity]) -> None:
        """Bound a user or a role no more; one without a boundary stays as it is."""
        action = f"iam:Delete{kind.noun}PermissionsBoundary"
        with self._changing(call, action, kind, name, bounded=True) as (tx, identity):
            check_modifiable(identity)
            tx.identities.update(replace(identity, boundary=None))

    # --- tags, of users and roles ----------------------------------------------------------------------------------

    def tag(self, call: Call, name: str, tags: Pairs, kind: type[Identity]) -> None:
        """Put tags on a user or a role; raises IdentityInputInvalid, IdentityLimitExceeded."""
        with self._changing(call, f"iam:Tag{kind.noun}", kind, name, requested(tags)) as (tx, identity):
            tx.identities.set_tags(identity.id, plan_tags(tx.identities.tags(identity.id), tags))

    def untag(self, call: Call, name: str, keys: Sequence[str], kind: type[Identity]) -> None:
        """Take tags from a user or a role; keys that are not there are no error."""
        with self._changing(call, f"iam:Untag{kind.noun}", kind, name, {"aws:tagkeys": list(keys)}) as (tx, identity):
            tx.identities.set_tags(identity.id, plan_untag(tx.identities.tags(identity.id), keys))

    def tags(self, call: Call, name: str, kind: type[Identity]) -> dict[str, str]:
        """Return the tags of a user or a role in the order of their keys."""
        with self._reading(call, f"iam:List{kind.noun}Tags", kind, name) as (tx, identity):
            return tx.identities.tags(identity.id)


def arn_path(arn: str) -> str:
    """Return the path of a policy's ARN: ``/`` of ``arn:aws:iam::aws:policy/AdministratorAccess``."""
    _, *path, _ = arn.rpartition(":")[2].split("/") if "/" in arn else ("", "")
    return "/" + "".join(f"{part}/" for part in path)


def document_size(document: str) -> int:
    """Return how many characters of a document count: those that are not white space."""
    return len("".join(document.split()))


def _no_inline(kind: type[Identity], name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {kind.kind} policy with name {name} cannot be found.")

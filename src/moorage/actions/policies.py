"""Managed policies: those of the account's own, and reading AWS's (IAM User Guide, "Managed policies and inline policies")."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from moorage.actions.grants import document_size
from moorage.actions.identity_steps import Context, Steps, check_limit, checked_arn, policy_of
from moorage.core.access import parse_policy
from moorage.core.calls import Call
from moorage.core.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    IdentityLimitExceeded,
    NoSuchEntity,
    PolicyOfAws,
)
from moorage.core.identities import Identity
from moorage.core.identity_tags import Pairs, plan_tags, plan_untag, requested, tagged
from moorage.core.managed_policies import MANAGED_POLICIES, ManagedPolicy, OwnPolicy, PolicyVersion
from moorage.ports import Transaction

MAX_POLICIES = 1_500
"""Managed policies of an account's own (IAM User Guide, "IAM and AWS STS quotas", as are those below)."""

MAX_POLICY = 6_144
"""Characters of a managed policy, white space not counted."""

MAX_VERSIONS = 5


class Listed(NamedTuple):
    """A managed policy, how many identities have it, and how many it bounds."""

    policy: OwnPolicy | ManagedPolicy
    attached: int
    bounds: int


class Policies(Steps):
    """The operations on managed policies. Each raises AccessDenied or CredentialsInvalid as the guard does.

    Those that name a policy raise NoSuchEntity, and PolicyOfAws where they would change one of AWS's.
    """

    def create(
        self, call: Call, name: str, document: str, *, path: str = "/", description: str = "", tags: Pairs = ()
    ) -> OwnPolicy:
        """Create a policy; raises EntityAlreadyExists, also for a name that differs only in case or in its path.

        Raises MalformedPolicy, IdentityLimitExceeded, and IdentityInputInvalid for its tags.
        """
        policy = OwnPolicy(
            account=call.caller.account,
            name=name,
            id=self._new_id("ANPA"),
            path=path,
            description=description,
            created_at=call.at,
            updated_at=call.at,
        )
        with self._database.write() as tx:
            self._guard.allow(tx, call, "iam:CreatePolicy", policy.arn, requested(tags))
            if tags:
                self._guard.allow(tx, call, "iam:TagPolicy", policy.arn, requested(tags))
            tx.identities.lock(policy.account)
            planned = plan_tags({}, tags)
            _check_document(document)
            if tx.policies.named(policy.account, name):
                raise EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
            check_limit(tx.policies.count(policy.account), MAX_POLICIES, "PoliciesPerAccount")
            tx.policies.add(policy, document)
            tx.policies.set_tags(policy, planned)
        return policy

    def get(self, call: Call, arn: str) -> tuple[Listed, dict[str, str]]:
        """Return a policy with its tags."""
        with self._database.read() as tx:
            policy = self._allowed_policy(tx, call, "iam:GetPolicy", arn, {})
            used = tx.policies.uses(call.caller.account).get(arn, (0, 0))
            return Listed(policy, *used), tx.policies.tags(policy) if isinstance(policy, OwnPolicy) else {}

    def all(self, call: Call, path: str = "/") -> list[Listed]:
        """Return all policies whose path begins with ``path`` in the order of their lower-case names, one of AWS's before its namesake."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListPolicies", f"policy path {path}")
            own, used = tx.policies.all(account), tx.policies.uses(account)
        both: list[OwnPolicy | ManagedPolicy] = [*MANAGED_POLICIES.values(), *own]
        both.sort(key=lambda policy: policy.name.lower())
        return [Listed(policy, *used.get(policy.arn, (0, 0))) for policy in both if policy.path.startswith(path)]

    def delete(self, call: Call, arn: str) -> None:
        """Forget a policy with its default version; raises DeleteConflict while it has others or is in use."""
        with self._changing_policy(call, "iam:DeletePolicy", arn) as (tx, policy):
            if tx.policies.uses(policy.account).get(arn):
                raise DeleteConflict("Cannot delete a policy attached to entities.")
            if len(tx.policies.versions(policy)) > 1:
                raise DeleteConflict(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
            tx.policies.remove(policy)

    # --- versions --------------------------------------------------------------------------------------------------

    def create_version(self, call: Call, arn: str, document: str, *, default: bool) -> tuple[PolicyVersion, bool]:
        """Store another version, in force at once if ``default``; return it and whether it is in force.

        Raises MalformedPolicy, IdentityLimitExceeded.
        """
        with self._changing_policy(call, "iam:CreatePolicyVersion", arn) as (tx, policy):
            _check_document(document)
            if len(tx.policies.versions(policy)) >= MAX_VERSIONS:
                raise IdentityLimitExceeded(
                    f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must "
                    "delete an existing version."
                )
            number = policy.last + 1
            tx.policies.add_version(policy, number, document, call.at)
            in_force = number if default else policy.default
            tx.policies.update(replace(policy, default=in_force, last=number, updated_at=call.at))
            return PolicyVersion(number, document, call.at), default

    def versions(self, call: Call, arn: str) -> list[tuple[PolicyVersion, bool]]:
        """Return the versions, latest first, each with whether it is in force; of AWS's policies there is one."""
        return self._versions(call, "iam:ListPolicyVersions", arn)

    def version(self, call: Call, arn: str, version: str) -> tuple[PolicyVersion, bool]:
        """Return a version and whether it is in force."""
        for found, in_force in self._versions(call, "iam:GetPolicyVersion", arn):
            if found.id == version:
                return found, in_force
        raise _no_version(arn, version)

    def set_default(self, call: Call, arn: str, version: str) -> None:
        """Put a version in force."""
        with self._changing_policy(call, "iam:SetDefaultPolicyVersion", arn) as (tx, policy):
            number = _version(tx, policy, version)
            tx.policies.update(replace(policy, default=number, updated_at=call.at))

    def delete_version(self, call: Call, arn: str, version: str) -> None:
        """Forget a version; raises DeleteConflict for the one in force."""
        with self._changing_policy(call, "iam:DeletePolicyVersion", arn) as (tx, policy):
            number = _version(tx, policy, version)
            if number == policy.default:
                raise DeleteConflict("Cannot delete the default version of a policy.")
            tx.policies.remove_version(policy, number)
            tx.policies.update(replace(policy, updated_at=call.at))

    # --- who has a policy, and its tags ----------------------------------------------------------------------------

    def entities(self, call: Call, arn: str, path: str = "/") -> list[tuple[Identity, bool]]:
        """Return the identities under a path that have a policy or are bounded by it, each with whether it bounds."""
        account = call.caller.account
        with self._database.read() as tx:
            self._allowed_policy(tx, call, "iam:ListEntitiesForPolicy", arn, {})
            found = [(each, False) for each in tx.policies.attached_to(account, arn)]
            found += [(each, True) for each in tx.policies.bounding(account, arn)]
        return [pair for pair in found if pair[0].path.startswith(path)]

    def tag(self, call: Call, arn: str, tags: Pairs) -> None:
        """Put tags on a policy; raises IdentityInputInvalid, IdentityLimitExceeded."""
        with self._changing_policy(call, "iam:TagPolicy", arn, requested(tags)) as (tx, policy):
            tx.policies.set_tags(policy, plan_tags(tx.policies.tags(policy), tags))

    def untag(self, call: Call, arn: str, keys: Sequence[str]) -> None:
        """Take tags from a policy; keys that are not there are no error."""
        with self._changing_policy(call, "iam:UntagPolicy", arn, {"aws:tagkeys": list(keys)}) as (tx, policy):
            tx.policies.set_tags(policy, plan_untag(tx.policies.tags(policy), keys))

    def tags(self, call: Call, arn: str) -> Mapping[str, str]:
        """Return the tags of a policy in the order of their keys; AWS's have none."""
        with self._database.read() as tx:
            policy = self._allowed_policy(tx, call, "iam:ListPolicyTags", arn, {})
            return tx.policies.tags(policy) if isinstance(policy, OwnPolicy) else {}

    # --- steps -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _changing_policy(
        self, call: Call, action: str, arn: str, context: Context | None = None
    ) -> Iterator[tuple[Transaction, OwnPolicy]]:
        """Open a transaction with the policy that the caller may change, and the account's identities locked."""
        with self._database.write() as tx:
            found = self._allowed_policy(tx, call, action, arn, context or {})
            if isinstance(found, ManagedPolicy):
                raise PolicyOfAws
            tx.identities.lock(found.account)
            current = tx.policies.get(arn)
            if current is None or current.id != found.id:
                raise _no_policy(arn)
            yield tx, current

    def _allowed_policy(
        self, tx: Transaction, call: Call, action: str, arn: str, context: Context
    ) -> OwnPolicy | ManagedPolicy:
        policy = policy_of(tx, call.caller.account, checked_arn(arn))
        tags = tagged(tx.policies.tags(policy)) if isinstance(policy, OwnPolicy) else {}
        self._guard.allow(tx, call, action, arn, {**tags, **context})
        if policy is None:
            raise _no_policy(arn)
        return policy

    def _versions(self, call: Call, action: str, arn: str) -> list[tuple[PolicyVersion, bool]]:
        with self._database.read() as tx:
            policy = self._allowed_policy(tx, call, action, arn, {})
            if isinstance(policy, OwnPolicy):
                return [(each, each.number == policy.default) for each in tx.policies.versions(policy)]
        return [(policy.only_version, True)]


def _check_document(document: str) -> None:
    parse_policy(document)
    if document_size(document) > MAX_POLICY:
        raise IdentityLimitExceeded(f"Cannot exceed quota for PolicySize: {MAX_POLICY}")


def _version(tx: Transaction, policy: OwnPolicy, version: str) -> int:
    for found in tx.policies.versions(policy):
        if found.id == version:
            return found.number
    raise _no_version(policy.arn, version)


def _no_policy(arn: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} was not found.")


def _no_version(arn: str, version: str) -> NoSuchEntity:
    return NoSuchEntity(f"Policy {arn} version {version} does not exist or is not attachable.")

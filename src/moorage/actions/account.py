"""What an account has of everything: the summary, and the details of all identities and policies for whoever audits it."""

from collections.abc import Collection
from dataclasses import dataclass

from moorage.actions.grants import MAX_ATTACHED, MAX_INLINE
from moorage.actions.groups import MAX_GROUPS
from moorage.actions.identity_steps import MAX_KEYS, MAX_OF_ACCOUNT, Steps
from moorage.actions.policies import MAX_POLICIES, MAX_POLICY, MAX_VERSIONS, Listed
from moorage.core.calls import Call
from moorage.core.identities import KINDS, Group, Identity, Role, User
from moorage.core.managed_policies import MANAGED_POLICIES, ManagedPolicy, OwnPolicy, PolicyVersion
from moorage.core.names import AccountId
from moorage.core.trust_policies import MAX_TRUST
from moorage.ports import Transaction

OWN, AWS = "LocalManagedPolicy", "AWSManagedPolicy"
EVERYTHING = (*(kind.noun for kind in KINDS), OWN, AWS)
"""What details can be asked for, in the order in which they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDetail:
    """An identity with all that it has; ``place`` is where it stands among the details."""

    place: str
    identity: Identity
    inline: dict[str, str]
    attached: list[str]
    groups: list[Group]
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDetail:
    """A managed policy with its versions, latest first; ``place`` is where it stands among the details."""

    place: str
    listed: Listed
    versions: list[PolicyVersion]


class Account(Steps):
    """The operations on an account as a whole. Each raises AccessDenied or CredentialsInvalid as the guard does."""

    def summary(self, call: Call) -> dict[str, int]:
        """Return how much there is of what is kept, and the quotas that hold (IAM API Reference, GetAccountSummary)."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:GetAccountSummary", "*")
            counted = {f"{kind.noun}s": tx.identities.count(kind, account) for kind in KINDS}
            policies = tx.policies.count(account)
        quotas = {f"{kind.noun}sQuota": MAX_OF_ACCOUNT[kind] for kind in KINDS}
        inline = {f"{kind.noun}PolicySizeQuota": MAX_INLINE[kind] for kind in KINDS}
        attached = {f"AttachedPoliciesPer{kind.noun}Quota": MAX_ATTACHED for kind in KINDS}
        absent = (
            "AccountAccessKeysPresent",
            "AccountMFAEnabled",
            "AccountSigningCertificatesPresent",
            "InstanceProfiles",
            "MFADevices",
            "MFADevicesInUse",
            "Providers",
            "ServerCertificates",
        )
        return {
            **counted,
            **quotas,
            **inline,
            **attached,
            **dict.fromkeys(absent, 0),
            "AccessKeysPerUserQuota": MAX_KEYS,
            "AssumeRolePolicySizeQuota": MAX_TRUST,
            "GroupsPerUserQuota": MAX_GROUPS,
            "Policies": policies,
            "PoliciesQuota": MAX_POLICIES,
            "PolicySizeQuota": MAX_POLICY,
            "VersionsPerPolicyQuota": MAX_VERSIONS,
        }

    def details(
        self, call: Call, wanted: Collection[str], after: str, limit: int
    ) -> list[IdentityDetail | PolicyDetail]:
        """Return up to ``limit`` details of what is in ``wanted`` (of EVERYTHING), those after the place ``after``.

        Of AWS's policies there are those that somebody has or is bounded by.
        """
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:GetAccountAuthorizationDetails", "*")
            places: dict[str, Identity | Listed] = {}
            for kind in KINDS:
                if kind.noun in wanted:
                    found = tx.identities.page(kind, account, "/", "", MAX_OF_ACCOUNT[kind])
                    places |= {_place(kind.noun, each.name): each for each in found}
            places |= {_place(what, each.policy.name): each for what, each in _policies(tx, account) if what in wanted}
            chosen = sorted(place for place in places if place > after)[:limit]
            return [_detail(tx, place, places[place]) for place in chosen]

    def devices(self, call: Call) -> list[str]:
        """Return the serial numbers of virtual devices, of which there are none."""
        with self._database.read() as tx:
            resource = f"arn:aws:iam::{call.caller.account}:mfa/"
            self._guard.allow(tx, call, "iam:ListVirtualMFADevices", resource)
        return []


def _place(what: str, name: str) -> str:
    return f"{EVERYTHING.index(what)} {name.lower()}"


def _policies(tx: Transaction, account: AccountId) -> list[tuple[str, Listed]]:
    used = tx.policies.uses(account)
    own = [(OWN, Listed(policy, *used.get(policy.arn, (0, 0)))) for policy in tx.policies.all(account)]
    return own + [
        (AWS, Listed(MANAGED_POLICIES[arn], *counts)) for arn, counts in used.items() if arn in MANAGED_POLICIES
    ]


def _detail(tx: Transaction, place: str, found: Identity | Listed) -> IdentityDetail | PolicyDetail:
    if isinstance(found, Listed):
        return PolicyDetail(place=place, listed=found, versions=_versions(tx, found.policy))
    return IdentityDetail(
        place=place,
        identity=found,
        inline=tx.identities.inline(found.id),
        attached=tx.identities.attached(found.id),
        groups=tx.identities.groups_of(found.id) if isinstance(found, User) else [],
        tags=tx.identities.tags(found.id) if isinstance(found, User | Role) else {},
    )


def _versions(tx: Transaction, policy: OwnPolicy | ManagedPolicy) -> list[PolicyVersion]:
    return tx.policies.versions(policy) if isinstance(policy, OwnPolicy) else [policy.only_version]

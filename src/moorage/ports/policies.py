"""What the actions need of managed policies of accounts' own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from moorage.core.identities import Identity
from moorage.core.managed_policies import OwnPolicy, PolicyVersion
from moorage.core.names import AccountId


class PolicyRows(Protocol):
    """Managed policies of accounts' own with their versions and tags, and who has which managed policy."""

    def get(self, arn: str) -> OwnPolicy | None:
        """Return a policy."""

    def named(self, account: AccountId, name: str) -> OwnPolicy | None:
        """Return a policy, whatever its path; names that differ only in case are one."""

    def all(self, account: AccountId) -> list[OwnPolicy]:
        """Return all policies of an account in the order of their lower-case names."""

    def count(self, account: AccountId) -> int:
        """Return how many policies the account has."""

    def add(self, policy: OwnPolicy, document: str) -> None:
        """Store a policy with its first version, the default one."""

    def update(self, policy: OwnPolicy) -> None:
        """Store which version is the default one, which the last, and when the policy was changed."""

    def remove(self, policy: OwnPolicy) -> None:
        """Forget a policy with its versions and tags."""

    def versions(self, policy: OwnPolicy) -> list[PolicyVersion]:
        """Return the versions, latest first."""

    def add_version(self, policy: OwnPolicy, number: int, document: str, at: datetime) -> None:
        """Store a version."""

    def remove_version(self, policy: OwnPolicy, number: int) -> None:
        """Forget a version."""

    def tags(self, policy: OwnPolicy) -> dict[str, str]:
        """Return the tags in the order of their keys."""

    def set_tags(self, policy: OwnPolicy, tags: Mapping[str, str]) -> None:
        """Make ``tags`` the tags."""

    def uses(self, account: AccountId) -> dict[str, tuple[int, int]]:
        """Return how many identities of the account have each managed policy, and how many are bounded by it, by ARN."""

    def attached_to(self, account: AccountId, arn: str) -> list[Identity]:
        """Return the identities of the account that have a managed policy, in the order of their lower-case names."""

    def bounding(self, account: AccountId, arn: str) -> list[Identity]:
        """Return the identities of the account that a policy bounds, in the order of their lower-case names."""

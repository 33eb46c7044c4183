"""What the actions need of identities: accounts, users, groups and roles, and what belongs to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from moorage.core.identities import AccessKey, Group, Held, Identity, KeyUse, Role, User
from moorage.core.names import AccountId, Region

I = TypeVar("I", bound=Identity)  # noqa: E741 - an identity of one kind


class IdentityRows(Protocol):
    """Accounts, identities of every kind, access keys, and the policies that identities have."""

    def version(self, account: AccountId) -> int | None:
        """Return the number of the account's last change of identities; None where there is no such account."""

    def lock(self, account: AccountId) -> None:
        """Keep every other change of the account's identities out, and count this one."""

    def add_account(self, account: AccountId, at: datetime) -> bool:
        """Store an account; False where it exists."""

    def has_accounts(self) -> bool:
        """Tell whether there is any account."""

    def alias(self, account: AccountId) -> str | None:
        """Return the account's alias."""

    def set_alias(self, account: AccountId, alias: str | None) -> bool:
        """Set or remove the alias; False where another account has it."""

    # --- users, groups and roles -----------------------------------------------------------------------------------

    def find(self, kind: type[I], account: AccountId, name: str) -> I | None:
        """Return an identity of a kind; names that differ only in case are one."""

    def identity(self, identity_id: str) -> Identity | None:
        """Return whatever has that id."""

    def page(self, kind: type[I], account: AccountId, path: str, after: str, limit: int) -> list[I]:
        """Return up to ``limit`` identities of a kind under a path in the order of their lower-case names, those after ``after``."""

    def count(self, kind: type[I], account: AccountId) -> int:
        """Return how many identities of a kind the account has."""

    def add(self, identity: Identity) -> None:
        """Store an identity."""

    def update(self, identity: Identity) -> None:
        """Store what an identity of that id is like now, but for when a role was used."""

    def remove(self, identity: Identity) -> None:
        """Forget an identity with everything that is its own."""

    def note_use(self, role_id: str, at: datetime, region: Region) -> bool:
        """Note when and where a role was last used, and keep it from going before this transaction; False where it is gone."""

    def trusting(self, arn: str) -> list[Role]:
        """Return the roles, of whatever account, whose trust policies have that text in them."""

    # --- access keys -----------------------------------------------------------------------------------------------

    def key(self, key_id: str) -> AccessKey | None:
        """Return an access key with its user."""

    def keys(self, user_id: str) -> list[AccessKey]:
        """Return a user's access keys, oldest first."""

    def add_key(self, key: AccessKey) -> None:
        """Store an access key."""

    def set_key(self, key_id: str, *, active: bool) -> None:
        """Switch an access key on or off."""

    def remove_key(self, key_id: str) -> None:
        """Forget an access key."""

    def key_use(self, key_id: str) -> KeyUse | None:
        """Return the last use of an access key that was noted."""

    def note_key_use(self, key_id: str, use: KeyUse) -> None:
        """Note the use of an access key."""

    # --- groups ----------------------------------------------------------------------------------------------------

    def join(self, group: Group, user: User) -> None:
        """Make a user a member; making it one again changes nothing."""

    def leave(self, group: Group, user: User) -> bool:
        """End a membership; False where there was none."""

    def members(self, group_id: str, after: str, limit: int) -> list[User]:
        """Return up to ``limit`` members in the order of their lower-case names, those after ``after``."""

    def groups_of(self, user_id: str) -> list[Group]:
        """Return the groups of a user in the order of their lower-case names."""

    # --- what identities have --------------------------------------------------------------------------------------

    def policies(self, identity_id: str) -> list[Held]:
        """Return all policies of an identity, its own and those of its groups, as they are in force."""

    def boundary(self, identity_id: str) -> Held | None:
        """Return the policy that bounds what an identity may do, as it is in force."""

    def attached(self, identity_id: str) -> list[str]:
        """Return the ARNs of an identity's own managed policies in order."""

    def attach(self, identity_id: str, policy_arn: str) -> None:
        """Attach a managed policy; attaching it again changes nothing."""

    def detach(self, identity_id: str, policy_arn: str) -> bool:
        """Detach a managed policy; False where it was not attached."""

    def inline(self, identity_id: str) -> dict[str, str]:
        """Return the inline policies, name to text, in the order of their names."""

    def put_inline(self, identity_id: str, name: str, document: str) -> None:
        """Store an inline policy, in place of one whose name differs at most in case."""

    def remove_inline(self, identity_id: str, name: str) -> bool:
        """Remove an inline policy; False where there was none."""

    def tags(self, identity_id: str) -> dict[str, str]:
        """Return the tags in the order of their keys."""

    def set_tags(self, identity_id: str, tags: Mapping[str, str]) -> None:
        """Make ``tags`` the tags."""

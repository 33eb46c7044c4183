"""Groups of users (IAM User Guide, "IAM user groups")."""

from moorage.actions.identity_steps import Steps, check_limit, missing
from moorage.core.calls import Call
from moorage.core.errors import DeleteConflict, NoSuchEntity
from moorage.core.identities import Group, User

MAX_GROUPS = 10
"""Groups of one user (IAM User Guide, "IAM and AWS STS quotas")."""


class Groups(Steps):
    """The operations on groups. Each raises AccessDenied or CredentialsInvalid as the guard does, and NoSuchEntity."""

    def create(self, call: Call, name: str, path: str = "/") -> Group:
        """Create a group without members and rights; raises EntityAlreadyExists, also for a name that differs only in case."""
        return self._add(
            call,
            Group(account=call.caller.account, name=name, id=self._new_id(Group.prefix), path=path, created_at=call.at),
        )

    def get(self, call: Call, name: str, after: str, limit: int) -> tuple[Group, list[User]]:
        """Return a group with up to ``limit`` members in the order of their lower-case names, those after ``after``."""
        with self._reading(call, "iam:GetGroup", Group, name) as (tx, group):
            return group, tx.identities.members(group.id, after, limit)

    def page(self, call: Call, path: str, after: str, limit: int) -> list[Group]:
        """Return up to ``limit`` groups under a path prefix in the order of their lower-case names, those after ``after``."""
        account = call.caller.account
        with self._database.read() as tx:
            self._guard.allow(tx, call, "iam:ListGroups", f"arn:aws:iam::{account}:group{path}")
            return tx.identities.page(Group, account, path, after, limit)

    def update(self, call: Call, name: str, new_name: str | None, new_path: str | None) -> None:
        """Give a group another name or path; raises EntityAlreadyExists."""
        self._move(call, Group, name, new_name, new_path)

    def delete(self, call: Call, name: str) -> None:
        """Forget a group; raises DeleteConflict while it has members or policies."""
        with self._changing(call, "iam:DeleteGroup", Group, name) as (tx, group):
            for remaining, first in (
                (tx.identities.members(group.id, "", 1), "remove users from group"),
                (tx.identities.attached(group.id), "detach all policies"),
                (tx.identities.inline(group.id), "delete policies"),
            ):
                if remaining:
                    raise DeleteConflict(f"Cannot delete entity, must {first} first.")
            tx.identities.remove(group)

    def add_user(self, call: Call, name: str, user_name: str) -> None:
        """Make a user a member; making it one again changes nothing. Raises IdentityLimitExceeded."""
        with self._changing(call, "iam:AddUserToGroup", Group, name) as (tx, group):
            user = tx.identities.find(User, group.account, user_name)
            if user is None:
                raise missing(User, user_name)
            others = [other for other in tx.identities.groups_of(user.id) if other.id != group.id]
            check_limit(len(others), MAX_GROUPS, "GroupsPerUser")
            tx.identities.join(group, user)

    def remove_user(self, call: Call, name: str, user_name: str) -> None:
        """End a membership; raises NoSuchEntity where the user is no member."""
        with self._changing(call, "iam:RemoveUserFromGroup", Group, name) as (tx, group):
            user = tx.identities.find(User, group.account, user_name)
            if user is None:
                raise missing(User, user_name)
            if not tx.identities.leave(group, user):
                raise NoSuchEntity(f"User {user.name} not in group {group.name}")

    def of_user(self, call: Call, user_name: str) -> list[Group]:
        """Return the groups of a user in the order of their lower-case names."""
        with self._reading(call, "iam:ListGroupsForUser", User, user_name) as (tx, user):
            return tx.identities.groups_of(user.id)

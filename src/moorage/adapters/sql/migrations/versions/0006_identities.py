"""Users become one kind of principal, beside groups and roles; accounts get managed policies of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# What is copied, and its columns; a name after AS is what a column is called from now on.
KEPT = {
    "users": ("account", "name_key", "name", "id", "path", "created_at"),
    "access_keys": ("id", "secret", "user_id", "active", "created_at"),
    "attached_policies": ("user_id AS principal_id", "policy_arn"),
    "inline_policies": ("user_id AS principal_id", "name_key", "name", "document"),
}


def upgrade() -> None:
    """Go forward."""
    # Put aside, for the names of their constraints are wanted again, and SQLite cannot change what a column refers to.
    for table, columns in KEPT.items():
        op.execute(f"CREATE TABLE old_{table} AS SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - no text of others
    for table in reversed(KEPT):
        op.drop_table(table)
    principals()
    belongings()
    policies()
    op.execute("""
        INSERT INTO principals (id, account, kind, name_key, name, path, created_at)
        SELECT id, account, 'user', name_key, name, path, created_at FROM old_users
    """)
    for table, columns in KEPT.items():
        if table != "users":
            names = ", ".join(column.rpartition(" ")[2] for column in columns)
            op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old_{table}")  # noqa: S608 - as above
        op.drop_table(f"old_{table}")


def ordered(length: int) -> sa.String:
    """Return a text that is sorted by its code points."""
    return sa.String(length, collation="C").with_variant(sa.String(length), "sqlite")


def principals() -> None:
    """Make the tables of users, groups and roles."""
    op.create_table(
        "principals",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account", sa.String(12), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name_key", ordered(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("boundary", sa.String(2048), nullable=True),
        sa.Column("trust", sa.Text(), nullable=True),
        sa.Column("description", sa.String(1000), nullable=True),
        sa.Column("max_session", sa.Integer(), nullable=True),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.Column("used_in", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "kind", "name_key"),
    )
    op.create_index("ix_principals_boundary", "principals", ["boundary"])
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["principals.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["principals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "user_id"),
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id"])


def belongings() -> None:
    """Make the tables of what belongs to one principal."""
    op.create_table(
        "principal_tags",
        sa.Column("principal_id", sa.String(64), nullable=False),
        sa.Column("key", ordered(128), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal_id", "key"),
    )
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("secret", sa.String(128), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.Column("used_in", sa.String(32), nullable=True),
        sa.Column("used_for", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["principals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_access_keys_user_id", "access_keys", ["user_id"])
    op.create_table(
        "attached_policies",
        sa.Column("principal_id", sa.String(64), nullable=False),
        sa.Column("policy_arn", sa.String(2048), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal_id", "policy_arn"),
    )
    op.create_index("ix_attached_policies_policy_arn", "attached_policies", ["policy_arn"])
    op.create_table(
        "inline_policies",
        sa.Column("principal_id", sa.String(64), nullable=False),
        sa.Column("name_key", ordered(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["principals.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("principal_id", "name_key"),
    )


def policies() -> None:
    """Make the tables of managed policies of one's own."""
    op.create_table(
        "policies",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account", sa.String(12), nullable=False),
        sa.Column("name_key", ordered(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("arn", sa.String(2048), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "name_key"),
        sa.UniqueConstraint("arn"),
    )
    op.create_table(
        "policy_versions",
        sa.Column("policy_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("policy_id", "number"),
    )
    op.create_table(
        "policy_tags",
        sa.Column("policy_id", sa.String(64), nullable=False),
        sa.Column("key", ordered(128), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("policy_id", "key"),
    )

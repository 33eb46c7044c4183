"""The tables, one definition for SQLite and PostgreSQL. Times are seconds since 1970 in UTC.

Rows are counted upwards and never numbered twice, so a page can go on where the last one ended, and what belonged to a
deleted repository can never be taken for part of a later one of the same name.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from moorage.core.digests import MAX_DIGEST, SHA256

metadata = MetaData()


# Pages are in the order of code points everywhere, whatever the locale of the server.
def _ordered(length: int) -> String:
    return String(length, collation="C").with_variant(String(length), "sqlite")


# SQLite keeps texts of any length, whatever it was told when its tables were made; telling it anew would write every row again.
_digest = String(MAX_DIGEST).with_variant(String(71), "sqlite")

# SQLite counts rows itself only where the key is its INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


def _owner(table: str) -> ForeignKey:
    return ForeignKey(table, ondelete="CASCADE")


secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("alias", String(63), unique=True),
    Column("created_at", Double, nullable=False),
    # Counts the changes of the account's users, keys and policies: what was read under one number stays true under it.
    Column("identity_version", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
)

# Users, groups and roles.
principals = Table(
    "principals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), _owner("accounts.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    # Names that differ only in case are one name to IAM.
    Column("name_key", _ordered(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("path", String(512), nullable=False),
    Column("created_at", Double, nullable=False),
    # The ARN of the policy that bounds a user or a role.
    Column("boundary", String(2048), index=True),
    # Of roles alone.
    Column("trust", Text),
    Column("description", String(1000)),
    Column("max_session", Integer),
    Column("used_at", Double),
    Column("used_in", String(32)),
    UniqueConstraint("account", "kind", "name_key"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", String(64), _owner("principals.id"), primary_key=True),
    Column("user_id", String(64), _owner("principals.id"), primary_key=True, index=True),
)

principal_tags = Table(
    "principal_tags",
    metadata,
    Column("principal_id", String(64), _owner("principals.id"), primary_key=True),
    Column("key", _ordered(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("secret", String(128), nullable=False),
    Column("user_id", String(64), _owner("principals.id"), nullable=False, index=True),
    Column("active", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    # When, in which region and for which service it last signed, to the hour.
    Column("used_at", Double),
    Column("used_in", String(32)),
    Column("used_for", String(32)),
)

attached_policies = Table(
    "attached_policies",
    metadata,
    Column("principal_id", String(64), _owner("principals.id"), primary_key=True),
    # Of AWS's own policies there are no rows, so this refers to none.
    Column("policy_arn", String(2048), primary_key=True, index=True),
)

inline_policies = Table(
    "inline_policies",
    metadata,
    Column("principal_id", String(64), _owner("principals.id"), primary_key=True),
    Column("name_key", _ordered(128), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("document", Text, nullable=False),
)

# Managed policies of an account's own.
policies = Table(
    "policies",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account", String(12), _owner("accounts.id"), nullable=False),
    Column("name_key", _ordered(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("path", String(512), nullable=False),
    Column("arn", String(2048), nullable=False, unique=True),
    Column("description", String(1000), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("default_version", Integer, nullable=False),
    # Numbers of versions are not given twice.
    Column("last_version", Integer, nullable=False),
    UniqueConstraint("account", "name_key"),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("policy_id", String(64), _owner("policies.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

policy_tags = Table(
    "policy_tags",
    metadata,
    Column("policy_id", String(64), _owner("policies.id"), primary_key=True),
    Column("key", _ordered(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

# Temporary credentials: of a user or a role, or, where neither is named, of the root user of the account.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("secret", String(256), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("account", String(12), _owner("accounts.id"), nullable=False, index=True),
    Column("identity", String(64), _owner("principals.id")),
    Column("name", String(64), nullable=False),
    Column("limits", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("transitive", Text, nullable=False),
    Column("source_identity", String(64), nullable=False),
    Column("made_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Index("sessions_by_end", "identity", "expires_at"),
)

registries = Table(
    "registries",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    # Kept by whoever makes or deletes a repository, as a quota is asked for each time.
    Column("repository_count", BigInteger, nullable=False, server_default="0"),
    # Counts the changes of the registry's policy and settings, as identity_version does those of an account.
    Column("access_version", BigInteger, nullable=False, server_default="0"),
)

# A document names users and roles by their ids.
registry_policies = Table(
    "registry_policies",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(["account", "region"], ["registries.account", "registries.region"], ondelete="CASCADE"),
)

settings = Table(
    "settings",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("region", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", String(64), nullable=False),
    ForeignKeyConstraint(["account", "region"], ["registries.account", "registries.region"], ondelete="CASCADE"),
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", _ordered(256), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("mutability", String(32), nullable=False),
    Column("exclusions", Text, nullable=False),
    Column("scan_on_push", Boolean, nullable=False),
    Column("encryption", String(16), nullable=False),
    Column("kms_key", String(2200)),
    # Kept by whoever adds or removes an image, under the repository's lock, as a quota is asked for with each push.
    Column("image_count", BigInteger, nullable=False, server_default="0"),
    # Counts the changes of the repository's policy and resource tags.
    Column("access_version", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["account", "region"], ["registries.account", "registries.region"], ondelete="CASCADE"),
    UniqueConstraint("account", "region", "name"),
    sqlite_autoincrement=True,
)

# A repository that was deleted is of no registry any more (``NOBODY``), so no look-up by name finds it and its name is free at
# once. Its images and layers go after it, little by little; here is what it was.
remnants = Table(
    "remnants",
    metadata,
    Column("repository_id", RowId, _owner("repositories.id"), primary_key=True, autoincrement=False),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("name", _ordered(256), nullable=False),
    Column("removed_at", Double, nullable=False),
)

NOBODY = {"account": "", "region": ""}
"""The registry of deleted repositories: no caller's, for an account has twelve digits."""

repository_tags = Table(
    "repository_tags",
    metadata,
    Column("repository_id", RowId, _owner("repositories.id"), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)

repository_policies = Table(
    "repository_policies",
    metadata,
    Column("repository_id", RowId, _owner("repositories.id"), primary_key=True),
    Column("document", Text, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("repository_id", RowId, _owner("repositories.id"), nullable=False),
    Column("digest", _digest, nullable=False),
    Column("media_type", String(256), nullable=False),
    Column("artifact_type", String(256)),
    Column("subject", _digest),
    Column("size", BigInteger, nullable=False),
    Column("pushed_at", Double, nullable=False),
    Column("pulled_at", Double),
    Column("content", LargeBinary, nullable=False),
    # Whether a tag points at it, so that a page of the one kind need not look at all of the other.
    Column("tagged", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("repository_id", "digest"),
    Index("images_in_order", "repository_id", "id"),
    Index("images_by_tagged", "repository_id", "tagged", "id"),
    Index("images_by_subject", "repository_id", "subject", "id"),
    sqlite_autoincrement=True,
)

tags = Table(
    "tags",
    metadata,
    Column("repository_id", RowId, _owner("repositories.id"), primary_key=True),
    Column("name", _ordered(300), primary_key=True),
    Column("image_id", RowId, _owner("images.id"), nullable=False),
    Index("tags_by_image", "image_id", "name"),
)

# What an image is made of: its blobs, and the images of an index.
references = Table(
    "image_references",
    metadata,
    Column("image_id", RowId, _owner("images.id"), primary_key=True),
    Column("digest", _digest, primary_key=True),
    Column("repository_id", RowId, _owner("repositories.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("media_type", String(256), nullable=False),
    Index("image_references_by_digest", "repository_id", "digest", "kind"),
)

# Content is stored once, whichever repositories hold it; the row says under which key its bytes lie.
contents = Table(
    "contents",
    metadata,
    Column("digest", _digest, primary_key=True),
    Column("key", String(36), nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    # When it was last noted that a client was told that the content is there.
    Column("told_at", Double, nullable=False),
)

layers = Table(
    "layers",
    metadata,
    Column("repository_id", RowId, _owner("repositories.id"), primary_key=True),
    Column("digest", _digest, ForeignKey("contents.digest"), primary_key=True),
    Index("layers_by_digest", "digest"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("repository_id", RowId, _owner("repositories.id"), nullable=False, index=True),
    Column("started_at", Double, nullable=False),
    Column("touched_at", Double, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("small_last_part", Boolean, nullable=False),
    Column("small_part", Boolean, nullable=False),
    Column("algorithm", String(16), nullable=False, server_default=SHA256),
    # A user's id; it outlives the user, whose uploads are collected like any other.
    Column("owner", String(64), nullable=False, server_default="unknown"),
    Index("uploads_by_owner", "owner"),
)

# The lines of the audit log that were read. The event is text, not JSON of the database's: it may hold any character, escaped.
audit_events = Table(
    "audit_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("account", String(12), nullable=False),
    Column("region", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("principal", String(700), nullable=False),
    Column("error", String(128)),
    Column("request_id", String(64), nullable=False),
    Column("resource", String(700)),
    Column("event", Text, nullable=False),
    Index("audit_events_by_time", "at"),
    Index("audit_events_by_name", "name", "id"),
    Index("audit_events_by_principal", "principal", "id"),
    Index("audit_events_by_request", "request_id"),
    sqlite_autoincrement=True,
)

audit_files = Table(
    "audit_files",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("offset", BigInteger, nullable=False),
)

access_used = Table(
    "access_used",
    metadata,
    Column("principal", String(700), primary_key=True),
    Column("resource", String(700), primary_key=True),
    Column("action", String(128), primary_key=True),
    Column("allowed_at", Double),
    Column("denied_at", Double),
)

"""Repositories, their settings, and which tags may move (Amazon ECR User Guide, "Preventing image tags from being overwritten")."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from moorage.core.errors import InvalidParameter, InvalidTagParameter, TooManyTags
from moorage.core.names import Registry, RepositoryName, Tag

MAX_RESOURCE_TAGS = 50
MAX_EXCLUSIONS = 5


class Mutability(StrEnum):
    """Which tags of a repository may be moved to another image."""

    MUTABLE = "MUTABLE"
    IMMUTABLE = "IMMUTABLE"
    IMMUTABLE_WITH_EXCLUSION = "IMMUTABLE_WITH_EXCLUSION"
    MUTABLE_WITH_EXCLUSION = "MUTABLE_WITH_EXCLUSION"


@dataclass(frozen=True, slots=True)
class TagMutability:
    """A mutability with the wildcard filters that its ``WITH_EXCLUSION`` forms need.

    Build it with ``tag_mutability``, which refuses what does not go together.
    """

    mode: Mutability = Mutability.MUTABLE
    exclusions: tuple[str, ...] = ()

    def may_move(self, tag: Tag) -> bool:
        """Tell whether an existing ``tag`` may be pushed again."""
        excluded = any(_wildcard(pattern).fullmatch(tag) for pattern in self.exclusions)
        return excluded != self.mode.startswith("MUTABLE")


def _wildcard(pattern: str) -> re.Pattern[str]:
    # At most two stars, so matching cannot grow beyond the square of a tag's 300 characters.
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")))


def tag_mutability(mode: Mutability, exclusions: tuple[str, ...]) -> TagMutability:
    """Return the setting; raises InvalidParameter where filters are missing, superfluous, or hold more than two stars."""
    name = "imageTagMutabilityExclusionFilters"
    if mode.endswith("WITH_EXCLUSION") and not exclusions:
        raise InvalidParameter(
            name, f"ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}"
        )
    if exclusions and not mode.endswith("WITH_EXCLUSION"):
        raise InvalidParameter(
            name, f"ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set to {mode}"
        )
    for pattern in exclusions:
        if pattern.count("*") > 2:  # noqa: PLR2004 - ECR's own limit
            raise InvalidParameter(name, "Member must satisfy constraint: [filter must have at most two wildcards]")
    return TagMutability(mode, exclusions)


@dataclass(frozen=True, slots=True)
class Encryption:
    """How ECR is asked to encrypt; kept and returned, since the disk's own encryption is the operator's."""

    type: str = "AES256"
    kms_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One repository; ``id`` is the row's number, 0 before it is stored."""

    id: int = 0
    registry: Registry
    name: RepositoryName
    created_at: datetime
    mutability: TagMutability = TagMutability()
    scan_on_push: bool = False
    encryption: Encryption = Encryption()

    @property
    def arn(self) -> str:
        """The repository's ARN."""
        return self.registry.repository_arn(self.name)


_tag_text = re.compile(r"[\w\s+\-=.:/@]*")


def resource_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return checked resource tags (AWS General Reference, "Tagging AWS resources").

    Raises InvalidTagParameter for a key of other than 1 to 128 characters, a value of more than 256, characters that AWS
    does not allow, the reserved prefix ``aws:``, and a key given twice, in whichever case: conditions know no case of keys.
    """
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128:  # noqa: PLR2004 - AWS's limit
            raise InvalidTagParameter("Tag key must have a length between 1 and 128")
        if len(value) > 256:  # noqa: PLR2004 - AWS's limit
            raise InvalidTagParameter("Tag value must have a length less than or equal to 256")
        if not _tag_text.fullmatch(key) or not _tag_text.fullmatch(value):
            raise InvalidTagParameter("Tag keys and values may contain letters, numbers, spaces and + - = . _ : / @")
        if key.lower().startswith("aws:") or value.lower().startswith("aws:"):
            raise InvalidTagParameter("Tag keys and values must not start with 'aws:'")
        if key.lower() in {known.lower() for known in tags}:
            raise InvalidTagParameter(f"Duplicate tag key '{key}'")
        tags[key] = value
    return tags


def with_tags(arn: str, old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Return ``old`` overlaid by ``new``; raises TooManyTags beyond 50, InvalidTagParameter for two keys that differ in case alone."""
    for key in new:
        if any(known != key and known.lower() == key.lower() for known in old):
            raise InvalidTagParameter(f"Duplicate tag key '{key}'")
    merged = {**old, **new}
    if len(merged) > MAX_RESOURCE_TAGS:
        raise TooManyTags(arn, MAX_RESOURCE_TAGS)
    return merged

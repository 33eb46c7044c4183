"""Tags of users, roles and managed policies (IAM User Guide, "Tags for AWS Identity and Access Management resources")."""

from collections.abc import Mapping, Sequence

from moorage.core.errors import IdentityInputInvalid, IdentityLimitExceeded

MAX_TAGS = 50

Pairs = Sequence[tuple[str, str]]


def plan_tags(current: Mapping[str, str], given: Pairs) -> dict[str, str]:
    """Return the tags after ``given`` are put; keys that differ only in case are one.

    Raises IdentityInputInvalid for a key that is given twice or reserved, IdentityLimitExceeded for too many.
    """
    folded = [key.lower() for key, _ in given]
    if len(set(folded)) != len(folded):
        raise IdentityInputInvalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in folded):
        raise IdentityInputInvalid("aws: prefixed tag key names are not allowed for external use.")
    tags = {key: value for key, value in current.items() if key.lower() not in folded} | dict(given)
    if len(tags) > MAX_TAGS:
        raise IdentityLimitExceeded("The number of tags has reached the maximum limit.")
    return tags


def plan_untag(current: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    """Return the tags without those of the keys, whatever their case; a key that is not there is no error."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in current.items() if key.lower() not in gone}


def requested(given: Pairs) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of a request that brings tags (IAM User Guide, ``aws:RequestTag``, ``aws:TagKeys``)."""
    if not given:
        return {}
    context: dict[str, str | Sequence[str]] = {f"aws:requesttag/{key.lower()}": value for key, value in given}
    return {**context, "aws:tagkeys": [key for key, _ in given]}


def tagged(tags: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """Return the condition keys of a resource with tags."""
    return {f"{service}:resourcetag/{key.lower()}": value for key, value in tags.items() for service in ("aws", "iam")}

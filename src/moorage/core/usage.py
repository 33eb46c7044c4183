"""Which access was used, and the least policy that would have allowed it."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One action on one resource by one principal: when it was last allowed, and when it was last denied."""

    principal: str
    resource: str
    action: str
    allowed_at: datetime | None
    denied_at: datetime | None


def least_policy(used: Iterable[Used], since: datetime) -> str | None:
    """Return an identity-based policy that allows what was allowed since then, and nothing else; None where that is nothing.

    Actions that were done to the same resources are one statement.
    """
    resources: dict[str, set[str]] = defaultdict(set)
    for one in used:
        if one.allowed_at and one.allowed_at >= since:
            resources[one.action].add(_pattern(one.resource))
    actions: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action, where in resources.items():
        actions[tuple(sorted(where))].append(action)
    statements = [
        {"Effect": "Allow", "Action": sorted(what), "Resource": list(where)} for where, what in sorted(actions.items())
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2) if statements else None


def _pattern(resource: str) -> str:
    """Return what a policy calls a resource.

    What has no ARN of its own is ``*`` to a policy, and a list of all repositories is asked of ``repository/*``. Elsewhere the
    characters of patterns stand for themselves: a path of users may have them.
    """
    if not resource.startswith("arn:"):
        return "*"
    if resource.endswith(":repository/*"):
        return resource
    return "".join(f"${{{each}}}" if each in "*?$" else each for each in resource)

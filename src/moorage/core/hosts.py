"""Host names, and the hosts file's lines for them.

A hosts file belongs to the machine's owner: Moorage adds one block between two marks and touches nothing else.
"""

import re
from collections.abc import Sequence

from moorage.core.names import Registry

BEGIN = "# moorage: begin"
END = "# moorage: end"

_label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_host = re.compile(rf"(?:\*\.)?{_label}(?:\.{_label})*")
_LONGEST = 253
_block = re.compile(rf"^{re.escape(BEGIN)}\n.*?^{re.escape(END)}\n", re.DOTALL | re.MULTILINE)


def parse_host(text: str) -> str | None:
    """Return a host name in lower case, or None (RFC 1123, section 2.1); ``*.`` may come first, for certificates."""
    name = text.lower()
    return name if len(name) <= _LONGEST and _host.fullmatch(name) else None


def is_wildcard(host: str) -> bool:
    """Tell whether a name stands for all names one label below it."""
    return host.startswith("*.")


def aws_hosts(registry: Registry) -> list[str]:
    """Return the names by which AWS's clients reach a registry, its API, and the parts of IAM and STS that serve them.

    Source: Amazon ECR User Guide, "Amazon ECR endpoints and quotas"; AWS General Reference for IAM and STS.
    """
    region = registry.region
    return [
        f"{registry.account}.dkr.ecr.{region}.amazonaws.com",
        f"api.ecr.{region}.amazonaws.com",
        f"ecr.{region}.amazonaws.com",
        "iam.amazonaws.com",
        "sts.amazonaws.com",
        f"sts.{region}.amazonaws.com",
    ]


def with_block(text: str, address: str, hosts: Sequence[str]) -> str:
    """Return a hosts file in which the hosts have the address, by Moorage's block alone."""
    named = [host for host in hosts if not is_wildcard(host)]
    rest = without_block(text)
    if not named:
        return rest
    if rest and not rest.endswith("\n"):
        rest += "\n"
    return rest + "".join(f"{line}\n" for line in (BEGIN, *(f"{address} {host}" for host in named), END))


def without_block(text: str) -> str:
    """Return a hosts file without Moorage's block."""
    return _block.sub("", text)

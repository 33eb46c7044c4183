"""Host names, and the hosts file's lines for them.

A hosts file belongs to the machine's owner: Moorage adds one block between two marks and touches nothing else.
"""

import re
from collections.abc import Sequence

from moorage.core.names import Registry, partition, registry_of_host

BEGIN = "# moorage: begin"
END = "# moorage: end"

_label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label of a name is never a number alone, or it could be taken for an address.
_host = re.compile(rf"(?:\*\.)?(?:{_label}\.)*(?![0-9]+\Z){_label}")
_LONGEST = 253
# An editor may have given our lines the ends that the others have.
_block = re.compile(rf"^{re.escape(BEGIN)}\r?\n.*?^{re.escape(END)}\r?\n".encode(), re.DOTALL | re.MULTILINE)

# Source: botocore's partitions.json and endpoints.json. AWS GovCloud has the suffix of the commercial regions.
_COMMERCIAL = "amazonaws.com"
_SUFFIXES = {
    "aws-cn": "amazonaws.com.cn",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
}
# IAM has one region for each partition.
_IAM = {
    "aws": "iam",
    "aws-cn": "iam.cn-north-1",
    "aws-us-gov": "iam.us-gov",
    "aws-iso": "iam.us-iso-east-1",
    "aws-iso-b": "iam.us-isob-east-1",
    "aws-iso-e": "iam.eu-isoe-west-1",
    "aws-iso-f": "iam.us-isof-south-1",
    "aws-eusc": "iam.eusc-de-east-1",
}


def parse_host(text: str) -> str | None:
    """Return a host name in lower case, or None for what is none, such as an IP address (RFC 1123, section 2.1).

    ``*.`` may come first, for certificates.
    """
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
    part = partition(region)
    suffix = _SUFFIXES.get(part, _COMMERCIAL)
    return [
        f"{registry.account}.dkr.ecr.{region}.{suffix}",
        f"api.ecr.{region}.{suffix}",
        f"ecr.{region}.{suffix}",
        f"{_IAM[part]}.{suffix}",
        # Only the first partition has an endpoint of STS for all its regions.
        *([f"sts.{suffix}"] if part == "aws" else []),
        f"sts.{region}.{suffix}",
    ]


def may_be_registry(host: str) -> bool:
    """Tell whether containers may be pulled from a name: AWS's other names are no registries, while any of one's own may be."""
    of_aws = host.endswith(tuple(f".{suffix}" for suffix in (_COMMERCIAL, *_SUFFIXES.values())))
    return registry_of_host(host) is not None or not of_aws


def with_block(content: bytes, lines: Sequence[tuple[str, str]]) -> bytes:
    """Return a hosts file in which hosts have addresses, by Moorage's block alone; ``lines`` are addresses and hosts."""
    rest = without_block(content)
    if not lines:
        return rest
    if rest and not rest.endswith(b"\n"):
        rest += b"\n"
    block = [BEGIN, *(f"{address} {host}" for address, host in lines), END]
    return rest + "".join(f"{line}\n" for line in block).encode()


def has_marks(content: bytes) -> bool:
    """Tell whether a hosts file has a mark of Moorage's left, with or without its block."""
    return any(line.strip() in (BEGIN.encode(), END.encode()) for line in content.splitlines())


def without_block(content: bytes) -> bytes:
    """Return a hosts file without Moorage's block. Bytes, for its other lines may be in any encoding."""
    return _block.sub(b"", content)

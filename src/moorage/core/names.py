"""Names of things, parsed once at a door; holding one means that it is valid.

Each name is a ``NewType`` of ``str`` with one parse function that answers None for text that is not such a name, so that
the caller can refuse it in the words of its own door.
"""

import re
from dataclasses import dataclass
from typing import NewType

AccountId = NewType("AccountId", str)
"""Twelve digits."""

Region = NewType("Region", str)
"""A region's name, as in the scope of a signature: ``us-east-1``."""

RepositoryName = NewType("RepositoryName", str)
"""2 to 256 characters of REPOSITORY_PATTERN (Amazon ECR API Reference, CreateRepository)."""

Tag = NewType("Tag", str)
"""1 to 300 characters of TAG_PATTERN (Amazon ECR API Reference, ImageIdentifier)."""

UploadId = NewType("UploadId", str)
"""A UUID in its canonical, lower-case form."""

ACCOUNT_PATTERN = "[0-9]{12}"
# As ECR prints it in its refusals; the model writes the same with an escaped slash.
REPOSITORY_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG_PATTERN = "[a-zA-Z0-9-_.]+"
MAX_TAG = 300
MAX_REGION = 32
UPLOAD_PATTERN = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
REPOSITORY_LENGTHS = range(2, 257)

_account = re.compile(ACCOUNT_PATTERN)
_region = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_repository = re.compile(REPOSITORY_PATTERN)
_tag = re.compile(r"[a-zA-Z0-9\-_.]+")
_upload = re.compile(UPLOAD_PATTERN)


def parse_account(text: str) -> AccountId | None:
    """Return the account id that ``text`` is, or None."""
    return AccountId(text) if _account.fullmatch(text) else None


def parse_region(text: str) -> Region | None:
    """Return the region that ``text`` names, or None; any region-shaped name is one."""
    return Region(text) if len(text) <= MAX_REGION and _region.fullmatch(text) else None


def parse_repository(text: str) -> RepositoryName | None:
    """Return the repository name that ``text`` is, or None."""
    return RepositoryName(text) if len(text) in REPOSITORY_LENGTHS and _repository.fullmatch(text) else None


def parse_tag(text: str) -> Tag | None:
    """Return the tag that ``text`` is, or None."""
    return Tag(text) if len(text) <= MAX_TAG and _tag.fullmatch(text) else None


def parse_upload(text: str) -> UploadId | None:
    """Return the upload id that ``text`` is, or None."""
    return UploadId(text) if _upload.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Registry:
    """One account's private registry in one region."""

    account: AccountId
    region: Region

    def repository_arn(self, name: str) -> str:
        """Return the ARN of a repository, or of a pattern of repositories such as ``*``."""
        return f"arn:{partition(self.region)}:ecr:{self.region}:{self.account}:repository/{name}"


def partition(region: Region) -> str:
    """Return the partition that a region belongs to (AWS General Reference, Amazon Resource Names)."""
    for prefix, name in _PARTITIONS:
        if region.startswith(prefix):
            return name
    return "aws"


_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)

_registry_host = re.compile(r"([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+(?::[0-9]+)?")


def registry_of_host(host: str) -> Registry | None:
    """Return the registry that a host name of AWS's form names, or None for any other host.

    ``<account>.dkr.ecr.<region>.<suffix>`` with its ``dkr-ecr`` and ``-fips`` spellings (Amazon ECR User Guide, "Amazon
    ECR service endpoints"); the suffix may be one's own domain.
    """
    found = _registry_host.fullmatch(host.lower())
    region = parse_region(found[2]) if found else None
    return Registry(AccountId(found[1]), region) if found and region else None


@dataclass(frozen=True, slots=True)
class RegistryNames:
    """What the registries of this server are called: all by one address, or each by a name of AWS's form below a domain."""

    address: str
    domain: str | None = None

    def host(self, registry: Registry) -> str:
        """Return the host, with its port where that is not the usual one, as ``docker push`` needs it."""
        return f"{registry.account}.dkr.ecr.{registry.region}.{self.domain}" if self.domain else self.address

    def endpoint(self, registry: Registry) -> str:
        """Return the URL of the registry, without a slash at its end. Only the plain address is reached without TLS."""
        return f"https://{self.host(registry)}" if self.domain else f"http://{self.address}"

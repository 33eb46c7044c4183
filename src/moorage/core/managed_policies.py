"""Managed policies: those of accounts' own, and AWS's for Amazon ECR, Amazon ECS and administrators.

AWS's are data that ships with Moorage, the same in every account, and nobody changes them. Source: AWS Managed Policy
Reference Guide; IAM User Guide, "Managed policies and inline policies".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from moorage.core.managed_documents import (
    ECS_FULL,
    ECS_TASK_EXECUTION,
    PULL_THROUGH_ROLE,
    REPLICATION_ROLE,
    TEMPLATE_ROLE,
)
from moorage.core.names import AccountId
from moorage.core.policies import Policy, parse_policy

_SERVICE_LINKED = "/aws-service-role/"


class PolicyVersion(NamedTuple):
    """One version of a managed policy."""

    number: int
    document: str
    created_at: datetime

    @property
    def id(self) -> str:
        """How operations call it."""
        return f"v{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPolicy:
    """A managed policy of an account's own. ``default`` is the number of the version in force, ``last`` the highest given."""

    account: AccountId
    name: str
    id: str
    path: str = "/"
    description: str = ""
    created_at: datetime
    updated_at: datetime
    default: int = 1
    last: int = 1

    @property
    def arn(self) -> str:
        """The policy's ARN."""
        return f"arn:aws:iam::{self.account}:policy{self.path}{self.name}"

    @property
    def version(self) -> str:
        """The id of the version in force."""
        return f"v{self.default}"

    @property
    def attachable(self) -> bool:
        """Tell whether it can be attached."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPolicy:
    """A managed policy with its only version that counts, the default one. ``document`` is its text."""

    name: str
    id: str
    description: str
    version: str
    created_at: datetime
    updated_at: datetime
    document: str
    path: str = "/"

    @property
    def arn(self) -> str:
        """The policy's ARN."""
        return f"arn:aws:iam::aws:policy{self.path}{self.name}"

    @property
    def attachable(self) -> bool:
        """Tell whether it can be attached, as those of service-linked roles cannot."""
        return self.path != _SERVICE_LINKED

    @property
    def only_version(self) -> PolicyVersion:
        """The version in force, the only one that is kept of AWS's policies."""
        return PolicyVersion(int(self.version[1:]), self.document, self.updated_at)

    @property
    def policy(self) -> Policy:
        """The document, compiled when it is first asked for and then kept."""
        return _compiled(self.document)


@cache
def _compiled(document: str) -> Policy:
    return parse_policy(document)


def managed_policy(arn: str) -> ManagedPolicy | None:
    """Return the managed policy of an ARN, or None."""
    return MANAGED_POLICIES.get(arn)


def _day(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


_READ = """\
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy",
        "ecr:DescribeRepositories",
        "ecr:ListImages",
        "ecr:DescribeImages",
        "ecr:BatchGetImage",
        "ecr:GetLifecyclePolicy",
        "ecr:GetLifecyclePolicyPreview",
        "ecr:ListTagsForResource",
        "ecr:DescribeImageScanFindings\""""

_WRITE = """\
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage\""""

_PULL = """\
        "ecr:GetAuthorizationToken",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchImportUpstreamImage\""""


def _allowing(actions: str) -> str:
    return f"""\
{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Effect": "Allow",
      "Action": [
{actions}
      ],
      "Resource": "*"
    }}
  ]
}}"""


_ADMINISTRATOR = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}"""

_FULL = """\
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr:*",
        "cloudtrail:LookupEvents"
      ],
      "Resource": "*"
    },
    {
      "Effect": "Allow",
      "Action": [
        "iam:CreateServiceLinkedRole"
      ],
      "Resource": "*",
      "Condition": {
        "StringEquals": {
          "iam:AWSServiceName": [
            "replication.ecr.amazonaws.com"
          ]
        }
      }
    }
  ]
}"""

ADMINISTRATOR_ACCESS = ManagedPolicy(
    name="AdministratorAccess",
    id="ANPAIWMBCKSKIEE64ZLYK",
    description="Provides full access to AWS services and resources.",
    version="v1",
    created_at=_day(2015, 2, 6, 18, 39),
    updated_at=_day(2015, 2, 6, 18, 39),
    document=_ADMINISTRATOR,
)

_ALL = (
    ADMINISTRATOR_ACCESS,
    ManagedPolicy(
        name="AmazonEC2ContainerRegistryFullAccess",
        id="ANPAIESRL7KD7IIVF6V4W",
        description="Provides administrative access to Amazon ECR resources",
        version="v3",
        created_at=_day(2015, 12, 21, 17, 6),
        updated_at=_day(2020, 12, 5, 0, 4),
        document=_FULL,
    ),
    ManagedPolicy(
        name="AmazonEC2ContainerRegistryPowerUser",
        id="ANPAJDNE5PIHROIBGGDDW",
        description=(
            "Provides full access to Amazon EC2 Container Registry repositories, "
            "but does not allow repository deletion or policy changes."
        ),
        version="v3",
        created_at=_day(2015, 12, 21, 17, 5),
        updated_at=_day(2019, 12, 10, 20, 48),
        document=_allowing(f"{_READ},\n{_WRITE}"),
    ),
    ManagedPolicy(
        name="AmazonEC2ContainerRegistryPullOnly",
        # AWS's own id is not published with the policy; this one is stable, which is what clients want of it.
        id="ANPAMOORAGEPULLONLYA2",
        description="Allows pulling images from Amazon ECR repositories.",
        version="v1",
        created_at=_day(2024, 10, 4, 16, 58),
        updated_at=_day(2024, 10, 4, 16, 58),
        document=_allowing(_PULL),
    ),
    ManagedPolicy(
        name="AmazonEC2ContainerRegistryReadOnly",
        id="ANPAIFYZPA37OOHVIH7KQ",
        description="Provides read-only access to Amazon EC2 Container Registry repositories.",
        version="v3",
        created_at=_day(2015, 12, 21, 17, 4),
        updated_at=_day(2019, 12, 10, 20, 56),
        document=_allowing(_READ),
    ),
    # AWS does not publish the ids of the policies below that say MOORAGE; these are stable, which is what clients want of them.
    ManagedPolicy(
        name="AmazonECSTaskExecutionRolePolicy",
        id="ANPAJG4T4G4PV56DE72PY",
        description="Provides access to other AWS service resources that are required to run Amazon ECS tasks",
        version="v1",
        created_at=_day(2017, 11, 16, 18, 48),
        updated_at=_day(2017, 11, 16, 18, 48),
        document=ECS_TASK_EXECUTION,
        path="/service-role/",
    ),
    ManagedPolicy(
        name="AmazonECS_FullAccess",
        id="ANPAMOORAGEECSFULLACC",
        description="Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources, including VPCs, Auto Scaling groups, and CloudFormation stacks.",
        version="v22",
        created_at=_day(2017, 11, 7, 21, 36),
        updated_at=_day(2026, 9, 2, 14, 47),
        document=ECS_FULL,
    ),
    ManagedPolicy(
        name="AWSECRPullThroughCache_ServiceRolePolicy",
        id="ANPAMOORAGECACHEROLEA",
        description="Allows access to AWS Services and Resources used or managed by AWS ECR pull through cache",
        version="v4",
        created_at=_day(2021, 11, 26, 21, 51),
        updated_at=_day(2026, 5, 12, 18, 12),
        document=PULL_THROUGH_ROLE,
        path=_SERVICE_LINKED,
    ),
    ManagedPolicy(
        name="ECRReplicationServiceRolePolicy",
        id="ANPAMOORAGEREPLICATEA",
        description="Allows access to AWS Services and Resources used or managed by ECR Replication",
        version="v1",
        created_at=_day(2020, 12, 4, 22, 11),
        updated_at=_day(2020, 12, 4, 22, 11),
        document=REPLICATION_ROLE,
        path=_SERVICE_LINKED,
    ),
    ManagedPolicy(
        name="ECRTemplateServiceRolePolicy",
        id="ANPAMOORAGETEMPLATEAA",
        description="Allows access to AWS Services and Resources used or managed by ECR repository creation templates",
        version="v1",
        created_at=_day(2024, 6, 19, 23, 11),
        updated_at=_day(2024, 6, 19, 23, 11),
        document=TEMPLATE_ROLE,
        path=_SERVICE_LINKED,
    ),
)

MANAGED_POLICIES: Mapping[str, ManagedPolicy] = {
    policy.arn: policy for policy in sorted(_ALL, key=lambda policy: policy.name)
}
"""By ARN, in the order of their names."""

"""AWS's own managed policies for Amazon ECR, and the one for administrators (AWS Managed Policy Reference Guide).

They are data that ships with Moorage, the same in every account, and nobody changes them. The three policies of ECR's
service-linked roles are not among them: they can be attached to no user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from moorage.core.policies import Policy, parse_policy

_PREFIX = "arn:aws:iam::aws:policy/"


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
        return _PREFIX + self.name

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
        created_at=_day(2024, 10, 10, 0, 0),
        updated_at=_day(2024, 10, 10, 0, 0),
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
)

MANAGED_POLICIES: Mapping[str, ManagedPolicy] = {policy.arn: policy for policy in _ALL}
"""By ARN, in the order of their names."""

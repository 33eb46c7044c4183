"""What tests of IAM at the AWS door ask, and of whom."""

import json
from datetime import UTC, datetime
from typing import Any, Protocol

from moorage.core.names import AccountId

ACCOUNT = AccountId("111122223333")
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}}, indent=1
)


class Ask(Protocol):
    def __call__(self, operation: str, **given: Any) -> Any: ...

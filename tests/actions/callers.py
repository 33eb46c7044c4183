"""Accounts with an administrator, and calls of whoever has a key there."""

import json
from datetime import UTC, datetime
from typing import Any

from moorage.actions.identities import Identities
from moorage.core.calls import Call, Caller
from moorage.core.identities import AccessKey
from moorage.core.names import AccountId, Region, Registry
from moorage.core.wildcards import Context

ACCOUNT, OTHER = AccountId("111122223333"), AccountId("444455556666")
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EMPTY: Context = {}
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
APP = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def document(action: str | list[str], effect: str = "Allow", resource: str = "*", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def start(identities: Identities, account: AccountId = ACCOUNT, user: str = "admin") -> AccessKey:
    key = identities.bootstrap(account, AT, keep=lambda _: None, user=user)
    assert key
    return key


def call_of(key: AccessKey, account: AccountId | None = None) -> Call:
    user = key.user
    return Call(
        caller=Caller(user.arn, user.account, user.id, user.name, key.id),
        registry=Registry(account or user.account, Region("us-east-1")),
        at=AT,
        request_id="1",
        context={"aws:sourceip": "10.1.1.1", "aws:username": "a door that lies"},
    )

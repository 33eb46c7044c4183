"""Users with access keys, and the clients of AWS's SDK that hold them."""

import base64
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.engines.server import Server

REGION = "us-east-1"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
POWER_USER = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
FULL_ACCESS = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess"


@dataclass(frozen=True)
class Person:
    """A user of IAM with one access key."""

    name: str
    arn: str
    key_id: str
    secret: str


def admin(server: Server) -> Person:
    variables = server.env()
    return Person("admin", "", variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])


@contextmanager
def client(server: Server, service: str, person: Person) -> Iterator[Any]:
    """Make a client of boto3 that asks once and never again, and leaves it to the server to find fault with its input."""
    made = boto3.session.Session().client(
        service,
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=person.key_id,
        aws_secret_access_key=person.secret,
        config=Config(
            retries={"total_max_attempts": 1}, parameter_validation=False, ignore_configured_endpoint_urls=True
        ),
    )
    try:
        yield made
    finally:
        made.close()


def make_person(iam: Any, policy: str | None) -> Person:
    name = f"user-{uuid.uuid4().hex[:12]}"
    user = iam.create_user(UserName=name)["User"]
    if policy:
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(name, user["Arn"], key["AccessKeyId"], key["SecretAccessKey"])


def login_password(ecr: Any) -> str:
    """Return what ``aws ecr get-login-password`` prints."""
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode().removeprefix("AWS:")


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    """Make a call that must be refused, and return code and message."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]

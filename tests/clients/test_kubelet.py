"""The program that kubelet asks for the password of a registry with AWS's name."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.registry import Registry
from tests.clients.tools import program, tool
from tests.engines.clients import aws_environment
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("ecr-credential-provider")]

NAME = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
VERSION = "credentialprovider.kubelet.k8s.io/v1"
REQUEST = json.dumps({"apiVersion": VERSION, "kind": "CredentialProviderRequest", "image": f"{NAME}/app:v1"})


@pytest.fixture
def named(start_server: Callable[..., Server]) -> Server:
    """A server that says that its registries have AWS's names."""
    return start_server("--domain", "amazonaws.com")


def test_kubelet_gets_a_password_for_an_images_registry_that_logs_in(named: Server, tmp_path: Path) -> None:
    command = program("ecr-credential-provider", "clients")

    told: dict[str, Any] = json.loads(tool(command, home=tmp_path, stdin=REQUEST, more=aws_environment(named)).stdout)

    assert (told["kind"], told["apiVersion"]) == ("CredentialProviderResponse", VERSION)
    assert list(told["auth"]) == [NAME]
    assert told["auth"][NAME]["username"] == "AWS"
    Registry(named.port, told["auth"][NAME]["password"]).must(200, "GET", "/v2/")


def test_kubelet_keeps_the_password_for_half_of_the_time_that_it_is_valid(named: Server, tmp_path: Path) -> None:
    command = program("ecr-credential-provider", "clients")

    told = json.loads(tool(command, home=tmp_path, stdin=REQUEST, more=aws_environment(named)).stdout)

    # It is counted from when the answer was read, which on a busy machine is a second or more after it was given.
    assert told["cacheKeyType"] == "Registry"
    assert re.fullmatch(r"6h0m0s|5h59m5\ds", told["cacheDuration"])


def test_kubelet_gets_nothing_with_a_wrong_key(named: Server, tmp_path: Path) -> None:
    wrong = aws_environment(named) | {"AWS_SECRET_ACCESS_KEY": "wrong"}

    command = program("ecr-credential-provider", "clients")
    refused = tool(command, home=tmp_path, stdin=REQUEST, more=wrong, check=False)

    assert refused.returncode != 0
    assert "InvalidSignatureException" in refused.stderr

"""What Terraform's provider asks of ECR for its policies and its login, resource by resource.

Each conversation is a resource's: made, read, planned again without a difference, changed, imported, destroyed, and found gone.
Source: the provider's resources of the name (hashicorp/terraform-provider-aws, internal/service/ecr). Those of IAM are in
``test_boto3_iam.py``.
"""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.clients.people import REGION, admin, client, refused
from tests.clients.registry import Registry
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.slow, pytest.mark.client("boto3")]

PARTNER = "444455556666"
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


@pytest.fixture
def own_ecr(own_server: Server) -> Iterator[Any]:
    """A registry of this test alone."""
    with client(own_server, "ecr", admin(own_server)) as made:
        yield made


def document(actions: list[str], **more: Any) -> str:
    statement = {"Sid": "new policy", "Effect": "Allow", "Principal": {"AWS": PARTNER}, "Action": actions, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def meaning(text: str) -> Any:
    """Return what the provider compares: an account is its root, a list of one is the one, and lists have no order."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return plain(value[0]) if len(value) == 1 else sorted(map(plain, value), key=repr)
        return f"arn:aws:iam::{value}:root" if value.isdecimal() else value

    return plain(json.loads(text))


def test_terraforms_aws_ecr_repository_policy(ecr: Any, repository: str) -> None:
    wanted = document(PULL)
    made = ecr.set_repository_policy(repositoryName=repository, policyText=wanted)
    assert (made["registryId"], made["repositoryName"]) == (ACCOUNT, repository)

    def read() -> Any:
        return ecr.get_repository_policy(repositoryName=repository)

    assert meaning(read()["policyText"]) == meaning(wanted)

    wanted = document([*PULL, "ecr:ListImages"])
    ecr.set_repository_policy(repositoryName=repository, policyText=wanted)
    assert meaning(read()["policyText"]) == meaning(wanted)

    # An import knows the name alone; what it reads is what the state has.
    imported = read()
    assert (imported["registryId"], imported["repositoryName"]) == (ACCOUNT, repository)
    assert imported["policyText"] == read()["policyText"]

    ecr.delete_repository_policy(repositoryName=repository, registryId=ACCOUNT)
    assert refused(read)[0] == "RepositoryPolicyNotFoundException"
    # Destroying what somebody else has destroyed is taken for done.
    again = refused(lambda: ecr.delete_repository_policy(repositoryName=repository, registryId=ACCOUNT))
    assert again[0] == "RepositoryPolicyNotFoundException"


def test_terraforms_aws_ecr_repository_policy_of_a_repository_that_is_gone(ecr: Any, repository: str) -> None:
    ecr.set_repository_policy(repositoryName=repository, policyText=document(PULL))
    ecr.delete_repository(repositoryName=repository, registryId=ACCOUNT)

    assert refused(lambda: ecr.get_repository_policy(repositoryName=repository))[0] == "RepositoryNotFoundException"
    gone = refused(lambda: ecr.delete_repository_policy(repositoryName=repository, registryId=ACCOUNT))
    assert gone[0] == "RepositoryNotFoundException"


def test_terraform_waits_for_the_role_that_a_repository_policy_names(
    ecr: Any, iam: Any, repository: str, person: Callable[[str | None], Any]
) -> None:
    """It asks again for a while as long as the refusal has these words, for a role may be seconds old."""
    name = person(None).name
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    wanted = document(PULL, Principal={"AWS": arn})

    code, sentence = refused(lambda: ecr.set_repository_policy(repositoryName=repository, policyText=wanted))
    assert (code, "Invalid repository policy provided" in sentence) == ("InvalidParameterException", True)

    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    ecr.set_repository_policy(repositoryName=repository, policyText=wanted)
    assert meaning(ecr.get_repository_policy(repositoryName=repository)["policyText"]) == meaning(wanted)
    iam.delete_role(RoleName=name)


def test_terraforms_aws_ecr_registry_policy(own_ecr: Any) -> None:
    def wanted(*actions: str) -> str:
        return document(list(actions), Resource=[f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*"])

    made = own_ecr.put_registry_policy(policyText=wanted("ecr:ReplicateImage"))
    # Its id, and what an import is given.
    assert made["registryId"] == ACCOUNT
    assert meaning(own_ecr.get_registry_policy()["policyText"]) == meaning(wanted("ecr:ReplicateImage"))

    changed = wanted("ecr:ReplicateImage", "ecr:CreateRepository")
    own_ecr.put_registry_policy(policyText=changed)
    imported = own_ecr.get_registry_policy()
    assert (imported["registryId"], meaning(imported["policyText"])) == (ACCOUNT, meaning(changed))
    assert own_ecr.get_registry_policy()["policyText"] == imported["policyText"]

    own_ecr.delete_registry_policy()
    assert refused(own_ecr.get_registry_policy)[0] == "RegistryPolicyNotFoundException"
    assert refused(own_ecr.delete_registry_policy)[0] == "RegistryPolicyNotFoundException"


def test_terraforms_aws_ecr_account_setting(own_ecr: Any) -> None:
    own_ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    assert own_ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "ENABLED"

    own_ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert own_ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"


@pytest.mark.parametrize("given", [{}, {"registryIds": [ACCOUNT]}], ids=["of one's own", "of a registry"])
def test_terraforms_aws_ecr_authorization_token(server: Server, ecr: Any, given: Any) -> None:
    (data,) = ecr.get_authorization_token(**given)["authorizationData"]

    # The provider insists on a name and a password, and hands both to providers of Docker.
    name, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    assert (name, data["proxyEndpoint"].partition("://")[2]) == ("AWS", server.host)
    assert data["expiresAt"] > datetime.now(UTC) + timedelta(hours=11)
    Registry(server.port, password).must(200, "GET", "/v2/")

"""OpenTofu with Terraform's own AWS provider: made, planned again without a difference, changed, imported, destroyed."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.people import Person, admin, client, login_password, refused
from tests.clients.reader import blocks
from tests.clients.registry import Registry
from tests.clients.tools import program, tool
from tests.engines.clients import aws_environment
from tests.engines.programs import ROOT
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("opentofu")]

EVERYTHING = ROOT / "tests" / "clients" / "programs" / "terraform" / "main.tf"
PUSH = f"arn:aws:iam::{ACCOUNT}:policy/ci/tf-push"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
POWER_USER = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
# What each is imported by. The others have no import, or lose what only their making tells: a secret, and what to destroy with force.
IDS = {
    "aws_ecr_account_setting.mounting": "BLOB_MOUNTING",
    "aws_ecr_registry_policy.own": ACCOUNT,
    "aws_ecr_repository.app": "tf/app",
    "aws_ecr_repository.releases": "tf/releases",
    "aws_ecr_repository_policy.app": "tf/app",
    "aws_iam_account_alias.own": "tf-harbour",
    "aws_iam_group.people": "tf-people",
    "aws_iam_group_policy.people": "tf-people:login",
    "aws_iam_group_policy_attachment.people": f"tf-people/{PUSH}",
    "aws_iam_policy.push": PUSH,
    "aws_iam_role.ci": "tf-ci",
    "aws_iam_role_policy.ci": "tf-ci:login",
    "aws_iam_role_policy_attachment.ci": f"tf-ci/{POWER_USER}",
    "aws_iam_user.ann": "tf-ann",
    "aws_iam_user_group_membership.ann": "tf-ann/tf-people",
    "aws_iam_user_policy.ann": "tf-ann:login",
    "aws_iam_user_policy_attachment.ann": f"tf-ann/{READ_ONLY}",
}

Tofu = Callable[..., str]


@pytest.fixture
def tofu(own_server: Server, tmp_path: Path) -> Tofu:
    """OpenTofu in a folder of its own, with the provider that was built instead of one from a registry."""
    provider = program("terraform-provider-aws", "clients").parent
    (tmp_path / "tofurc").write_text(
        f'provider_installation {{\n  dev_overrides {{ "hashicorp/aws" = "{provider}" }}\n}}\n'
    )
    more = {"TF_CLI_CONFIG_FILE": str(tmp_path / "tofurc"), "TF_INPUT": "0", "NO_COLOR": "1"}

    def run(*words: str) -> str:
        return tool(program("tofu", "clients"), *words, home=tmp_path, more=aws_environment(own_server) | more).stdout

    return run


def outputs(tofu: Tofu) -> dict[str, Any]:
    return {name: each["value"] for name, each in json.loads(tofu("output", "-json")).items()}


def no_difference(tofu: Tofu, *words: str) -> None:
    # It ends with 2 where it finds one.
    assert "No changes." in tofu("plan", "-detailed-exitcode", *words)


def test_every_resource_is_made_changed_imported_and_destroyed_without_drift(
    tofu: Tofu, own_server: Server, tmp_path: Path
) -> None:
    shutil.copy(EVERYTHING, tmp_path)
    changed = "-var=changed=true"

    tofu("apply", "-auto-approve")
    seen = outputs(tofu)["seen"]
    assert seen == {
        "account": ACCOUNT,
        "allowed": True,
        "endpoint": f"http://{own_server.host}",
        "login": "AWS",
        "managed": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryFullAccess",
        "repositories": ["tf/app", "tf/releases", "tf/scratch"],
        "url": f"{own_server.host}/tf/app",
        "user": f"arn:aws:iam::{ACCOUNT}:user/tf-ann",
    }
    no_difference(tofu)

    tofu("apply", "-auto-approve", changed)
    no_difference(tofu, changed)

    tofu("state", "rm", *IDS)
    imports = [f'import {{\n  to = {address}\n  id = "{known_by}"\n}}\n' for address, known_by in IDS.items()]
    (tmp_path / "imports.tf").write_text("".join(imports))
    assert f"{len(IDS)} imported, 0 added, 0 changed, 0 destroyed" in tofu("apply", "-auto-approve", changed)
    no_difference(tofu, changed)

    with client(own_server, "ecr", admin(own_server)) as ecr:
        Registry(own_server.port, login_password(ecr)).push("tf/scratch", "v1")
        with client(own_server, "iam", admin(own_server)) as iam:
            iam.create_access_key(UserName="tf-bob")
            iam.attach_user_policy(UserName="tf-bob", PolicyArn=READ_ONLY)
            tofu("destroy", "-auto-approve", changed)
            assert ecr.describe_repositories()["repositories"] == []
            assert refused(ecr.get_registry_policy)[0] == "RegistryPolicyNotFoundException"
            assert [each["UserName"] for each in iam.list_users()["Users"] if each["UserName"].startswith("tf-")] == []
            assert iam.list_policies(Scope="Local")["Policies"] == []
            assert iam.list_account_aliases()["AccountAliases"] == []


def test_what_somebody_else_has_changed_is_seen_and_put_right(tofu: Tofu, own_server: Server, tmp_path: Path) -> None:
    shutil.copy(EVERYTHING, tmp_path)
    tofu("apply", "-auto-approve")

    with client(own_server, "ecr", admin(own_server)) as ecr, client(own_server, "iam", admin(own_server)) as iam:
        ecr.delete_repository_policy(repositoryName="tf/app")
        ecr.put_image_tag_mutability(repositoryName="tf/app", imageTagMutability="MUTABLE")
        ecr.delete_repository(repositoryName="tf/releases")
        iam.detach_user_policy(UserName="tf-ann", PolicyArn=READ_ONLY)
        iam.delete_role_policy(RoleName="tf-ci", PolicyName="login")
        iam.untag_user(UserName="tf-ann", TagKeys=["Team"])

        assert re.search(r"4 added, 2 changed, 0 destroyed", tofu("apply", "-auto-approve"))
        no_difference(tofu)
        assert (
            ecr.describe_repositories(repositoryNames=["tf/app"])["repositories"][0]["imageTagMutability"]
            == "IMMUTABLE"
        )


def test_the_page_makes_a_user_who_pushes_and_nothing_else(tofu: Tofu, own_server: Server, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(*blocks("terraform.md", "hcl"))
    tofu("apply", "-auto-approve")
    no_difference(tofu)

    made = outputs(tofu)
    assert made["repository"] == f"{own_server.host}/team/app"
    with client(own_server, "ecr", Person("ci", "", *made["key"].split())) as ecr:
        Registry(own_server.port, login_password(ecr)).push("team/app", "v1")
        assert refused(lambda: ecr.delete_repository(repositoryName="team/app"))[0] == "AccessDeniedException"

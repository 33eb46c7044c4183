"""Ansible's module for repositories, community.aws.ecs_ecr."""

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.engines.clients import aws_environment
from tests.engines.programs import CACHE, ROOT, found, run
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("ansible")]

PLAYBOOK = ROOT / "tests" / "clients" / "programs" / "ansible.yml"
FOLDER = CACHE / "ansible"


def play(server: Server, home: Path, repository: str) -> subprocess.CompletedProcess[str]:
    remedy = "make slow-tests installs it in .cache/ansible"
    command = found("ansible-playbook", remedy=remedy, also_in=[FOLDER / "bin"])
    settings = home / "ansible.cfg"
    settings.touch()
    environment = {
        **aws_environment(server),
        "ANSIBLE_COLLECTIONS_PATH": str(FOLDER / "collections"),
        "ANSIBLE_CONFIG": str(settings),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
    }
    words = ["--inventory", "localhost,", "--extra-vars", f"repository={repository}"]
    return run([command, *words, PLAYBOOK], env=environment, check=False)


def test_a_playbook_makes_a_repository_leaves_it_alone_changes_it_and_takes_it_away(
    server: Server, tmp_path: Path
) -> None:
    name = f"ansible/{uuid.uuid4().hex[:12]}"

    played = play(server, tmp_path, name)

    assert played.returncode == 0, played.stdout
    shown = re.search(r'"msg": (".*")$', played.stdout, re.MULTILINE)
    assert shown, played.stdout
    results: dict[str, dict[str, Any]] = json.loads(json.loads(shown[1]))
    assert {step: result["changed"] for step, result in results.items()} == {
        "made": True,
        "found": False,
        "altered": True,
        "removed": True,
        "gone": False,
    }
    assert results["made"]["created"]
    repository = results["found"]["repository"]
    assert repository["repositoryName"] == name
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert results["altered"]["repository"]["imageTagMutability"] == "MUTABLE"

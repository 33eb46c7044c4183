"""docs/walkthrough.md, run as it stands there on a machine of its own: AWS's host names, TLS, a Docker Engine, both CLIs, Maven."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.machines import REGISTRY, trusted
from tests.clients.reader import Step, blocks, run_lines
from tests.engines.box import Box
from tests.engines.clients import NOWHERE
from tests.engines.programs import CACHE, ROOT, found, plain_environment, tail, wait_until
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "walkthrough.md"
PROJECT = ROOT / "docs" / "examples" / "usermgmt"
PLUGINS = [
    "com/spotify/dockerfile-maven-plugin/1.4.13/dockerfile-maven-plugin-1.4.13.jar",
    "com/google/cloud/tools/jib-maven-plugin/3.5.2/jib-maven-plugin-3.5.2.jar",
]
VERSIONS = {"1": str(CACHE / "awscli" / "bin"), "2": "/usr/bin"}


def lines(version: str, build: str) -> tuple[list[str], list[str], list[str]]:
    """Return the page's commands before the server starts, those with it, and the last one, which takes all back."""
    wanted = blocks(PAGE.name, "", f"cli{version}", build)
    commands = [line.removeprefix("sudo ") for block in wanted for line in block.splitlines()]
    return commands[:1], commands[1:-1], commands[-1:]


def need_maven() -> None:
    """Say what is missing: the machine of the walk-through has no network to fetch plugins from."""
    found("mvn", remedy="apt-get install maven default-jdk-headless")
    if not all((Path.home() / ".m2" / "repository" / plugin).exists() for plugin in PLUGINS):
        pytest.fail("Maven's plugins are missing: make slow-tests fetches them", pytrace=False)


@pytest.fixture
def box() -> Iterator[Box]:
    with Box() as made:
        yield made


@pytest.mark.parametrize(
    ("version", "build"),
    [
        pytest.param("1", "docker", marks=pytest.mark.client("aws 1")),
        pytest.param("2", "docker", marks=pytest.mark.client("aws 2")),
        pytest.param("2", "maven", marks=pytest.mark.client("maven")),
    ],
)
def test_the_walk_through_runs_letter_for_letter(version: str, build: str, box: Box, tmp_path: Path) -> None:
    if build == "maven":
        need_maven()
    (tmp_path / "moorage-data").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(PROJECT, tmp_path / PROJECT.relative_to(ROOT), ignore=shutil.ignore_patterns("target"))
    docker = box.start_docker()
    environment = plain_environment(
        AWS_CONFIG_FILE=NOWHERE,
        AWS_SHARED_CREDENTIALS_FILE=NOWHERE,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="",
        PATH=f"{Path(moorage()).parent}:{VERSIONS[version]}:{os.environ['PATH']}",
        **docker,
    )

    def typed(commands: list[str]) -> list[Step]:
        ran = run_lines(commands, tmp_path, environment, box.inside())
        wrong = [step for step in ran if (step.status != 0) != step.line.endswith("# is refused")]
        assert wrong == [], "\n".join([*(f"{step.line}\n{step.output}" for step in wrong), tail(box.log)])
        return ran

    before = trusted(box)
    first, during, last = lines(version, build)
    typed(first)
    words = re.search(r"^    sudo (moorage serve .*)$", PAGE.read_text(), re.MULTILINE)
    assert words
    box.start(["sh", "-c", f"cd {tmp_path} && exec {words[1]}"], environment)
    curl = ["curl", "-fsS", f"https://{REGISTRY}/readyz"]
    assert wait_until(lambda: box.run(*curl).returncode == 0, seconds=30), tail(box.log)
    # The engine, a Go program, believes for five seconds what it has read of a hosts file.
    time.sleep(6)
    steps = typed(during)
    typed(last)

    refusal = next(step for step in steps if step.line.endswith("# is refused"))
    assert (
        "already exists in the 'aws-ecr-usermgmt-restapi-mysql' repository and cannot be overwritten" in refusal.output
    )
    created = next(step for step in steps if "create-repository" in step.line)
    assert json.loads(created.output)["repository"]["repositoryUri"] == f"{REGISTRY}/aws-ecr-usermgmt-restapi-mysql"
    assert trusted(box) == before

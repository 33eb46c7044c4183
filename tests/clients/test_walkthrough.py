"""docs/walkthrough.md, run as it stands there on a machine of its own: AWS's host names, TLS, a Docker Engine, both CLIs, Maven."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.machines import REGISTRY, must, trusted, trusted_before
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
    """Return the page's commands before the server starts, those with it, and the last ones, which take all back."""
    wanted = blocks(PAGE.name, "", f"cli{version}", build)
    commands = [line for block in wanted for line in block.splitlines()]
    served = next(at for at, line in enumerate(commands) if line.startswith("eval "))
    deleted = next(at for at, line in enumerate(commands) if "delete-repository" in line)
    return commands[:served], commands[served : deleted + 1], commands[deleted + 1 :]


def need_maven() -> None:
    """Say what is missing: the machine of the walk-through has no network to fetch plugins from."""
    found("mvn", remedy="apt-get install maven default-jdk-headless")
    if not all((Path.home() / ".m2" / "repository" / plugin).exists() for plugin in PLUGINS):
        pytest.fail("Maven's plugins are missing: make slow-tests fetches them", pytrace=False)


@pytest.fixture
def box() -> Iterator[Box]:
    with Box() as made:
        yield made


@dataclass(frozen=True)
class Walker:
    """An ordinary user of the box, who may use Docker and sudo, at home in a folder that holds what the page needs."""

    home: Path
    being: tuple[str, ...]
    """The words that start a command as that user."""


def make_walker(box: Box) -> Walker:
    """Add the user to the box; Python and Maven's plugins may be in root's home, which this user may enter there."""
    found("sudo", remedy="apt-get install sudo")
    home, script = (
        box.folder / "walker",
        """
        chmod 711 "$1" && mkdir "$1/root" "$1/root.work"
        mount -t overlay overlay -o "lowerdir=$HOME,upperdir=$1/root,workdir=$1/root.work" "$HOME" && chmod 755 "$HOME"
        groupadd --force docker && useradd --create-home --home-dir "$2" --groups docker walker && mkdir -p /etc/sudoers.d
        echo 'walker ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/walker && chmod 440 /etc/sudoers.d/walker
    """,
    )
    must(box, "sh", "-ec", script, "walker", str(box.folder), str(home))
    shutil.copy(ROOT / "README.md", home)
    shutil.copytree(PROJECT, home / PROJECT.relative_to(ROOT), ignore=shutil.ignore_patterns("target"))
    uid, gid = (must(box, "id", f"-{which}", "walker").strip() for which in "ug")
    must(box, "chown", "-R", f"{uid}:{gid}", str(home))
    return Walker(home, ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups"))


@pytest.mark.parametrize(
    ("version", "build"),
    [
        pytest.param("1", "docker", marks=pytest.mark.client("aws 1")),
        pytest.param("2", "docker", marks=pytest.mark.client("aws 2")),
        pytest.param("2", "maven", marks=pytest.mark.client("maven")),
    ],
)
def test_the_walk_through_runs_letter_for_letter_for_an_ordinary_user(version: str, build: str, box: Box) -> None:
    walker = make_walker(box)
    if build == "maven":
        need_maven()
        must(box, "cp", "-r", str(Path.home() / ".m2"), str(walker.home))
        must(box, "chown", "-R", "walker:", str(walker.home / ".m2"))
    docker = box.start_docker()
    environment = plain_environment(
        AWS_CONFIG_FILE=NOWHERE,
        AWS_SHARED_CREDENTIALS_FILE=NOWHERE,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_PAGER="",
        PATH=f"{Path(moorage()).parent}:{VERSIONS[version]}:{os.environ['PATH']}",
        **docker,
    ) | {"HOME": str(walker.home), "DOCKER_CONFIG": str(walker.home / ".docker")}

    def typed(commands: list[str]) -> list[Step]:
        ran = run_lines(commands, walker.home, environment, [*box.inside(), *walker.being])
        wrong = [step for step in ran if (step.status != 0) != step.line.endswith("# is refused")]
        assert wrong == [], "\n".join([*(f"{step.line}\n{step.output}" for step in wrong), tail(box.log)])
        return ran

    before = trusted_before(box)
    first, during, last = lines(version, build)
    typed(first)
    words = re.search(r"^    (moorage serve .*)$", PAGE.read_text(), re.MULTILINE)
    assert words
    box.start([*walker.being, "sh", "-c", f"cd {walker.home} && exec {words[1]}"], environment)
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
    owners = must(box, "find", str(walker.home / "moorage-data"), "-printf", "%u\n")
    assert set(owners.split()) == {"walker"}

"""docs/container.md on a machine of its own, with a Docker Engine and no network: build, run, push, pull, back up, stop."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.deploying import at_a_terminal, checkout, commands, python_image, typed, wheels
from tests.clients.reader import blocks
from tests.engines.box import Box
from tests.engines.programs import CACHE
from tests.engines.server import moorage

pytestmark = pytest.mark.slow

IMAGE = "localhost:4510/team/app:latest"


def words(line: str) -> str:
    """Return a line of the page for an engine that has no bridge."""
    return line.replace("docker build ", "docker build --network none ").replace(
        "docker run ", "docker run --network host "
    )


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[tuple[Box, Path, dict[str, str]]]:
    """A machine with a Docker Engine that has ``python:3.11-slim``, a checkout, and the environment of someone who types."""
    python_image(tmp_path / "python.tar")
    with Box() as box:
        # Thousands of small files are copied from layer to layer; in memory that takes less than half the time.
        box.run("sh", "-ec", f"mkdir {box.folder}/docker && mount -t tmpfs docker {box.folder}/docker")
        docker = box.start_docker()
        environment = at_a_terminal(PATH=str(Path(moorage()).parent), **docker, **wheels())
        folder = checkout(tmp_path / "moorage")
        python = "docker import --change 'ENV PATH=\"/usr/local/bin:/bin\"' ../python.tar python:3.11-slim"
        typed(box, [python], folder, environment)
        yield box, folder, environment


def test_the_image_is_built_without_a_network_and_is_a_registry(machine: tuple[Box, Path, dict[str, str]]) -> None:
    box, folder, environment = machine
    # The wheels are for the Python of the image, which is that of the tests.
    build, start, backup, apart, end = commands("container.md")
    typed(box, [build[0], words(build[1])], folder, environment)

    steps = typed(
        box,
        [
            *map(words, start),
            "tar -c README.md | docker import - " + IMAGE,
            f"docker push {IMAGE}",
            f"docker rmi {IMAGE}",
            f"docker pull {IMAGE}",
            "aws ecr describe-repositories --query 'repositories[].repositoryUri' --output text",
            "docker exec moorage moorage env",
            "docker exec moorage python -c \"import os; print(os.getuid(), oct(os.stat('/data').st_mode & 0o777))\"",
            *backup,
            *apart,
            "docker inspect --format '{{.HostConfig.NetworkMode}} {{.Config.User}}' moorage",
            "docker stop moorage",
            "docker inspect --format '{{.State.ExitCode}}' moorage",
            "docker rm moorage",
        ],
        folder,
        environment,
    )

    said = {step.line: step.output.strip() for step in steps}
    assert end == ["docker stop moorage", "docker rm moorage"]
    assert said["docker inspect --format '{{.State.ExitCode}}' moorage"] == "0"
    assert (
        said["aws ecr describe-repositories --query 'repositories[].repositoryUri' --output text"]
        == "localhost:4510/team/app"
    )
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4510" in said["docker exec moorage moorage env"]
    assert next(output for line, output in said.items() if "getuid" in line) == "4510 0o700"
    with sqlite3.connect(folder / "backup" / "moorage.db") as rows:
        assert rows.execute("SELECT count(*) FROM images").fetchone() == (1,)
    assert (folder / "backup-of-secrets" / "secrets.key").stat().st_size == 32
    assert [file for file in (folder / "backup" / "blobs").rglob("*") if file.is_file()]


def test_the_base_image_makes_the_wheels_as_well(machine: tuple[Box, Path, dict[str, str]]) -> None:
    box, folder, environment = machine
    (block,) = blocks("container.md", "docker")
    fetched = f"--volume {CACHE / 'wheels'}:/fetched:ro --env PIP_NO_INDEX=1 --env PIP_FIND_LINKS=/fetched"

    typed(box, [words(block.strip()).replace("--workdir", f"{fetched} --workdir")], folder, environment)
    made = {file.name.split("-")[0] for file in (folder / "wheels").iterdir()}
    assert {"moorage", "granian", "psycopg_binary"} <= made

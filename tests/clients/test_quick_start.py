"""The README's quick start, run as it stands there."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.clients.reader import Reader, Step, run_lines
from tests.engines.clients import aws
from tests.engines.docker import DockerEngine
from tests.engines.programs import ROOT
from tests.engines.server import Server

pytestmark = pytest.mark.slow

REPOSITORY = "aws-ecr-usermgmt-restapi-mysql"


def quick_start() -> list[str]:
    """Return the lines of the README's second block below "Quick start": the first one starts the server."""
    section = (ROOT / "README.md").read_text().partition("## Quick start\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert blocks[0] == "make serve\n"
    return str(blocks[1]).splitlines()


@pytest.fixture
def steps(reader: Reader, own_server: Server) -> dict[str, Step]:
    """The quick start's steps by the words that tell them apart; only the port is replaced."""
    lines = [line.replace("localhost:4510", own_server.host) for line in quick_start()]
    ran = run_lines(lines, reader.folder, reader.environment)
    assert [step for step in ran if step.status != 0] == []
    return {" ".join(re.findall(r"docker [a-z]+|ecr [a-z-]+|^export|^eval", step.line)): step for step in ran}


def test_the_quick_start_of_the_readme_runs_line_by_line(
    steps: dict[str, Step], own_server: Server, docker: DockerEngine
) -> None:
    image = json.loads(steps["ecr describe-images"].output)["imageDetails"][0]
    put = json.loads(steps["ecr put-image"].output)["image"]

    assert image["imageTags"] == ["latest"]
    assert image["repositoryName"] == REPOSITORY
    assert f"digest: {image['imageDigest']}" in steps["docker push"].output
    assert put["imageId"] == {"imageDigest": image["imageDigest"], "imageTag": "4.0.0"}
    assert f"Digest: {image['imageDigest']}" in steps["docker pull"].output
    assert json.loads(steps["ecr delete-repository"].output)["repository"]["repositoryName"] == REPOSITORY
    assert json.loads(aws(own_server, "ecr", "describe-repositories").stdout) == {"repositories": []}
    latest, tagged = (
        docker.run("inspect", "--format", "{{.Id}}", f"{own_server.host}/{REPOSITORY}:{tag}").stdout
        for tag in ("latest", "4.0.0")
    )
    assert latest == tagged


def test_a_line_that_fails_is_seen_to_fail(tmp_path: Path) -> None:
    ran = run_lines(["true", "A=1; false", "echo $A"], tmp_path, {"PATH": os.defpath})

    assert [(step.status, step.output) for step in ran] == [(0, ""), (1, ""), (0, "1\n")]

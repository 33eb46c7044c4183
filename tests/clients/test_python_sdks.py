"""Programs in Python that push and pull by Docker's SDK and by oras': each in an environment that has only these two."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import unpacked_layers
from tests.clients.registry import Registry, digest_of
from tests.engines.docker import DockerEngine
from tests.engines.programs import CACHE, ROOT, plain_environment, run
from tests.engines.server import Server

pytestmark = pytest.mark.slow

PROGRAMS = ROOT / "tests" / "clients" / "programs"


def told(program: str, *words: str | Path, folder: Path, environment: dict[str, str]) -> Any:
    """Run a program in a folder and return what it has to say."""
    python = CACHE / "sdks" / "bin" / "python"
    if not python.exists():
        pytest.fail("the SDKs are missing: make slow-tests installs them in .cache/sdks", pytrace=False)
    return json.loads(run([python, PROGRAMS / program, *words], env=environment, cwd=folder).stdout)


@pytest.mark.client("docker-py")
def test_a_program_builds_pushes_and_pulls_with_dockers_sdk(
    docker: DockerEngine, server: Server, password: str, ecr: Any, registry: Registry, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"{server.host}/{repository}"

    said = told("docker_sdk.py", server.host, repository, password, tmp_path, folder=tmp_path, environment=docker.env())

    (described,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    digest = described["imageDigest"]
    assert (said["Pushed"], said["Errors"]) == ([digest], [])
    assert (said["Digest"], said["Platform"]) == (digest, True)
    assert said["Pulled"] == [f"{name}@{digest}"]
    assert said["AllTags"] == [f"{name}:v1", f"{name}:v2"]
    assert said["Layers"] == unpacked_layers(registry, repository, "v1")
    assert said["NotFound"].endswith("manifest unknown: Requested image not found")
    assert "401 Unauthorized" in said["Refused"]


@pytest.mark.client("oras-py")
def test_a_program_keeps_files_with_oras_sdk(
    server: Server, password: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    environment = plain_environment(HOME=str(tmp_path), DOCKER_CONFIG=str(tmp_path))

    said = told("oras_sdk.py", server.host, repository, password, folder=tmp_path, environment=environment)

    manifest = registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body
    assert (said["Pulled"], said["Same"]) == (["large.bin", "one.txt"], True)
    assert (said["Tags"], said["Some"]) == (["pieces", "v1"], ["pieces"])
    assert (said["Deleted"], said["Left"]) == (["pieces"], ["attached", "v1"])
    assert said["Subject"] == digest_of(manifest)
    referrers = json.loads(registry.must(200, "GET", f"/v2/{repository}/referrers/{digest_of(manifest)}").body)
    assert len(referrers["manifests"]) == 1

"""buildah builds, pushes and pulls; that the registry has no TLS is said with each command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import unpacked_layers
from tests.clients.registry import Registry
from tests.engines.podman import Podman
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("buildah")]

PLAIN = "--tls-verify=false"
SAID = "said by the image\n"


@pytest.fixture(scope="module")
def engine(server: Server, password: str) -> Iterator[Podman]:
    """buildah, logged in as the administrator, and podman to run what it made."""
    with Podman() as made:
        made.buildah("login", PLAIN, "--username", "AWS", "--password-stdin", server.host, stdin=password)
        yield made


@pytest.fixture
def image(server: Server, repository: str) -> str:
    return f"{server.host}/{repository}:v1"


def build_and_push(engine: Podman, image: str, folder: Path) -> None:
    engine.buildah("bud", "--quiet", "--tag", image, engine.context(folder / "context", SAID))
    engine.buildah("push", PLAIN, "--quiet", image)


def test_buildah_pushes_what_a_dockerfile_says_and_pulls_it_again(
    engine: Podman, image: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    build_and_push(engine, image, tmp_path)
    engine.buildah("rmi", image)
    engine.buildah("pull", PLAIN, "--quiet", image)

    assert engine.podman("run", "--rm", "--pull=never", "--network=none", image).stdout == SAID
    shown = engine.podman("image", "inspect", "--format", "{{json .RootFS.Layers}}", image).stdout
    assert unpacked_layers(registry, repository, "v1") == json.loads(shown)


def test_buildah_pushes_what_was_put_together_step_by_step(
    engine: Podman, image: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    context = engine.context(tmp_path / "context", SAID)
    made = engine.buildah("from", "scratch").stdout.strip()
    engine.buildah("copy", "--quiet", made, context / "said", "/said")
    engine.buildah("config", "--label", "made=step by step", made)
    engine.buildah("commit", "--quiet", "--rm", made, image)

    engine.buildah("push", PLAIN, "--quiet", image)

    assert len(unpacked_layers(registry, repository, "v1")) == 1
    manifest = json.loads(registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body)
    config = json.loads(registry.must(200, "GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}").body)
    assert config["config"]["Labels"]["made"] == "step by step"


def test_buildah_goes_on_from_an_image_of_the_registry(
    engine: Podman, image: str, server: Server, repository: str, tmp_path: Path
) -> None:
    build_and_push(engine, image, tmp_path)
    engine.buildah("rmi", image)
    more = f"{server.host}/{repository}:more"

    made = engine.buildah("from", PLAIN, "--quiet", image).stdout.strip()
    engine.buildah("run", "--network=none", made, "--", "/bin/busybox", "cp", "/said", "/again")
    engine.buildah("commit", "--quiet", "--rm", made, more)
    engine.buildah("push", PLAIN, "--quiet", more)

    engine.buildah("rmi", more, image)
    engine.buildah("pull", PLAIN, "--quiet", more)
    command = ("/bin/busybox", "cat", "/again")
    assert engine.podman("run", "--rm", "--pull=never", "--network=none", more, *command).stdout == SAID


def test_buildah_pushes_straight_from_its_store_to_another_name(
    engine: Podman, image: str, ecr: Any, repository: str, tmp_path: Path
) -> None:
    built = "localhost/not-of-the-registry:v1"
    engine.buildah("bud", "--quiet", "--tag", built, engine.context(tmp_path / "context", SAID))

    engine.buildah("push", PLAIN, "--quiet", "--digestfile", tmp_path / "digest", built, f"docker://{image}")

    details = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert [each["imageDigest"] for each in details] == [(tmp_path / "digest").read_text()]


def test_buildah_hears_that_a_tag_does_not_exist(engine: Podman, image: str) -> None:
    refused = engine.buildah("pull", PLAIN, image, check=False)

    assert refused.returncode != 0
    assert "manifest unknown: Requested image not found" in refused.stderr


def test_without_a_word_about_tls_buildah_sends_nothing_in_the_clear(
    engine: Podman, image: str, tmp_path: Path
) -> None:
    engine.buildah("bud", "--quiet", "--tag", image, engine.context(tmp_path / "context", SAID))

    refused = engine.buildah("push", image, check=False)

    assert refused.returncode != 0
    assert "server gave HTTP response to HTTPS client" in refused.stderr

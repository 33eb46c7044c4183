"""podman logs in, builds, pushes, pulls and runs what it pulled; the registry is named in its settings as one without TLS."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import unpacked_layers
from tests.clients.registry import OCI_INDEX, Registry
from tests.engines.podman import Podman
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("podman")]

SAID = "said by the image\n"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def podman(server: Server, password: str) -> Iterator[Podman]:
    """podman, logged in as the administrator."""
    with Podman(server.host) as made:
        made.podman("login", "--username", "AWS", "--password-stdin", server.host, stdin=password)
        yield made


@pytest.fixture
def name(server: Server, repository: str) -> str:
    """The full name of this test's repository, without a tag."""
    return f"{server.host}/{repository}"


@pytest.fixture
def pushed(podman: Podman, name: str, tmp_path: Path) -> str:
    """The full name of an image that podman has built and pushed."""
    podman.podman("build", "--quiet", "--tag", f"{name}:v1", podman.context(tmp_path / "context", SAID))
    podman.podman("push", "--quiet", f"{name}:v1")
    return f"{name}:v1"


def described(ecr: Any, repository: str, tag: str) -> Any:
    return ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"][0]


def test_the_registry_holds_every_byte_that_podman_pushed(
    podman: Podman, pushed: str, registry: Registry, repository: str
) -> None:
    shown = podman.podman("image", "inspect", "--format", "{{json .RootFS.Layers}}", pushed).stdout

    assert unpacked_layers(registry, repository, "v1") == json.loads(shown)


def test_an_image_that_podman_pulled_runs(podman: Podman, pushed: str) -> None:
    podman.podman("rmi", pushed)

    podman.podman("pull", "--quiet", pushed)

    assert podman.podman("run", "--rm", "--pull=never", "--network=none", pushed).stdout == SAID


def test_running_an_image_pulls_it(podman: Podman, pushed: str) -> None:
    podman.podman("rmi", pushed)

    assert podman.podman("run", "--rm", "--quiet", "--network=none", pushed).stdout == SAID


def test_podman_writes_down_the_digest_that_the_api_describes_and_pulls_by_it(
    podman: Podman, pushed: str, name: str, ecr: Any, repository: str, tmp_path: Path
) -> None:
    podman.podman("push", "--quiet", "--digestfile", tmp_path / "digest", pushed)
    digest = (tmp_path / "digest").read_text()
    podman.podman("rmi", pushed)

    podman.podman("pull", "--quiet", f"{name}@{digest}")

    assert digest == described(ecr, repository, "v1")["imageDigest"]
    assert podman.podman("run", "--rm", "--pull=never", "--network=none", f"{name}@{digest}").stdout == SAID


def test_a_second_tag_is_pushed_for_the_same_image(
    podman: Podman, pushed: str, name: str, ecr: Any, repository: str
) -> None:
    podman.podman("tag", pushed, f"{name}:v2")

    podman.podman("push", "--quiet", f"{name}:v2")

    assert sorted(described(ecr, repository, "v2")["imageTags"]) == ["v1", "v2"]


def test_podman_builds_upon_an_image_that_it_has_to_pull(
    podman: Podman, pushed: str, name: str, tmp_path: Path
) -> None:
    podman.podman("rmi", pushed)
    (tmp_path / "Dockerfile").write_text(f'FROM {pushed}\nRUN ["/bin/busybox", "cp", "/said", "/again"]\n')

    podman.podman("build", "--quiet", "--network=none", "--tag", f"{name}:built", tmp_path)
    podman.podman("push", "--quiet", f"{name}:built")

    podman.podman("rmi", f"{name}:built", pushed)
    command = ("/bin/busybox", "cat", "/again")
    assert podman.podman("run", "--rm", "--quiet", "--network=none", f"{name}:built", *command).stdout == SAID


def test_podman_pushes_in_the_format_of_docker(
    podman: Podman, pushed: str, ecr: Any, registry: Registry, repository: str
) -> None:
    podman.podman("push", "--quiet", "--format=v2s2", pushed)

    assert described(ecr, repository, "v1")["imageManifestMediaType"] == DOCKER_MANIFEST
    assert len(unpacked_layers(registry, repository, "v1")) == 2


def test_podman_pushes_a_list_of_images_for_several_platforms(
    podman: Podman, name: str, ecr: Any, registry: Registry, repository: str, tmp_path: Path
) -> None:
    for platform in ("linux/amd64", "linux/arm64"):
        context = podman.context(tmp_path / platform.replace("/", "-"), platform)
        podman.podman("build", "--quiet", "--platform", platform, "--manifest", f"{name}:many", context)

    podman.podman("manifest", "push", "--all", "--quiet", f"{name}:many", f"docker://{name}:many")

    assert described(ecr, repository, "many")["imageManifestMediaType"] == OCI_INDEX
    index = json.loads(registry.must(200, "GET", f"/v2/{repository}/manifests/many").body)
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    for each in index["manifests"]:
        assert len(unpacked_layers(registry, repository, each["digest"])) == 2


def test_podman_hears_that_a_tag_does_not_exist(podman: Podman, name: str) -> None:
    refused = podman.podman("pull", f"{name}:never", check=False)

    assert refused.returncode != 0
    assert "manifest unknown: Requested image not found" in refused.stderr


def test_podman_hears_that_an_immutable_tag_is_taken(
    podman: Podman, server: Server, new_repository: Callable[..., str], tmp_path: Path
) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    image = f"{server.host}/{repository}:v1"
    for number, check in enumerate((True, False)):
        podman.podman("build", "--quiet", "--tag", image, podman.context(tmp_path / str(number), str(number)))
        tried = podman.podman("push", "--quiet", image, check=check)

    assert tried.returncode != 0
    assert f"The image tag 'v1' already exists in the '{repository}' repository" in tried.stderr


def test_a_wrong_password_logs_nobody_in(podman: Podman, server: Server, tmp_path: Path) -> None:
    elsewhere = ("--authfile", tmp_path / "auth.json")

    refused = podman.podman(
        *("login", *elsewhere, "--username", "AWS", "--password-stdin", server.host), stdin="wrong", check=False
    )

    assert refused.returncode != 0
    assert "invalid username/password" in refused.stderr


def test_after_logging_out_podman_pulls_nothing(
    podman: Podman, server: Server, pushed: str, password: str, tmp_path: Path
) -> None:
    elsewhere = ("--authfile", tmp_path / "auth.json")
    podman.podman("login", *elsewhere, "--username", "AWS", "--password-stdin", server.host, stdin=password)
    podman.podman("pull", *elsewhere, "--quiet", pushed)

    podman.podman("logout", *elsewhere, server.host)

    refused = podman.podman("pull", *elsewhere, "--quiet", pushed, check=False)
    assert refused.returncode != 0
    assert "unauthorized: authentication required" in refused.stderr

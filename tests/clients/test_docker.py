"""Docker pushes, pulls and is refused as it is by Amazon ECR."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import DockerImages, unpacked_layers
from tests.clients.people import READ_ONLY, Person, client, login_password
from tests.clients.registry import Registry
from tests.engines.docker import DockerEngine
from tests.engines.server import ACCOUNT, Server

pytestmark = [pytest.mark.slow, pytest.mark.client("docker")]

FILES = {"one": b"first layer", "two": b"second layer" * 100_000}


@contextmanager
def logged_in(docker: DockerEngine, server: Server, person: Person, folder: Path) -> Iterator[list[str]]:
    """Log a person in apart from the administrator, and give docker's arguments for that."""
    apart = ["--config", str(folder / "docker")]
    with client(server, "ecr", person) as ecr:
        secret = login_password(ecr)
    docker.run(*apart, "login", "--username", "AWS", "--password-stdin", server.host, stdin=secret)
    yield apart


@pytest.fixture
def pushed(engine: DockerEngine, images: DockerImages, server: Server, repository: str) -> str:
    """The full name of an image that docker has built and pushed, without its tag; the tag is ``v1``."""
    name = f"{server.host}/{repository}"
    images.build(f"{name}:v1", FILES)
    engine.run("push", f"{name}:v1")
    return name


def described(ecr: Any, repository: str, tag: str) -> Any:
    return ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"][0]


def test_the_registry_holds_every_byte_that_docker_pushed(
    pushed: str, images: DockerImages, registry: Registry, repository: str
) -> None:
    assert unpacked_layers(registry, repository, "v1") == images.layers(f"{pushed}:v1")


def test_docker_is_told_the_digest_that_the_api_describes(
    pushed: str, engine: DockerEngine, ecr: Any, repository: str
) -> None:
    digests = json.loads(engine.run("inspect", "--format", "{{json .RepoDigests}}", f"{pushed}:v1").stdout)

    assert f"{pushed}@{described(ecr, repository, 'v1')['imageDigest']}" in digests


def test_docker_pulls_the_files_that_it_pushed(pushed: str, engine: DockerEngine, images: DockerImages) -> None:
    images.forget(f"{pushed}:v1")

    engine.run("pull", f"{pushed}:v1")

    assert images.files(f"{pushed}:v1") == FILES


def test_docker_pulls_by_digest(
    pushed: str, engine: DockerEngine, images: DockerImages, ecr: Any, repository: str
) -> None:
    by_digest = f"{pushed}@{described(ecr, repository, 'v1')['imageDigest']}"
    images.forget(f"{pushed}:v1")

    engine.run("pull", by_digest)

    assert images.files(by_digest) == FILES


def test_pushing_an_image_again_is_no_failure(pushed: str, engine: DockerEngine) -> None:
    again = engine.run("push", f"{pushed}:v1").stdout

    assert again.count("Layer already exists") == len(FILES)


def test_a_second_tag_of_an_image_moves_no_layer(pushed: str, engine: DockerEngine, ecr: Any, repository: str) -> None:
    engine.run("tag", f"{pushed}:v1", f"{pushed}:v2")

    engine.run("push", f"{pushed}:v2")

    assert sorted(described(ecr, repository, "v2")["imageTags"]) == ["v1", "v2"]


def test_docker_pulls_an_image_that_was_retagged_at_the_api(
    pushed: str, engine: DockerEngine, images: DockerImages, ecr: Any, repository: str
) -> None:
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"][0]
    ecr.put_image(repositoryName=repository, imageTag="stable", imageManifest=got["imageManifest"])
    images.forget(f"{pushed}:v1")

    output = engine.run("pull", f"{pushed}:stable").stdout

    assert f"Digest: {got['imageId']['imageDigest']}" in output
    assert images.files(f"{pushed}:stable") == FILES


def test_a_deleted_image_cannot_be_pulled(pushed: str, engine: DockerEngine, ecr: Any, repository: str) -> None:
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])

    refused = engine.run("pull", f"{pushed}:v1", check=False)

    assert refused.returncode != 0
    assert "Requested image not found" in refused.stderr


def test_docker_hears_that_an_immutable_tag_is_taken(
    engine: DockerEngine, images: DockerImages, server: Server, new_repository: Callable[..., str]
) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    name = f"{server.host}/{repository}:v1"
    images.build(name, {"one": b"first"})
    engine.run("push", name)
    images.build(name, {"one": b"another"})

    refused = engine.run("push", name, check=False)

    assert refused.returncode != 0
    assert (
        f"tag invalid: The image tag 'v1' already exists in the '{repository}' repository "
        "and cannot be overwritten because the repository is immutable."
    ) in refused.stderr


def test_docker_hears_that_a_repository_does_not_exist(
    engine: DockerEngine, images: DockerImages, server: Server
) -> None:
    name = f"{server.host}/clients/never-made:v1"
    images.build(name, {"one": b"first"})

    refused = engine.run("push", name, check=False)

    assert refused.returncode != 0
    assert (
        f"The repository with name 'clients/never-made' does not exist in the registry with id '{ACCOUNT}'"
        in refused.stderr
    )


def test_a_wrong_password_logs_nobody_in(docker: DockerEngine, server: Server, tmp_path: Path) -> None:
    refused = docker.run(
        *("--config", tmp_path, "login", "--username", "AWS", "--password-stdin", server.host),
        stdin="not the password",
        check=False,
    )

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr
    assert not (tmp_path / "config.json").exists()


def test_without_a_login_docker_pulls_nothing(pushed: str, engine: DockerEngine, tmp_path: Path) -> None:
    refused = engine.run("--config", tmp_path, "pull", f"{pushed}:v1", check=False)

    assert refused.returncode != 0
    assert "no basic auth credentials" in refused.stderr


def test_whoever_may_only_read_pulls(
    pushed: str,
    engine: DockerEngine,
    images: DockerImages,
    server: Server,
    person: Callable[[str | None], Person],
    tmp_path: Path,
) -> None:
    images.forget(f"{pushed}:v1")

    with logged_in(engine, server, person(READ_ONLY), tmp_path) as apart:
        engine.run(*apart, "pull", f"{pushed}:v1")

    assert images.files(f"{pushed}:v1") == FILES


def test_whoever_may_only_read_hears_which_permission_a_push_needs(
    pushed: str,
    engine: DockerEngine,
    images: DockerImages,
    server: Server,
    repository: str,
    person: Callable[[str | None], Person],
    tmp_path: Path,
) -> None:
    reader = person(READ_ONLY)
    images.build(f"{pushed}:mine", {"mine": b"something new"})

    with logged_in(engine, server, reader, tmp_path) as apart:
        refused = engine.run(*apart, "push", f"{pushed}:mine", check=False)

    assert refused.returncode != 0
    assert (
        f"denied: User: {reader.arn} is not authorized to perform: ecr:InitiateLayerUpload "
        f"on resource: arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository} "
        "because no identity-based policy allows the ecr:InitiateLayerUpload action"
    ) in refused.stderr


def test_docker_pulls_one_platform_of_an_index(
    pushed: str, engine: DockerEngine, images: DockerImages, registry: Registry, repository: str
) -> None:
    child = registry.must(200, "GET", f"/v2/{repository}/manifests/v1")
    media_type = "application/vnd.docker.distribution.manifest.list.v2+json"
    entry = {
        "mediaType": child.headers["content-type"],
        "digest": child.headers["docker-content-digest"],
        "size": len(child.body),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    manifests = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": [entry]}).encode()
    assert registry.put_manifest(repository, "many", manifests, media_type).status == 201
    images.forget(f"{pushed}:v1")

    engine.run("pull", f"{pushed}:many")

    assert images.files(f"{pushed}:many") == FILES

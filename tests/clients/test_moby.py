"""Docker's engine of today keeps images in containerd's store, and pushes and pulls with containerd's words."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.building import manifest_of
from tests.clients.images import DockerImages, unpacked_layers
from tests.clients.people import READ_ONLY, Person, client, login_password
from tests.clients.registry import OCI_INDEX, OCI_MANIFEST, Registry
from tests.clients.tools import program
from tests.engines.docker import Moby
from tests.engines.programs import run
from tests.engines.server import Server

pytestmark = [pytest.mark.on_request, pytest.mark.client("moby")]


@pytest.fixture(scope="module")
def engine(server: Server, password: str) -> Iterator[Moby]:
    """The engine, logged in at the shared server as its administrator."""
    made = Moby().start()
    made.run("login", "--username", "AWS", "--password-stdin", server.host, stdin=password)
    yield made
    made.stop()


@pytest.fixture
def images(engine: Moby, tmp_path: Path) -> DockerImages:
    return DockerImages(engine, tmp_path)


@pytest.fixture
def name(server: Server, repository: str) -> str:
    """The full name of this test's repository, without a tag."""
    return f"{server.host}/{repository}"


@pytest.fixture
def files(repository: str) -> dict[str, bytes]:
    """What no other test's image has: the engine would take the same layers for those of the other repository."""
    return {"one": repository.encode(), "two": repository.encode() * 10_000}


@pytest.fixture
def pushed(engine: Moby, images: DockerImages, name: str, files: dict[str, bytes]) -> str:
    """The full name of an image of two layers that the engine has built and pushed."""
    images.build(f"{name}:v1", files)
    engine.run("push", f"{name}:v1")
    return f"{name}:v1"


def test_the_registry_holds_every_byte_that_moby_pushed(
    images: DockerImages, pushed: str, registry: Registry, repository: str
) -> None:
    assert unpacked_layers(registry, repository, "v1") == images.layers(pushed)


def test_moby_pulls_the_files_that_it_pushed(
    engine: Moby, images: DockerImages, pushed: str, files: dict[str, bytes]
) -> None:
    images.forget(pushed)

    engine.run("pull", pushed)

    assert images.files(pushed) == files


def test_moby_pulls_by_the_digest_that_the_api_describes(
    engine: Moby, images: DockerImages, pushed: str, name: str, ecr: Any, repository: str
) -> None:
    images.forget(pushed)
    (described,) = ecr.describe_images(repositoryName=repository)["imageDetails"]

    engine.run("pull", f"{name}@{described['imageDigest']}")

    assert described["imageManifestMediaType"] == OCI_MANIFEST
    shown = engine.run("image", "inspect", "--format", "{{json .RepoDigests}}", f"{name}@{described['imageDigest']}")
    assert json.loads(shown.stdout) == [f"{name}@{described['imageDigest']}"]


def test_pushing_an_image_again_is_no_failure(engine: Moby, pushed: str) -> None:
    assert "already exists" in engine.run("push", pushed).stdout


def tagged_for_another(
    engine: Moby, images: DockerImages, pushed: str, server: Server, new_repository: Callable[..., str]
) -> str:
    """Have the engine know an image by its pull alone, and tag it for another repository, whose name is returned."""
    other = new_repository()
    images.forget(pushed)
    engine.run("pull", pushed)
    engine.run("tag", pushed, f"{server.host}/{other}:v1")
    return other


def test_moby_mounts_the_layers_of_another_repository_where_the_account_allows_it(
    engine: Moby,
    images: DockerImages,
    pushed: str,
    ecr: Any,
    server: Server,
    registry: Registry,
    new_repository: Callable[..., str],
) -> None:
    other = tagged_for_another(engine, images, pushed, server, new_repository)
    ecr.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
    try:
        said = engine.run("push", f"{server.host}/{other}:v1").stdout
    finally:
        ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")

    assert said.count(f"Mounted from {pushed.partition('/')[2].partition(':')[0]}") == 2
    assert unpacked_layers(registry, other, "v1") == images.layers(pushed)


def test_moby_pushes_as_many_bytes_where_it_may_not_mount(
    engine: Moby,
    images: DockerImages,
    pushed: str,
    server: Server,
    registry: Registry,
    new_repository: Callable[..., str],
) -> None:
    other = tagged_for_another(engine, images, pushed, server, new_repository)

    said = engine.run("push", f"{server.host}/{other}:v1").stdout

    assert "Mounted" not in said
    assert unpacked_layers(registry, other, "v1") == images.layers(pushed)


def test_moby_pushes_all_platforms_of_an_index_with_what_was_attested(
    engine: Moby, name: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    buildx = program("buildx", "clients")
    words = ("build", "--platform=linux/amd64,linux/arm64", "--provenance=true", "--tag", f"{name}:many")
    run([buildx, *words, tmp_path], env=engine.env())

    engine.run("push", f"{name}:many")

    index = manifest_of(registry, repository, "many")
    assert index["mediaType"] == OCI_INDEX
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64", "unknown", "unknown"]


def test_moby_hears_that_a_tag_does_not_exist(engine: Moby, name: str) -> None:
    refused = engine.run("pull", f"{name}:never", check=False)

    assert refused.returncode != 0
    assert f"{name}:never: not found" in refused.stderr


def test_moby_hears_that_a_repository_does_not_exist(engine: Moby, images: DockerImages, server: Server) -> None:
    images.build(f"{server.host}/never/made:v1", {"file": b"content"})

    refused = engine.run("push", f"{server.host}/never/made:v1", check=False)

    assert refused.returncode != 0
    assert "The repository with name 'never/made' does not exist in the registry" in refused.stderr


def test_moby_hears_that_an_immutable_tag_is_taken(
    engine: Moby, images: DockerImages, server: Server, new_repository: Callable[..., str]
) -> None:
    repository = new_repository(imageTagMutability="IMMUTABLE")
    for content, check in ((b"first", True), (b"second", False)):
        images.build(f"{server.host}/{repository}:v1", {"file": content})
        tried = engine.run("push", f"{server.host}/{repository}:v1", check=check)

    assert tried.returncode != 0
    assert f"The image tag 'v1' already exists in the '{repository}' repository" in tried.stderr


def test_a_wrong_password_logs_nobody_in(engine: Moby, server: Server) -> None:
    refused = engine.run("login", "--username", "AWS", "--password-stdin", server.host, stdin="wrong", check=False)

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr


def test_whoever_may_only_read_pulls_and_hears_which_permission_a_push_needs(
    engine: Moby, pushed: str, server: Server, password: str, person: Callable[[str | None], Person]
) -> None:
    reader = person(READ_ONLY)
    login = ("login", "--username", "AWS", "--password-stdin", server.host)
    with client(server, "ecr", reader) as ecr:
        engine.run(*login, stdin=login_password(ecr))
    try:
        engine.run("pull", pushed)
        engine.run("tag", pushed, f"{pushed}-mine")
        refused = engine.run("push", f"{pushed}-mine", check=False)
    finally:
        engine.run(*login, stdin=password)

    assert refused.returncode != 0
    assert f"User: {reader.arn} is not authorized to perform: ecr:" in refused.stderr

"""crane pushes, lists, copies, retags and deletes; what it validates is whole."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import layer_archive, unpacked_layers
from tests.clients.people import READ_ONLY, Person, client, login_password
from tests.clients.registry import OCI_INDEX, Registry, digest_of
from tests.engines.clients import crane
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("crane")]

Crane = Callable[..., str]


@pytest.fixture
def run(logins: Path) -> Crane:
    """crane as the administrator; returns what it printed."""
    return lambda *args: crane(*args, config=logins).stdout.strip()


@pytest.fixture
def base(server: Server, repository: str) -> str:
    """The full name of this test's repository."""
    return f"{server.host}/{repository}"


def append(run: Crane, folder: Path, name: str, content: bytes) -> bytes:
    """Push an image of one layer with one file, and return the layer, unpacked."""
    layer = layer_archive({"file": content})
    (folder / "layer.tar").write_bytes(layer)
    run("append", "--oci-empty-base", "--new_layer", str(folder / "layer.tar"), "--new_tag", name)
    return layer


def test_the_registry_holds_every_byte_that_crane_pushed(
    run: Crane, base: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    layer = append(run, tmp_path, f"{base}:v1", b"content" * 100_000)

    assert unpacked_layers(registry, repository, "v1") == [digest_of(layer)]


def test_crane_finds_its_image_whole(run: Crane, base: str, tmp_path: Path) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")

    run("validate", "--remote", f"{base}:v1")


def test_crane_reads_the_manifest_of_the_digest_that_it_is_told(run: Crane, base: str, tmp_path: Path) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")

    digest = run("digest", f"{base}:v1")

    assert json.loads(run("manifest", f"{base}@{digest}")) == json.loads(run("manifest", f"{base}:v1"))


def test_crane_exports_the_files_that_it_pushed(run: Crane, base: str, tmp_path: Path) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")

    run("export", f"{base}:v1", str(tmp_path / "exported.tar"))

    with tarfile.open(tmp_path / "exported.tar") as tar:
        reader = tar.extractfile("file")
        assert reader
        assert reader.read() == b"content"


def test_crane_lists_tags_over_several_pages(run: Crane, base: str, registry: Registry, repository: str) -> None:
    manifest = registry.push(repository, "tag-000")
    tags = [f"tag-{number:03}" for number in range(120)]
    for tag in tags:
        assert registry.put_manifest(repository, tag, manifest).status == 201

    assert run("ls", base).splitlines() == tags


def test_crane_finds_the_repository_in_the_catalog(run: Crane, server: Server, repository: str) -> None:
    assert repository in run("catalog", server.host).splitlines()


def test_crane_copies_an_image_to_another_repository_under_the_same_digest(
    run: Crane, base: str, server: Server, new_repository: Callable[..., str], tmp_path: Path
) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")
    copy = f"{server.host}/{new_repository()}:copy"

    run("copy", f"{base}:v1", copy)

    assert run("digest", copy) == run("digest", f"{base}:v1")
    run("validate", "--remote", copy)


def test_crane_retags_an_image(run: Crane, base: str, tmp_path: Path) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")

    run("tag", f"{base}:v1", "stable")

    assert run("ls", base).splitlines() == ["stable", "v1"]
    assert run("digest", f"{base}:stable") == run("digest", f"{base}:v1")


def test_crane_deletes_an_image_by_its_digest(
    run: Crane, base: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    append(run, tmp_path, f"{base}:v1", b"content")
    digest = run("digest", f"{base}:v1")

    run("delete", f"{base}@{digest}")

    assert run("ls", base) == ""
    assert registry.send("GET", f"/v2/{repository}/manifests/{digest}").code == "MANIFEST_UNKNOWN"


def test_crane_pushes_an_index_of_several_images(run: Crane, base: str, tmp_path: Path) -> None:
    append(run, tmp_path, f"{base}:one", b"one")
    append(run, tmp_path, f"{base}:two", b"two")

    run("index", "append", "--manifest", f"{base}:one", "--manifest", f"{base}:two", "--tag", f"{base}:many")

    pushed = json.loads(run("manifest", f"{base}:many"))
    children = [run("digest", f"{base}:one"), run("digest", f"{base}:two")]
    assert pushed["mediaType"] in (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
    assert [each["digest"] for each in pushed["manifests"]] == children
    run("validate", "--remote", f"{base}:many")


def test_crane_reads_a_single_blob(run: Crane, base: str, registry: Registry, repository: str) -> None:
    digest = registry.push_blob(repository, b"a blob by itself")

    assert run("blob", f"{base}@{digest}") == "a blob by itself"


def test_a_wrong_password_pulls_nothing(
    server: Server, base: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    registry.push(repository, "v1")
    crane("auth", "login", server.host, "--username", "AWS", "--password", "wrong", config=tmp_path)

    refused = crane("manifest", f"{base}:v1", config=tmp_path, check=False)

    assert refused.returncode != 0
    assert "401 Unauthorized" in refused.stderr


def test_whoever_may_only_read_pushes_nothing_with_crane(
    base: str,
    server: Server,
    registry: Registry,
    repository: str,
    person: Callable[[str | None], Person],
    tmp_path: Path,
) -> None:
    registry.push(repository, "v1")
    reader = person(READ_ONLY)
    with client(server, "ecr", reader) as ecr:
        secret = login_password(ecr)
    crane("auth", "login", server.host, "--username", "AWS", "--password-stdin", config=tmp_path, stdin=secret)

    crane("manifest", f"{base}:v1", config=tmp_path)
    refused = crane("tag", f"{base}:v1", "mine", config=tmp_path, check=False)

    assert refused.returncode != 0
    assert f"DENIED: User: {reader.arn} is not authorized to perform: ecr:PutImage" in refused.stderr

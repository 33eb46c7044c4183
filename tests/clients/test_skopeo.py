"""skopeo copies, inspects, lists and deletes, whole indexes included."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import layer_archive, unpacked_layers
from tests.clients.registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Registry,
    descriptor,
    digest_of,
    image_manifest,
)
from tests.engines.clients import skopeo
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("skopeo")]

Skopeo = Callable[..., str]
PLAIN = "--tls-verify=false"
NOTE = "application/vnd.moorage.note.v1"
TO_PLAIN, FROM_PLAIN = "--dest-tls-verify=false", "--src-tls-verify=false"


@pytest.fixture
def run(logins: Path) -> Skopeo:
    """skopeo as the administrator; returns what it printed."""
    return lambda *args: skopeo(*args, config=logins).stdout.strip()


@pytest.fixture
def base(server: Server, repository: str) -> str:
    """The name of this test's repository as skopeo writes it."""
    return f"docker://{server.host}/{repository}"


class Layout:
    """An OCI image layout on disk (OCI image specification, "Image Layout")."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def add(self, content: bytes) -> bytes:
        (self.folder / "blobs" / "sha256" / digest_of(content).partition(":")[2]).write_bytes(content)
        return content

    def image(self, architecture: str, files: Mapping[str, bytes]) -> bytes:
        layer = self.add(layer_archive(files))
        rootfs = {"type": "layers", "diff_ids": [digest_of(layer)]}
        config = self.add(json.dumps({"os": "linux", "architecture": architecture, "rootfs": rootfs}).encode())
        return self.add(image_manifest(config, layer))

    def name(self, media_type: str, manifest: bytes) -> str:
        """Make a manifest the one that the layout stands for, and return its name for skopeo."""
        entry = descriptor(media_type, manifest)
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        return f"oci:{self.folder}"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def content_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a ``dir:`` copy, whose blobs are named by their digests."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_registry_holds_every_byte_that_skopeo_copied(
    run: Skopeo, base: str, layout: Layout, registry: Registry, repository: str
) -> None:
    manifest = layout.image("amd64", {"file": b"content" * 100_000})

    run("copy", TO_PLAIN, "--preserve-digests", layout.name(OCI_MANIFEST, manifest), f"{base}:v1")

    served = registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body
    assert digest_of(served) == digest_of(manifest)
    assert len(unpacked_layers(registry, repository, "v1")) == 1


def test_skopeo_copies_back_the_bytes_that_it_pushed(
    run: Skopeo, base: str, registry: Registry, repository: str, tmp_path: Path
) -> None:
    manifest = registry.push(repository, "v1")

    run("copy", FROM_PLAIN, f"{base}:v1", f"dir:{tmp_path / 'copy'}")

    copied = content_of(tmp_path / "copy")
    assert copied["manifest.json"] == manifest
    blobs = {name: content for name, content in copied.items() if len(name) == 64}
    assert len(blobs) == 2
    assert all(digest_of(content) == f"sha256:{name}" for name, content in blobs.items())


def test_skopeo_inspects_an_image(run: Skopeo, base: str, layout: Layout) -> None:
    manifest = layout.image("arm64", {"file": b"content"})
    run("copy", TO_PLAIN, layout.name(OCI_MANIFEST, manifest), f"{base}:v1")

    inspected: dict[str, Any] = json.loads(run("inspect", PLAIN, f"{base}:v1"))

    assert (inspected["Architecture"], inspected["RepoTags"]) == ("arm64", ["v1"])
    raw = run("inspect", PLAIN, "--raw", f"{base}:v1")
    assert inspected["Digest"] == digest_of(raw.encode())


def test_skopeo_lists_tags(run: Skopeo, base: str, registry: Registry, repository: str) -> None:
    for tag in ("v2", "latest", "v1"):
        registry.push(repository, tag)

    assert json.loads(run("list-tags", PLAIN, base))["Tags"] == ["latest", "v1", "v2"]


def test_skopeo_copies_between_repositories_under_the_same_digest(
    run: Skopeo, base: str, server: Server, registry: Registry, repository: str, new_repository: Callable[..., str]
) -> None:
    manifest = registry.push(repository, "v1")
    other = new_repository()

    run("copy", "--preserve-digests", FROM_PLAIN, TO_PLAIN, f"{base}:v1", f"docker://{server.host}/{other}:copy")

    assert registry.must(200, "GET", f"/v2/{other}/manifests/copy").body == manifest


def test_skopeo_copies_an_index_with_all_its_images(
    run: Skopeo, base: str, layout: Layout, registry: Registry, repository: str
) -> None:
    children = {name: layout.image(name, {"file": name.encode()}) for name in ("amd64", "arm64")}
    entries = [
        {**descriptor(OCI_MANIFEST, child), "platform": {"os": "linux", "architecture": name}}
        for name, child in children.items()
    ]
    index = layout.add(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode())

    run("copy", "--all", "--preserve-digests", TO_PLAIN, layout.name(OCI_INDEX, index), f"{base}:many")

    assert registry.must(200, "GET", f"/v2/{repository}/manifests/many").body == index
    for child in children.values():
        assert registry.must(200, "GET", f"/v2/{repository}/manifests/{digest_of(child)}").body == child


def test_skopeo_copies_an_index_with_what_refers_to_its_images(
    run: Skopeo, base: str, layout: Layout, registry: Registry, repository: str
) -> None:
    """It knows nothing of referrers: what is an entry of the index, as buildkit has it, is copied and then listed."""
    image = layout.image("amd64", {"file": b"content"})
    note, config = layout.add(b"a note"), layout.add(b"{}")
    attached = layout.add(image_manifest(config, note, subject=descriptor(OCI_MANIFEST, image), artifactType=NOTE))
    entries = [descriptor(OCI_MANIFEST, each) for each in (image, attached)]
    index = layout.add(json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode())

    run("copy", "--all", "--preserve-digests", TO_PLAIN, layout.name(OCI_INDEX, index), f"{base}:many")

    listed = json.loads(registry.must(200, "GET", f"/v2/{repository}/referrers/{digest_of(image)}").body)
    assert [(each["digest"], each["artifactType"]) for each in listed["manifests"]] == [(digest_of(attached), NOTE)]


def test_skopeo_brings_every_tag_of_a_repository_to_another_one(
    run: Skopeo, base: str, server: Server, registry: Registry, repository: str, ecr: Any
) -> None:
    pushed = {tag: registry.push(repository, tag, seed=tag) for tag in ("v1", "v2", "latest")}
    mirror = f"mirror/{repository.partition('/')[2]}"
    ecr.create_repository(repositoryName=mirror)

    words = ("sync", "--all", "--preserve-digests", FROM_PLAIN, TO_PLAIN, "--src", "docker", "--dest", "docker")
    run(*words, base.removeprefix("docker://"), f"{server.host}/mirror")

    for tag, manifest in pushed.items():
        assert registry.must(200, "GET", f"/v2/{mirror}/manifests/{tag}").body == manifest


def test_skopeo_keeps_a_repository_in_a_folder_and_brings_it_back(
    run: Skopeo, base: str, server: Server, registry: Registry, repository: str, tmp_path: Path
) -> None:
    pushed = {tag: registry.push(repository, tag, seed=tag) for tag in ("v1", "v2")}
    folder, parent = str(tmp_path / "kept"), f"{server.host}/{repository.rpartition('/')[0]}"
    run("sync", FROM_PLAIN, "--src", "docker", "--dest", "dir", base.removeprefix("docker://"), folder)
    for manifest in pushed.values():
        registry.must(202, "DELETE", f"/v2/{repository}/manifests/{digest_of(manifest)}")

    run("sync", "--preserve-digests", TO_PLAIN, "--src", "dir", "--dest", "docker", folder, parent)

    for tag, manifest in pushed.items():
        assert registry.must(200, "GET", f"/v2/{repository}/manifests/{tag}").body == manifest


def test_skopeo_deletes_an_image(run: Skopeo, base: str, registry: Registry, repository: str) -> None:
    manifest = registry.push(repository, "v1")

    run("delete", PLAIN, f"{base}:v1")

    assert registry.send("GET", f"/v2/{repository}/manifests/{digest_of(manifest)}").code == "MANIFEST_UNKNOWN"


def test_skopeo_is_refused_a_wrong_password(server: Server, logins: Path) -> None:
    refused = skopeo(
        *("login", PLAIN, "--username", "AWS", "--password-stdin", server.host),
        config=logins,
        stdin="wrong",
        check=False,
    )

    assert refused.returncode != 0
    assert "invalid username/password" in refused.stderr

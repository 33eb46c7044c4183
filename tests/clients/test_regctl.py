"""regctl copies, lists, changes and takes apart images; that the registry has no TLS is set once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.images import layer_archive, unpacked_layers
from tests.clients.registry import Registry, digest_of, image_manifest
from tests.clients.tools import program, tool
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("regctl")]

NOTE = "application/vnd.moorage.note.v1"
LAYER = layer_archive({"file": b"content" * 100_000})
CONFIG = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)]}}

Regctl = Callable[..., str]


@pytest.fixture
def run(server: Server, password: str, tmp_path: Path) -> Regctl:
    """regctl as the administrator; returns what it printed."""
    command = program("regctl")
    tool(command, "registry", "set", "--skip-check", "--tls", "disabled", server.host, home=tmp_path)
    words = ("registry", "login", "--user", "AWS", "--pass-stdin", server.host)
    tool(command, *words, home=tmp_path, stdin=password)
    return lambda *args, **more: tool(command, *args, home=tmp_path, **more).stdout.strip()


@pytest.fixture
def base(server: Server, repository: str) -> str:
    """The full name of this test's repository."""
    return f"{server.host}/{repository}"


@pytest.fixture
def image(base: str, registry: Registry, repository: str) -> str:
    """The name of an image of one layer."""
    config = json.dumps(CONFIG).encode()
    registry.push_blob(repository, LAYER)
    registry.push_blob(repository, config)
    assert registry.put_manifest(repository, "v1", image_manifest(config, LAYER)).status == 201
    return f"{base}:v1"


def test_regctl_copies_an_image_to_another_repository(
    run: Regctl, image: str, server: Server, registry: Registry, new_repository: Callable[..., str]
) -> None:
    other = new_repository()

    run("image", "copy", image, f"{server.host}/{other}:copy")

    assert run("manifest", "head", f"{server.host}/{other}:copy") == run("manifest", "head", image)
    assert unpacked_layers(registry, other, "copy") == [digest_of(LAYER)]


def test_regctl_copies_an_image_into_a_folder_and_back(
    run: Regctl, image: str, server: Server, registry: Registry, new_repository: Callable[..., str]
) -> None:
    other = new_repository()

    run("image", "copy", image, "ocidir://saved:v1")
    run("image", "copy", "ocidir://saved:v1", f"{server.host}/{other}:v1")

    assert unpacked_layers(registry, other, "v1") == [digest_of(LAYER)]


def test_regctl_copies_all_that_is_attached_to_an_image(
    run: Regctl, image: str, server: Server, new_repository: Callable[..., str]
) -> None:
    run("artifact", "put", "--artifact-type", NOTE, "--subject", image, stdin="a note")
    copy = f"{server.host}/{new_repository()}:copy"

    run("image", "copy", "--referrers", image, copy)

    assert run("artifact", "get", "--subject", copy, "--filter-artifact-type", NOTE) == "a note"


def test_regctl_lists_tags_and_removes_one_alone(run: Regctl, base: str, image: str) -> None:
    run("image", "copy", image, f"{base}:v2")
    assert run("tag", "ls", base).splitlines() == ["v1", "v2"]

    run("tag", "rm", f"{base}:v1")

    assert run("tag", "ls", base).splitlines() == ["v2"]
    run("manifest", "head", f"{base}:v2")


def test_regctl_reads_the_manifest_of_the_digest_that_it_is_told(
    run: Regctl, base: str, image: str, registry: Registry, repository: str
) -> None:
    digest = run("manifest", "head", image)

    served = run("manifest", "get", "--format", "raw-body", f"{base}@{digest}")

    assert served.encode() == registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body
    assert digest_of(served.encode()) == digest


def test_regctl_labels_an_image_under_a_new_tag(run: Regctl, base: str, image: str) -> None:
    run("image", "mod", "--label", "made-by=regctl", "--create", "labelled", image)

    config = json.loads(run("image", "config", f"{base}:labelled"))
    assert config["config"]["Labels"] == {"made-by": "regctl"}
    assert run("manifest", "head", f"{base}:labelled") != run("manifest", "head", image)


def test_regctl_finds_what_it_attached_to_an_image(run: Regctl, image: str) -> None:
    run("artifact", "put", "--artifact-type", NOTE, "--subject", image, stdin="a note")

    listed = json.loads(run("artifact", "list", "--format", "body", image))

    assert [each["artifactType"] for each in listed["manifests"]] == [NOTE]
    assert NOTE in run("artifact", "tree", image)


def test_regctl_makes_an_index_of_an_image(run: Regctl, base: str, image: str) -> None:
    run("index", "create", "--ref", image, f"{base}:many")

    index = json.loads(run("manifest", "get", "--format", "raw-body", f"{base}:many"))
    assert [each["digest"] for each in index["manifests"]] == [run("manifest", "head", image)]


def test_regctl_reads_a_single_blob_and_a_file_of_a_layer(
    run: Regctl, base: str, image: str, registry: Registry, repository: str
) -> None:
    digest = registry.push_blob(repository, b"a blob by itself")

    assert run("blob", "get", base, digest) == "a blob by itself"
    assert run("image", "get-file", image, "file") == "content" * 100_000


def test_regctl_finds_the_repository_in_the_catalog(run: Regctl, server: Server, repository: str) -> None:
    assert repository in run("repo", "ls", server.host).splitlines()


def test_regctl_hears_that_an_image_does_not_exist(run: Regctl, base: str, server: Server, tmp_path: Path) -> None:
    refused = tool(program("regctl"), "manifest", "get", f"{base}:none", home=tmp_path, check=False)

    assert refused.returncode != 0
    assert "not found" in refused.stderr

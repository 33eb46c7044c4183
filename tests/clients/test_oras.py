"""oras pushes files, attaches others to them, finds them again and copies all of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.people import READ_ONLY, Person, client, login_password
from tests.clients.registry import Registry, digest_of
from tests.clients.tools import program, tool
from tests.engines.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.client("oras")]

PLAIN = "--plain-http"
BOTH_PLAIN = ("--from-plain-http", "--to-plain-http")
NOTE = "application/vnd.moorage.note.v1"
SBOM = "application/spdx+json"

Oras = Callable[..., str]


def login(server: Server, password: str, home: Path) -> None:
    words = ("login", PLAIN, "--username", "AWS", "--password-stdin", server.host)
    tool(program("oras"), *words, home=home, stdin=password)


@pytest.fixture
def run(server: Server, password: str, tmp_path: Path) -> Oras:
    """oras as the administrator, in the test's folder; returns what it printed."""
    login(server, password, tmp_path)
    return lambda *args, **more: tool(program("oras"), *args, home=tmp_path, **more).stdout.strip()


@pytest.fixture
def base(server: Server, repository: str) -> str:
    """The full name of this test's repository."""
    return f"{server.host}/{repository}"


@pytest.fixture
def pushed(run: Oras, base: str, tmp_path: Path) -> str:
    """The name of an artifact of two files that oras has pushed."""
    (tmp_path / "one.txt").write_bytes(b"one")
    (tmp_path / "two.bin").write_bytes(b"two" * 100_000)
    run("push", PLAIN, "--artifact-type", NOTE, f"{base}:v1", "one.txt:text/plain", "two.bin")
    return f"{base}:v1"


@pytest.fixture
def attached(run: Oras, pushed: str, tmp_path: Path) -> str:
    """The digest of what oras has attached to that artifact."""
    (tmp_path / "sbom.json").write_bytes(b"{}")
    told = run("attach", PLAIN, "--artifact-type", SBOM, "--format", "json", pushed, "sbom.json:application/json")
    return str(json.loads(told)["digest"])


def discovered(run: Oras, name: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("discover", PLAIN, "--format", "json", *words, name))["referrers"]
    return found


def test_the_registry_holds_the_files_that_oras_pushed(pushed: str, registry: Registry, repository: str) -> None:
    manifest = json.loads(registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body)

    assert manifest["artifactType"] == NOTE
    assert [layer["digest"] for layer in manifest["layers"]] == [digest_of(b"one"), digest_of(b"two" * 100_000)]


def test_oras_pulls_the_files_that_it_pushed(run: Oras, pushed: str, tmp_path: Path) -> None:
    run("pull", PLAIN, "--output", "pulled", pushed)

    pulled = {path.name: path.read_bytes() for path in (tmp_path / "pulled").iterdir()}
    assert pulled == {"one.txt": b"one", "two.bin": b"two" * 100_000}


def test_oras_discovers_what_it_attached(run: Oras, pushed: str, attached: str) -> None:
    assert [(each["digest"], each["artifactType"]) for each in discovered(run, pushed)] == [(attached, SBOM)]


def test_oras_discovers_one_type_of_what_is_attached(run: Oras, pushed: str, attached: str, tmp_path: Path) -> None:
    run("attach", PLAIN, "--artifact-type", NOTE, pushed, "one.txt:text/plain")

    found = discovered(run, pushed, "--artifact-type", SBOM)

    assert len(discovered(run, pushed)) == 2
    assert [each["digest"] for each in found] == [attached]


def test_oras_copies_an_artifact_with_all_that_is_attached_to_it(
    run: Oras, pushed: str, attached: str, server: Server, new_repository: Callable[..., str]
) -> None:
    copy = f"{server.host}/{new_repository()}:copy"

    run("copy", "--recursive", *BOTH_PLAIN, pushed, copy)

    assert run("resolve", PLAIN, copy) == run("resolve", PLAIN, pushed)
    assert [each["digest"] for each in discovered(run, copy)] == [attached]


def test_oras_fetches_the_very_manifest_that_it_pushed(
    run: Oras, pushed: str, registry: Registry, repository: str
) -> None:
    fetched = run("manifest", "fetch", PLAIN, pushed)

    assert fetched.encode() == registry.must(200, "GET", f"/v2/{repository}/manifests/v1").body
    assert digest_of(fetched.encode()) == run("resolve", PLAIN, pushed)


def test_oras_tags_an_artifact_and_lists_its_tags(run: Oras, base: str, pushed: str) -> None:
    run("tag", PLAIN, pushed, "stable", "latest")

    assert run("repo", "tags", PLAIN, base).splitlines() == ["latest", "stable", "v1"]
    assert run("resolve", PLAIN, f"{base}:stable") == run("resolve", PLAIN, pushed)


def test_oras_pushes_a_blob_and_fetches_it_again(run: Oras, base: str, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"by itself")

    run("blob", "push", PLAIN, f"{base}@{digest_of(b'by itself')}", "blob")

    assert run("blob", "fetch", PLAIN, "--output", "-", f"{base}@{digest_of(b'by itself')}") == "by itself"


def test_oras_deletes_what_it_attached(run: Oras, base: str, pushed: str, attached: str) -> None:
    run("manifest", "delete", PLAIN, "--force", f"{base}@{attached}")

    assert discovered(run, pushed) == []


def test_oras_saves_an_artifact_in_a_folder_and_brings_it_back(
    run: Oras, pushed: str, server: Server, new_repository: Callable[..., str]
) -> None:
    back = f"{server.host}/{new_repository()}:v1"

    run("copy", "--from-plain-http", "--to-oci-layout", pushed, "saved:v1")
    run("copy", "--from-oci-layout", "--to-plain-http", "saved:v1", back)

    assert run("manifest", "fetch", PLAIN, back) == run("manifest", "fetch", PLAIN, pushed)


def test_a_wrong_password_does_not_log_oras_in(server: Server, tmp_path: Path) -> None:
    words = ("login", PLAIN, "--username", "AWS", "--password-stdin", server.host)

    refused = tool(program("oras"), *words, home=tmp_path, stdin="wrong", check=False)

    assert refused.returncode != 0
    assert "401" in refused.stderr


def test_whoever_may_only_read_pulls_and_attaches_nothing_with_oras(
    pushed: str, server: Server, person: Callable[[str | None], Person], tmp_path: Path
) -> None:
    reader = person(READ_ONLY)
    home = tmp_path / "reader"
    home.mkdir()
    with client(server, "ecr", reader) as ecr:
        login(server, login_password(ecr), home)
    (home / "note").write_bytes(b"from a reader")

    tool(program("oras"), "pull", PLAIN, pushed, home=home)
    words = ("attach", PLAIN, "--artifact-type", NOTE, pushed, "note:text/plain")
    refused = tool(program("oras"), *words, home=home, check=False)

    assert (home / "one.txt").read_bytes() == b"one"
    assert refused.returncode != 0
    assert f"User: {reader.arn} is not authorized to perform: ecr:" in refused.stderr

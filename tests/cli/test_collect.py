"""``moorage collect``, and the same beside a server."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner, Result

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.sql.database import SqlDatabase
from moorage.cli.main import main
from moorage.cli.upkeep import refuse_other_users
from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry, digest_of
from tests.contracts.rows import AT, HERE
from tests.contracts.written import KEY
from tests.engines.programs import wait_until
from tests.engines.server import Server


def collect(data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["collect", "--data", str(data), *options])


def test_a_dry_run_says_what_would_go_and_why_and_the_next_run_removes_it(store: Path) -> None:
    file = DiskBlobs(store / "blobs").location(KEY)

    shown, removed, nothing = collect(store, "--dry-run"), collect(store), collect(store)

    digest = digest_of(b"layer")
    assert shown.output.splitlines() == [
        f"layer          5 B  since 2026-03-04 05:06:07Z  team/app@{digest}  no image of the repository refers to it",
        f"content        5 B  since 2026-03-04 05:06:07Z  {digest}  no repository holds it",
        "Would remove 1 layer, 1 content: 5 B.",
    ]
    assert removed.output.splitlines() == [*shown.output.splitlines()[:2], "Removed 1 layer, 1 content: 5 B."]
    assert nothing.output == "Removed nothing.\n"
    assert not file.exists()


def test_programs_get_an_object_a_line(store: Path) -> None:
    first, second = map(json.loads, collect(store, "--dry-run", "--json").output.splitlines())

    assert first == {
        "kind": "layer",
        "why": "no image of the repository refers to it",
        "registryId": "111122223333",
        "region": "us-east-1",
        "repositoryName": "team/app",
        "digest": digest_of(b"layer"),
        "uploadId": None,
        "size": 5,
        "since": "2026-03-04T05:06:07.250000+00:00",
    }
    assert (second["kind"], second["repositoryName"], second["uploadId"]) == ("content", None, KEY)


def test_a_deleted_repository_is_shown_until_its_rows_are_gone(store: Path) -> None:
    database = SqlDatabase(f"sqlite:///{store / 'moorage.db'}")
    with database.write() as tx:
        [app] = tx.repositories.page(HERE, "", 9)
        tx.repositories.remove(app, AT)
    database.close()

    shown, removed, nothing = collect(store, "--dry-run"), collect(store), collect(store)

    assert shown.output.splitlines() == [
        "remnant        0 B  since 2026-03-04 05:06:07Z  team/app  its repository was deleted",
        f"content        5 B  since 2026-03-04 05:06:07Z  {digest_of(b'layer')}  no repository holds it",
        "Would remove 1 remnant, 1 content: 5 B.",
    ]
    assert removed.output.splitlines() == [*shown.output.splitlines()[:2], "Removed 1 remnant, 1 content: 5 B."]
    assert nothing.output == "Removed nothing.\n"


def test_the_time_of_grace_is_a_setting(store: Path) -> None:
    assert collect(store, "--keep-unused", "9999d").output == "Removed nothing.\n"
    assert collect(store, "--keep-unused", "0s").exit_code == 2


def test_a_folder_without_a_store_is_left_alone(tmp_path: Path) -> None:
    refused = collect(tmp_path)

    assert refused.exit_code == 1
    assert f"{tmp_path} has no store: start `moorage serve` first, or name its folder with --data" in refused.output
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_not_made(store: Path) -> None:
    (store / "moorage.db").unlink()

    refused = collect(store)

    assert refused.exit_code == 1
    assert "is not there or of another release: start `moorage serve` first" in refused.output
    assert not (store / "moorage.db").exists()


def test_the_bytes_of_another_database_are_left_alone(store: Path) -> None:
    (store / "blobs" / "owner").write_text("another database")

    refused = collect(store)

    assert refused.exit_code == 1
    assert "holds the bytes of another database" in refused.output
    assert DiskBlobs(store / "blobs").size(KEY) == 5


def test_nobody_but_the_owner_touches_the_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: store.stat().st_uid + 1)

    refused = collect(store)

    assert refused.exit_code == 1
    assert f'sudo -u {owner} "$(command -v moorage)" collect --data {store}' in refused.output


def test_a_new_folder_of_roots_is_anybodys_who_may_write_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(tmp_path, 0, 0)
    monkeypatch.setattr(os, "geteuid", lambda: 4510)

    refuse_other_users(tmp_path, "serve")

    (tmp_path / "blobs").mkdir()
    with pytest.raises(ClickException):
        refuse_other_users(tmp_path, "serve")


@pytest.mark.slow
def test_a_server_collects_by_itself_and_tells(start_server: Callable[..., Server]) -> None:
    server = start_server("--collect-every", "1s", "--keep-unused", "1s")
    with client(server, "ecr", admin(server)) as ecr:
        ecr.create_repository(repositoryName="app")
        registry = Registry(server.port, login_password(ecr))
    kept = registry.push("app", "v1")
    unused = registry.push_blob("app", b"unused")

    assert wait_until(lambda: f"1 layer, 1 content: {len(b'unused')} B" in server.log.read_text(), seconds=20)
    registry.must(404, "HEAD", f"/v2/app/blobs/{unused}")
    assert registry.must(200, "GET", "/v2/app/manifests/v1").body == kept
    assert server.stop() == 0


@pytest.mark.slow
def test_a_server_erases_a_deleted_repository_soon_though_a_collection_is_far(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    with client(server, "ecr", admin(server)) as ecr:
        ecr.create_repository(repositoryName="app")
        registry = Registry(server.port, login_password(ecr))
        registry.push("app", "v1")
        ecr.delete_repository(repositoryName="app", force=True)
        ecr.create_repository(repositoryName="app")
    registry.must(404, "GET", "/v2/app/manifests/v1")

    assert wait_until(lambda: "removed what is unused: 1 remnant" in server.log.read_text(), seconds=20)
    registry.push("app", "v1")
    assert server.stop() == 0


@pytest.mark.slow
def test_a_server_does_not_start_on_the_bytes_of_another_database(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.stop()
    for name in ("moorage.db", "moorage.db-wal", "moorage.db-shm", "credentials.json"):
        (server.data / name).unlink(missing_ok=True)

    with pytest.raises(AssertionError, match="holds the bytes of another database"):
        server.start()

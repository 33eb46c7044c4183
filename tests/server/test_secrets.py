"""Secrets at rest, as the operator and the thief of a database meet them."""

import base64
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moorage.core import tokens
from moorage.core.calls import Caller
from moorage.core.digests import Digest
from moorage.core.downloads import signed_path
from moorage.core.names import AccountId, Region, Registry, RepositoryName
from tests.clients.people import REGION, admin, client, refused
from tests.clients.registry import Registry as RegistryClient
from tests.clients.registry import digest_of
from tests.engines.programs import free_port, plain_environment, run
from tests.engines.server import ACCOUNT, Server, moorage
from tests.server.secrets_at_rest import database_files, dumped, make_older
from tests.server.serving import APP, make_repository, outside, refusal, sign_in

pytestmark = pytest.mark.slow

LAYER = b"layer of image"
ADVICE = "bring that file back, or, if it is lost for good, make a new key with `moorage accounts new-key ACCOUNT --secrets-lost`"


def signs(server: Server) -> str:
    with client(server, "sts", admin(server)) as sts:
        return str(sts.get_caller_identity()["Arn"])


def users(server: Server, number: int) -> list[str]:
    """Make users with a key each, and return their secrets."""
    with client(server, "iam", admin(server)) as iam:
        for one in range(number):
            iam.create_user(UserName=f"user-{one}")
        return [iam.create_access_key(UserName=f"user-{one}")["AccessKey"]["SecretAccessKey"] for one in range(number)]


def serve_refused(server: Server, *args: str) -> tuple[int, str]:
    return refusal("serve", "--data", str(server.data), "--listen", f"127.0.0.1:{free_port()}", *args)


# --- the thief of a database --------------------------------------------------------------------------------------------


def test_neither_tables_nor_files_of_a_database_hold_a_secret(own_server: Server) -> None:
    known = [admin(own_server).secret, *users(own_server, 5)]
    key = (own_server.data / "secrets.key").read_bytes()
    signing = own_server.signing_key()
    running = database_files(own_server.data)
    own_server.stop()

    tables, files = dumped(own_server.data), running + database_files(own_server.data)

    assert [secret for secret in known if secret in tables or secret.encode() in files] == []
    for each in (key, signing):
        assert each not in files
        assert each.hex() not in tables.lower()
        assert base64.b64encode(each).decode() not in tables


def test_no_token_and_no_url_can_be_forged_from_a_database(own_server: Server) -> None:
    make_repository(own_server)
    sign_in(own_server).push(APP, "v1")
    with closing(sqlite3.connect(own_server.data / "moorage.db")) as stolen:
        values = [value for (value,) in stolen.execute("SELECT value FROM secrets")]
        user_id, key_id, sealed = stolen.execute(
            "SELECT principals.id, access_keys.id, secret FROM access_keys JOIN principals ON principals.id = user_id"
        ).fetchone()
    caller = Caller(f"arn:aws:iam::{ACCOUNT}:user/admin", AccountId(ACCOUNT), user_id, "admin", key_id)
    now, where = datetime.now(UTC), Registry(AccountId(ACCOUNT), Region(REGION))
    named = RepositoryName(APP), Digest(digest_of(LAYER))

    def statuses(secret: bytes) -> tuple[int, int]:
        password, _ = tokens.issue(secret, caller, Region(REGION), now)
        path = signed_path(secret, where, *named, now)
        registry = RegistryClient(own_server.port, password)
        return registry.send("GET", "/v2/").status, outside(own_server).send("GET", path).status

    assert len(values) == 2
    assert [statuses(secret) for secret in [*values, sealed.encode()]] == [(401, 403)] * 3
    assert statuses(own_server.signing_key()) == (200, 200)


def test_a_sealed_secret_that_was_moved_to_another_users_key_opens_nothing(own_server: Server) -> None:
    (secret,) = users(own_server, 1)
    with closing(sqlite3.connect(own_server.data / "moorage.db")) as database, database:
        database.execute(
            "UPDATE access_keys SET secret = (SELECT secret FROM access_keys JOIN principals ON principals.id = user_id WHERE name = 'user-0')"
        )

    with client(own_server, "sts", admin(own_server)) as sts:
        code, _ = refused(sts.get_caller_identity)

    assert code == "InvalidClientTokenId"
    log = own_server.log.read_text()
    assert f"the secret of {admin(own_server).key_id} was not sealed for that key" in log
    assert secret not in log


# --- the file of the key ------------------------------------------------------------------------------------------------


def test_a_start_without_the_file_says_what_to_do_and_makes_none(own_server: Server, tmp_path: Path) -> None:
    file, kept = own_server.data / "secrets.key", tmp_path / "kept"
    own_server.stop()
    shutil.move(file, kept)

    assert serve_refused(own_server) == (
        1,
        f"{file} is not there, with which the secrets in the database are sealed: {ADVICE}",
    )
    assert not file.exists()

    shutil.move(kept, file)
    own_server.start()
    assert signs(own_server).endswith(":user/admin")


def test_a_start_with_the_file_of_another_store_is_refused(own_server: Server) -> None:
    file = own_server.data / "secrets.key"
    own_server.stop()
    file.write_bytes(bytes(32))

    assert serve_refused(own_server) == (
        1,
        f"{file} is not the key that the secrets in the database are sealed with: {ADVICE}",
    )
    assert file.read_bytes() == bytes(32)


def test_a_start_with_a_file_that_is_no_key_is_refused(own_server: Server) -> None:
    file = own_server.data / "secrets.key"
    own_server.stop()
    file.write_bytes(b"\n")

    assert serve_refused(own_server) == (1, f"{file} is not a key of secrets: that is 32 bytes, and this is 1")
    file.unlink()
    file.mkdir()
    assert serve_refused(own_server) == (1, f"{file}, the key of the secrets, cannot be read: Is a directory")


def test_the_file_may_be_elsewhere(start_server: Callable[..., Server], tmp_path: Path) -> None:
    elsewhere = tmp_path / "kept-apart"
    elsewhere.mkdir()
    server = start_server("--secrets-key", str(elsewhere / "moorage.key"))

    assert signs(server).endswith(":user/admin")
    assert not (server.data / "secrets.key").exists()
    assert (elsewhere / "moorage.key").stat().st_mode & 0o777 == 0o600
    server.stop()
    server.start()
    assert signs(server).endswith(":user/admin")
    server.stop()
    status, sentence = serve_refused(server)
    assert (status, sentence.split(",")[0]) == (1, f"{server.data / 'secrets.key'} is not there")


def test_a_file_in_a_folder_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    data, key = tmp_path / "data", tmp_path / "nowhere" / "key"

    assert refusal("serve", "--data", str(data), "--secrets-key", str(key)) == (
        2,
        f"--secrets-key {key} would be in a folder that is not there",
    )
    assert not data.exists()


@pytest.mark.parametrize("command", ["check", "collect"])
def test_upkeep_needs_no_key(command: str, own_server: Server) -> None:
    (own_server.data / "secrets.key").unlink()

    assert run([moorage(), command, "--data", str(own_server.data)], env=plain_environment()).returncode == 0


# --- the upgrade --------------------------------------------------------------------------------------------------------


def test_a_store_with_clear_secrets_is_sealed_by_its_next_start_and_its_keys_go_on(own_server: Server) -> None:
    users(own_server, 3)
    own_server.stop()
    clear = make_older(own_server.data)
    assert all(secret.encode() in database_files(own_server.data) for secret in clear)

    own_server.start()

    assert len(clear) == 4
    assert [secret for secret in clear if secret.encode() in database_files(own_server.data)] == []
    assert signs(own_server).endswith(":user/admin")
    assert "sealed" not in own_server.log.read_text()

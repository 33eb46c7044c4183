"""``moorage accounts``, beside a running server and without one."""

import configparser
import getpass
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from tests.clients.people import Person, admin, client, login_password, refused
from tests.clients.registry import Registry
from tests.engines.programs import CACHE, plain_environment, run
from tests.engines.server import ACCOUNT, Server, moorage
from tests.server.serving import APP, make_repository, outside, sign_in

pytestmark = pytest.mark.slow

NOBODY = "999999999999"


def accounts(server: Server, *words: str) -> Result:
    command, *rest = words
    result = CliRunner().invoke(
        main, ["accounts", command, "--data", str(server.data), *rest], env={"MOORAGE_DATA": None}
    )
    assert "Traceback" not in result.output
    return result


def made(server: Server, *words: str) -> Person:
    """Run a command that prints a key, and return who has it."""
    result = accounts(server, *words, "--json")
    assert result.exit_code == 0, result.output
    key = json.loads(result.stdout)
    assert sorted(key) == ["AccessKeyId", "Account", "SecretAccessKey", "UserName"]
    return Person(key["UserName"], key["Account"], key["AccessKeyId"], key["SecretAccessKey"])


def listed(server: Server) -> dict[str, Any]:
    return {each.pop("account"): each for each in json.loads(accounts(server, "list", "--json").stdout)}


def arn(server: Server, person: Person) -> str:
    with client(server, "sts", person) as sts:
        return str(sts.get_caller_identity()["Arn"])


def code(server: Server, person: Person) -> str:
    """Return what the API refuses somebody's key with."""
    with client(server, "ecr", person) as ecr:
        return refused(ecr.describe_repositories)[0]


# --- making accounts ----------------------------------------------------------------------------------------------------


def test_an_account_that_is_made_beside_a_server_is_there_at_the_next_request(own_server: Server) -> None:
    person = made(own_server, "create", "--alias", "team-b")

    assert arn(own_server, person) == f"arn:aws:iam::{person.arn}:user/admin"
    with client(own_server, "ecr", person) as ecr:
        uri = ecr.create_repository(repositoryName=APP)["repository"]["repositoryUri"]
        assert ecr.describe_repositories()["repositories"][0]["registryId"] == person.arn
    with client(own_server, "iam", person) as iam:
        assert iam.list_account_aliases()["AccountAliases"] == ["team-b"]
    with client(own_server, "ecr", admin(own_server)) as ecr:
        assert ecr.describe_repositories()["repositories"] == []
    assert uri.endswith(f"/{APP}")


def test_a_key_is_printed_once_as_a_profile_and_is_nowhere_else(own_server: Server, tmp_path: Path) -> None:
    result = accounts(own_server, "create", "--account", NOBODY)

    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    old = "[moorage-999999999999]\naws_access_key_id = OLD\n[other]\naws_access_key_id = AKIAOTHER\n"
    (home / ".aws" / "credentials").write_text(old)
    run(
        ["sh", "-c", result.stdout],
        env=plain_environment(HOME=str(home), PATH=f"{CACHE / 'awscli' / 'bin'}:{os.environ['PATH']}"),
    )
    assert (home / ".aws" / "credentials").stat().st_mode & 0o77 == 0
    read = configparser.ConfigParser()
    read.read([home / ".aws" / "credentials"])
    assert dict(read["other"]) == {"aws_access_key_id": "AKIAOTHER"}
    entries = dict(read["moorage-999999999999"])
    read.read([home / ".aws" / "config"])
    entries |= read["profile moorage-999999999999"]
    assert (entries["region"], entries["endpoint_url"]) == ("us-east-1", own_server.url)
    person = Person("admin", NOBODY, entries["aws_access_key_id"], entries["aws_secret_access_key"])
    assert arn(own_server, person).endswith(":user/admin")
    assert person.secret not in result.stderr
    assert person.secret not in own_server.log.read_text()
    assert person.secret.encode() not in b"".join(p.read_bytes() for p in own_server.data.rglob("*") if p.is_file())


def test_accounts_are_listed_for_people_and_for_programs(own_server: Server) -> None:
    accounts(own_server, "create", "--account", NOBODY, "--alias", "team-b")
    accounts(own_server, "disable", NOBODY)

    lines = accounts(own_server, "list").stdout.splitlines()

    assert [line.split()[:3] for line in lines] == [
        ["ACCOUNT", "ALIAS", "USERS"],
        [ACCOUNT, "1", lines[1].split()[2]],
        [NOBODY, "team-b", "1"],
    ]
    assert lines[2].endswith("disabled")
    both = listed(own_server)
    assert both[NOBODY] == {"alias": "team-b", "disabled": True, "users": 1, "created": both[NOBODY]["created"]}
    assert both[ACCOUNT]["disabled"] is False


def test_an_alias_is_given_and_one_that_cannot_be_is_refused(own_server: Server) -> None:
    assert accounts(own_server, "alias", ACCOUNT, "team-a").exit_code == 0
    assert listed(own_server)[ACCOUNT]["alias"] == "team-a"

    for alias in ("Team", "a", "team--a", "-team", "x" * 64):
        result = accounts(own_server, "alias", "--", ACCOUNT, alias)
        assert (result.exit_code, "alias must be 3 to 63" in result.output or "name must be 3" in result.output) == (
            2,
            True,
        )
    assert listed(own_server)[ACCOUNT]["alias"] == "team-a"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["create", "--account", ACCOUNT], f"There is an account {ACCOUNT} already."),
        (["alias", NOBODY, "team"], f"There is no account {NOBODY}."),
        (["new-key", NOBODY], f"There is no account {NOBODY}."),
        (["new-key", NOBODY, "--secrets-lost"], f"There is no account {NOBODY}."),
        (["new-key", ACCOUNT, "--secrets-lost"], "is the key of this store's secrets: nothing is lost"),
        (["disable", NOBODY], f"There is no account {NOBODY}."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_changes_nothing(
    words: list[str], sentence: str, own_server: Server
) -> None:
    before = listed(own_server)

    result = accounts(own_server, *words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert listed(own_server) == before
    assert arn(own_server, admin(own_server))


def test_what_is_done_to_accounts_is_recorded_with_who_did_it(own_server: Server) -> None:
    key = made(own_server, "create", "--account", NOBODY, "--alias", "team-b")
    root = accounts(own_server, "root", NOBODY).stdout
    # Its requests are to go nowhere else.
    assert f"export AWS_ENDPOINT_URL={own_server.url}\n" in root
    assert "export AWS_REGION=us-east-1\n" in root
    for command in ("disable", "enable"):
        assert accounts(own_server, command, NOBODY).exit_code == 0

    shown = CliRunner().invoke(main, ["audit", "--data", str(own_server.data), "--account", NOBODY, "--json"]).stdout
    events = [json.loads(line) for line in reversed(shown.splitlines())]
    assert [event["eventName"] for event in events] == [
        "CreateAccount",
        "GetRootCredentials",
        "DisableAccount",
        "EnableAccount",
    ]
    assert events[0]["requestParameters"] == {"alias": "team-b", "accessKeyId": key.key_id}
    assert {event["userIdentity"]["arn"] for event in events} == {f"arn:aws:iam::{NOBODY}:root"}
    assert all(event["userAgent"] == f"moorage accounts, run by {getpass.getuser()}" for event in events)
    secrets = {key.secret, *re.findall("(?:SECRET_ACCESS_KEY|SESSION_TOKEN)=(.*)", root)}
    assert len(secrets) == 3
    assert not any(secret in shown for secret in secrets)


def test_nobody_but_the_owner_of_the_store_makes_accounts(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: own_server.data.stat().st_uid + 1)

    result = accounts(own_server, "create")

    assert result.exit_code == 1
    assert f'"$(command -v moorage)" accounts create --data {own_server.data}' in result.output


def test_accounts_of_a_folder_without_a_store_are_not_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["accounts", "create", "--data", str(tmp_path)])

    assert result.exit_code == 1
    assert f"{tmp_path} has no store: start `moorage serve` first" in result.output
    assert list(tmp_path.iterdir()) == []


def test_accounts_are_made_on_postgresql_too(start_server: Callable[..., Server], postgres: Callable[[], str]) -> None:
    url = postgres()
    server = start_server("--database", url)

    person = made(server, "create", "--database", url)

    assert arn(server, person) == f"arn:aws:iam::{person.arn}:user/admin"
    accounts(server, "disable", person.arn, "--database", url)
    assert code(server, person) == "UnrecognizedClientException"


# --- the way back -------------------------------------------------------------------------------------------------------


def test_an_administrator_who_deleted_the_last_key_gets_another_from_the_machine(own_server: Server) -> None:
    lost = admin(own_server)
    with client(own_server, "iam", lost) as iam:
        iam.delete_access_key(AccessKeyId=lost.key_id)
    assert code(own_server, lost) == "UnrecognizedClientException"

    document = accounts(own_server, "new-key", ACCOUNT, "--json").stdout
    (own_server.data / "credentials.json").write_text(document)

    assert arn(own_server, admin(own_server)) == f"arn:aws:iam::{ACCOUNT}:user/admin"


def test_a_user_for_the_emergency_is_an_administrator(own_server: Server) -> None:
    person = made(own_server, "new-key", ACCOUNT, "--user", "rescue")

    assert arn(own_server, person).endswith(":user/rescue")
    with client(own_server, "iam", person) as iam:
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["admin", "rescue"]
    assert accounts(own_server, "new-key", ACCOUNT, "--user", "no such name").exit_code == 2


def test_a_store_whose_secrets_key_is_lost_is_given_a_new_one_and_keeps_its_images(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    manifest = registry.push(APP, "v1")
    lost = admin(own_server)
    other = made(own_server, "create")
    own_server.stop()
    (own_server.data / "secrets.key").unlink()
    refusal = accounts(own_server, "new-key", ACCOUNT)
    assert (refusal.exit_code, "is not there, with which" in refusal.stderr) == (1, True)

    result = accounts(own_server, "new-key", ACCOUNT, "--secrets-lost", "--json")
    own_server.start()

    key = json.loads(result.stdout)
    person = Person(key["UserName"], ACCOUNT, key["AccessKeyId"], key["SecretAccessKey"])
    assert f"2 access keys are gone, and {own_server.data / 'secrets.key'} is the new key" in result.stderr
    assert {code(own_server, each) for each in (lost, other)} == {"UnrecognizedClientException"}
    assert registry.send("GET", f"/v2/{APP}/manifests/v1").status == 401
    with client(own_server, "ecr", person) as ecr:
        again = Registry(own_server.port, login_password(ecr))
    assert again.must(200, "GET", f"/v2/{APP}/manifests/v1").body == manifest
    assert (own_server.data / "secrets.key").stat().st_mode & 0o777 == 0o600


# --- on and off ---------------------------------------------------------------------------------------------------------


def test_a_disabled_account_is_refused_at_both_doors_at_once_and_let_in_again(own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    manifest = registry.push(APP, "v1")
    registry.must(200, "GET", f"/v2/{APP}/manifests/v1")
    other = made(own_server, "create")

    accounts(own_server, "disable", ACCOUNT)

    person = admin(own_server)
    with client(own_server, "ecr", person) as ecr:
        assert refused(ecr.describe_repositories) == (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
        assert refused(ecr.get_authorization_token)[0] == "UnrecognizedClientException"
    for path in ("/v2/", f"/v2/{APP}/manifests/v1", f"/v2/{APP}/tags/list"):
        assert registry.send("GET", path).status == 403
    assert arn(own_server, other).endswith(":user/admin")

    accounts(own_server, "enable", ACCOUNT)

    assert registry.must(200, "GET", f"/v2/{APP}/manifests/v1").body == manifest
    assert arn(own_server, person).endswith(":user/admin")


def test_a_signed_url_is_good_for_its_hour_although_its_account_was_disabled(own_server: Server) -> None:
    make_repository(own_server)
    sign_in(own_server).push(APP, "v1")
    with client(own_server, "ecr", admin(own_server)) as ecr:
        (image,) = ecr.batch_get_image(repositoryName=APP, imageIds=[{"imageTag": "v1"}])["images"]
        digest = json.loads(image["imageManifest"])["layers"][0]["digest"]
        url = ecr.get_download_url_for_layer(repositoryName=APP, layerDigest=digest)["downloadUrl"]

    accounts(own_server, "disable", ACCOUNT)

    assert outside(own_server).send("GET", url.removeprefix(own_server.url)).status == 200


def test_the_real_command_prints_lines_that_a_shell_takes(own_server: Server, tmp_path: Path) -> None:
    fake = tmp_path / "aws"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    words = ["sh", "-euc", 'eval "$("$0" accounts create --data "$1" --alias team-b)"', moorage(), str(own_server.data)]

    ran = run(words, env=plain_environment(HOME=str(tmp_path), PATH=f"{tmp_path}:/usr/bin:/bin"))

    assert [line.split()[:3] for line in ran.stdout.splitlines()] == [
        ["configure", "set", name] for name in ("region", "endpoint_url")
    ]
    assert "[moorage-team-b]" in (tmp_path / ".aws" / "credentials").read_text()

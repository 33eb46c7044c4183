"""The first start, the ones after it, and what `moorage env` and `moorage version` print."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import moorage as package
from tests.clients.people import admin, client
from tests.clients.registry import Registry
from tests.engines.programs import plain_environment, run
from tests.engines.server import ACCOUNT, Server, moorage
from tests.server.serving import APP, eventually, make_repository, refusal, sign_in

pytestmark = pytest.mark.slow

NAMES = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SESSION_TOKEN",
)
SHOW = "; ".join(f'printf "%s\\n" "{name}=${{{name}-unset}}"' for name in NAMES)


@pytest.fixture
def start_on(tmp_path: Path) -> Iterator[Callable[[Path], Server]]:
    """A function that starts a server on a data folder that is not there yet."""
    started: list[Server] = []

    def start(data: Path) -> Server:
        server = Server(tmp_path, "--data", str(data))
        started.append(server)
        server.start().data = data
        return server

    yield start
    for server in started:
        server.kill()


class OnSameData(Server):
    """A server on the data folder of another."""

    def __init__(self, folder: Path, other: Server) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.data = other.data


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def evaluated(server: Server, *args: str, **environment: str) -> dict[str, str]:
    """Return the variables of a shell that has evaluated what ``moorage env`` prints."""
    words = ["sh", "-euc", f'eval "$("$0" "$@")"; {SHOW}', moorage(), "env", "--data", str(server.data), *args]
    return dict(line.split("=", 1) for line in run(words, env=plain_environment(**environment)).stdout.splitlines())


def caller(server: Server) -> str:
    with client(server, "sts", admin(server)) as sts:
        return str(sts.get_caller_identity()["Arn"])


# --- the first start ----------------------------------------------------------------------------------------------------


def test_a_data_folder_that_serve_makes_is_its_owners_alone(start_on: Callable[[Path], Server], tmp_path: Path) -> None:
    data = start_on(tmp_path / "deep" / "down" / "data").data

    assert (mode(data), mode(data / "blobs")) == ("0o700", "0o700")


def test_the_first_start_makes_one_account_with_one_key_that_only_its_owner_can_read(own_server: Server) -> None:
    file = own_server.data / "credentials.json"
    document = json.loads(file.read_text())

    assert mode(file) == "0o600"
    assert (document["Account"], document["UserName"]) == (ACCOUNT, "admin")
    assert sorted(document) == ["AccessKeyId", "Account", "SecretAccessKey", "UserName"]
    assert caller(own_server) == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert own_server.log.read_text().startswith(
        f"Made account {ACCOUNT} with the user admin; its access key is in {file}\n"
        f'In another terminal: eval "$(moorage env --data {own_server.data})"\n'
        f"Moorage on {own_server.url}, data in {own_server.data}\n"
    )


def test_no_file_can_be_read_by_others_even_in_a_folder_that_was_there_with_another_mode(own_server: Server) -> None:
    own_server.data.chmod(0o755)
    make_repository(own_server)
    sign_in(own_server).push(APP, "v1")
    files = [path for path in own_server.data.rglob("*") if path.is_file()]

    assert {"moorage.db", "moorage.db-wal", "moorage.db-shm", "credentials.json"} <= {path.name for path in files}
    assert {mode(path) for path in files} == {"0o600"}
    assert {mode(path) for path in own_server.data.rglob("*") if path.is_dir()} == {"0o700"}


def test_any_name_will_do_for_a_data_folder(start_on: Callable[[Path], Server], tmp_path: Path) -> None:
    server = start_on(tmp_path / "new" / "it's a $folder?with=50%20#odd \\letters")

    assert caller(server) == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert evaluated(server)["AWS_ENDPOINT_URL"] == server.url
    assert (server.data / "moorage.db").is_file()
    assert [path.name for path in server.data.parent.iterdir()] == [server.data.name]


# --- moorage env --------------------------------------------------------------------------------------------------------


def test_a_shell_evaluates_what_env_prints(own_server: Server) -> None:
    document = json.loads((own_server.data / "credentials.json").read_text())

    assert evaluated(own_server) == {
        "AWS_ENDPOINT_URL": own_server.url,
        "AWS_ACCESS_KEY_ID": document["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": document["SecretAccessKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_SESSION_TOKEN": "unset",
    }


def test_env_takes_another_region_and_forgets_the_token_of_another_session(own_server: Server) -> None:
    variables = evaluated(own_server, "--region", "eu-central-1", AWS_SESSION_TOKEN="of another session")

    assert (variables["AWS_DEFAULT_REGION"], variables["AWS_SESSION_TOKEN"]) == ("eu-central-1", "unset")


def test_env_forgets_what_would_lead_clients_elsewhere_as_run_does(own_server: Server) -> None:
    hindering = {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:9"}
    proxies = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "intranet.example"}
    words = [moorage(), "env", "--data", str(own_server.data)]

    printed = run(words, env=plain_environment(**hindering, **proxies)).stdout.splitlines()

    assert [line for line in printed if line.startswith("unset ")] == [f"unset {name}" for name in hindering]
    assert "export no_proxy=intranet.example,127.0.0.1,localhost" in printed


def test_env_prints_json_for_programs(own_server: Server) -> None:
    printed = run([moorage(), "env", "--data", str(own_server.data), "--json"]).stdout

    assert {**json.loads(printed), "AWS_SESSION_TOKEN": "unset"} == evaluated(own_server)


def test_a_region_that_a_shell_would_run_is_refused(own_server: Server) -> None:
    assert refusal("env", "--data", str(own_server.data), "--region", "$(touch trap)") == (
        2,
        "--region must be a region such as us-east-1, not '$(touch trap)'",
    )


def test_env_of_a_folder_without_a_key_says_how_to_get_one(tmp_path: Path) -> None:
    assert refusal("env", "--data", str(tmp_path)) == (
        1,
        f"{tmp_path} has no credentials.json: start `moorage serve` first, or name its folder with --data.",
    )


def test_env_of_a_store_whose_key_is_gone_says_where_another_one_is(own_server: Server) -> None:
    (own_server.data / "credentials.json").unlink()

    status, sentence = refusal("env", "--data", str(own_server.data))

    assert (status, sentence.split(":")[0]) == (1, f"{own_server.data} has a store, but no credentials.json any more")


# --- moorage version ----------------------------------------------------------------------------------------------------


def test_version_prints_the_version_and_nothing_else() -> None:
    assert run([moorage(), "version"]).stdout == f"{package.__version__}\n"
    assert run([moorage(), "--version"]).stdout == f"moorage, version {package.__version__}\n"


# --- later starts -------------------------------------------------------------------------------------------------------


def test_the_second_start_keeps_the_key_and_says_nothing_of_a_new_one(own_server: Server) -> None:
    file = own_server.data / "credentials.json"
    first = file.read_bytes()

    assert own_server.stop() == 0
    own_server.log.unlink()
    own_server.start()

    assert file.read_bytes() == first
    assert own_server.log.read_text().startswith(f"Moorage on {own_server.url}, data in {own_server.data}\n")
    assert caller(own_server) == f"arn:aws:iam::{ACCOUNT}:user/admin"


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_a_registry_token_survives_a_restart(end: Callable[[Server], object], own_server: Server) -> None:
    make_repository(own_server)
    registry = sign_in(own_server)
    manifest = registry.push(APP, "v1")

    end(own_server)
    own_server.start()

    assert registry.must(200, "GET", f"/v2/{APP}/manifests/v1").body == manifest


def test_a_settings_variable_does_what_its_option_does_and_the_option_wins(start_server: Callable[..., Server]) -> None:
    variables = {"MOORAGE_DOMAIN": "registry.example.com", "MOORAGE_LISTEN": "127.0.0.1:1"}
    server = start_server(environment=variables)
    with client(server, "ecr", admin(server)) as ecr:
        made = ecr.create_repository(repositoryName=APP)["repository"]

    assert made["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.us-east-1.registry.example.com/{APP}"
    assert server.env()["AWS_ENDPOINT_URL"] == server.url


# --- two at once --------------------------------------------------------------------------------------------------------


def test_two_servers_on_one_data_folder_serve_the_same_registry(own_server: Server, tmp_path: Path) -> None:
    second = OnSameData(tmp_path / "second", own_server).start()
    try:
        make_repository(own_server)
        here = sign_in(own_server)
        there = Registry(second.port, here.password)
        manifest = here.push(APP, "from-here", seed="here")
        other = there.push(APP, "from-there", seed="there")

        assert there.must(200, "GET", f"/v2/{APP}/manifests/from-here").body == manifest
        assert here.must(200, "GET", f"/v2/{APP}/manifests/from-there").body == other
        assert second.stop() == 0
        assert here.must(200, "GET", f"/v2/{APP}/manifests/from-there").body == other
    finally:
        second.kill()


def test_env_leads_to_the_first_of_two_servers(own_server: Server, tmp_path: Path) -> None:
    second = OnSameData(tmp_path / "second", own_server).start()
    try:
        assert evaluated(own_server)["AWS_ENDPOINT_URL"] == own_server.url
        second.stop()
        assert evaluated(own_server)["AWS_ENDPOINT_URL"] == own_server.url
    finally:
        second.kill()


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_env_leads_to_the_second_server_once_the_first_is_gone(
    end: Callable[[Server], object], own_server: Server, tmp_path: Path
) -> None:
    second = OnSameData(tmp_path / "second", own_server).start()
    try:
        end(own_server)
        assert eventually(lambda: evaluated(second)["AWS_ENDPOINT_URL"], second.url) == second.url
    finally:
        second.kill()

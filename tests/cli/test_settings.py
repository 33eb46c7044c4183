"""Where settings come from, which of them wins, and what is refused."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from moorage.config import KNOWN, Given, InvalidSettings, data_folder, gather, read_settings
from moorage.config.sources import CONFIG
from moorage.core.quotas import ECR
from tests.house.tree import ROOT

NOBODY = 65534


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, in an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MOORAGE_")]:
        monkeypatch.delenv(name)


def write(text: str, path: str = "moorage.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def config(*args: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["config", *args], env=environment)


def refused(*args: str, **environment: str) -> str:
    ran = config(*args, **environment)
    assert ran.exit_code == 2
    return ran.stderr.splitlines()[-1].removeprefix("Error: ")


# --- which one wins -----------------------------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    write("workers = 2\naccount = '111111111111'\ndomain = 'file.example'\n")
    environment = {"MOORAGE_WORKERS": "3", "MOORAGE_ACCOUNT": "222222222222"}

    given = gather({"workers": "4"}, environment, None)

    assert given["workers"] == Given("4", "--workers", "--workers")
    assert given["account"] == Given("222222222222", "MOORAGE_ACCOUNT", "MOORAGE_ACCOUNT")
    assert given["domain"] == Given("file.example", "domain in moorage.toml", "moorage.toml")
    assert given["listen"] == Given("127.0.0.1:4510", "--listen")


@pytest.mark.parametrize("setting", KNOWN, ids=lambda setting: setting.name)
def test_every_setting_can_be_given_in_all_three_forms(setting: object) -> None:
    known = next(one for one in KNOWN if one is setting)
    write(f"{known.name} = 'here'\n")

    text = str(Path("here").absolute()) if known.is_path else "here"
    assert gather({}, {}, None)[known.name].text == text
    assert gather({}, {known.variable: "there"}, None)[known.name].text == "there"
    assert gather({known.name: "yonder"}, {known.variable: "there"}, None)[known.name].text == "yonder"


def test_a_variable_that_is_set_to_nothing_is_not_set() -> None:
    assert gather({}, {"MOORAGE_DOMAIN": ""}, None)["domain"].is_default


def test_the_file_is_the_one_that_is_named() -> None:
    write("workers = 2\n")
    write("workers = 3\n", "there/named.toml")
    write("workers = 4\n", "there/other.toml")

    assert gather({}, {}, None)["workers"].text == "2"
    assert gather({}, {"MOORAGE_CONFIG": "there/named.toml"}, None)["workers"].text == "3"
    assert gather({}, {"MOORAGE_CONFIG": "there/named.toml"}, Path("there/other.toml"))["workers"].text == "4"


def test_paths_in_a_file_are_relative_to_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/somebody")
    write("data = 'rows'\ntls-key = '/etc/key.pem'\ntls-certificate = '~/c.pem'\n", "there/named.toml")

    given = gather({}, {}, Path("there/named.toml"))

    assert given["data"].text == str(tmp_path / "there" / "rows")
    assert given["tls-key"].text == "/etc/key.pem"
    assert given["tls-certificate"].text == "/srv/somebody/c.pem"


@pytest.mark.parametrize("text", ["true", "'yes'", "'ON'", "1", "'1'"])
def test_a_switch_is_a_word_or_a_truth(text: str, tmp_path: Path) -> None:
    write(f"insecure-listen = {text}\nlisten = '192.0.2.1:4510'\n")

    assert read_settings(gather({}, {}, None), tmp_path).host == "192.0.2.1"


def keep_key(account: str) -> Path:
    return write(json.dumps({"Account": account}), "data/credentials.json").parent


def test_the_account_is_that_of_the_data_folder_unless_one_is_named(tmp_path: Path) -> None:
    data = keep_key("111111111111")

    assert read_settings(gather({"data": str(data)}, {}, None), tmp_path).account == "111111111111"
    assert read_settings(gather({"data": "elsewhere"}, {}, None), tmp_path).account is None


def test_config_refuses_another_account_than_that_of_the_data_folder(tmp_path: Path) -> None:
    data = keep_key("111111111111")

    assert refused("--data", str(data), "--account", "222222222222") == (
        f"--account 222222222222 is not the account of {tmp_path / data}, which is 111111111111"
    )


def test_a_number_that_begins_with_0_is_said_to_need_quotes() -> None:
    write("account = 012345678901\n")

    assert refused().endswith("Texts are in quotes, and so is a number that begins with 0.")


# --- help and completion ------------------------------------------------------------------------------------------------


def test_no_summary_of_a_command_is_cut() -> None:
    for words in (["--help"], ["accounts", "--help"]):
        assert "..." not in CliRunner().invoke(main, words).output.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("option", "typed", "offered"),
    [
        ("--log-format", "", "plain,plain\nplain,json\n"),
        ("--log-requests", "ch", "plain,changes\n"),
        ("--data", "", "dir,\n"),
        ("--tls-key", "/etc/", "file,/etc/\n"),
        ("--account", "", "\n"),
    ],
)
def test_a_shell_is_offered_what_a_setting_can_be(option: str, typed: str, offered: str) -> None:
    words = {"COMP_WORDS": f"moorage serve {option} {typed}", "COMP_CWORD": "3", "_MOORAGE_COMPLETE": "bash_complete"}

    assert CliRunner().invoke(main, prog_name="moorage", env=words).output == offered


# --- moorage config -----------------------------------------------------------------------------------------------------


def test_config_shows_each_setting_and_where_it_came_from() -> None:
    write("log-format = 'json'\n")

    lines = config("--workers", "2", MOORAGE_DOMAIN="example.org").stdout.splitlines()
    shown = {name: (value, source) for name, value, source in (re.split(r"  +", line, maxsplit=2) for line in lines)}

    assert set(shown) == {"SETTING"} | {setting.name for setting in KNOWN}
    assert shown["workers"] == ("2", "--workers")
    assert shown["domain"] == ("example.org", "MOORAGE_DOMAIN")
    assert shown["log-format"] == ("json", "moorage.toml")
    assert shown["tls-listen"] == ("(none)", "default")


def test_config_is_json_for_programs() -> None:
    shown = json.loads(config("--json", "--domain", "example.org").stdout)

    assert [line["setting"] for line in shown] == [setting.name for setting in KNOWN]
    assert {"setting": "domain", "value": "example.org", "source": "--domain"} in shown
    assert {"setting": "tls-listen", "value": None, "source": "default"} in shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://moorage:open-sesame@db.example/moorage",
        "postgresql+psycopg://moorage:open-se@same@db.example/moorage",
        "postgresql://moorage@db.example/moorage?password=open-sesame&sslmode=require",
        "postgresql://moorage@db.example/moorage?sslkey=key.pem&sslpassword=open-sesame",
    ],
)
def test_config_does_not_show_the_password_of_a_database(url: str) -> None:
    for printed in (config("--database", url), config("--database", url, "--json")):
        assert "open" not in printed.stdout
        assert "same@" not in printed.stdout
        assert "db.example/moorage" in printed.stdout


def test_config_refuses_what_serve_would_refuse() -> None:
    assert refused("--listen", "nowhere") == "--listen must be of the form HOST:PORT, not 'nowhere'"


def test_quotas_are_ecrs_unless_an_operator_wants_other_numbers() -> None:
    other = {"max-images": "7", "max-layer-size": "2"}

    assert read_settings(gather({}, {}, None), Path()).quotas == ECR
    assert read_settings(gather(other, {}, None), Path()).quotas == replace(ECR, images=7, layer=2 * 1024 * 1024)


@pytest.mark.parametrize("text", ["0", "-1", "1000000000", "many", "1.5", "1k", "\u0663"])
def test_a_quota_that_is_no_number_is_refused(text: str) -> None:
    assert refused("--max-images", text) == f"--max-images must be a number from 1 to 999999999, not {text!r}"


# --- what is refused ----------------------------------------------------------------------------------------------------


def test_a_mistake_is_named_as_its_giver_named_it() -> None:
    assert refused(MOORAGE_WORKERS="many") == "MOORAGE_WORKERS must be a number from 1 to 64, not 'many'"
    file = write("workers = 0\n", "other.toml")
    assert refused("--config", str(file)) == "workers in other.toml must be a number from 1 to 64, not '0'"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lisen = '127.0.0.1:1'\n", "lisen in moorage.toml is not a setting. Did you mean listen?"),
        ("tls_key = 'a'\n", "tls_key in moorage.toml is not a setting. Did you mean tls-key?"),
        ("workers = [1]\n", "workers in moorage.toml must be a text, a number, true or false"),
        ("workers = 1.5\n", "workers in moorage.toml must be a number from 1 to 64, not '1.5'"),
        ("[tls-listen]\nhost = 1\n", "tls-listen in moorage.toml must be a text, a number, true or false"),
        ("data = ''\n", "data in moorage.toml must name a folder"),
        ("tls-key = ''\n", "tls-key in moorage.toml must name a file"),
        ("tls-listen = ''\n", "tls-listen in moorage.toml must be of the form HOST:PORT, not ''"),
    ],
)
def test_a_file_that_says_something_else_is_refused(text: str, sentence: str) -> None:
    write(text)

    assert refused() == sentence


@pytest.mark.parametrize(
    "text", [b"data = 'half\n", b"workers = 1\nworkers", b"workers = 1\nworkers = 2", b"\xff\xfe\x00"]
)
def test_a_file_that_is_half_written_or_no_text_is_refused(text: bytes) -> None:
    Path("moorage.toml").write_bytes(text)

    assert refused().startswith("moorage.toml cannot be understood: ")


def test_a_named_file_that_is_not_there_is_refused() -> None:
    assert refused("--config", "nowhere.toml") == "--config nowhere.toml is not there"
    assert refused(MOORAGE_CONFIG="nowhere.toml") == "MOORAGE_CONFIG nowhere.toml is not there"


def test_a_folder_in_place_of_the_file_is_refused() -> None:
    Path("moorage.toml").mkdir()

    assert refused() == "moorage.toml cannot be read: Is a directory"


def test_a_variable_that_nobody_knows_is_refused_with_the_nearest() -> None:
    assert (
        refused(MOORAGE_LISTN="a") == "MOORAGE_LISTN in the environment is not a setting. Did you mean MOORAGE_LISTEN?"
    )
    assert refused(MOORAGE_ZZZZZZZZZZ="a").startswith(
        "MOORAGE_ZZZZZZZZZZ in the environment is not a setting. There are "
    )


@pytest.mark.parametrize(
    "name",
    [
        "MOORAGE_PORT",
        "MOORAGE_PORT_4510_TCP",
        "MOORAGE_SERVICE_HOST",
        "MOORAGE_SERVICE_PORT_HTTP",
        "MOORAGE_POSTGRESQL_SERVICE_HOST",
        "MOORAGE_POSTGRESQL_SERVICE_PORT",
        "MOORAGE_POSTGRESQL_SERVICE_PORT_TCP_POSTGRESQL",
        "MOORAGE_POSTGRESQL_PORT",
        "MOORAGE_POSTGRESQL_PORT_5432_TCP_ADDR",
        "MOORAGE_REGISTRY",
    ],
)
def test_what_kubernetes_and_docker_set_for_a_service_is_left_alone(name: str) -> None:
    assert gather({}, {name: "tcp://10.0.0.1:4510"}, None)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_no_page_has_its_readers_set_a_variable_that_is_refused(page: Path) -> None:
    names = re.findall(r"\bMOORAGE_[A-Z_]*[A-Z]", page.read_text())

    assert gather({}, dict.fromkeys((name for name in names if name != CONFIG), "x"), None)


def test_a_domain_may_have_a_port_and_is_in_lower_case(tmp_path: Path) -> None:
    names = read_settings(gather({"domain": "Registry.Example:5000"}, {}, None), tmp_path).names

    assert names.domain == "registry.example:5000"


@pytest.mark.parametrize("name", ["env", "trust"])
def test_other_commands_refuse_a_misspelt_setting_too(name: str) -> None:
    ran = CliRunner().invoke(main, [name], env={"MOORAGE_DATTA": "x"})

    assert ran.exit_code == 2
    assert "Did you mean MOORAGE_DATA?" in ran.stderr


def test_an_account_is_checked_for_every_command_and_named_as_its_giver_named_it() -> None:
    ran = CliRunner().invoke(main, ["trust"], env={"MOORAGE_ACCOUNT": "12"})

    assert ran.exit_code == 2
    assert "Error: MOORAGE_ACCOUNT must be twelve digits, not '12'" in ran.stderr


@pytest.mark.parametrize("words", [["env"], ["run", "true"], ["trust"]], ids=lambda words: words[0])
def test_a_region_is_checked_for_every_command(words: list[str]) -> None:
    ran = CliRunner().invoke(main, [words[0], "--region", "nowhere", *words[1:]])

    assert ran.exit_code == 2
    assert "Error: --region must be a region such as us-east-1, not 'nowhere'" in ran.stderr


def test_a_key_without_a_certificate_is_refused_before_anything_listens(tmp_path: Path) -> None:
    write("", "key.pem")

    with pytest.raises(InvalidSettings, match="--tls-key needs --tls-certificate"):
        read_settings(gather({"tls-key": "key.pem"}, {}, None), tmp_path)


@pytest.mark.slow
def test_a_current_folder_that_may_not_be_entered_has_neither_file_nor_data(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "only root can stand where another user may not: run the tests as root"
    (tmp_path / "moorage-data").mkdir()
    write("workers = 2\n")
    tmp_path.chmod(0o700)
    os.seteuid(NOBODY)
    try:
        given = gather({}, {}, None)
        folder = data_folder(given, Path("/srv/somebody"))
    finally:
        os.seteuid(0)

    assert given["workers"].is_default
    assert folder == Path("/srv/somebody/.local/share/moorage")

"""``moorage trust`` on a machine that is a folder: what it makes, what it refuses, and that nothing of it is left."""

import os
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.adapters.authority import AUTHORITY_LIFE, AuthorityFolder
from moorage.cli.main import main

NOBODY = 65534
ACCOUNT = "180789647333"
AWS = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
OWN = "registry.example.org"
JOURNAL = "var/lib/moorage-trust.json"
STORE = "usr/local/share/ca-certificates"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, in an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MOORAGE_")]:
        monkeypatch.delenv(name)


class Place:
    """A machine that is a folder, and a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.data = folder / "data"
        for known in ("etc/docker", STORE, "var/lib"):
            (self.root / known).mkdir(parents=True)
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")

    def run(self, *words: str, data: Path | None = None, stdin: str | None = None) -> Result:
        """Run ``moorage trust``, which may succeed or refuse, and never end in a trace."""
        told = ("--root", str(self.root), "--data", str(data or self.data))
        ran = CliRunner().invoke(main, ["trust", *told, *words], input=stdin)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran

    def trust(self, *words: str, data: Path | None = None) -> str:
        ran = self.run(*words, "--yes", data=data)
        assert ran.exit_code == 0, ran.output
        return ran.output

    def refused(self, *words: str, data: Path | None = None) -> str:
        before = self.everything()
        ran = self.run(*words, data=data)
        assert ran.exit_code != 0
        assert self.everything() == before
        return ran.stderr.splitlines()[-1].removeprefix("Error: ")

    def undo(self) -> str:
        ran = self.run("--undo")
        assert ran.exit_code == 0, ran.output
        return ran.output

    def hosts(self) -> str:
        return (self.root / "etc/hosts").read_text()

    def everything(self) -> dict[str, bytes | None]:
        paths = sorted(self.folder.rglob("*"))
        return {str(path): path.read_bytes() if path.is_file() else None for path in paths}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Answer GET like that; gives the URL of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def serving(content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.end_headers()
        asked.wfile.write(content)

    return answer


def authority_for(folder: Path, *names: str, at: datetime | None = None) -> bytes:
    return AuthorityFolder(folder).ensure(names, at or datetime.now(UTC)).certificate


# --- what it makes ------------------------------------------------------------------------------------------------------


def test_all_that_trust_makes_is_taken_back_the_data_folder_included(place: Place) -> None:
    before = place.everything()

    place.trust(OWN)
    assert f"127.0.0.1 {OWN}\n" in place.hosts()
    assert (place.root / f"etc/docker/certs.d/{OWN}/ca.crt").read_bytes() == (
        place.data / "authority/authority.pem"
    ).read_bytes()
    place.undo()

    assert place.everything() == before


def test_a_data_folder_that_was_there_stays(place: Place) -> None:
    place.data.mkdir()
    before = place.everything()

    place.trust(OWN)
    place.undo()

    assert place.everything() == before


def test_what_was_done_is_taken_back_without_naming_the_data_folder_again(place: Place) -> None:
    before = place.everything()
    place.trust(OWN)

    assert place.run("--undo", data=place.folder / "another").exit_code == 0

    assert place.everything() == before


def test_a_data_folder_in_use_is_kept_but_for_the_authority(place: Place) -> None:
    place.trust(OWN)
    (place.data / "moorage.db").touch()

    place.undo()

    assert [path.name for path in place.data.iterdir()] == ["moorage.db"]


def test_further_names_come_besides_those_of_before(place: Place) -> None:
    place.trust("--account", ACCOUNT)
    shown = place.trust(OWN)

    assert f"127.0.0.1 {AWS}\n" in place.hosts()
    assert f"127.0.0.1 {OWN}\n" in place.hosts()
    authority = (place.data / "authority/authority.pem").read_bytes()
    for name in (AWS, OWN):
        assert (place.root / f"etc/docker/certs.d/{name}/ca.crt").read_bytes() == authority
        assert f"    {name}\n" in shown
    assert "these names and what is below them, and no other:" in shown


def test_regions_may_be_trusted_one_after_the_other(place: Place) -> None:
    for region in ("us-east-1", "cn-north-1"):
        place.trust("--account", ACCOUNT, "--region", region)

    assert f"127.0.0.1 {AWS}\n" in place.hosts()
    assert f"127.0.0.1 {ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn\n" in place.hosts()


def test_two_data_folders_are_trusted_side_by_side(place: Place) -> None:
    second = place.folder / "second"
    place.trust(OWN)
    place.trust("other.example.org", data=second)

    for name, data, file in ((OWN, place.data, "moorage.crt"), ("other.example.org", second, "moorage-2.crt")):
        authority = (data / "authority/authority.pem").read_bytes()
        assert f"127.0.0.1 {name}\n" in place.hosts()
        assert (place.root / f"etc/docker/certs.d/{name}/ca.crt").read_bytes() == authority
        assert (place.root / STORE / file).read_bytes() == authority
    place.undo()
    assert not second.exists()


def test_asking_again_says_that_all_is_trusted(place: Place) -> None:
    place.trust(OWN)
    before = place.everything()

    assert place.trust(OWN).startswith("Everything is trusted already: the authority with the SHA-256 fingerprint ")
    assert place.everything() == before


def test_without_an_engine_a_store_or_the_hosts_file_there_is_an_authority_all_the_same(place: Place) -> None:
    (place.root / "etc/docker").rmdir()
    (place.root / STORE).rmdir()

    assert "make an authority" in place.trust(OWN, "--no-hosts")
    assert (place.data / "authority/server.pem").exists()
    assert place.trust(OWN, "--no-hosts").startswith("Everything is trusted already")


@pytest.mark.parametrize("ago", [AUTHORITY_LIFE - timedelta(days=1), AUTHORITY_LIFE + timedelta(days=30)])
def test_an_authority_at_its_end_is_made_anew_before_it_is_trusted(place: Place, ago: timedelta) -> None:
    old = authority_for(place.data / "authority", OWN, at=datetime.now(UTC) - ago)

    place.trust(OWN)

    new = (place.root / STORE / "moorage.crt").read_bytes()
    assert new == (place.data / "authority/authority.pem").read_bytes()
    assert new != old


def test_a_certificate_that_is_broken_is_issued_anew_under_the_authority_that_is_trusted(place: Place) -> None:
    place.trust(OWN)
    authority = (place.data / "authority/authority.pem").read_bytes()
    (place.data / "authority/server.pem").write_bytes(b"half of a certif")

    assert f"have it certify {OWN}" in place.trust(OWN)

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(place.data / "authority/server.pem")
    assert (place.data / "authority/authority.pem").read_bytes() == authority


@pytest.mark.parametrize("words", [["--print"], []])
def test_showing_or_saying_no_changes_nothing(place: Place, words: list[str]) -> None:
    before = place.everything()

    ran = place.run(OWN, *words, stdin="n\n")

    assert "make an authority" in ran.output
    assert ran.exit_code == (0 if words else 1)
    assert place.everything() == before


def test_an_authority_that_is_to_be_widened_is_shown_with_its_fingerprint(place: Place) -> None:
    place.trust(OWN)
    known = AuthorityFolder(place.data / "authority").read()

    assert known
    assert (
        f"  make the authority with the SHA-256 fingerprint {known.fingerprint} anew"
        in place.run(AWS, "--print").output
    )


def test_undoing_where_nothing_was_done_says_so(place: Place) -> None:
    before = place.everything()

    assert place.undo() == "There is nothing to take back.\n"
    assert place.everything() == before


def test_what_would_be_taken_back_is_shown_and_stays(place: Place) -> None:
    place.trust(OWN)
    before = place.everything()

    shown = place.run("--undo", "--print").output.splitlines()

    assert "would take back /etc/hosts" in shown
    assert f"would take back {place.data}/authority" in shown
    assert place.everything() == before


def test_undoing_is_given_no_names(place: Place) -> None:
    place.trust(OWN)

    assert place.refused("--undo", OWN).startswith("--undo takes back everything")


def test_the_command_that_is_run_is_shown_as_well(place: Place) -> None:
    assert "  run update-ca-certificates --fresh\n" in place.run(OWN, "--print").output


# --- the authority of another server ------------------------------------------------------------------------------------


def test_another_servers_authority_is_trusted_without_a_data_folder(place: Place, tmp_path: Path) -> None:
    with answering(serving(authority_for(tmp_path / "theirs", OWN))) as url:
        place.trust("--server", url, OWN, "--address", "10.0.0.9")

    assert f"10.0.0.9 {OWN}\n" in place.hosts()
    assert not place.data.exists()


def test_two_servers_are_trusted_side_by_side(place: Place, tmp_path: Path) -> None:
    for number, name in enumerate((OWN, "other.example.org"), 1):
        with answering(serving(authority_for(tmp_path / str(number), name))) as url:
            place.trust("--server", url, name, "--address", f"10.0.0.{number}")

    assert f"10.0.0.1 {OWN}\n10.0.0.2 other.example.org\n" in place.hosts()
    assert sorted(path.name for path in (place.root / STORE).iterdir()) == ["moorage-2.crt", "moorage.crt"]


def test_only_what_was_shown_of_another_servers_authority_is_installed(place: Place, tmp_path: Path) -> None:
    genuine = authority_for(tmp_path / "theirs", OWN)
    with answering(serving(b"# with greetings\n" + genuine + b"more")) as url:
        place.trust("--server", url, OWN)

    assert (place.root / STORE / "moorage.crt").read_bytes() == genuine


def test_a_second_certificate_behind_the_genuine_one_is_refused(place: Place, tmp_path: Path) -> None:
    both = authority_for(tmp_path / "theirs", OWN) + authority_for(tmp_path / "in-between", "any.example")
    with answering(serving(both)) as url:
        assert place.refused("--server", url, OWN, "--yes").endswith("is not one certificate in PEM")


def test_an_authority_that_cannot_certify_the_names_is_refused(place: Place, tmp_path: Path) -> None:
    with answering(serving(authority_for(tmp_path / "theirs", OWN))) as url:
        assert place.refused("--server", url, "not-permitted.example", "--yes") == (
            f"the authority of {url} cannot certify not-permitted.example, only {OWN}"
        )


def test_an_authority_that_has_ended_is_refused(place: Place, tmp_path: Path) -> None:
    ended = authority_for(tmp_path / "theirs", OWN, at=datetime.now(UTC) - AUTHORITY_LIFE - timedelta(days=1))
    with answering(serving(ended)) as url:
        assert "ended on" in place.refused("--server", url, OWN, "--yes")


@pytest.mark.parametrize("url", ["http://registry.example:45x0", "http://[::1", "http://127.0.0.1:1", "http://a b"])
def test_a_server_that_cannot_be_reached_is_named(place: Place, url: str) -> None:
    assert place.refused("--server", url, OWN, "--yes").startswith(f"{url}/moorage/authority.pem cannot be reached: ")


def test_what_does_not_speak_http_is_named(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"rubbish\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "cannot be reached: rubbish" in place.refused("--server", url, OWN, "--yes")


# --- what it refuses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["192.168.1.5", "a b", "https://a"])
def test_what_is_no_host_name_is_refused(place: Place, name: str) -> None:
    assert place.refused(name) == f"{name!r} is not a host name"


def test_an_account_is_refused_by_the_name_that_it_was_given_under(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.refused("--account", "12") == "--account must be twelve digits, not '12'"
    monkeypatch.setenv("MOORAGE_ACCOUNT", "12")
    assert place.refused() == "MOORAGE_ACCOUNT must be twelve digits, not '12'"


def test_another_account_than_the_folders_is_refused(place: Place) -> None:
    place.data.mkdir()
    (place.data / "credentials.json").write_text('{"Account": "111122223333"}')

    assert place.refused("--account", ACCOUNT) == (
        f"--account {ACCOUNT} is not the account of {place.data}, which is 111122223333"
    )


def test_a_region_or_an_address_that_is_none_is_refused(place: Place) -> None:
    assert (
        place.refused("--account", ACCOUNT, "--region", "no where")
        == "--region must be a region such as us-east-1, not 'no where'"
    )
    assert place.refused(OWN, "--address", "here") == "--address must be an IP address, not 'here'"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Account": 1}', '{"Account": "12"}'])
def test_a_first_key_that_names_no_account_is_refused(place: Place, text: str) -> None:
    place.data.mkdir()
    (place.data / "credentials.json").write_text(text)

    assert place.refused() == f"{place.data}/credentials.json names no account"


@pytest.mark.parametrize("words", [[OWN, "--yes"], ["--undo"]])
def test_a_journal_that_is_broken_is_named(place: Place, words: list[str]) -> None:
    (place.root / JOURNAL).write_text("{")

    assert "moorage-trust.json cannot be understood" in place.refused(*words)


def test_an_authority_of_ones_own_that_is_not_bound_to_names_is_refused(place: Place) -> None:
    authority_for(place.data / "authority", OWN)
    (place.data / "authority/authority.pem").write_bytes(b"rubbish")

    assert place.refused(OWN, "--yes") == f"{place.data}/authority/authority.pem is not one certificate in PEM"


@pytest.mark.parametrize("there", [True, False])
def test_an_authority_that_is_swapped_while_one_is_asked_is_not_trusted(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    if there:
        authority_for(place.data / "authority", OWN)

    def swap(_: str) -> bool:
        authority_for(tmp_path / "wider", OWN, "any.example")
        shutil.rmtree(place.data, ignore_errors=True)
        place.data.mkdir()
        (tmp_path / "wider").rename(place.data / "authority")
        return True

    monkeypatch.setattr("moorage.cli.trust.click.confirm", swap)

    assert place.run(OWN).stderr == f"Error: The authority in {place.data} is not the one that was shown.\n"
    assert not (place.root / STORE / "moorage.crt").exists()


def test_what_stands_in_the_way_is_named(place: Place) -> None:
    (place.root / f"etc/docker/certs.d/{OWN}/ca.crt").mkdir(parents=True)

    assert f"certs.d/{OWN}/ca.crt: Is a directory. " in place.refused(OWN, "--yes")


def test_what_another_wrote_into_the_data_folder_is_not_taken_for_a_journal(place: Place) -> None:
    place.data.mkdir()
    (place.data / "trust.json").write_text('{"files": [], "folders": [], "commands": [["touch", "/tmp/no"]]}')

    assert place.undo() == "There is nothing to take back.\n"


# --- root and others ----------------------------------------------------------------------------------------------------


@pytest.fixture
def people(place: Place, tmp_path: Path) -> Iterator[Place]:
    """A place that another user may enter."""
    assert os.geteuid() == 0, "only root can act as another user: run the tests as root"
    above = [folder for folder in tmp_path.parents if folder.is_relative_to("/tmp") and folder != Path("/tmp")]
    modes = {folder: folder.stat().st_mode for folder in (tmp_path, *above)}
    for folder in modes:
        folder.chmod(0o755)
    yield place
    for folder, mode in modes.items():
        folder.chmod(mode)


@contextmanager
def nobody() -> Iterator[None]:
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.slow
def test_who_may_not_change_the_machine_is_told_how_and_has_made_nothing(people: Place) -> None:
    home = people.folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)

    with nobody():
        said = people.refused(OWN, "--yes", data=home / "data")

    assert said == (
        f"{people.root}/var/lib/moorage-trust.json: Permission denied. As root it can be done, with the same words: "
        f'sudo "$(command -v moorage)" trust --data {home}/data'
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", [[OWN, "--print"], [OWN, "--yes"], ["--undo"], []])
def test_who_may_not_read_what_was_done_is_told_how(people: Place, words: list[str]) -> None:
    people.trust(OWN)

    with nobody():
        ran = people.run(*words)

    assert ran.exit_code == 1
    assert "Permission denied. As root it can be done" in ran.stderr


@pytest.mark.slow
def test_who_may_not_see_what_an_engine_trusts_is_told_how(people: Place) -> None:
    (people.root / "etc/docker").chmod(0o700)

    with nobody():
        assert f"/etc/docker/certs.d/{OWN}/ca.crt: Permission denied. As root" in people.refused(OWN, "--print")


@pytest.mark.slow
@pytest.mark.parametrize("there", [True, False])
def test_what_root_makes_in_somebodys_folder_is_theirs(people: Place, *, there: bool) -> None:
    home = people.folder / "home"
    home.mkdir()
    if there:
        (home / "data").mkdir(mode=0o700)
        os.chown(home / "data", NOBODY, NOBODY)
    os.chown(home, NOBODY, NOBODY)

    people.trust(OWN, data=home / "data")

    made = {path.name: path.stat().st_uid for path in home.rglob("*")}
    assert made == dict.fromkeys(["data", "authority", "authority.pem", "authority.key", "server.pem"], NOBODY)
    assert (people.root / JOURNAL).stat().st_uid == 0


@pytest.mark.slow
def test_a_link_in_somebodys_folder_leads_root_nowhere(people: Place) -> None:
    prey = people.folder / "prey"
    prey.mkdir(mode=0o700)
    (prey / "server.pem").write_bytes(b"untouched")
    people.data.mkdir()
    os.chown(people.data, NOBODY, NOBODY)
    (people.data / "authority").symlink_to(prey)

    assert people.run(OWN, "--yes").exit_code == 1

    assert {path.name: path.read_bytes() for path in prey.iterdir()} == {"server.pem": b"untouched"}
    assert (prey / "server.pem").stat().st_uid == 0

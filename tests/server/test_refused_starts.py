"""What cannot be served is refused in one sentence, before anything is served, and never with a traceback."""

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.engines.programs import Missing, found, free_port, run
from tests.engines.server import Server
from tests.server.serving import refusal

pytestmark = pytest.mark.slow

NOBODY = 65534


def serve(data: Path, *args: str) -> tuple[int, str]:
    """Return the refusal of a server of that folder on a free port."""
    return refusal("serve", "--data", str(data), "--listen", f"127.0.0.1:{free_port()}", *args)


class WideServer(Server):
    """A server on every address of the machine."""

    def _where(self) -> list[str]:
        return ["--data", str(self.data), "--listen", f"0.0.0.0:{self.port}", "--insecure-listen"]


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """Have a folder be a disk of its own, mounted with these options."""
    if os.geteuid() != 0:
        pytest.fail(str(Missing("a file system of a test's own needs root: run the tests as root")), pytrace=False)
    folder.mkdir()
    run([found("mount", remedy="apt-get install mount"), "-t", "tmpfs", "-o", options, "tmpfs", folder])
    try:
        yield folder
    finally:
        run(["umount", folder])


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    with disk(tmp_path / "tiny", "size=128k") as tiny:
        assert serve(tiny / "data") == (
            1,
            "The disk of the data folder is full: make a few MiB of room there, and start again.",
        )


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that even root cannot write to."""
    with disk(tmp_path / "read-only", "ro,size=1m") as folder:
        yield folder


# --- where it listens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]", "[2001:db8::1]"])
def test_an_address_beyond_the_loopback_needs_a_word_of_consent(host: str, tmp_path: Path) -> None:
    data = tmp_path / "data"

    assert refusal("serve", "--data", str(data), "--listen", f"{host}:4510") == (
        2,
        (
            f"--listen {host}:4510 is beyond loopback and without TLS: secrets would cross the network in the clear. "
            "Use --tls-listen for other machines, or add --insecure-listen to do it anyway."
        ),
    )
    assert not data.exists()


def test_with_that_word_a_server_listens_on_every_address(tmp_path: Path) -> None:
    server = WideServer(tmp_path).start()
    try:
        assert f"Listening at: http://0.0.0.0:{server.port}\n" in server.log.read_text()
        assert server.env()["AWS_ENDPOINT_URL"] == server.url
    finally:
        server.kill()


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert refusal("serve", "--data", str(tmp_path), "--listen", f"127.0.0.1:{port}") == (
            3,
            f"Something else listens on 127.0.0.1:{port}. Choose another port with --listen 127.0.0.1:PORT.",
        )
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_port_of_another_moorage_is_refused(
    workers: str, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    first = start_server("--workers", workers)
    where = f"127.0.0.1:{first.port}"

    status, sentence = refusal("serve", "--data", str(tmp_path / "second"), "--listen", where, "--workers", workers)

    assert (status, sentence.split(". ")[0]) == (3, f"Something else listens on {where}")
    assert first.ready()


def test_an_address_that_is_not_this_machines_is_refused(tmp_path: Path) -> None:
    where = "192.0.2.1:4510"

    assert refusal("serve", "--data", str(tmp_path), "--listen", where, "--insecure-listen") == (
        1,
        f"Cannot listen on {where}: Cannot assign requested address. Choose another address with --listen.",
    )


# --- the data folder ----------------------------------------------------------------------------------------------------


def test_a_file_where_the_data_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert serve(tmp_path / "file") == (
        2,
        f"--data {tmp_path / 'file'} is a file, not a folder",
    )


def test_a_data_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "data"

    assert serve(data) == (
        1,
        f"The data folder cannot be used: {data}: Not a directory. Choose another one with --data.",
    )


def test_a_file_where_the_bytes_should_go_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").touch()

    assert serve(tmp_path) == (
        1,
        f"The data folder cannot be used: {tmp_path / 'blobs'}: File exists. Choose another one with --data.",
    )
    assert not (tmp_path / "credentials.json").exists()


@pytest.mark.parametrize("below", [".", "data"])
def test_a_data_folder_that_cannot_be_written_is_refused(below: str, read_only: Path) -> None:
    status, sentence = serve(read_only / below)

    assert status == 1
    assert sentence.startswith(f"The data folder cannot be used: {(read_only / below).resolve()}")
    assert sentence.endswith(": Read-only file system. Choose another one with --data.")


def test_a_store_that_can_no_longer_be_written_is_refused(own_server: Server) -> None:
    own_server.stop()
    run(["mount", "--bind", "-o", "ro", own_server.data, own_server.data])
    try:
        status, sentence = serve(own_server.data)
    finally:
        run(["umount", own_server.data])

    assert status == 1
    assert "cannot be used: " in sentence
    assert own_server.start().ready()


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "moorage.db"
    database.write_bytes(b"no database" * 1000)

    assert serve(tmp_path) == (1, "The database cannot be used: file is not a database")
    assert database.read_bytes() == b"no database" * 1000


def test_a_data_folder_of_a_newer_release_is_refused_and_left_alone(own_server: Server) -> None:
    own_server.stop()
    key = (own_server.data / "credentials.json").read_bytes()
    with closing(sqlite3.connect(own_server.data / "moorage.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    kept = {path.name: path.read_bytes() for path in own_server.data.glob("*.*")}

    status, sentence = serve(own_server.data)

    assert (status, sentence) == (
        1,
        "The database is of a later release of Moorage: use that release, or restore a backup from before it",
    )
    assert {path.name: path.read_bytes() for path in own_server.data.glob("*.*")} == kept
    assert (own_server.data / "credentials.json").read_bytes() == key


@pytest.mark.parametrize("below", [".", "blobs"])
def test_root_does_not_serve_the_folder_of_somebody_else_and_says_how_it_is_done(below: str, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    if below == ".":
        (tmp_path / "blobs").rmdir()
    os.chown(tmp_path / below, NOBODY, NOBODY)

    assert serve(tmp_path) == (
        1,
        (
            f"{tmp_path} belongs to the user nobody, who could not read what another user writes there. Run this as nobody: "
            f'sudo -u nobody "$(command -v moorage)" serve --data {tmp_path} (in a container: --user {NOBODY})'
        ),
    )
    assert not (tmp_path / "moorage.db").exists()


# --- the database -------------------------------------------------------------------------------------------------------


def test_a_database_that_cannot_be_reached_is_refused_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://moorage:open-sesame@127.0.0.1:{free_port()}/moorage"

    status, sentence = serve(tmp_path, "--database", url)

    assert status == 1
    assert sentence.startswith("The database cannot be used: connection failed: ")
    assert "Connection refused" in sentence
    assert "open-sesame" not in sentence


def test_a_database_that_is_not_there_is_refused(postgres: Callable[[], str], tmp_path: Path) -> None:
    url = postgres().rpartition("/")[0] + "/nowhere"

    status, sentence = serve(tmp_path, "--database", url)

    assert status == 1
    assert 'database "nowhere" does not exist' in sentence


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "/var/lib/moorage.db",
        "sqlite:////tmp/other.db",
        "mysql://moorage:open-sesame@127.0.0.1/moorage",
        "postgresql+nosuch://moorage:open-sesame@127.0.0.1/moorage",
        "postgresql+psycopg://moorage:open-sesame@127.0.0.1:port/moorage",
        "postgresql+psycopg:moorage:open-sesame@127.0.0.1/moorage",
    ],
)
def test_a_malformed_database_url_is_refused_and_never_shown(url: str, tmp_path: Path) -> None:
    data = tmp_path / "data"

    assert serve(data, "--database", url) == (
        2,
        "--database must be of the form postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME",
    )
    assert not data.exists()


def test_a_database_url_with_an_option_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    status, sentence = serve(tmp_path, "--database", "postgresql+psycopg://moorage@127.0.0.1:1/moorage?colour=blue")

    assert (status, sentence) == (1, 'The database cannot be used: invalid connection option "colour"')


# --- options and the environment ----------------------------------------------------------------------------------------

BAD = {
    ("listen", "127.0.0.1"): "--listen must be of the form HOST:PORT, not '127.0.0.1'",
    ("listen", ":4510"): "--listen must be of the form HOST:PORT, not ':4510'",
    ("listen", "127.0.0.1:0"): "--listen must be of the form HOST:PORT, not '127.0.0.1:0'",
    ("listen", "127.0.0.1:65536"): "--listen must be of the form HOST:PORT, not '127.0.0.1:65536'",
    ("listen", "127.0.0.1:http"): "--listen must be of the form HOST:PORT, not '127.0.0.1:http'",
    ("listen", "example.com:80"): "--listen needs an IP address or localhost, not 'example.com'",
    ("account", "12345"): "--account must be twelve digits, not '12345'",
    ("account", "12345678901x"): "--account must be twelve digits, not '12345678901x'",
    ("domain", "https://example.com"): "--domain must be a host name with or without a port, not 'https://example.com'",
    ("domain", "example.com/path"): "--domain must be a host name with or without a port, not 'example.com/path'",
    ("domain", "example..com"): "--domain must be a host name with or without a port, not 'example..com'",
    ("domain", "*.example.com"): "--domain must be a host name with or without a port, not '*.example.com'",
    ("domain", "example.com:99999"): "--domain must be a host name with or without a port, not 'example.com:99999'",
    ("domain", "example.com:"): "--domain must be a host name with or without a port, not 'example.com:'",
    ("trust-proxy", "nginx"): "--trust-proxy must be IP addresses or networks with commas between them, not 'nginx'",
    (
        "trust-proxy",
        "10.0.0.1/8",
    ): "--trust-proxy must be IP addresses or networks with commas between them, not '10.0.0.1/8'",
    ("trust-proxy", "::1,"): "--trust-proxy must be IP addresses or networks with commas between them, not '::1,'",
    ("workers", "0"): "--workers must be a number from 1 to 64, not '0'",
    ("workers", "65"): "--workers must be a number from 1 to 64, not '65'",
    ("workers", "two"): "--workers must be a number from 1 to 64, not 'two'",
    ("log-format", "xml"): "--log-format must be plain or json, not 'xml'",
    ("log-requests", "some"): "--log-requests must be all, changes or none, not 'some'",
}


@pytest.mark.parametrize(("option", "value"), BAD)
def test_a_bad_option_is_refused_and_nothing_is_made(option: str, value: str, tmp_path: Path) -> None:
    data = tmp_path / "data"

    assert refusal("serve", "--data", str(data), f"--{option}", value) == (2, BAD[option, value])
    assert not data.exists()


@pytest.mark.parametrize(("option", "value"), BAD)
def test_a_bad_variable_is_refused_as_the_option_is(option: str, value: str, tmp_path: Path) -> None:
    variable = "MOORAGE_" + option.upper().replace("-", "_")
    data = tmp_path / "data"

    assert refusal("serve", environment={"MOORAGE_DATA": str(data), variable: value}) == (
        2,
        BAD[option, value].replace(f"--{option}", variable),
    )
    assert not data.exists()


def test_consent_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    status, sentence = refusal("serve", "--data", str(tmp_path), environment={"MOORAGE_INSECURE_LISTEN": "perhaps"})

    assert (status, sentence) == (2, "MOORAGE_INSECURE_LISTEN must be true or false, not 'perhaps'")


def test_an_option_or_a_command_that_there_is_not_is_refused(tmp_path: Path) -> None:
    assert refusal("serve", "--data", str(tmp_path), "--colour") == (2, "No such option '--colour'.")
    assert refusal("sail") == (2, "No such command 'sail'.")
    assert refusal("serve", "here") == (2, "Got unexpected extra argument (here)")

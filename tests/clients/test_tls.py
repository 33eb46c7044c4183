"""Listening with TLS: one's own certificate, renewal while the server runs, and the end of either process."""

import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from moorage.adapters.authority import CERTIFICATE_LIFE, AuthorityFolder
from moorage.adapters.files import replace_file
from moorage.cli.certificate import LOOK_SECONDS
from moorage.cli.listeners import STOP_SECONDS
from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry
from tests.contracts.thief import stolen
from tests.engines.clients import crane
from tests.engines.programs import found, free_port, plain_environment, run, wait_until
from tests.engines.server import Server
from tests.hostile.wire import head

pytestmark = pytest.mark.slow

NAMES = ["localhost", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"]

BEFORE_STAYS = "cannot be used, so the one before stays"
LARGE = os.urandom(64 * 1024 * 1024)
"""More than all buffers between server and client hold."""


class Secure:
    """A server that listens with TLS besides, with a certificate of its own authority's."""

    def __init__(self, server: Server, port: int, authority: AuthorityFolder) -> None:
        self.server = server
        self.port = port
        self.authority = authority

    def serial(self, name: str = "localhost", protocol: str = "http/1.1") -> str:
        """Connect as a client that trusts the authority and return the serial number of the certificate that is served."""
        trusting = ssl.create_default_context(cafile=self.authority.folder / "authority.pem")
        trusting.set_alpn_protocols([protocol])
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain,
            trusting.wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.selected_alpn_protocol() == protocol
            certificate = secure.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])

    def refuses(self, name: str, why: str) -> bool:
        """Tell whether the certificate is not believed under a name, for that reason."""
        try:
            self.serial(name)
        except OSError as error:
            return why in str(error)
        return False

    def served(self) -> str | None:
        try:
            return self.serial()
        except OSError:
            return None

    def renew(self) -> None:
        """Put another certificate in the place of the one that is served."""
        self.authority.server.unlink()
        self.authority.ensure(NAMES, datetime.now(UTC))

    @contextmanager
    def download(self, *, tls: bool = True) -> Iterator[Callable[[], bytes]]:
        """Begin to read a layer, and yield a function that reads it to its end."""
        with client(self.server, "ecr", admin(self.server)) as ecr:
            ecr.create_repository(repositoryName="app")
            registry = Registry(self.server.port, login_password(ecr))
        digest = registry.push_blob("app", LARGE)
        with socket.socket() as sipping:
            sipping.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            sipping.settimeout(20)
            sipping.connect(("127.0.0.1", self.port if tls else self.server.port))
            trusting = ssl.create_default_context(cafile=self.authority.folder / "authority.pem")
            with trusting.wrap_socket(sipping, server_hostname="localhost") if tls else sipping as reader:
                reader.sendall(head("GET", f"/v2/app/blobs/{digest}", {"host": "x", **registry.authorization()}))
                first = reader.recv(1)

                def rest() -> bytes:
                    answer = b"".join([first, *iter(lambda: reader.recv(1024 * 1024), b"")])
                    return answer.partition(b"\r\n\r\n")[2]

                yield rest

    def beside(self) -> int:
        """Return the process that listens with TLS."""
        return child_of(self.server.pid)

    def ended(self) -> bool:
        """Tell whether the server is over, which stays to be asked for its status."""
        return os.waitid(os.P_PID, self.server.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def child_of(pid: int) -> int:
    """Return the child of a process that multiprocessing has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes())


@pytest.fixture
def secure(start_server: Callable[..., Server], tmp_path: Path) -> Iterator[Secure]:
    authority, port = AuthorityFolder(tmp_path / "authority"), free_port()
    authority.ensure(NAMES, datetime.now(UTC))
    files = ("--tls-certificate", str(authority.server), "--tls-key", str(authority.server))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    server = start_server("--tls-listen", f"127.0.0.1:{port}", *files, environment={"TMPDIR": str(temporary)})
    made = Secure(server, port, authority)
    assert wait_until(lambda: made.served() is not None, seconds=30)
    yield made
    made.server.kill()


def test_both_listeners_serve_the_same_registry(secure: Secure, tmp_path: Path) -> None:
    with client(secure.server, "ecr", admin(secure.server)) as ecr:
        ecr.create_repository(repositoryName="app")
        password = login_password(ecr)
    manifest = Registry(secure.server.port, password).push("app", "v1")

    there = f"localhost:{secure.port}"
    environment = {"SSL_CERT_FILE": str(secure.authority.folder / "authority.pem")}
    crane("auth", "login", there, "-u", "AWS", "--password-stdin", config=tmp_path, stdin=password, more=environment)
    assert crane("manifest", f"{there}/app:v1", config=tmp_path, more=environment).stdout == manifest.decode()


def test_http_2_and_http_1_1_are_spoken_under_every_name(secure: Secure) -> None:
    for name in NAMES:
        for protocol in ("h2", "http/1.1"):
            assert secure.serial(name, protocol)


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_a_signed_request_is_good_in_both_versions_of_http(secure: Secure, version: str) -> None:
    person, host = admin(secure.server), f"api.ecr.us-east-1.amazonaws.com:{secure.port}"
    answer = run(
        [
            *(found("curl", remedy="apt-get install curl"), "--silent", "--show-error", "--fail-with-body"),
            *(f"--http{version}", "--write-out", "%{http_version}"),
            *("--cacert", secure.authority.folder / "authority.pem", "--connect-to", f"{host}:localhost:{secure.port}"),
            *("--aws-sigv4", "aws:amz:us-east-1:ecr", "--user", f"{person.key_id}:{person.secret}"),
            *("--header", "Content-Type: application/x-amz-json-1.1"),
            *("--header", "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeRegistry"),
            *("--data", "{}", f"https://{host}/"),
        ],
        env=plain_environment(),
    ).stdout

    assert answer.endswith(version)
    assert json.loads(answer.removesuffix(version))["registryId"] == "123456789012"


def test_a_name_or_an_address_that_was_not_asked_for_is_not_believed_even_from_the_authoritys_own_key(
    secure: Secure,
) -> None:
    other = [x509.DNSName("other.example"), x509.IPAddress(ip_address("127.0.0.1"))]
    for name, why in zip(other, ["permitted subtree violation", "excluded subtree violation"], strict=True):
        certificate, key = stolen(secure.authority, name, datetime.now(UTC))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        replace_file(secure.authority.server, certificate.public_bytes(Encoding.PEM) + private, 0o600)

        # The certificate of before is served for a moment longer; it is refused for another reason.
        assert wait_until(partial(secure.refuses, str(name.value), why), seconds=30)


def test_a_changed_certificate_is_served_without_a_restart(secure: Secure) -> None:
    before, pid = secure.serial(), secure.server.pid
    secure.renew()

    assert wait_until(lambda: secure.served() not in (None, before), seconds=30)
    assert secure.server.pid == pid


def test_a_broken_certificate_is_not_taken_and_the_one_before_stays(secure: Secure) -> None:
    before = secure.serial()
    secure.authority.server.write_bytes(b"half of a certif")

    assert wait_until(lambda: "cannot be used, so the one before stays" in secure.server.log.read_text(), seconds=30)
    assert secure.serial() == before


def test_a_changed_certificate_is_seen_though_the_file_keeps_its_times(secure: Secure) -> None:
    file = secure.authority.server
    before, times = secure.serial(), file.stat()
    content = AuthorityFolder(file.parent.with_name("other"))
    for name in ("authority.pem", "authority.key"):
        content.folder.mkdir(exist_ok=True)
        (content.folder / name).write_bytes((secure.authority.folder / name).read_bytes())
    content.ensure(NAMES, datetime.now(UTC))

    file.write_bytes(content.server.read_bytes())
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert wait_until(lambda: secure.served() not in (None, before), seconds=30)


@pytest.mark.parametrize(
    "end", [Path.unlink, lambda file: file.write_bytes(b"half of a certif")], ids=["gone", "broken"]
)
def test_a_worker_that_starts_without_a_good_certificate_serves_the_one_before(
    secure: Secure, end: Callable[[Path], object]
) -> None:
    before = secure.serial()
    end(secure.authority.server)
    assert wait_until(lambda: BEFORE_STAYS in secure.server.log.read_text(), seconds=30)

    # Past the first seconds of a worker, in which its end would count as a defect of the server.
    time.sleep(6)
    os.kill(child_of(secure.beside()), signal.SIGKILL)

    assert wait_until(lambda: secure.served() == before, seconds=30)
    assert secure.server.ready()
    assert secure.server.log.read_text().count(BEFORE_STAYS) == 1


def test_a_request_that_runs_is_not_cut_off_by_a_new_certificate(secure: Secure) -> None:
    before = secure.serial()
    with secure.download() as rest:
        secure.renew()
        assert wait_until(lambda: secure.served() not in (None, before), seconds=30)
        # Longer than a server that stops would wait.
        time.sleep(STOP_SECONDS + 3)

        assert rest() == LARGE


def test_a_server_that_replaces_its_workers_still_stops_when_told(secure: Secure) -> None:
    before = secure.serial()
    with secure.download():
        secure.renew()
        assert wait_until(lambda: secure.served() not in (None, before), seconds=30)
        os.kill(secure.server.pid, signal.SIGTERM)

        assert wait_until(lambda: not secure.server.ready() and secure.served() is None, seconds=10)


def test_both_listeners_are_told_to_stop_at_once(secure: Secure) -> None:
    with secure.download(tls=False) as rest:
        os.kill(secure.server.pid, signal.SIGTERM)

        assert wait_until(lambda: secure.served() is None, seconds=10)
        assert rest() == LARGE
    assert wait_until(secure.ended, seconds=20)
    assert secure.server.stop() == 0


@pytest.mark.parametrize("tls", [True, False])
def test_an_interrupt_at_a_terminal_ends_both_well(secure: Secure, tls: bool) -> None:  # noqa: FBT001 - which one is busy
    with secure.download(tls=tls) as rest:
        os.killpg(secure.server.pid, signal.SIGINT)
        assert wait_until(lambda: "Stopping worker-" in secure.server.log.read_text(), seconds=20)
        # The idle one ends first, and is not to be taken for a failure.
        time.sleep(2)

        assert rest() == LARGE
    assert wait_until(secure.ended, seconds=20)
    assert secure.server.stop() == 0


def test_no_copy_of_the_key_is_left_when_the_server_has_ended(secure: Secure, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    assert [oct(path.stat().st_mode & 0o777) for path in folder.glob("moorage-tls-*")] == ["0o700"]

    assert secure.server.stop() == 0
    assert list(folder.glob("moorage-tls-*")) == []


def test_neither_process_outlives_the_other(secure: Secure) -> None:
    os.kill(secure.beside(), signal.SIGKILL)
    assert wait_until(lambda: not secure.server.ready(), seconds=40)

    secure.server.kill()
    secure.server.start()
    assert wait_until(lambda: secure.served() is not None, seconds=30)
    os.kill(secure.server.pid, signal.SIGKILL)
    assert wait_until(lambda: secure.served() is None, seconds=40)


def test_a_certificate_of_ones_own_that_has_ended_is_told_of_once(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    ended = AuthorityFolder(tmp_path / "authority")
    ended.ensure(NAMES, datetime.now(UTC) - CERTIFICATE_LIFE - timedelta(days=1))
    files = ("--tls-certificate", str(ended.server), "--tls-key", str(ended.server))
    server = start_server("--tls-listen", f"127.0.0.1:{free_port()}", *files)

    def told() -> int:
        return server.log.read_text().count(f"the certificate in {ended.server} ended on ")

    assert wait_until(lambda: told() > 0, seconds=20)
    time.sleep(2 * LOOK_SECONDS + 1)
    assert told() == 1

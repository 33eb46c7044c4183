"""Listening with TLS: one's own certificate, renewal while the server runs, and the end of either process."""

import json
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from moorage.adapters.authority import AuthorityFolder
from moorage.adapters.files import replace_file
from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry
from tests.contracts.thief import stolen
from tests.engines.clients import crane
from tests.engines.programs import found, free_port, plain_environment, run, wait_until
from tests.engines.server import Server

pytestmark = pytest.mark.slow

NAMES = ["localhost", "123456789012.dkr.ecr.us-east-1.amazonaws.com", "api.ecr.us-east-1.amazonaws.com"]


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


@pytest.fixture
def secure(start_server: Callable[..., Server], tmp_path: Path) -> Iterator[Secure]:
    authority, port = AuthorityFolder(tmp_path / "authority"), free_port()
    authority.ensure(NAMES, datetime.now(UTC))
    files = ("--tls-certificate", str(authority.server), "--tls-key", str(authority.server))
    made = Secure(start_server("--tls-listen", f"127.0.0.1:{port}", *files), port, authority)
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
    secure.authority.server.unlink()
    secure.authority.ensure(NAMES, datetime.now(UTC))

    assert wait_until(lambda: secure.served() not in (None, before), seconds=30)
    assert secure.server.pid == pid


def test_a_broken_certificate_is_not_taken_and_the_one_before_stays(secure: Secure) -> None:
    before = secure.serial()
    secure.authority.server.write_bytes(b"half of a certif")

    assert wait_until(lambda: "cannot be used, so the one before stays" in secure.server.log.read_text(), seconds=30)
    assert secure.serial() == before


def test_neither_process_outlives_the_other(secure: Secure) -> None:
    children = Path(f"/proc/{secure.server.pid}/task/{secure.server.pid}/children").read_text().split()
    beside = next(int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(beside, signal.SIGKILL)
    assert wait_until(lambda: not secure.server.ready(), seconds=40)

    secure.server.kill()
    secure.server.start()
    assert wait_until(lambda: secure.served() is not None, seconds=30)
    os.kill(secure.server.pid, signal.SIGKILL)
    assert wait_until(lambda: secure.served() is None, seconds=40)

import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from moorage.adapters.authority import CERTIFICATE_LIFE, RENEWED_BEFORE, AuthorityFolder, describe
from tests.contracts.thief import stolen

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NAMES = ["registry.example", "*.dkr.ecr.us-east-1.example.org"]


@pytest.fixture
def folder(tmp_path: Path) -> AuthorityFolder:
    return AuthorityFolder(tmp_path / "authority")


def verified(authority: bytes, certificate: x509.Certificate, name: str, at: datetime) -> bool:
    """Tell whether a client that trusts an authority believes a certificate for a name or an address."""
    roots = verification.Store([x509.load_pem_x509_certificate(authority)])
    try:
        subject: verification.Subject = x509.IPAddress(ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    verifier = verification.PolicyBuilder().store(roots).time(at).build_server_verifier(subject)
    try:
        verifier.verify(certificate, [])
    except verification.VerificationError:
        return False
    return True


def believed(folder: AuthorityFolder, name: str, at: datetime) -> bool:
    """Tell whether a client that trusts the authority believes the current certificate for a name."""
    known = folder.read()
    assert known
    return verified(known.certificate, x509.load_pem_x509_certificate(folder.server.read_bytes()), name, at)


def made(*extensions: tuple[x509.ExtensionType, bool], ca: bool = True) -> bytes:
    """Return a certificate that signs itself, like an authority that somebody put in the way."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def bound(*permitted: x509.GeneralName, addresses: bool = False) -> x509.NameConstraints:
    ranges = [] if addresses else ["0.0.0.0/0", "::/0"]
    excluded = [*(x509.IPAddress(ip_network(one)) for one in ranges), x509.DNSName("never.example")]
    return x509.NameConstraints(list(permitted) or None, excluded)


SERVERS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
OWN = x509.DNSName("registry.example")


def test_a_new_authority_certifies_the_names_that_were_asked_for(folder: AuthorityFolder) -> None:
    known = folder.ensure(NAMES, NOW)

    assert known == folder.read() == describe(known.certificate)
    assert known.permitted == ("registry.example", "dkr.ecr.us-east-1.example.org")
    assert folder.names() == tuple(NAMES)
    assert believed(folder, "registry.example", NOW)
    assert believed(folder, "123456789012.dkr.ecr.us-east-1.example.org", NOW)


@pytest.mark.parametrize("name", ["registry.example", "below.registry.example"])
def test_whoever_has_the_authoritys_key_can_certify_its_names_and_those_below_them(
    folder: AuthorityFolder, name: str
) -> None:
    known = folder.ensure(NAMES, NOW)

    assert known.permits(name)
    assert verified(known.certificate, stolen(folder, x509.DNSName(name), NOW)[0], name, NOW)


@pytest.mark.parametrize("name", ["example", "other.example", "aregistry.example", "example.org"])
def test_whoever_has_the_authoritys_key_can_certify_no_other_name(folder: AuthorityFolder, name: str) -> None:
    known = folder.ensure(NAMES, NOW)

    assert not known.permits(name)
    assert not verified(known.certificate, stolen(folder, x509.DNSName(name), NOW)[0], name, NOW)


@pytest.mark.parametrize("address", ["1.1.1.1", "127.0.0.1", "2606:4700:4700::1111"])
def test_whoever_has_the_authoritys_key_can_certify_no_address(folder: AuthorityFolder, address: str) -> None:
    known = folder.ensure(NAMES, NOW)

    assert not verified(known.certificate, stolen(folder, x509.IPAddress(ip_address(address)), NOW)[0], address, NOW)


def test_the_keys_can_be_read_by_their_owner_only(folder: AuthorityFolder) -> None:
    folder.ensure(NAMES, NOW)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.folder.iterdir()}
    assert modes == {"authority.pem": 0o644, "authority.key": 0o600, "server.pem": 0o600}
    assert stat.S_IMODE(folder.folder.stat().st_mode) == 0o700


def test_asking_again_changes_nothing(folder: AuthorityFolder) -> None:
    folder.ensure(NAMES, NOW)
    before = {file: file.read_bytes() for file in folder.folder.iterdir()}

    folder.ensure(NAMES[:1], NOW)

    assert {file: file.read_bytes() for file in folder.folder.iterdir()} == before


def test_further_names_widen_the_authority_and_keep_its_key_and_the_names_before(folder: AuthorityFolder) -> None:
    first = folder.ensure(NAMES, NOW)
    key = (folder.folder / "authority.key").read_bytes()

    wider = folder.ensure(["more.example"], NOW)

    assert wider.fingerprint != first.fingerprint
    assert (folder.folder / "authority.key").read_bytes() == key
    assert set(folder.names()) == {*NAMES, "more.example"}
    assert believed(folder, "more.example", NOW)
    assert believed(folder, "registry.example", NOW)


def test_a_certificate_is_renewed_before_its_end_and_not_earlier(folder: AuthorityFolder) -> None:
    made = folder.ensure(NAMES, NOW)
    due = NOW + CERTIFICATE_LIFE - RENEWED_BEFORE

    assert not folder.renew(due - timedelta(seconds=1))
    assert folder.renew(due + timedelta(seconds=1))
    assert not folder.renew(due + timedelta(seconds=2))
    assert folder.read() == made
    assert believed(folder, "registry.example", NOW + CERTIFICATE_LIFE + timedelta(days=1))


@pytest.mark.parametrize(
    "content", [None, b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_certificate_that_cannot_be_read_is_made_anew(folder: AuthorityFolder, content: bytes | None) -> None:
    folder.ensure(NAMES, NOW)
    folder.server.unlink()
    if content is not None:
        folder.server.write_bytes(content)

    folder.ensure(NAMES, NOW)

    assert believed(folder, "registry.example", NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder.server)


def test_nothing_is_renewed_where_there_is_no_authority(folder: AuthorityFolder) -> None:
    assert folder.read() is None
    assert not folder.renew(NOW)
    folder.ensure(NAMES, NOW)
    folder.remove()
    assert not folder.folder.exists()


def test_a_certificate_ends_with_its_authority_and_is_not_renewed_beyond_it(folder: AuthorityFolder) -> None:
    known = folder.ensure(NAMES, NOW)
    near = known.ends_at - RENEWED_BEFORE

    assert folder.renew(near)
    assert x509.load_pem_x509_certificate(folder.server.read_bytes()).not_valid_after_utc == known.ends_at
    assert not folder.renew(near + timedelta(days=1))
    folder.server.unlink()
    assert not folder.renew(known.ends_at + timedelta(days=1))
    assert not folder.server.exists()


@pytest.mark.parametrize("late", [timedelta(days=-29), timedelta(days=30)])
def test_an_authority_near_its_end_or_beyond_it_is_made_anew_with_its_key(
    folder: AuthorityFolder, late: timedelta
) -> None:
    old = folder.ensure(NAMES, NOW)
    now = old.ends_at + late

    assert folder.authority_for(NAMES, now) is None
    new = folder.ensure(NAMES, now)

    assert (new.key, new.fingerprint == old.fingerprint) == (old.key, False)
    assert folder.authority_for(NAMES, now) == new
    assert not folder.lacks_certificate(NAMES, now)
    assert believed(folder, "registry.example", now)


def test_a_name_below_one_of_before_needs_a_certificate_and_no_other_authority(folder: AuthorityFolder) -> None:
    known = folder.ensure(NAMES, NOW)
    below = ["below.registry.example"]

    assert folder.authority_for(below, NOW) == known
    assert folder.lacks_certificate(below, NOW)
    assert folder.ensure(below, NOW) == known
    assert believed(folder, "below.registry.example", NOW)


def test_what_is_of_moorages_kind_is_described() -> None:
    pem = made((bound(OWN), True), SERVERS)

    assert describe(pem).certificate == pem
    assert describe(pem).permitted == ("registry.example",)


@pytest.mark.parametrize(
    ("extensions", "why"),
    [
        pytest.param([SERVERS], "any name", id="no constraints"),
        pytest.param([(bound(), True), SERVERS], "any name", id="only excluded names"),
        pytest.param([(bound(x509.DNSName("")), True), SERVERS], "any name", id="the empty name"),
        pytest.param([(bound(x509.DNSName(".com")), True), SERVERS], "any name", id="what is no host name"),
        pytest.param([(bound(OWN, x509.RFC822Name("a.example")), True), SERVERS], "any name", id="not names alone"),
        pytest.param([(bound(OWN), False), SERVERS], "any name", id="constraints that may be ignored"),
        pytest.param([(bound(OWN, addresses=True), True), SERVERS], "addresses", id="addresses"),
        pytest.param([(bound(OWN), True)], "any name", id="any use"),
        pytest.param(
            [(bound(OWN), True), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)],
            "more than servers",
            id="signing code",
        ),
    ],
)
def test_an_authority_that_is_not_bound_to_names_is_refused(
    extensions: list[tuple[x509.ExtensionType, bool]], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        describe(made(*extensions))


def test_what_is_no_certificate_of_an_authority_is_refused() -> None:
    with pytest.raises(ValueError, match="no certificate of an authority"):
        describe(made((bound(OWN), True), SERVERS, ca=False))


def test_a_second_certificate_that_would_be_installed_unseen_is_refused(folder: AuthorityFolder) -> None:
    genuine = folder.ensure(NAMES, NOW).certificate

    with pytest.raises(ValueError, match="not one certificate"):
        describe(genuine + made())


def test_what_stands_around_a_certificate_is_not_taken_with_it(folder: AuthorityFolder) -> None:
    genuine = folder.ensure(NAMES, NOW).certificate

    assert describe(b"# from elsewhere\n" + genuine + b"more\n").certificate == genuine


@pytest.mark.parametrize("text", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"PEM|parsing"):
        describe(text)


def test_an_authority_that_was_tampered_with_is_named_by_its_file(folder: AuthorityFolder) -> None:
    folder.ensure(NAMES, NOW)
    (folder.folder / "authority.pem").write_bytes(made())

    with pytest.raises(ValueError, match=r"authority/authority\.pem is no authority of Moorage's kind"):
        folder.read()

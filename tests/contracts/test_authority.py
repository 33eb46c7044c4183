import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification

from moorage.adapters.authority import CERTIFICATE_LIFE, RENEWED_BEFORE, AuthorityFolder, describe

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NAMES = ["registry.example", "*.dkr.ecr.us-east-1.example.org"]


@pytest.fixture
def folder(tmp_path: Path) -> AuthorityFolder:
    return AuthorityFolder(tmp_path / "authority")


def believed(folder: AuthorityFolder, name: str, at: datetime) -> bool:
    """Tell whether a client that trusts the authority believes the certificate for a name."""
    authority = folder.read()
    assert authority
    roots = verification.Store([x509.load_pem_x509_certificate(authority.certificate)])
    verifier = verification.PolicyBuilder().store(roots).time(at).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(x509.load_pem_x509_certificate(folder.server.read_bytes()), [])
    except verification.VerificationError:
        return False
    return True


def test_a_new_authority_certifies_the_names_that_were_asked_for_and_no_other(folder: AuthorityFolder) -> None:
    made = folder.ensure(NAMES, NOW)

    assert made == folder.read() == describe(made.certificate)
    assert made.permitted == ("registry.example", "dkr.ecr.us-east-1.example.org")
    assert folder.names() == tuple(NAMES)
    assert believed(folder, "registry.example", NOW)
    assert believed(folder, "123456789012.dkr.ecr.us-east-1.example.org", NOW)
    assert not believed(folder, "example", NOW)
    assert not believed(folder, "other.example", NOW)


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


def test_an_authority_that_could_certify_any_name_is_refused(folder: AuthorityFolder) -> None:
    folder.ensure(NAMES, NOW)

    # The server's own certificate has no constraints, like an authority that somebody else put in the way.
    with pytest.raises(ValueError, match="any name"):
        describe(folder.server.read_bytes())


def test_what_is_no_authority_is_refused() -> None:
    with pytest.raises(ValueError, match="PEM"):
        describe(b"rubbish")

"""Which certificates a server takes, before it listens; every other one is refused in a sentence that says why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from moorage.config import Given, InvalidSettings, gather, read_settings
from moorage.config.certificates import Unusable, usable_pair

PEM = serialization.Encoding.PEM
PLAIN = serialization.NoEncryption()
P256 = ec.generate_private_key(ec.SECP256R1())
KINDS: dict[str, Callable[[], CertificateIssuerPrivateKeyTypes]] = {
    "P-256": lambda: P256,
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "Ed448": ed448.Ed448PrivateKey.generate,
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA 1024": lambda: rsa.generate_private_key(65537, 1024),
}


def signed(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """Return a certificate that the key has signed for itself."""
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")]), datetime.now(UTC)
    unhashed = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, None if unhashed else hashes.SHA256())
        .public_bytes(PEM)
    )


def secret(key: CertificateIssuerPrivateKeyTypes, form: serialization.PrivateFormat) -> bytes:
    return key.private_bytes(PEM, form, PLAIN)


PKCS8, TRADITIONAL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
CERTIFICATE, KEY = signed(P256), secret(P256, PKCS8)


Pair = Callable[[bytes, bytes], tuple[Path, Path]]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    def write(certificate: bytes, key: bytes) -> tuple[Path, Path]:
        (tmp_path / "c.pem").write_bytes(certificate)
        (tmp_path / "k.pem").write_bytes(key)
        return tmp_path / "c.pem", tmp_path / "k.pem"

    return write


@pytest.mark.parametrize(
    ("kind", "form"),
    [("Ed25519", PKCS8), *((kind, form) for kind in ("P-256", "P-384", "RSA 2048") for form in (PKCS8, TRADITIONAL))],
)
def test_keys_are_taken_in_either_form(kind: str, form: serialization.PrivateFormat, pair: Pair) -> None:
    key = KINDS[kind]()

    assert usable_pair(*pair(signed(key), b"text before\n" + secret(key, form)))


def test_two_files_become_one_that_holds_the_chain_and_then_the_key(pair: Pair) -> None:
    other = signed(KINDS["P-384"]())

    both = usable_pair(*pair(CERTIFICATE + other, CERTIFICATE + KEY))

    assert both == CERTIFICATE + other + KEY


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes(KEY + CERTIFICATE)

    assert usable_pair(tmp_path / "both.pem", tmp_path / "both.pem") == CERTIFICATE + KEY


@pytest.mark.parametrize("kind", ["P-521", "Ed448", "RSA 1024"])
def test_a_key_that_the_listener_cannot_sign_with_is_refused(kind: str, pair: Pair) -> None:
    key = KINDS[kind]()

    with pytest.raises(Unusable, match=r"k\.pem holds a key of another kind than RSA of 2048 to 4096 bits"):
        usable_pair(*pair(signed(key), secret(key, PKCS8)))


LOCKED = P256.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"open-sesame"))
GARBLED = CERTIFICATE.replace(b"M", b"-", 3)


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (b"", KEY, "c.pem holds no certificate"),
        (b"half of a certif", KEY, "c.pem holds no certificate"),
        (CERTIFICATE[:-20], KEY, "c.pem holds no certificate"),
        (CERTIFICATE, CERTIFICATE, "k.pem holds no private key"),
        (CERTIFICATE, LOCKED, "k.pem is encrypted, and a server cannot be asked for its password"),
        (CERTIFICATE, secret(ec.generate_private_key(ec.SECP256R1()), PKCS8), "k.pem is not the key of .*c.pem"),
        (GARBLED, KEY, "c.pem holds no certificate that can be read"),
        (CERTIFICATE + GARBLED, KEY, "c.pem cannot be served: its chain cannot be read"),
    ],
    ids=["empty", "text", "cut short", "no key", "encrypted", "another's key", "garbled", "garbled chain"],
)
def test_what_cannot_be_served_is_refused_with_the_reason(certificate: bytes, key: bytes, why: str, pair: Pair) -> None:
    with pytest.raises(Unusable, match=why):
        usable_pair(*pair(certificate, key))


def test_a_file_that_is_not_there_is_refused(pair: Pair) -> None:
    certificate, key = pair(CERTIFICATE, KEY)
    key.unlink()

    with pytest.raises(Unusable, match=r"k\.pem cannot be read: No such file or directory"):
        usable_pair(certificate, key)


def test_a_server_says_so_before_it_listens(pair: Pair, tmp_path: Path) -> None:
    certificate, key = pair(CERTIFICATE, LOCKED)
    options = {"tls-listen": "127.0.0.1:4443", "tls-certificate": str(certificate), "tls-key": str(key)}

    with pytest.raises(InvalidSettings, match=r"--tls-listen has no certificate that it can serve: .* is encrypted"):
        read_settings(gather(options, {}, None), tmp_path)


def listening(plain: str, tls: str, pair: tuple[Path, Path]) -> dict[str, Given]:
    certificate, key = map(str, pair)
    return gather({"listen": plain, "tls-listen": tls, "tls-certificate": certificate, "tls-key": key}, {}, None)


@pytest.mark.parametrize(
    ("plain", "tls"),
    [
        ("127.0.0.1:4510", "127.0.0.1:4510"),
        ("localhost:4510", "127.0.0.1:4510"),
        ("127.0.0.1:4510", "0.0.0.0:4510"),
        ("127.0.0.1:4510", "[::]:4510"),
        ("[::1]:4510", "[::]:4510"),
    ],
)
def test_two_listeners_at_one_address_are_refused(plain: str, tls: str, pair: Pair, tmp_path: Path) -> None:
    given = listening(plain, tls, pair(CERTIFICATE, KEY))

    with pytest.raises(InvalidSettings) as refused:
        read_settings(given, tmp_path)

    assert str(refused.value) == (
        f"--tls-listen {tls} and --listen {plain} are the same address: each needs a port of its own"
    )


@pytest.mark.parametrize(
    ("plain", "tls"),
    [
        ("[::1]:4510", "0.0.0.0:4510"),
        ("127.0.0.1:4510", "127.0.0.2:4510"),
        ("127.0.0.1:4510", "0.0.0.0:4511"),
    ],
)
def test_two_listeners_at_two_addresses_are_not(plain: str, tls: str, pair: Pair, tmp_path: Path) -> None:
    assert read_settings(listening(plain, tls, pair(CERTIFICATE, KEY)), tmp_path).tls

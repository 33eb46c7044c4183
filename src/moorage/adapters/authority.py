"""A certificate authority of one's own, in a folder, and the certificates that it gives to this server.

The authority is constrained to the names that were asked for (RFC 5280, section 4.2.1.10): whoever trusts it trusts it for
those and for no other site. Keys are files of mode 0600.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.adapters.files import replace_file

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
"""How long before its end a certificate is renewed."""
_SKEW = timedelta(hours=1)
"""Clocks of clients that are behind by this much still believe a new certificate."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority: its certificate in PEM, the SHA-256 of its DER form, and below which names it may certify."""

    certificate: bytes
    fingerprint: str
    permitted: tuple[str, ...]
    ends_at: datetime


class AuthorityFolder:
    """An authority and its current certificate.

    ``authority.pem`` and ``authority.key``; ``server.pem`` holds certificate and key, so that none is met with the other's key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = folder / "server.pem"
        self._authority = folder / "authority.pem"
        self._authority_key = folder / "authority.key"

    def read(self) -> Authority | None:
        """Return the authority, or None where there is none yet."""
        try:
            return describe(self._authority.read_bytes())
        except FileNotFoundError:
            return None

    def names(self) -> tuple[str, ...]:
        """Return the names that the current certificate is for."""
        current = self._current()
        if current is None:
            return ()
        named = current.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(named.get_values_for_type(x509.DNSName))

    def ensure(self, names: Sequence[str], now: datetime) -> Authority:
        """Return an authority whose current certificate is for at least these names, besides those of before.

        An authority that has to be widened keeps its key, but its certificate changes and has to be trusted anew.
        """
        wanted = tuple(dict.fromkeys([*self.names(), *names]))
        known = self.read()
        if known is None or not _permits(known, wanted) or known.ends_at - now < RENEWED_BEFORE:
            known = self._make(wanted, now)
        elif set(wanted) == set(self.names()) and not self._is_due(known, now):
            return known
        self._issue(known, wanted, now)
        return known

    def renew(self, now: datetime) -> bool:
        """Issue the certificate anew where its end is near; tells whether it did."""
        known, names = self.read(), self.names()
        if known is None or not names or not self._is_due(known, now):
            return False
        self._issue(known, names, now)
        return True

    def remove(self) -> None:
        """Forget the authority, its keys and its certificate."""
        for file in (self.server, self._authority, self._authority_key):
            file.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _is_due(self, known: Authority, now: datetime) -> bool:
        current = self._current()
        issuer = x509.load_pem_x509_certificate(known.certificate)
        return current is None or current.issuer != issuer.subject or current.not_valid_after_utc - now < RENEWED_BEFORE

    def _current(self) -> x509.Certificate | None:
        try:
            return x509.load_pem_x509_certificate(self.server.read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _make(self, names: tuple[str, ...], now: datetime) -> Authority:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            key = _load_key(self._authority_key)
        except FileNotFoundError:
            key = ec.generate_private_key(ec.SECP256R1())
            replace_file(self._authority_key, _pem_key(key), 0o600)
        public = key.public_key()
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
        # The name is that of the key, so that two authorities are never mistaken for one another.
        subject = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"Moorage authority {digest.finalize().hex()[:16]}")]
        )
        # A name below a permitted one is permitted too, which is what a wildcard needs (RFC 5280, section 4.2.1.10).
        permitted = [x509.DNSName(name) for name in dict.fromkeys(name.removeprefix("*.") for name in names)]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        replace_file(self._authority, pem, 0o644)
        return describe(pem)

    def _issue(self, authority: Authority, wanted: tuple[str, ...], now: datetime) -> None:
        issuer_key = _load_key(self._authority_key)
        issuer = x509.load_pem_x509_certificate(authority.certificate)
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name) for name in wanted]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moorage")]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + CERTIFICATE_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        replace_file(self.server, certificate.public_bytes(serialization.Encoding.PEM) + _pem_key(key), 0o600)


def describe(pem: bytes) -> Authority:
    """Return what an authority's certificate says; raises ValueError for what is none."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        raise ValueError("an authority without name constraints could certify any name") from None
    permitted = tuple(str(each.value) for each in constraints.permitted_subtrees or ())
    return Authority(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        permitted=permitted,
        ends_at=certificate.not_valid_after_utc,
    )


def _permits(authority: Authority, names: Sequence[str]) -> bool:
    return {name.removeprefix("*.") for name in names} <= set(authority.permitted)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds a key of another kind")  # noqa: TRY004 - the file is wrong, not a caller's type
    return key


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

"""A certificate authority of one's own, in a folder, and the certificates that it gives to this server.

The authority is constrained to the names that were asked for and what is below them, and to servers (RFC 5280, sections
4.2.1.10 and 4.2.1.12): whoever trusts it trusts it for those and for no other site. Keys are files of mode 0600.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from moorage.adapters.files import replace_file
from moorage.core.hosts import is_wildcard, parse_host
from moorage.core.trust import AUTHORITY_FILE, SERVER_FILE, Authority

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
"""How long before its end a certificate is renewed."""
_ALL_ADDRESSES = [x509.IPAddress(ip_network("0.0.0.0/0")), x509.IPAddress(ip_network("::/0"))]
"""Permitted names leave addresses alone, so all of those are excluded."""
_SKEW = timedelta(hours=1)
"""Clocks of clients that are behind by this much still believe a new certificate."""


class AuthorityFolder:
    """An authority and its current certificate.

    ``authority.pem`` and ``authority.key``; ``server.pem`` holds certificate and key, so that none is met with the other's key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = folder / SERVER_FILE
        self._authority = folder / AUTHORITY_FILE
        self._authority_key = folder / "authority.key"

    def read(self) -> Authority | None:
        """Return the authority, or None where there is none yet; raises ValueError for one that is not of Moorage's kind."""
        try:
            return describe(self._authority.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{self._authority} {error}") from None

    def names(self) -> tuple[str, ...]:
        """Return the names that the current certificate is for."""
        current = self._current()
        if current is None:
            return ()
        named = current.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(named.get_values_for_type(x509.DNSName))

    def authority_for(self, names: Sequence[str], now: datetime) -> Authority | None:
        """Return the authority where it may certify these names, besides those of before, for long enough; else None."""
        known = self.read()
        if known is None or not all(known.permits(name) for name in self._all(names)):
            return None
        return known if known.ends_at - now >= RENEWED_BEFORE else None

    def lacks_certificate(self, names: Sequence[str], now: datetime) -> bool:
        """Tell whether the certificate has to be issued for these names: it is not there, not for all of them, or near its end."""
        known = self.read()
        return known is None or set(self._all(names)) != set(self.names()) or self._is_due(known, now)

    def ensure(self, names: Sequence[str], now: datetime) -> Authority:
        """Return an authority whose current certificate is for at least these names, besides those of before.

        An authority that has to be widened keeps its key, but its certificate changes and has to be trusted anew.
        """
        known = self.authority_for(names, now) or self._make(self._all(names), now)
        if self.lacks_certificate(names, now):
            self._issue(known, self._all(names), now)
        return known

    def renew(self, now: datetime) -> bool:
        """Issue the certificate anew where its end is near; tells whether it did. An authority that has ended signs nothing."""
        known, names = self.read(), self.names()
        if known is None or known.ends_at <= now or not names or not self._is_due(known, now):
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
        if current is None or current.issuer != issuer.subject:
            return True
        # One that lasts as long as its authority would gain nothing.
        return current.not_valid_after_utc < min(now + RENEWED_BEFORE, known.ends_at)

    def _all(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.names(), *names]))

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
        # The name is that of the key, so that two authorities are never mistaken for one another.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Moorage authority {_key_id(public)[:16]}")])
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
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.NameConstraints(permitted, _ALL_ADDRESSES), critical=True)
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
            .not_valid_after(min(now + CERTIFICATE_LIFE, authority.ends_at))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        replace_file(self.server, certificate.public_bytes(serialization.Encoding.PEM) + _pem_key(key), 0o600)


def describe(pem: bytes) -> Authority:
    """Return what an authority's certificate says; raises ValueError for what is none, or could certify more than it says here."""
    # Whoever installs this text installs all of it, so nothing may follow what is described.
    if pem.count(b"-----BEGIN") != 1:
        raise ValueError("is not one certificate in PEM")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        permitted, key = _permitted(certificate.extensions), _key_id(certificate.public_key())
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, UnsupportedAlgorithm):
        raise ValueError("is no authority of Moorage's kind: it could certify any name") from None
    return Authority(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        key=key,
        permitted=permitted,
        ends_at=certificate.not_valid_after_utc,
    )


def _permitted(extensions: x509.Extensions) -> tuple[str, ...]:
    """Return the names to which an authority is bound; raises ValueError where it is not bound to names alone."""
    basics = extensions.get_extension_for_class(x509.BasicConstraints).value
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if not basics.ca:
        raise ValueError("is no certificate of an authority")
    if list(uses) != [ExtendedKeyUsageOID.SERVER_AUTH]:
        raise ValueError("could certify more than servers")
    permitted = constraints.value.permitted_subtrees or []
    names = [parse_host(one.value) for one in permitted if isinstance(one, x509.DNSName)]
    hosts = tuple(name for name in names if name and not is_wildcard(name))
    if not constraints.critical or not hosts or len(hosts) != len(permitted):
        raise ValueError("could certify any name")
    if not {*_ALL_ADDRESSES} <= {*(constraints.value.excluded_subtrees or [])}:
        raise ValueError("could certify addresses")
    return hosts


def _key_id(key: CertificatePublicKeyTypes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


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

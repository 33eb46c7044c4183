"""A certificate and its key, as they are in files: both together in PEM, or why a server cannot use them."""

import os
import re
from pathlib import Path

_block = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE, _KEY = b"CERTIFICATE", b"PRIVATE KEY"
_RSA_BITS = range(2048, 4097)
_KINDS = "RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519"


class Unusable(Exception):
    """A certificate that cannot be served; the sentence says why, and of which file."""


def usable_pair(certificate: Path, key: Path) -> bytes:
    """Return the certificates and the key of two files, or of one, in PEM; raises Unusable for what no listener could serve.

    The bytes are read once: what was looked at is what is returned.
    """
    chain = _blocks(certificate, _CERTIFICATE, "certificate")
    secret = _blocks(key, _KEY, "private key")[0]
    _check_key(key, secret, certificate, chain[0])
    both = b"\n".join([*chain, secret, b""])
    _check_chain(certificate, both)
    return both


def _blocks(path: Path, kind: bytes, word: str) -> list[bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    found = [match[0] for match in _block.finditer(content) if match[1].endswith(kind)]
    if not found:
        raise Unusable(f"{path} holds no {word}")
    return found


def _check_key(path: Path, secret: bytes, certificate: Path, leaf: bytes) -> None:
    from cryptography import x509  # noqa: PLC0415 - takes a moment; only TLS needs it
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - see above

    try:
        key = serialization.load_pem_private_key(secret, None)
    except TypeError:
        raise Unusable(f"{path} is encrypted, and a server cannot be asked for its password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable(f"{path} holds no private key that can be read") from None
    # What the listener's TLS library can sign with; another key would end each worker when it starts.
    match key:
        case rsa.RSAPrivateKey():
            known = key.key_size in _RSA_BITS
        case ec.EllipticCurvePrivateKey():
            known = isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
        case _:
            known = isinstance(key, ed25519.Ed25519PrivateKey)
    if not known:
        raise Unusable(f"{path} holds a key of another kind than {_KINDS}")
    try:
        owner = x509.load_pem_x509_certificate(leaf).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable(f"{certificate} holds no certificate that can be read") from None
    if owner != key.public_key():
        raise Unusable(f"{path} is not the key of {certificate}")


def _check_chain(path: Path, both: bytes) -> None:
    """Have OpenSSL load all of it; from memory, for a key is not to be left on a disk."""
    import ssl  # noqa: PLC0415 - as above

    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(file, "wb", buffering=0) as memory:
        memory.write(both)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(f"/proc/self/fd/{file}")
        except ssl.SSLError as error:
            raise Unusable(f"{path} cannot be served: {error.reason or 'its chain cannot be read'}") from None

"""Secrets at rest: sealed with a key that is not in the database, so that whoever has only the database has none of them.

The key is 32 random bytes in a file of its own. Secrets of access keys are sealed with AES-256-GCM; what tokens and URLs are
signed with is derived from it and from a row of the database. The database has a mark that tells the right key from another.
"""

import base64
import binascii
import hmac
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from moorage.adapters.files import replace_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
SEALED = "v1:"
"""What a sealed secret begins with; no secret has a colon."""

_NONCE_BYTES = 12
_REMEMBERED = 4096


class VaultShut(Exception):
    """The file of the key is not there, cannot be read or is not the right one; the sentence says what to do."""


class SealBroken(Exception):
    """A text that was not sealed with this key for that access key."""


class Vault:
    """Seals and opens secrets with one key; what was opened is remembered, so many at most."""

    def __init__(self, key: bytes) -> None:
        self._sealing = _derived(key, b"sealing")
        self._signing = _derived(key, b"signing")
        self.mark = _derived(key, b"mark")
        """Tells this key from others, and nothing about it."""
        self._opened = lru_cache(_REMEMBERED)(self._open)

    def seal(self, key_id: str, secret: str) -> str:
        """Return a secret as the database may have it: only this key opens it, and only for that access key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + _cipher(self._sealing).encrypt(nonce, secret.encode(), key_id.encode())
        return SEALED + base64.b64encode(sealed).decode()

    def open(self, key_id: str, sealed: str) -> str:
        """Return a secret that was sealed for that access key; raises SealBroken."""
        return self._opened(key_id, sealed)

    def signing_key(self, row: bytes) -> bytes:
        """Return what tokens and URLs of the store with that row are signed with: neither the row nor this key alone suffices."""
        return hmac.digest(self._signing, row, "sha256")

    def fits(self, mark: bytes) -> bool:
        """Tell whether a mark is that of this key."""
        return hmac.compare_digest(mark, self.mark)

    def _open(self, key_id: str, sealed: str) -> str:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see _cipher

        try:
            if not sealed.startswith(SEALED):
                raise SealBroken
            raw = base64.b64decode(sealed.removeprefix(SEALED), validate=True)
            opened = _cipher(self._sealing).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], key_id.encode())
        except (binascii.Error, ValueError, InvalidTag):
            raise SealBroken from None
        return opened.decode()


def needed(vault: Vault | None) -> Vault:
    """Return the vault of a database; raises LookupError where it was opened without one."""
    if vault is None:
        raise LookupError("This database was opened without the key of its secrets")
    return vault


def read_key(path: Path) -> bytes | None:
    """Return the key of a file, or None where there is no such file; raises VaultShut where it cannot be one."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultShut(f"{path}, the key of the secrets, cannot be read: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise VaultShut(f"{path} is not a key of secrets: that is {KEY_BYTES} bytes, and this is {len(key)}")
    return key


def make_key(path: Path) -> bytes:
    """Return a new key, once it is in its file for good; raises VaultShut where it cannot be written."""
    key = os.urandom(KEY_BYTES)
    try:
        replace_file(path, key, 0o600)
    except OSError as error:
        raise VaultShut(f"{path}, the key of the secrets, cannot be made: {error.strerror}") from None
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"moorage secrets 1\n" + purpose + b"\n", "sha256")


def _cipher(key: bytes) -> "AESGCM":
    # Takes longer to import than a start may take; a later start seals nothing, and no pull opens anything.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

    return AESGCM(key)

"""Digests of content (OCI image specification, "Digests")."""

import hashlib
import re
from collections.abc import Callable
from typing import NewType

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hexadecimal digits."""

DIGEST_PATTERN = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"
"""What ECR calls the syntax of a digest; wider than a digest that can exist here."""

_known = re.compile("sha256:[0-9a-f]{64}")
_syntax = re.compile(r"[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]+")


def parse_digest(text: str) -> Digest | None:
    """Return the digest that ``text`` is, or None: another algorithm, another length, capitals."""
    return Digest(text) if _known.fullmatch(text) else None


def looks_like_digest(text: str) -> bool:
    """Tell whether ``text`` has ECR's syntax of a digest, whatever its algorithm."""
    return _syntax.fullmatch(text) is not None


def digest_of(content: bytes, sha256: Callable[..., "hashlib._Hash"] = hashlib.sha256) -> Digest:
    """Return the digest of ``content``."""
    return Digest(f"sha256:{sha256(content).hexdigest()}")


EMPTY = digest_of(b"")
"""The digest of no bytes at all."""

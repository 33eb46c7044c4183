"""Digests of content (OCI image specification, "Digests"). This is the one place that knows the algorithms.

A digest names its algorithm, and so does a running hash: whatever is compared is compared as a whole, so that bytes are never
taken for those of a digest of another algorithm.
"""

import hashlib
import re
from typing import NewType

Algorithm = NewType("Algorithm", str)
"""One of the algorithms that the image specification registers and that Python has."""

Digest = NewType("Digest", str)
"""An algorithm, a colon and as many lower-case hexadecimal digits as it makes."""

SHA256 = Algorithm("sha256")
"""ECR's one algorithm, and what holds where a client names none."""
SHA512 = Algorithm("sha512")

_DIGITS = {SHA256: 64, SHA512: 128}
MAX_DIGEST = max(len(algorithm) + 1 + digits for algorithm, digits in _DIGITS.items())

KNOWN_PATTERN = "|".join(f"{algorithm}:[0-9a-f]{{{digits}}}" for algorithm, digits in _DIGITS.items())
"""The syntax of a digest that can exist here."""
DIGEST_PATTERN = "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+"
"""What ECR calls the syntax of a digest; wider than a digest that can exist here."""

_known = re.compile(KNOWN_PATTERN)
_syntax = re.compile(r"[a-zA-Z0-9\-_+.]+:[a-fA-F0-9]+")


def parse_algorithm(text: str) -> Algorithm | None:
    """Return the algorithm that ``text`` names, or None."""
    return Algorithm(text) if text in _DIGITS else None


def parse_digest(text: str) -> Digest | None:
    """Return the digest that ``text`` is, or None: another algorithm, another length, capitals."""
    return Digest(text) if _known.fullmatch(text) else None


def looks_like_digest(text: str) -> bool:
    """Tell whether ``text`` has ECR's syntax of a digest, whatever its algorithm."""
    return _syntax.fullmatch(text) is not None


def algorithm_of(digest: Digest) -> Algorithm:
    """Return the algorithm that a digest names."""
    return Algorithm(digest.partition(":")[0])


def start_hash(algorithm: Algorithm) -> "hashlib._Hash":
    """Return the running hash of no bytes yet."""
    return hashlib.new(algorithm)


def digest_from(running: "hashlib._Hash") -> Digest:
    """Return the digest of the bytes that a running hash was given."""
    return Digest(f"{running.name}:{running.hexdigest()}")


def digest_of(content: bytes, algorithm: Algorithm = SHA256) -> Digest:
    """Return the digest of ``content``."""
    return digest_from(hashlib.new(algorithm, content))

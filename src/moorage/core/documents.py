"""JSON from outside, read within bounds: a document of empty lists takes twenty-five times its bytes."""

from typing import Any

import msgspec

MOST_VALUES = 150_000
"""More than a manifest of the largest size has that means anything; so many take up to 15 MiB."""


class Unreadable(Exception):
    """The rest of a sentence that begins with what was to be read."""


def read_document(content: bytes) -> Any:
    """Return the document that ``content`` is; raises Unreadable for anything but JSON in UTF-8 of a reasonable shape.

    Of a key that is given twice, the last one counts.
    """
    # Every value but the first has one of these before it; those in texts are counted too, which does no harm.
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MOST_VALUES:
        raise Unreadable(f"has more than {MOST_VALUES} values")
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("is not valid JSON") from None

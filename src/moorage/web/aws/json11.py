"""AWS JSON 1.1: bodies to documents, results and refusals back to bodies (Smithy, "AWS JSON 1.1 protocol")."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from moorage.core.documents import Unreadable, read_document
from moorage.web.aws.errors import Malformed

MEDIA_TYPE = "application/x-amz-json-1.1"


def read(body: bytes) -> Any:
    """Return the document that ``body`` is; raises Malformed for anything else."""
    try:
        return read_document(body)
    except Unreadable as unreadable:
        raise Malformed(f"The request body {unreadable}") from None


def write(result: Mapping[str, Any] | None) -> bytes:
    """Return the body of a result: times in seconds, bytes in base64, absent members left out."""
    return msgspec.json.encode(_plain(result or {}))


def write_error(code: str, message: str, members: Mapping[str, Any]) -> bytes:
    """Return the body of a refusal."""
    return msgspec.json.encode({"__type": code, "message": message, **members})


# Most of an answer is text and numbers, so those are told first, and by their exact type.
_SCALARS = (str, int, bool, float)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {
            name: item if type(item) in _SCALARS else _plain(item) for name, item in value.items() if item is not None
        }
    if kind is list or kind is tuple:
        return [_plain(item) for item in value]
    if kind is datetime:
        return round(value.timestamp(), 3)
    return value

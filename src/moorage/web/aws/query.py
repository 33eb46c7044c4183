"""The AWS query protocol: form bodies to documents, results and refusals to XML (Smithy, "AWS query protocol").

Neither IAM nor STS renames a member, flattens a list or writes an attribute, so none of that is spoken here.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from moorage.web.aws.errors import Malformed
from moorage.web.aws.model import Operation, Service

MEDIA_TYPE = "text/xml"
FORM = "application/x-www-form-urlencoded"

MAX_FIELDS = 2000
MAX_INDEX = 1000
MAX_DEPTH = 16

_index = re.compile(r"[1-9][0-9]{0,3}")
_number = re.compile(r"-?[0-9]{1,19}")
# What XML 1.0 cannot carry, not even escaped.
_unwritable = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_fields(body: bytes) -> dict[str, str]:
    """Return the fields of a form; raises Malformed for broken UTF-8, too many fields, or one that is given twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Malformed(f"The request body is not a form of at most {MAX_FIELDS} fields in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("A parameter is given more than once")
    return fields


def read(fields: Mapping[str, str], shape: Any) -> dict[str, Any]:
    """Return the document that the fields spell by an input shape; fields that it does not know are ignored.

    Raises Malformed for a structure where a text is expected or the reverse, for a number or a boolean that is none, and
    for lists with an index over MAX_INDEX.
    """
    tree: dict[str, Any] = {}
    for name, text in fields.items():
        parts = name.split(".", MAX_DEPTH)
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if type(node) is not dict:
                raise Malformed(f"The parameter {name[:200]} is both a text and a structure")
        if node.setdefault(parts[-1], text) is not text:
            raise Malformed(f"The parameter {name[:200]} is both a text and a structure")
    return {} if shape is None else dict(_read(shape, tree))


def _read(shape: Any, node: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        known = _branch(node)
        return {name: _read(member, known[name]) for name, member in shape.members.items() if name in known}
    if kind == "list":
        # An empty list is sent as an empty text.
        return [] if node == "" else [_read(shape.member, item) for item in _items(node, "member")]
    if kind == "map":
        entries = [] if node == "" else [_branch(entry) for entry in _items(node, "entry")]
        return {_read(shape.key, entry.get("key")): _read(shape.value, entry.get("value")) for entry in entries}
    if type(node) is not str:
        raise Malformed("A structure was found where a text was expected")
    return _SCALARS.get(kind, str)(node)


def _branch(node: Any) -> dict[str, Any]:
    if type(node) is not dict:
        raise Malformed("A text was found where a structure was expected")
    return node


def _items(node: Any, name: str) -> list[Any]:
    """Return the elements of a list in the order of their indexes, which may leave gaps."""
    found = _branch(_branch(node).get(name, {}))
    if any(not _index.fullmatch(at) or int(at) > MAX_INDEX for at in found):
        raise Malformed(f"The index of a list is no number from 1 to {MAX_INDEX}")
    return [found[at] for at in sorted(found, key=int)]


def _read_number(text: str) -> int:
    if not _number.fullmatch(text):
        raise Malformed("A text was found where a number was expected")
    return int(text)


def _read_boolean(text: str) -> bool:
    if text not in {"true", "false"}:
        raise Malformed("A text was found where a boolean was expected")
    return text == "true"


_SCALARS = {"integer": _read_number, "long": _read_number, "boolean": _read_boolean}


def write(service: Service, operation: Operation, result: Mapping[str, Any] | None, request_id: str) -> bytes:
    """Return the XML of a result, by the operation's output shape."""
    inner = ""
    if operation.output is not None:
        inner = _element(f"{operation.name}Result", _write(operation.output, result or {}))
    metadata = _element("ResponseMetadata", _element("RequestId", _text(request_id)))
    return (
        f'<{operation.name}Response xmlns="{service.namespace}">{inner}{metadata}</{operation.name}Response>\n'.encode()
    )


def write_error(namespace: str, code: str, status: int, message: str, request_id: str) -> bytes:
    """Return the XML of a refusal."""
    fault = "Sender" if status < 500 else "Receiver"  # noqa: PLR2004 - HTTP's own border
    error = _element("Type", fault) + _element("Code", _text(code)) + _element("Message", _text(message))
    document = _element("Error", error) + _element("RequestId", _text(request_id))
    return f'<ErrorResponse xmlns="{namespace}">{document}</ErrorResponse>\n'.encode()


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"


def _text(text: str) -> str:
    # A bare carriage return would be read back as a line feed.
    return escape(_unwritable.sub("\ufffd", text), {"\r": "&#13;"})


def _write(shape: Any, value: Any) -> str:
    kind = shape.type_name
    if kind == "structure":
        present = ((name, member, value.get(name)) for name, member in shape.members.items())
        return "".join(_element(name, _write(member, item)) for name, member, item in present if item is not None)
    if kind == "list":
        return "".join(_element("member", _write(shape.member, item)) for item in value)
    if kind == "map":
        return "".join(
            _element("entry", _element("key", _text(key)) + _element("value", _write(shape.value, item)))
            for key, item in value.items()
        )
    return _WRITTEN.get(kind, lambda scalar: _text(str(scalar)))(value)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


_WRITTEN: dict[str, Callable[[Any], str]] = {
    "timestamp": _moment,
    "boolean": lambda value: "true" if value else "false",
    "blob": lambda value: b64encode(value).decode(),
}

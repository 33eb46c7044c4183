"""The house's own checker of an operation's input, compiled once per operation from the service model.

botocore's validator is a client's: it looks at required members, types and minima only. A service also holds its callers to
maxima, patterns and enumerations, and ignores members that it does not know, so that newer clients keep working.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from moorage.core.errors import IdentityInvalid, InvalidParameter, Refused
from moorage.core.names import TAG_PATTERN
from moorage.web.aws.errors import Malformed

MAX_SHOWN = 2000
"""Characters of a refused value that a sentence repeats."""

Check = Callable[[Any], Any]
"""Returns the clean value, or raises: Malformed for another type, _Broken for a constraint."""

# What ECR checks beside its published model (recorded refusals of PutImage).
_PATTERNS = {"ImageTag": TAG_PATTERN}
# The order in which ECR prints the values (recorded refusal of CreateRepository).
_ENUMS = {"ImageTagMutability": ["IMMUTABLE", "MUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]}
# Judged one by one: a bad one becomes a failure of its own in the answer (BatchGetImage, BatchDeleteImage).
_FREE = {"ImageIdentifier"}
# ECR prints this one without quotes.
_UNQUOTED = {"RegistryId"}
# Patterns that take exponential time in a backtracking engine, and what they mean.
_LINEAR = {r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$": r"[a-z0-9*](?:[._\-/]?[a-z0-9*])*"}


@dataclass(frozen=True, slots=True)
class Constraint:
    """One rule, worded as AWS's common validator does (``Member must ...``) and as ECR does for a text of its own."""

    holds: Callable[[Any], bool]
    common: str
    ecr: str


Words = Callable[[str, Any, Constraint], Refused]
"""From the path of a value, the value and the rule that it breaks to the refusal of one protocol."""


def ecr_words(path: str, value: Any, broken: Constraint) -> Refused:  # noqa: ARG001 - ECR does not print the value
    """Refuse as ECR's classic operations do (Amazon ECR API Reference, InvalidParameterException)."""
    return InvalidParameter(path, broken.ecr)


def common_words(path: str, value: Any, broken: Constraint) -> Refused:
    """Refuse as IAM and STS do (IAM API Reference, "Common Errors", ValidationError)."""
    text = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
    shown = "null" if value is None else f"'{text[:MAX_SHOWN]}'"
    at = ".".join(part[:1].lower() + part[1:] for part in path.split("."))
    reason = f"Value {shown} at '{at}' failed to satisfy constraint: {broken.common}"
    return IdentityInvalid(f"1 validation error detected: {reason}")


def compile_check(shape: Any, words: Words) -> Callable[[Any], dict[str, Any]]:
    """Return the checker of an operation's input shape; None stands for an operation without input.

    The checker takes a decoded document and returns its known members, blobs as bytes. It raises Malformed where a type
    differs, and what ``words`` makes of the first broken constraint, in the order of the model.
    """
    if shape is None:
        return lambda _: {}
    inner = _structure(shape, bare=False)

    def check(document: Any) -> dict[str, Any]:
        try:
            return dict(inner(document))
        except _Broken as broken:
            raise words(".".join(broken.path), broken.value, broken.constraint) from None

    return check


@dataclass(eq=False)
class _Broken(Exception):
    value: Any
    constraint: Constraint
    path: list[str] = field(default_factory=list)


_NOT_NULL = Constraint(lambda value: value is not None, *["Member must not be null"] * 2)


def _compile(shape: Any, *, bare: bool) -> Check:
    """Return the check of a shape; of its type only if ``bare``."""
    return _KINDS[shape.type_name](shape, bare=bare or shape.name in _FREE)


def _structure(shape: Any, *, bare: bool) -> Check:
    required = set(shape.required_members)
    members = [(name, name in required, _compile(member, bare=bare)) for name, member in shape.members.items()]

    def check(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            _mistyped(value, "an object")
        clean = {}
        for name, needed, inner in members:
            given = value.get(name)
            if given is not None:
                try:
                    clean[name] = inner(given)
                except _Broken as broken:
                    broken.path.insert(0, name)
                    raise
            elif needed:
                raise _Broken(None, _NOT_NULL, [name])
        return clean

    return check


def _list(shape: Any, *, bare: bool) -> Check:
    inner = _compile(shape.member, bare=bare)
    constraints = [] if bare else _constraints(shape)
    rules = _constraints(shape.member)
    # A list of texts or numbers is refused as a whole; of structures, the member at fault is named.
    whole = None if bare or not rules else _of_each([rule.common for rule in rules])

    def check(value: Any) -> list[Any]:
        if type(value) is not list:
            _mistyped(value, "a list")
        _hold(value, constraints)
        clean = []
        for at, item in enumerate(value, 1):
            try:
                if item is None:
                    raise _Broken(None, _NOT_NULL)  # noqa: TRY301 - the place is added below, as for every other
                clean.append(inner(item))
            except _Broken as broken:
                if whole is not None:
                    raise _Broken(value, whole) from None
                broken.path[:0] = [str(at), "member"]
                raise
        return clean

    return check


def _of_each(rules: list[str]) -> Constraint:
    return Constraint(lambda _: False, *[f"Member must satisfy constraint: [{', '.join(rules)}]"] * 2)


def _map(shape: Any, *, bare: bool) -> Check:
    key, inner = _compile(shape.key, bare=bare), _compile(shape.value, bare=bare)
    constraints = [] if bare else _constraints(shape)

    def check(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            _mistyped(value, "a map")
        _hold(value, constraints)
        return {key(name): inner(item) for name, item in value.items()}

    return check


def _string(shape: Any, *, bare: bool) -> Check:
    constraints = [] if bare else _constraints(shape)

    def check(value: Any) -> str:
        if type(value) is not str:
            _mistyped(value, "a string")
        if "\0" in value:  # PostgreSQL cannot keep it, and nothing that AWS names has one
            raise Malformed("A string holds the character NUL")
        _hold(value, constraints)
        return value

    return check


def _whole(bits: int) -> Callable[..., Check]:
    limits = range(-(1 << bits - 1), 1 << bits - 1)

    def compiled(shape: Any, *, bare: bool) -> Check:
        constraints = [] if bare else _constraints(shape)

        def check(value: Any) -> int:
            if type(value) is not int or value not in limits:
                _mistyped(value, f"an integer of {bits} bits")
            _hold(value, constraints)
            return value

        return check

    return compiled


def _boolean(shape: Any, *, bare: bool) -> Check:  # noqa: ARG001 - called as every kind is
    def check(value: Any) -> bool:
        if type(value) is not bool:
            _mistyped(value, "a boolean")
        return value

    return check


def _blob(shape: Any, *, bare: bool) -> Check:
    constraints = [] if bare else _constraints(shape)

    def check(value: Any) -> bytes:
        if type(value) is not str:
            _mistyped(value, "a base64 string")
        try:
            decoded = binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            raise Malformed("A blob is not valid base64") from None
        _hold(decoded, constraints)
        return decoded

    return check


# A kind that no input of the three services has is missing here, and found when its operation is compiled.
_KINDS: dict[str, Callable[..., Check]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _whole(32),
    "long": _whole(64),
    "boolean": _boolean,
    "blob": _blob,
}


def _hold(value: Any, constraints: list[Constraint]) -> None:
    for constraint in constraints:
        if not constraint.holds(value):
            raise _Broken(value, constraint)


def _mistyped(value: Any, wanted: str) -> NoReturn:
    raise Malformed(f"{_FOUND.get(type(value), 'A value')} was found where {wanted} was expected")


_FOUND = {dict: "An object", list: "A list", str: "A string", bool: "A boolean", int: "A number", float: "A number"}


def _constraints(shape: Any) -> list[Constraint]:
    """Return the rules of a shape in the order in which AWS lists them."""
    rules = shape.metadata
    kind = shape.type_name
    found = []
    for bound, words in (("max", "less"), ("min", "greater")):
        if bound in rules:
            found.append(_bound(kind, bound, f"{words} than or equal to {rules[bound]}", rules[bound]))
    pattern = _PATTERNS.get(shape.name, rules.get("pattern"))
    if pattern:
        shown = pattern.replace(r"\/", "/")
        quoted = shown if shape.name in _UNQUOTED else f"'{shown}'"
        matcher = _matcher(pattern)
        found.append(
            Constraint(
                lambda value: matcher(value) is not None,
                f"Member must satisfy regular expression pattern: {shown}",
                f"must satisfy regular expression {quoted}",
            )
        )
    if "enum" in rules:
        values = frozenset(rules["enum"])
        text = f"Member must satisfy enum value set: [{', '.join(_ENUMS.get(shape.name, rules['enum']))}]"
        found.append(Constraint(values.__contains__, text, text))
    return found


def _bound(kind: str, bound: str, words: str, limit: int) -> Constraint:
    if kind in {"integer", "long"}:
        text = f"Member must have value {words}"
        return Constraint(limit.__ge__ if bound == "max" else limit.__le__, text, text)
    lengths: Callable[[int], bool] = limit.__ge__ if bound == "max" else limit.__le__
    text = f"must have length {words}"
    return Constraint(
        lambda value: lengths(len(value)), f"Member {text}", text if kind == "string" else f"Member {text}"
    )


def _matcher(pattern: str) -> Callable[[str], object]:
    """Return the whole match of one of the model's patterns; they are Java's, whose word characters are ASCII."""
    text = _LINEAR.get(pattern, pattern)
    if r"\p{" not in text:
        return re.compile(text, re.ASCII).fullmatch
    for java, python in (
        (r"\p{L}", r"\w"),
        (r"\p{N}", r"\w"),
        (r"\p{Z}", "\x20\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"),
    ):
        text = text.replace(java, python)
    return re.compile(text).fullmatch

"""Conditions of policies, compiled (IAM User Guide, "IAM JSON policy elements: Condition operators").

An operator is a comparison, whether it is negated, and what happens to values that are several or absent:

- No value in the request: false; true where negated or with ``IfExists``. ``ForAllValues:`` is true of nothing,
  ``ForAnyValue:`` is not.
- Several values in the policy: any of them may match; a negated operator wants that none does.
- A policy variable without a value equals nothing, so negated operators are true of it.

Policy values that a comparison cannot read (a number that is none, an address that is none) make the document malformed;
such values in a request match nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any

from moorage.core.errors import MalformedPolicy
from moorage.core.wildcards import (
    Context,
    Matcher,
    Part,
    Text,
    arn_glob,
    arn_segments,
    glob,
    has_variables,
    parse_parts,
    resolve,
)

Test = Callable[[Context], bool]
_Comparison = Callable[[str, Context], bool]
_Builder = Callable[[Sequence[str], bool], _Comparison]
_Row = tuple[Part, ...]

# What is worked out for the values of one request usually serves the next one of the same caller.
_REMEMBERED = 1024


def compile_condition(operator: str, key: str, values: Sequence[str], *, variables: bool) -> Test:
    """Compile one operator on one condition key; raises MalformedPolicy.

    ``variables`` is false for documents of version 2008-10-17, in which ``${...}`` is plain text.
    """
    quantifier, _, rest = operator.rpartition(":")
    if_exists = rest.endswith("IfExists")
    base = rest.removesuffix("IfExists")
    key = key.lower()
    if base == "Null" and not if_exists and not quantifier:
        return _null(key, values)
    if base not in _OPERATORS or quantifier not in _QUANTIFIERS:
        raise MalformedPolicy(f"Invalid Condition type : {operator}.")
    build, negated = _OPERATORS[base]
    return _QUANTIFIERS[quantifier](key, build(values, variables), negated, if_exists)


# --- how many values ---------------------------------------------------------------------------------------------------


def _plain(key: str, compare: _Comparison, negated: bool, if_exists: bool) -> Test:  # noqa: FBT001 - a row of _QUANTIFIERS
    absent = negated or if_exists

    def test(context: Context) -> bool:
        value = context.get(key)
        if isinstance(value, str):
            return compare(value, context) != negated
        return any(compare(one, context) for one in value) != negated if value else absent

    return test


def _for_all(key: str, compare: _Comparison, negated: bool, if_exists: bool) -> Test:  # noqa: ARG001, FBT001 - a row of _QUANTIFIERS
    def test(context: Context) -> bool:
        return all(compare(one, context) != negated for one in _values(context, key))

    return test


def _for_any(key: str, compare: _Comparison, negated: bool, if_exists: bool) -> Test:  # noqa: FBT001 - a row of _QUANTIFIERS
    def test(context: Context) -> bool:
        values = _values(context, key)
        return any(compare(one, context) != negated for one in values) if values else if_exists

    return test


def _values(context: Context, key: str) -> Sequence[str]:
    value = context.get(key, ())
    return (value,) if isinstance(value, str) else value


def _null(key: str, values: Sequence[str]) -> Test:
    wanted = {_flag(value) for value in values}

    def test(context: Context) -> bool:
        return (not context.get(key)) in wanted

    return test


_QUANTIFIERS: Mapping[str, Callable[[str, _Comparison, bool, bool], Test]] = {
    "": _plain,
    "ForAllValues": _for_all,
    "ForAnyValue": _for_any,
}


# --- comparisons -------------------------------------------------------------------------------------------------------


def _texts(values: Sequence[str], variables: bool, matcher: Callable[[_Row], Matcher]) -> _Comparison:  # noqa: FBT001 - as _Builder
    """Compare with texts that may hold variables; those without are compiled now."""
    rows = [parse_parts(value, variables=variables) for value in values]
    fixed = tuple(matcher(row) for row in rows if not has_variables(row))
    open_rows = tuple(row for row in rows if has_variables(row))

    def compare(value: str, context: Context) -> bool:
        if any(match(value) for match in fixed):
            return True
        for row in open_rows:
            parts = resolve(row, context)
            if parts is not None and matcher(tuple(parts))(value):
                return True
        return False

    return compare


def _literal(parts: _Row) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


def _equals(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: FBT001 - as _Builder
    return _texts(values, variables, lambda parts: _literal(parts).__eq__)


def _equals_ignoring_case(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: FBT001 - as _Builder
    def matcher(parts: _Row) -> Matcher:
        # Not casefold(): a sharp s is no other case of two.
        wanted = _literal(parts).lower()
        return lambda value: value.lower() == wanted

    return _texts(values, variables, matcher)


def _like(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: FBT001 - as _Builder
    return _texts(values, variables, _glob)


@lru_cache(_REMEMBERED)
def _glob(parts: _Row) -> Matcher:
    return glob(part for part in parts if isinstance(part, Text))


def _arn_like(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: FBT001 - as _Builder
    return _texts(values, variables, arn_matcher)


@lru_cache(_REMEMBERED)
def arn_matcher(parts: tuple[Part, ...]) -> Matcher:
    """Return the test of ARNs against a pattern whose variables are filled.

    ``*`` alone matches everything, a text that is no ARN nothing.
    """
    if parts == (Text("*", live=True),):
        return lambda _: True
    segments = arn_segments(parts)
    if segments is None:
        return lambda _: False
    return arn_glob([[part for part in segment if isinstance(part, Text)] for segment in segments])


def _ordered(parse: Callable[[str], Any], kind: str, compares: Callable[[Any, Any], bool]) -> _Builder:
    """Compare values that have an order; ``parse`` answers None for text that is no such value."""

    def build(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: ARG001, FBT001 - as _Builder
        wanted = tuple(_required(parse(value), kind, value) for value in values)

        def compare(value: str, context: Context) -> bool:  # noqa: ARG001 - as _Comparison
            found = parse(value)
            return found is not None and any(compares(found, one) for one in wanted)

        return compare

    return build


def _required(parsed: Any, kind: str, value: str) -> Any:
    if parsed is None:
        raise MalformedPolicy(f"Invalid {kind} in Condition: {value[:100]}.")
    return parsed


_number_text = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{1,64})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _number_text.fullmatch(text) else None


_epoch_text = re.compile(r"-?[0-9]{5,15}(\.[0-9]{1,9})?", re.ASCII)
_date_text = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(text: str) -> float | None:
    """Seconds since 1970: those themselves, or one of the W3C's profiles of ISO 8601."""
    if _epoch_text.fullmatch(text):
        return float(text)
    found = _date_text.fullmatch(text)
    if not found:
        return None
    year, month, day, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{year}-{month or '01'}-{day or '01'}T{time or '00:00'}{zone or 'Z'}")
        return (moment - _EPOCH).total_seconds() + float(f"0.{fraction or 0}")
    except (ValueError, OverflowError):
        return None


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise MalformedPolicy(f"Invalid boolean in Condition: {text[:100]}.")
    return text.lower() == "true"


def _bool(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: ARG001, FBT001 - as _Builder
    wanted = frozenset(str(_flag(value)).lower() for value in values)
    return lambda value, _: value.lower() in wanted


def _binary(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: ARG001, FBT001 - as _Builder
    wanted = frozenset(values)
    return lambda value, _: value in wanted


@lru_cache(_REMEMBERED)
def _address(text: str) -> Any:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


_MAPPED = 96
"""Bits that an address of IPv4 has before it within IPv6."""


def _network(text: str) -> Any:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    # As of addresses: those of IPv4 are compared as such.
    return ip_network((mapped, network.prefixlen - _MAPPED)) if mapped and network.prefixlen >= _MAPPED else network


def _ip(values: Sequence[str], variables: bool) -> _Comparison:  # noqa: ARG001, FBT001 - as _Builder
    networks = tuple(_required(_network(value), "IP address", value) for value in values)

    def compare(value: str, context: Context) -> bool:  # noqa: ARG001 - as _Comparison
        address = _address(value)
        return address is not None and any(address in network for network in networks)

    return compare


_OPERATORS: Mapping[str, tuple[_Builder, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
    "NumericEquals": (_ordered(_number, "number", eq), False),
    "NumericNotEquals": (_ordered(_number, "number", eq), True),
    "NumericLessThan": (_ordered(_number, "number", lt), False),
    "NumericLessThanEquals": (_ordered(_number, "number", le), False),
    "NumericGreaterThan": (_ordered(_number, "number", gt), False),
    "NumericGreaterThanEquals": (_ordered(_number, "number", ge), False),
    "DateEquals": (_ordered(_moment, "date", eq), False),
    "DateNotEquals": (_ordered(_moment, "date", eq), True),
    "DateLessThan": (_ordered(_moment, "date", lt), False),
    "DateLessThanEquals": (_ordered(_moment, "date", le), False),
    "DateGreaterThan": (_ordered(_moment, "date", gt), False),
    "DateGreaterThanEquals": (_ordered(_moment, "date", ge), False),
    "Bool": (_bool, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_ip, False),
    "NotIpAddress": (_ip, True),
}
"""Each operator's comparison, and whether it is negated; ``Null`` is apart, it compares nothing."""

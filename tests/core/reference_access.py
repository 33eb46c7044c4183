"""A second evaluator, slow and naive, written from AWS's text alone, to compare the compiled one with.

It shares no code with the first. Pages of the IAM User Guide: "Policy evaluation logic", "Cross-account policy evaluation logic",
"Permissions boundaries for IAM entities", "IAM JSON policy elements: Principal", "... NotPrincipal", "... Condition operators",
"Conditions with multiple context keys or values", "Variables and tags", "... Version".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

Context = Mapping[str, str | Sequence[str]]
Statement = Mapping[str, Any]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """A user, the root user, or a session with the role that it is of."""

    arn: str
    id: str
    role: str = ""
    role_id: str = ""

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True)
class Question:
    caller: Caller
    action: str
    resource: str
    owner: str
    context: Context


@dataclass(frozen=True)
class Documents:
    """All that is in force; ``boundary`` and ``session`` are None where nothing limits."""

    identity: Sequence[Document] = ()
    resource: Sequence[Document] = ()
    boundary: Document | None = None
    session: Sequence[Document] | None = None


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


# --- texts -------------------------------------------------------------------------------------------------------------

Token = tuple[str, bool]
"""A character, and whether a wildcard or a colon means what it means in patterns."""


def live(text: str) -> list[Token]:
    return [(letter, True) for letter in text]


def dead(text: str) -> list[Token]:
    return [(letter, False) for letter in text]


def matches(pattern: Sequence[Token], text: str) -> bool:
    """Match the way one would explain it: the first character, then the rest."""

    @cache
    def match(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == ("*", True):
            return match(p + 1, t) or (t < len(text) and match(p, t + 1))
        if t == len(text):
            return False
        return (pattern[p] == ("?", True) or pattern[p][0] == text[t]) and match(p + 1, t + 1)

    return match(0, 0)


def wildcard(pattern: str, text: str) -> bool:
    return matches(live(pattern), text)


def arn_matches(pattern: Sequence[Token], arn: str) -> bool:
    """Each of the six parts of an ARN is compared for itself; the sixth may have colons of its own."""
    if pattern == live("*"):
        return True
    parts: list[list[Token]] = [[]]
    for token in pattern:
        if token == (":", True) and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(token)
    texts = arn.split(":", 5)
    return len(parts) == len(texts) == 6 and all(matches(p, t) for p, t in zip(parts, texts, strict=True))


def arn_like(pattern: str, arn: str) -> bool:
    return arn_matches(live(pattern), arn)


def filled(text: str, context: Context, version: str) -> list[Token] | None:
    """Fill in variables; None where one has no value. Documents of 2008 have none."""
    if version != "2012-10-17":
        return live(text)
    done: list[Token] = []
    while "${" in text:
        before, _, rest = text.partition("${")
        name, _, text = rest.partition("}")
        done += live(before)
        key, comma, default = name.partition(", ")
        if key in ("*", "?", "$"):
            done += dead(key)
            continue
        value = context.get(key.lower(), ())
        if not value and not isinstance(value, str):
            value = default.strip("'") if comma else ()
        if not isinstance(value, str):
            return None
        done += dead(value)
    return done + live(text)


# --- conditions --------------------------------------------------------------------------------------------------------


def number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def moment(text: str) -> float | None:
    if text.isdecimal() and len(text) > 4:
        return float(text)
    for form in ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).timestamp() if "T" in text else None
    except ValueError:
        return None


def ordered(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, found: str) -> bool:
        value = parse(found)
        return value is not None and compare(value, parse(wanted))

    return test


def in_network(wanted: str, found: str) -> bool:
    try:
        return ip_address(found) in ip_network(wanted, strict=False)
    except ValueError:
        return False


ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda found, wanted: found == wanted,
    "LessThan": lambda found, wanted: found < wanted,
    "LessThanEquals": lambda found, wanted: found <= wanted,
    "GreaterThan": lambda found, wanted: found > wanted,
    "GreaterThanEquals": lambda found, wanted: found >= wanted,
}
PLAIN: Mapping[str, Callable[[str, str], bool]] = {
    **{f"Numeric{name}": ordered(number, compare) for name, compare in ORDERS.items()},
    **{f"Date{name}": ordered(moment, compare) for name, compare in ORDERS.items()},
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
    "BinaryEquals": lambda wanted, found: wanted == found,
    "IpAddress": in_network,
}


def spelled(pattern: Sequence[Token]) -> str:
    return "".join(letter for letter, _ in pattern)


PATTERNS: Mapping[str, Callable[[Sequence[Token], str], bool]] = {
    "StringEquals": lambda wanted, found: spelled(wanted) == found,
    "StringEqualsIgnoreCase": lambda wanted, found: spelled(wanted).lower() == found.lower(),
    "StringLike": matches,
    "ArnEquals": arn_matches,
    "ArnLike": arn_matches,
}


def one_holds(base: str, wanted: Sequence[str], found: str, context: Context, version: str) -> bool:
    """Tell whether a value of the request matches any of the policy's."""
    if base in PLAIN:
        return any(PLAIN[base](one, found) for one in wanted)
    rows = [filled(one, context, version) for one in wanted]
    return any(row is not None and PATTERNS[base](row, found) for row in rows)


def condition_holds(operator: str, key: str, wanted: Sequence[str], context: Context, version: str) -> bool:
    quantifier, _, rest = operator.rpartition(":")
    base = rest.removesuffix("IfExists")
    found = as_list(context.get(key.lower(), []))
    if base == "Null":
        return ("false" if found else "true") in wanted
    negated = "Not" in base
    if not found:
        if quantifier:
            return quantifier == "ForAllValues" or rest.endswith("IfExists")
        return negated or rest.endswith("IfExists")
    each = [one_holds(base.replace("Not", ""), wanted, one, context, version) for one in found]
    if quantifier == "ForAllValues":
        return not any(each) if negated else all(each)
    if quantifier == "ForAnyValue":
        return not all(each) if negated else any(each)
    return not any(each) if negated else any(each)


# --- statements --------------------------------------------------------------------------------------------------------


def applies(statement: Statement, question: Question, version: str) -> bool:
    name = "Action" if "Action" in statement else "NotAction"
    action = question.action.lower()
    if any(wildcard(one.lower(), action) for one in as_list(statement[name])) == (name == "NotAction"):
        return False
    for name in ("Resource", "NotResource"):
        if name in statement:
            rows = [filled(one, question.context, version) for one in as_list(statement[name])]
            if name == "NotResource" and None in rows and statement["Effect"] == "Allow":
                return False
            found = any(row is not None and arn_matches(row, question.resource) for row in rows)
            if found == (name == "NotResource"):
                return False
    return all(
        condition_holds(operator, key, as_list(wanted), question.context, version)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def listed(value: Any) -> set[str]:
    """Return whom an element names: an account by its id is its root."""
    texts = ["*"] if value == "*" else as_list(value.get("AWS", []))
    return {f"arn:aws:iam::{one}:root" if one.isdecimal() else one for one in texts}


def how_named(statement: Statement, caller: Caller, *, bounded: bool) -> str:
    """Tell how a statement of a resource-based policy means a caller: itself, by its role, by its account, or not ("")."""
    if "NotPrincipal" in statement and bounded:
        return "itself"
    if "NotPrincipal" in statement:
        spared = listed(statement["NotPrincipal"])
        mine = {caller.arn, caller.id} | ({caller.role, caller.role_id} if caller.role else set())
        # Who is spared has to be listed with its account.
        with_account = f"arn:aws:iam::{caller.account}:root" in spared and spared & mine
        return "" if "*" in spared or with_account else "itself"
    named = listed(statement["Principal"])
    if named & {caller.arn, caller.id}:
        return "itself"
    if caller.role and named & {caller.role, caller.role_id, "*"}:
        return "role"
    if "*" in named:
        return "itself"
    return "account" if f"arn:aws:iam::{caller.account}:root" in named else ""


def about(documents: Sequence[Document], question: Question) -> Iterator[Statement]:
    for document in documents:
        for statement in as_list(document["Statement"]):
            if applies(statement, question, document.get("Version", "2008-10-17")):
                yield statement


# --- the decision ------------------------------------------------------------------------------------------------------


def effects(documents: Sequence[Document], question: Question) -> set[str]:
    return {statement["Effect"] for statement in about(documents, question)}


def decide(question: Question, documents: Documents) -> bool:
    """Tell whether a request is allowed."""
    caller = question.caller
    boundary = [documents.boundary] if documents.boundary else []
    session = list(documents.session or [])
    theirs = [(how_named(one, caller, bounded=bool(boundary)), one) for one in about(documents.resource, question)]
    if "Deny" in effects([*documents.identity, *boundary, *session], question):
        return False
    if any(how and one["Effect"] == "Deny" for how, one in theirs):
        return False
    let_in = {how for how, one in theirs if how and one["Effect"] == "Allow"}
    own = "Allow" in effects(documents.identity, question)
    within = (not boundary or "Allow" in effects(boundary, question)) and (
        documents.session is None or "Allow" in effects(session, question)
    )
    if caller.account != question.owner:
        return bool(let_in) and own and within
    return "itself" in let_in or (within and (own or "role" in let_in))

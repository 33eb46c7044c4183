"""A second evaluator, slow and naive, written from the rules alone, to compare the compiled one with."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

Context = Mapping[str, str | list[str]]


def wildcard(pattern: str, text: str) -> bool:
    """Match the way one would explain it: the first character, then the rest."""

    @cache
    def match(p: int, t: int) -> bool:
        if p == len(pattern):
            return t == len(text)
        if pattern[p] == "*":
            return match(p + 1, t) or (t < len(text) and match(p, t + 1))
        return t < len(text) and pattern[p] in {"?", text[t]} and match(p + 1, t + 1)

    return match(0, 0)


def arn_like(pattern: str, arn: str) -> bool:
    if pattern == "*":
        return True
    patterns, texts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(texts) == 6 and all(wildcard(p, t) for p, t in zip(patterns, texts, strict=True))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


VARIABLE = re.compile(r"\$\{([^}',]+)(?:, '([^']*)')?\}")


def filled(text: str, context: Context) -> str | None:
    """Fill in variables; the values of these tests have no wildcards and no colons."""
    for key, default in VARIABLE.findall(text):
        value = context.get(key.lower(), default or None)
        if not isinstance(value, str):
            return None
        text = VARIABLE.sub(value, text, count=1)
    return text


EQUALS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.casefold() == found.casefold(),
    "StringLike": wildcard,
    "ArnLike": arn_like,
    "NumericLessThan": lambda wanted, found: float(found) < float(wanted),
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
    "IpAddress": lambda wanted, found: ip_address(found) in ip_network(wanted),
}


def condition(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    quantifier, _, base = operator.rpartition(":")
    if_exists, base = base.endswith("IfExists"), base.removesuffix("IfExists")
    found = as_list(context.get(key.lower(), []))
    if base == "Null":
        return ("true" if not found else "false") in wanted
    negated = "Not" in base
    base = base.replace("Not", "")
    values = [filled(one, context) for one in wanted]
    holds = [any(value is not None and EQUALS[base](value, one) for value in values) != negated for one in found]
    if quantifier == "ForAllValues":
        return all(holds)
    if quantifier == "ForAnyValue":
        return any(holds) if found else if_exists
    if not found:
        return negated or if_exists
    return all(holds) if negated else any(holds)


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    name = "Action" if "Action" in statement else "NotAction"
    found = any(wildcard(one.lower(), action.lower()) for one in as_list(statement[name]))
    if found == (name == "NotAction"):
        return False
    if "Resource" in statement or "NotResource" in statement:
        name = "Resource" if "Resource" in statement else "NotResource"
        rows = [filled(one, context) for one in as_list(statement[name])]
        if name == "NotResource" and None in rows:
            return False
        if any(row is not None and arn_like(row, resource) for row in rows) == (name == "NotResource"):
            return False
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            if not condition(operator, key, as_list(wanted), context):
                return False
    return True


def named(statement: Mapping[str, Any], caller: str, account: str) -> str:
    if "NotPrincipal" in statement:
        listed = as_list(statement["NotPrincipal"]["AWS"])
        return "" if caller in listed else "itself"
    principal = statement["Principal"]
    listed = ["*"] if principal == "*" else as_list(principal["AWS"])
    if "*" in listed or caller in listed:
        return "itself"
    return "account" if account in listed or f"arn:aws:iam::{account}:root" in listed else ""


def decide(
    question: tuple[str, str, str, str, str],
    context: Context,
    identity: Sequence[Mapping[str, Any]],
    resource: Sequence[Mapping[str, Any]],
) -> bool:
    """Answer (caller, its account, action, resource, its account) from statements."""
    caller, account, action, target, target_account = question
    mine = [one for one in identity if applies(one, action, target, context)]
    theirs = [
        (one, who) for one in resource if (who := named(one, caller, account)) and applies(one, action, target, context)
    ]
    if any(one["Effect"] == "Deny" for one in mine) or any(one["Effect"] == "Deny" for one, _ in theirs):
        return False
    by_identity = any(one["Effect"] == "Allow" for one in mine)
    how = {who for one, who in theirs if one["Effect"] == "Allow"}
    if account == target_account:
        return by_identity or "itself" in how
    return by_identity and bool(how)

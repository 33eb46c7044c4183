"""Requests and policies at random, from few pieces, so that they have to do with one another."""

import json
from typing import Any

from hypothesis import strategies as st

from moorage.core.access import AccessRequest, Names, Policies, parse_policy, parse_resource_policy
from tests.core.reference_access import Caller, Documents, Question

HERE, THERE = "111122223333", "444455556666"
ADA = f"arn:aws:iam::{HERE}:user/ada"
APP = f"arn:aws:ecr:us-east-1:{HERE}:repository/team/app"
ROLE, SESSION = f"arn:aws:iam::{HERE}:role/ci/builder", f"arn:aws:sts::{HERE}:assumed-role/builder/one"
ADA_ID, ROLE_ID = "AIDAADAAAAAAAAAAAAAA", "AROABUILDERAAAAAAAAA"
ROOT = f"arn:aws:iam::{HERE}:root"

Element = dict[str, Any]

CALLERS = [
    Caller(ADA, ADA_ID),
    Caller(f"arn:aws:iam::{THERE}:user/bob", "AIDABOBAAAAAAAAAAAAA"),
    Caller(SESSION, f"{ROLE_ID}:one", ROLE, ROLE_ID),
    Caller(ROOT, HERE),
]
VARIABLES = [
    "${aws:username}",
    "${aws:none}",
    "${aws:none, 'ada'}",
    "${aws:tagkeys, 'ada'}",
    "${aws:username}*",
    "a${*}",
]
ACTIONS = ["ecr:PutImage", "ecr:putimage", "ecr:BatchGetImage", "iam:CreateUser", "ec:PutImage"]
ACTION_PATTERNS = [
    "*",
    "*:*",
    "*:put*",
    "ecr:*",
    "ECR:Put*",
    "ecr:?atch*Image",
    "iam:*",
    "ecr:PutImage",
    "ecr:*e",
    "ec:*",
]
TARGETS = [
    APP,
    f"{APP}/ada",
    f"arn:aws:ecr:us-east-1:{HERE}:repository/ada",
    f"arn:aws:ecr:us-east-1:{HERE}:repository/a:b",
    "*",
]
RESOURCE_PATTERNS = [
    "*",
    APP,
    APP + "*",
    "arn:aws:ecr:*:*:repository/*a*",
    "arn:aws:ecr:*:repository/*:::",
    "arn:aws:ecr:us-east-?:*:repository/a?b",
    "arn:aws:ec?:us-east-1:*:repository/${aws:username}",
    f"arn:aws:ecr:us-east-1:{HERE}:repository/team/app/${{aws:none, 'ada'}}",
    "arn:aws:ecr:us-east-1:*:repository/${aws:none}",
    "arn:aws:ecr:*:*:repository/${aws:ResourceTag/team}",
]
TEXTS = ["a", "ada", "ADA", "a*", "?da", "*", "", *VARIABLES]
NUMBERS = ["1", "1.0", "2", "-3", "1e3", "10", "9007199254740993"]
DATES = [
    "2026",
    "2026-01",
    "2026-01-01",
    "2026-01-01T00:00Z",
    "2026-01-01T00:00:00Z",
    "1767225600",
    "2025-12-31T23:59:59Z",
]
ADDRESSES = ["10.1.1.1", "192.0.2.1", "2001:db8::1"]
NETWORKS = ["10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "2001:db8::/32"]

contexts = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from(["ada", "ADA", "bob", "*", "a:b"]),
        "aws:resourcetag/team": st.sampled_from(["ada", "web"]),
        "ecr:resourcetag/team": st.sampled_from(["ada", "web"]),
        "aws:principaltag/team": st.sampled_from(["ada", "web"]),
        "aws:sourceip": st.sampled_from([*ADDRESSES, "nowhere"]),
        "aws:tagkeys": st.lists(st.sampled_from(["a", "ada", "ADA", "c"]), max_size=2),
        "aws:count": st.sampled_from([*NUMBERS, "ten", "NaN"]),
        "aws:counts": st.lists(st.sampled_from(NUMBERS), max_size=2),
        "aws:currenttime": st.sampled_from([*DATES, "2026-01-01T02:00:00+02:00", "yesterday"]),
        "aws:secure": st.sampled_from(["true", "false", "TRUE"]),
        "aws:binary": st.sampled_from(["QQ==", "qq=="]),
        "aws:arn": st.sampled_from([APP, ADA, "no arn"]),
    },
)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values | st.lists(values, min_size=1, max_size=2)


def _family(operators: list[str], keys: list[str], values: list[str]) -> st.SearchStrategy[tuple[str, str, Any]]:
    quantified = st.tuples(
        st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
        st.sampled_from(operators),
        st.sampled_from(["", "IfExists"]),
    )
    return st.tuples(quantified.map("".join), st.sampled_from(keys), some(st.sampled_from(values)))


_ORDERS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]
_TAGS = ["aws:ResourceTag/team", "ecr:ResourceTag/team", "aws:PrincipalTag/Team"]
_STRINGS = ["Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"]
one_condition = st.one_of(
    _family([f"String{one}" for one in _STRINGS], ["aws:UserName", "AWS:tagkeys", *_TAGS], TEXTS),
    _family(
        [f"Arn{one}" for one in ("Equals", "NotEquals", "Like", "NotLike")],
        ["aws:arn"],
        [*RESOURCE_PATTERNS, ADA, "ada"],
    ),
    _family([f"Numeric{one}" for one in _ORDERS], ["aws:count", "aws:counts"], NUMBERS),
    _family([f"Date{one}" for one in _ORDERS], ["aws:CurrentTime"], DATES),
    _family(["IpAddress", "NotIpAddress"], ["aws:SourceIp"], NETWORKS),
    _family(["Bool"], ["aws:secure"], ["true", "FALSE"]),
    _family(["BinaryEquals"], ["aws:binary"], ["QQ==", "Qg=="]),
    st.tuples(
        st.just("Null"),
        st.sampled_from(["aws:tagkeys", "aws:count", "aws:none"]),
        some(st.sampled_from(["true", "false"])),
    ),
)


def _condition(tests: list[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    block: dict[str, dict[str, Any]] = {}
    for operator, key, wanted in tests:
        block.setdefault(operator, {})[key] = wanted
    return block


conditions: st.SearchStrategy[dict[str, dict[str, Any]]] = st.just({}) | st.lists(one_condition, max_size=2).map(
    _condition
)

_LISTED = [
    "*",
    HERE,
    THERE,
    ROOT,
    f"arn:aws:iam::{THERE}:root",
    ADA,
    f"arn:aws:iam::{THERE}:user/bob",
    ADA_ID,
    ROLE,
    ROLE_ID,
    SESSION,
    f"arn:aws:sts::{HERE}:assumed-role/builder/two",
]


@st.composite
def elements(draw: st.DrawFn, *, with_principal: bool) -> Element:
    """Draw a statement."""
    element: Element = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "Action", "NotAction"])): draw(
            some(st.sampled_from(ACTION_PATTERNS))
        ),
    }
    if not with_principal or draw(st.booleans()):
        name = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
        element[name] = draw(some(st.sampled_from(RESOURCE_PATTERNS)))
    if condition := draw(conditions):
        element["Condition"] = condition
    if with_principal:
        named = draw(st.just("*") | some(st.sampled_from(_LISTED)).map(lambda one: {"AWS": one}))
        excepted = element["Effect"] == "Deny" and draw(st.booleans())
        element["NotPrincipal" if excepted else "Principal"] = named
    return element


def documents(*, with_principal: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a document; those of resources may be of the version that knows no variables, or of none."""
    statements = st.lists(elements(with_principal=with_principal), min_size=1, max_size=2)
    versions = [{"Version": "2012-10-17"}, *([{"Version": "2008-10-17"}, {}] if with_principal else [])]
    return st.tuples(st.sampled_from(versions), statements).map(lambda pair: {**pair[0], "Statement": pair[1]})


questions = st.builds(
    Question,
    st.sampled_from(CALLERS),
    st.sampled_from(ACTIONS),
    st.sampled_from(TARGETS),
    st.sampled_from([HERE, HERE, THERE]),
    contexts,
)
in_force = st.builds(
    Documents,
    st.lists(documents(), max_size=2),
    st.lists(documents(with_principal=True), max_size=2),
    st.none() | documents(),
    st.none() | st.lists(documents(), max_size=2),
)


# --- the same for the evaluator ----------------------------------------------------------------------------------------


def asked(question: Question, given: Documents) -> AccessRequest:
    who = question.caller
    names = Names(who.arn, who.account, who.id, who.role, who.role_id, bounded=given.boundary is not None)
    return AccessRequest(names, question.action, question.resource, question.owner, question.context)


def compiled(given: Documents) -> Policies:
    return Policies(
        [parse_policy(json.dumps(one)) for one in given.identity],
        [parse_resource_policy(json.dumps(one)) for one in given.resource],
        parse_policy(json.dumps(given.boundary)) if given.boundary else None,
        None if given.session is None else [parse_policy(json.dumps(one)) for one in given.session],
    )

"""The evaluator decides as a naive one that was written from AWS's text, and has the properties that AWS promises."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.core.access import decide
from moorage.core.explanations import Kind, Source, explain, policies_of
from moorage.core.policies import merged
from tests.core import reference_access
from tests.core.random_access import asked, compiled, documents, in_force, questions
from tests.core.reference_access import Documents, Question

DENY = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
DENY_EVERYONE = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Principal": "*"}}
MANY, FEW, FEWER = 20_000, 2_000, 100
AT_ONCE = 10
"""Requests that are decided by the same policies: to draw policies takes most of the time."""

# The same requests each time, so that who changes something else is not surprised by a new one; the slow test looks for new ones.
repeated = settings(derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(repeated, max_examples=FEWER)


def allowed(question: Question, given: Documents) -> bool:
    return decide(asked(question, given), compiled(given)).allowed


def same_as_the_naive_one(question: Question, given: Documents) -> None:
    policies = compiled(given)
    decision = decide(asked(question, given), policies)

    assert decision.allowed == reference_access.decide(question, given)
    together = replace(policies, identity=[merged(policies.identity)], resource=[merged(policies.resource)])
    assert decide(asked(question, given), together) == decision


@settings(repeated, max_examples=FEW // AT_ONCE)
@given(st.lists(questions, min_size=AT_ONCE, max_size=AT_ONCE), in_force)
def test_the_evaluator_decides_as_the_naive_one(several: list[Question], given: Documents) -> None:
    for question in several:
        same_as_the_naive_one(question, given)


@pytest.mark.slow
@settings(max_examples=MANY // AT_ONCE, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(questions, min_size=AT_ONCE, max_size=AT_ONCE), in_force)
def test_twenty_thousand_requests_are_decided_as_the_naive_one_decides_them(
    several: list[Question], given: Documents
) -> None:
    for question in several:
        same_as_the_naive_one(question, given)


@quick
@given(questions, in_force)
def test_a_deny_wins_wherever_it_stands(question: Question, given: Documents) -> None:
    denied = [
        replace(given, identity=[*given.identity, DENY]),
        replace(given, resource=[*given.resource, DENY_EVERYONE]),
        replace(given, boundary=DENY),
        replace(given, session=[*(given.session or ()), DENY]),
    ]

    assert not any(allowed(question, one) for one in denied)


def opened(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose statements all allow."""
    statements = [{**one, "Effect": "Allow"} for one in document["Statement"]]
    for one in statements:
        if "NotPrincipal" in one:
            one["Principal"] = one.pop("NotPrincipal")
    return {**document, "Statement": statements}


@quick
@given(questions, in_force, documents(), documents(with_principal=True))
def test_one_more_allow_never_takes_a_permission_away(
    question: Question, given: Documents, mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    if allowed(question, given):
        grown = replace(given, identity=[*given.identity, opened(mine)], resource=[*given.resource, opened(theirs)])
        assert allowed(question, grown)
        if given.session is not None:
            assert allowed(question, replace(given, session=[*given.session, opened(mine)]))


@quick
@given(questions, in_force, documents())
def test_a_limit_never_gives_a_permission(question: Question, given: Documents, limit: dict[str, Any]) -> None:
    free = replace(given, boundary=None, session=None)

    for limited in (replace(free, boundary=limit), replace(free, session=[limit]), replace(free, session=[])):
        assert allowed(question, free) or not allowed(question, limited)


@quick
@given(questions, in_force)
def test_the_case_of_an_action_never_matters(question: Question, given: Documents) -> None:
    cases: list[Callable[[str], str]] = [str.lower, str.upper, str.swapcase]

    answers = {allowed(replace(question, action=case(question.action)), given) for case in cases}
    assert answers == {allowed(question, given)}


@quick
@given(questions, in_force)
def test_the_order_of_policies_never_matters(question: Question, given: Documents) -> None:
    turned = replace(given, identity=given.identity[::-1], resource=given.resource[::-1])

    assert allowed(question, turned) == allowed(question, given)


@quick
@given(questions, in_force, st.sampled_from(["session", "none"]))
def test_what_is_explained_is_what_is_decided(question: Question, given: Documents, limits: str) -> None:
    """A session without policies that limit it has None; an empty list cannot be told from that by its sources."""
    given = replace(given, session=given.session or None if limits == "session" else None)
    policies = compiled(given)
    sources = [Source(Kind.IDENTITY, "mine", one) for one in policies.identity]
    sources += [Source(Kind.RESOURCE, "theirs", one) for one in policies.resource]
    sources += [Source(Kind.BOUNDARY, "bound", policies.boundary)] if policies.boundary else []
    sources += [Source(Kind.SESSION, "limit", one) for one in policies.session or ()]

    found = explain(asked(question, given), sources)
    assert (
        found.decision
        == decide(asked(question, given), policies)
        == decide(asked(question, given), policies_of(sources))
    )
    denying = [sight for sight in found.matched if sight.effect == "Deny"]
    assert bool(denying) == found.decision.because.startswith("with an explicit deny")

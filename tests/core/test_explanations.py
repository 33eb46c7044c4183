import json
from typing import Any

import pytest
from hypothesis import given

from moorage.core.access import decide
from moorage.core.explanations import Explanation, Kind, Sight, Source, explain, policies_of
from tests.core.random_access import asked, compiled, in_force, questions
from tests.core.reference_access import Documents, Question
from tests.core.test_access import ADA, APP, THERE, Element, asking, identity, of_repository, statement


def source(kind: Kind, name: str, *statements: Element) -> Source:
    read = of_repository if kind is Kind.RESOURCE else identity
    return Source(kind, name, read(*statements))


def seen(sights: tuple[Sight, ...]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(one.source.name, one.statement, one.effect, one.failing) for one in sights]


def test_what_allows_is_named() -> None:
    found = explain(asking(), [source(Kind.IDENTITY, "push", statement(Sid="All"), statement("Deny", "iam:*"))])

    assert found.decision.allowed
    assert seen(found.matched) == [("push", "All", "Allow", ())]
    assert (found.remedy, found.statement) == ("", "")


def test_what_denies_is_named_and_no_allow_is_proposed() -> None:
    found = explain(
        asking(),
        [
            source(Kind.IDENTITY, "push", statement()),
            source(Kind.RESOURCE, "policy of team/app", statement("Deny", Principal="*")),
        ],
    )

    assert seen(found.matched) == [("push", "1", "Allow", ()), ("policy of team/app", "1", "Deny", ())]
    assert found.remedy == "Nothing can be added against a Deny: change or remove statement 1 of policy of team/app."
    assert not found.statement


@pytest.mark.parametrize(
    ("element", "failing"),
    [
        (statement(action="ecr:Get*"), "Action"),
        (statement(resource=APP + "2"), "Resource"),
        (
            statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Null": {"aws:none": "true"}}),
            "IpAddress aws:SourceIp",
        ),
    ],
)
def test_a_statement_that_one_element_keeps_off_is_shown_with_that_element(element: Element, failing: str) -> None:
    found = explain(asking(), [source(Kind.IDENTITY, "push", element, statement(action="a:b", resource=APP + "2"))])

    assert seen(found.nearly) == [("push", "1", "Allow", (failing,))]


def test_a_policy_that_names_somebody_else_is_nearly_about_the_caller() -> None:
    found = explain(asking(), [source(Kind.RESOURCE, "here", statement(Principal={"AWS": THERE}))])

    assert seen(found.nearly) == [("here", "1", "Allow", ("Principal",))]


@pytest.mark.parametrize(
    ("asked", "sources", "where"),
    [
        (asking(), [], f"a policy of {ADA}"),
        (
            asking(),
            [source(Kind.IDENTITY, "push", statement()), source(Kind.BOUNDARY, "narrow", statement(action="iam:*"))],
            f"the permissions boundary of {ADA}",
        ),
        (
            asking(),
            [source(Kind.IDENTITY, "push", statement()), source(Kind.SESSION, "session", statement(action="iam:*"))],
            "a policy that is given when the session is asked for",
        ),
        (asking(owner=THERE), [source(Kind.IDENTITY, "push", statement())], f"the policy of {APP}"),
    ],
)
def test_the_statement_that_is_proposed_allows_the_request(asked: Any, sources: list[Source], where: str) -> None:
    found = explain(asked, sources)
    assert found.remedy == f"Add a statement to {where}."

    assert decide(asked, policies_of(with_remedy(found, sources))).allowed


def with_remedy(found: Explanation, sources: list[Source]) -> list[Source]:
    added = json.loads(found.statement)
    kind = next(kind for kind in Kind if f"no {kind} allows" in found.decision.because)
    for place, one in enumerate(sources):
        if one.kind is kind and kind in (Kind.BOUNDARY, Kind.SESSION):
            return [*sources[:place], source(kind, one.name, statement(action="iam:*"), added), *sources[place + 1 :]]
    return [*sources, source(kind, "added", added)]


@given(questions, in_force)
def test_following_what_is_proposed_leads_to_a_permission_unless_something_denies(
    question: Question, given: Documents
) -> None:
    request, policies = asked(question), compiled(given)
    sources = [Source(Kind.IDENTITY, str(place), one) for place, one in enumerate(policies.identity)]
    sources += [Source(Kind.RESOURCE, "there", one) for one in policies.resource]

    found = explain(request, sources)
    # Across accounts two sides may be missing, one after the other.
    for _ in range(2):
        if found.statement:
            sources = with_remedy(found, sources)
            found = explain(request, sources)
    assert found.decision.allowed or "explicit deny" in found.decision.because

import json
from typing import Any

import pytest
from hypothesis import given

from moorage.core.access import decide
from moorage.core.explanations import Explanation, Kind, Remedy, Sight, Source, explain, policies_of
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
    assert found.remedies == ()


def test_what_denies_is_named_and_no_allow_is_proposed() -> None:
    found = explain(
        asking(),
        [
            source(Kind.IDENTITY, "push", statement()),
            source(Kind.RESOURCE, "policy of team/app", statement("Deny", Principal="*")),
        ],
    )

    assert seen(found.matched) == [("push", "1", "Allow", ()), ("policy of team/app", "1", "Deny", ())]
    assert found.remedies == (
        Remedy("Nothing can be added against a Deny: change or remove statement 1 of policy of team/app.", ""),
    )


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


PUSH = source(Kind.IDENTITY, "push", statement())


@pytest.mark.parametrize(
    ("asked", "sources", "where"),
    [
        (asking(), [], [f"a policy of {ADA}"]),
        (
            asking(),
            [PUSH, source(Kind.BOUNDARY, "narrow", statement(action="iam:*"))],
            [f"the permissions boundary of {ADA}"],
        ),
        (
            asking(),
            [PUSH, source(Kind.SESSION, "session", statement(action="iam:*"))],
            ["a policy that is given when the session is asked for"],
        ),
        (asking(owner=THERE), [PUSH], [f"the policy of {APP}"]),
        (asking(owner=THERE), [], [f"a policy of {ADA}", f"the policy of {APP}"]),
        (asking("ecr:DescribeRegistry", "*", owner=THERE), [PUSH], ["the registry's policy"]),
    ],
)
def test_the_statements_that_are_proposed_allow_the_request_together(
    asked: Any, sources: list[Source], where: list[str]
) -> None:
    found = explain(asked, sources)

    assert [remedy.text for remedy in found.remedies] == [f"Add a statement to {each}." for each in where]
    assert decide(asked, policies_of(with_remedies(found, sources))).allowed


def test_who_has_to_be_trusted_is_told_to_be_named_by_the_role() -> None:
    role = f"arn:aws:iam::{THERE}:role/ci"
    found = explain(asking("sts:AssumeRole", role), [source(Kind.IDENTITY, "all", statement(action="*"))], trusted=True)

    assert [remedy.text for remedy in found.remedies] == [f"Add a statement to the trust policy of {role}."]


def with_remedies(found: Explanation, sources: list[Source]) -> list[Source]:
    kinds = {
        "a policy of": Kind.IDENTITY,
        "the permissions boundary": Kind.BOUNDARY,
        "a policy that is given": Kind.SESSION,
        "the policy of": Kind.RESOURCE,
        "the registry's": Kind.RESOURCE,
    }
    for text, added in found.remedies:
        kind = next(kind for begin, kind in kinds.items() if text.startswith(f"Add a statement to {begin}"))
        others = [one for one in sources if one.kind is not kind or kind not in (Kind.BOUNDARY, Kind.SESSION)]
        sources = [*others, source(kind, "added", json.loads(added))]
    return sources


@given(questions, in_force)
def test_following_what_is_proposed_leads_to_a_permission_unless_something_denies(
    question: Question, given: Documents
) -> None:
    request, policies = asked(question, given), compiled(given)
    sources = [Source(Kind.IDENTITY, str(place), one) for place, one in enumerate(policies.identity)]
    sources += [Source(Kind.RESOURCE, "there", one) for one in policies.resource]

    found = explain(request, sources)
    if "explicit deny" in found.decision.because:
        assert [remedy.statement for remedy in found.remedies] == [""]
    else:
        assert decide(request, policies_of(with_remedies(found, sources))).allowed

"""The README says what Moorage answers, no more and no less."""

import re

from moorage.web.aws.model import service
from moorage.web.aws.refused import REFUSED
from tests.house.operations import README, ROUTES, answered, between_markers, routes, table, written
from tests.house.tree import ROOT


def test_the_readme_lists_what_is_answered() -> None:
    assert between_markers(README.read_text()) == table(), "make operations writes it anew"


def test_every_operation_of_ecr_is_answered_or_refused_with_a_reason() -> None:
    assert answered()["ecr"] | set(REFUSED) == service("ecr").operations


def test_no_operation_of_ecr_is_both_answered_and_refused() -> None:
    assert answered()["ecr"] & set(REFUSED) == set()


def test_every_answered_operation_is_one_of_its_services_model() -> None:
    for name, operations in answered().items():
        assert operations <= service(name).operations


def test_every_route_of_the_registry_has_its_line() -> None:
    assert {kind for kind, _ in routes()} == set(ROUTES)


def test_writing_the_tables_leaves_the_rest_alone() -> None:
    stale = "before\n<!-- operations -->\nstale\n<!-- /operations -->\nafter\n"

    assert written(stale) == f"before\n<!-- operations -->\n{table()}\n<!-- /operations -->\nafter\n"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []

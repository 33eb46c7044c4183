"""The pages say what Moorage answers and can be told, no more and no less."""

import re

import pytest

from moorage.core.operations import PATHS
from moorage.web.aws.model import service
from moorage.web.aws.refused import REFUSED
from tests.house.operations import answered, routes
from tests.house.pages import PARTS, README, between_markers, written
from tests.house.tree import ROOT


@pytest.mark.parametrize("name", PARTS)
def test_what_is_made_from_the_source_is_on_its_page(name: str) -> None:
    page, make = PARTS[name]

    assert between_markers(page.read_text(), name) == make(), "make pages writes it anew"


def test_every_operation_of_ecr_is_answered_or_refused_with_a_reason() -> None:
    assert answered()["ecr"] | set(REFUSED) == service("ecr").operations


def test_no_operation_of_ecr_is_both_answered_and_refused() -> None:
    assert answered()["ecr"] & set(REFUSED) == set()


def test_every_answered_operation_is_one_of_its_services_model() -> None:
    for name, operations in answered().items():
        assert operations <= service(name).operations


def test_every_route_of_the_registry_has_its_line() -> None:
    assert {kind for kind, _ in routes()} == set(PATHS)


def test_writing_a_part_leaves_the_rest_alone() -> None:
    stale = "before\n<!-- sums -->\nstale\n<!-- /sums -->\nafter\n"

    assert written(stale, "sums", "new") == "before\n<!-- sums -->\nnew\n<!-- /sums -->\nafter\n"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text())

    assert [link for link in links if not (ROOT / link).exists()] == []

"""The page on performance says what each request costs, and it costs that."""

import pytest

from tests.house import costs, pages
from tests.house.tree import ROOT


@pytest.fixture(scope="module")
def measured() -> dict[str, costs.Cost]:
    return costs.measured()


def test_the_page_says_what_requests_cost(measured: dict[str, costs.Cost]) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()

    assert pages.between_markers(page, "costs") == costs.table(measured)


def test_a_layer_and_an_image_are_synced_before_they_are_answered(measured: dict[str, costs.Cost]) -> None:
    layer, image = measured["PUT with the digest"], measured["PUT of a manifest with a tag"]

    assert (layer.syncs, layer.durable) == (2, 1)
    assert image.durable == 1


def test_a_pull_of_a_manifest_is_one_statement_on_the_loop(measured: dict[str, costs.Cost]) -> None:
    assert measured["GET of a manifest by tag"] == costs.Cost(statements=1)

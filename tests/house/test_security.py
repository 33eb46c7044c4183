"""The page on security names tests, and each of them is there."""

import ast

import pytest

from tests.house.security import WEAKNESSES
from tests.house.tree import ROOT

# Files that are about nothing else: a test that is added there belongs on the page.
WHOLLY = ("hostile/test_old_tricks.py", "hostile/test_framing.py", "hostile/test_budgets.py", "house/test_secrets.py")
OF_ITSELF = {"test_a_plain_comparison_is_told_from_one_in_constant_time"}


def written_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def named(file: str) -> set[str]:
    return {name for each in WEAKNESSES for name in each.tests.get(file, ())}


@pytest.mark.parametrize("file", sorted({file for each in WEAKNESSES for file in each.tests}))
def test_every_test_that_the_page_names_is_there(file: str) -> None:
    assert named(file) - written_in(file) == set()


@pytest.mark.parametrize("file", WHOLLY)
def test_every_test_of_a_file_on_security_is_on_the_page(file: str) -> None:
    assert written_in(file) - named(file) - OF_ITSELF == set()


def test_every_weakness_has_a_test_of_its_own() -> None:
    assert [each.title for each in WEAKNESSES if not each.tests] == []

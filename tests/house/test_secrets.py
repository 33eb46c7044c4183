"""What only its holder knows is compared in constant time, in every place where it is compared."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.test_budgets import sources
from tests.house.tree import ROOT

SECRET = re.compile(r"(?:^|_)(?:secret|signature|password|proof|mac|hmac|credential)s?$")
SIGNED = re.compile(r"hmac\.(?:digest|new)\(")

# What is made with a secret and compared with nothing from outside.
NOT_COMPARED = {"src/moorage/wiring.py": "whose folder of bytes this is: both sides are this machine's own"}


def name(node: ast.expr) -> str:
    """Return what an operand is called in the end: ``secret`` for ``key.secret``, ``proof`` for ``proof[2]``, ``sign`` for ``sign(x)``."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Subscript():
            return name(node.value)
        case ast.Call():
            return name(node.func)
    return ""


def plain_comparisons(source: str) -> list[int]:
    """Return the lines on which something secret is compared letter by letter."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        plain = any(isinstance(each, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for each in node.ops)
        if plain and any(SECRET.search(name(each)) for each in (node.left, *node.comparators)):
            found.append(node.lineno)
    return found


def test_no_secret_is_compared_letter_by_letter() -> None:
    found = {str(file): plain_comparisons((ROOT / file).read_text()) for file in sources()}

    assert {file: numbers for file, numbers in found.items() if numbers} == {}


def test_whatever_computes_a_signature_compares_it_in_constant_time() -> None:
    signing = {str(file) for file in sources() if SIGNED.search((ROOT / file).read_text())}
    comparing = {str(file) for file in sources() if "hmac.compare_digest(" in (ROOT / file).read_text()}

    assert signing - comparing == set(NOT_COMPARED)
    assert {Path(file).name for file in comparing} == {
        "sigv4.py",
        "sessions.py",
        "tokens.py",
        "downloads.py",
        "vault.py",
    }


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("key.secret == given", True),
        ("sign(x) != proof[2]", True),
        ("signature in known", True),
        ("token.signature != expected", True),
        ("hmac.compare_digest(signature, expected)", False),
        ("len(password) > 8", False),
        ("len(password) == 8", False),
        ("secret is None", False),
        ("signature.service == 'ecr'", False),
        ("secrets.c.name == wanted", False),
    ],
)
def test_a_plain_comparison_is_told_from_one_in_constant_time(source: str, bad: bool) -> None:  # noqa: FBT001 - a table's column
    assert bool(plain_comparisons(source)) is bad

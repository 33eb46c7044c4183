"""A function over 60 lines or a file over 400 has outgrown its reader, unless it is listed here with the reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import ROOT, files, lines

FUNCTION_LINES = 60
FILE_LINES = 400

# "src/moorage/....py" or "src/moorage/....py:function": why it is better whole.
LONGER_FOR_A_REASON: dict[str, str] = {
    "src/moorage/core/errors.py": "one tree of refusals, a few lines each; both doors' tables are read beside the whole of it",
}


def sources() -> list[Path]:
    # A migration is written by Alembic, once, and never changed.
    return [
        file for file in files() if file.suffix == ".py" and file.parts[0] == "src" and "migrations" not in file.parts
    ]


def functions(source: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def too_long() -> dict[str, int]:
    sizes = {str(file): sum(1 for _ in lines(file)) for file in sources()}
    over = {name: size for name, size in sizes.items() if size > FILE_LINES}
    for file in sources():
        for name, size in functions((ROOT / file).read_text()):
            if size > FUNCTION_LINES:
                over[f"{file}:{name}"] = size
    return over


def test_what_is_longer_than_its_budget_is_listed_with_a_reason() -> None:
    over = too_long()

    assert {name: size for name, size in over.items() if name not in LONGER_FOR_A_REASON} == {}


def test_what_is_listed_is_still_longer_than_its_budget() -> None:
    assert set(LONGER_FOR_A_REASON) - set(too_long()) == set()


def test_a_function_of_sixty_one_lines_is_measured_as_such() -> None:
    body = "\n".join(["    pass"] * 60)

    assert list(functions(f"def long():\n{body}\n")) == [("long", 61)]

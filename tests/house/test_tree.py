"""What must not be in the repository, on any line of any file."""

import re
from pathlib import Path

import pytest

from tests.house.tree import files, lines

# Spelled in pieces, so that this file does not find itself.
DEVELOPERS_PATH = re.compile(r"(?<![\w./-])(?:/ro" r"ot/|/wo" r"rk/|/ho" r"me/[a-z]|/Us" r"ers/[A-Za-z])")
REGISTRY_ADDRESS = re.compile(
    r"py" r"pi\.org|pythonho" r"sted\.org|proxy\.gol" r"ang\.org|registry\.np" r"mjs\.org|repo\d?\.ma" r"ven\.org"
    r"|deb\.deb" r"ian\.org|static\.cra" r"tes\.io|index\.cra" r"tes\.io|repo\.ma" r"ven\.apache"
)  # fmt: skip
LOCK_FILES = {"poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock", "go.sum"}
IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no\s)")
IGNORE_WITH_REASON = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\]|pragma:\s*no (?:cover|branch))"
    r"(?:\s*#\s*|\s*-\s*|\s+-\s+)\w.{5,}"
)


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{file}:{number}: {line.strip()}" for file in files() for number, line in lines(file) if pattern.search(line)
    ]


def unreasoned(line: str) -> bool:
    return IGNORE.search(line) is not None and IGNORE_WITH_REASON.search(line) is None


def test_no_file_names_a_folder_of_a_developers_machine() -> None:
    assert found(DEVELOPERS_PATH) == []


def test_no_file_holds_the_address_of_a_package_registry() -> None:
    assert found(REGISTRY_ADDRESS) == []


def test_no_lock_file_is_kept() -> None:
    assert [file for file in files() if file.name in LOCK_FILES] == []


def test_every_ignore_says_why_on_its_line() -> None:
    python = [file for file in files() if file.suffix == ".py" and file != Path("tests/house/test_tree.py")]

    assert [f"{file}:{number}" for file in python for number, line in lines(file) if unreasoned(line)] == []


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("x = 1", False),
        ("x = 1  # noqa: N818 - a refusal is an answer", False),
        ("x = 1  # type: ignore[attr-defined] # the stubs lag behind", False),
        ("x = 1  # type: ignore[attr-defined]  # noqa: A001 - shadows on purpose", False),
        ("x = 1  # noqa", True),
        ("x = 1  # noqa: N818", True),
        ("x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[attr-defined]", True),
    ],
)
def test_an_ignore_without_a_reason_is_told_from_one_with(line: str, bad: bool) -> None:  # noqa: FBT001 - a table's column
    assert unreasoned(line) is bad

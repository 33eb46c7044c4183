"""The commands of Moorage's own that the pages name in passing: there are such commands, with such options."""

import re
import shlex
from pathlib import Path

import click
import pytest

from moorage.cli.main import main
from tests.house.tree import ROOT

# In a sentence or a table, or on a line of its own that is no block: blocks are run, by tests/clients.
NAMED = re.compile(r"`(?:sudo )?(moorage [a-z][^`\n]*)`|^ {4}(?:sudo )?(moorage [a-z].*)$", re.MULTILINE)

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def named(page: Path) -> list[str]:
    return [one or other for one, other in NAMED.findall(page.read_text())]


def understood(line: str) -> None:
    """Parse a line as the command would, without doing anything; raises UsageError."""
    words = shlex.split(line)
    command = main.commands.get(words[1])
    if command is None:
        raise click.UsageError(f"there is no {words[1]}")
    rest = words[2:]
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            raise click.UsageError(f"there is no {words[1]} {rest[0]}")
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_parser(click.Context(command)).parse_args(rest)


@pytest.mark.parametrize("page", [page for page in PAGES if named(page)], ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_there_with_its_options(page: Path) -> None:
    for line in named(page):
        understood(line)


@pytest.mark.parametrize(
    "line",
    [
        "moorage sail",
        "moorage serve --tls-lisen x",
        "moorage env --regions us-east-1",
        "moorage accounts sail",
        "moorage accounts list --al",
    ],
)
def test_a_command_that_is_not_there_is_told_from_one_that_is(line: str) -> None:
    with pytest.raises(click.UsageError):
        understood(line)

"""The table of clients has a line for each, and what it says is what the run has shown."""

import re
from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from tests.clients.roster import CLIENTS, ROSTER, Client
from tests.clients.table import Table, Tried, page
from tests.engines.programs import ROOT

Phase = Literal["setup", "call", "teardown"]
Outcome = Literal["passed", "failed"]
PHASES: tuple[Phase, ...] = ("setup", "call", "teardown")
DAY = date(2026, 11, 25)
ORAS = Tried("oras", "1.3.6", "tests/clients/test_oras.py::test_oras_pulls_what_it_pushed", passed=True)


def marked() -> set[str]:
    """Return the clients that tests are marked with."""
    sources = (ROOT / "tests").rglob("test_*.py")
    return {name for source in sources for name in re.findall(r'mark\.client\("([^"]+)"\)', source.read_text())}


def line(text: str, client: str) -> str:
    """Return a client's line of the table."""
    return next(each for each in text.splitlines() if re.match(rf"\| \[?{re.escape(client)}[ \]]", each))


def report(when: Phase, outcome: Outcome) -> pytest.TestReport:
    told: list[tuple[str, object]] = [("log", "moorage.log"), ("client", ["oras", "1.3.6"])]
    return pytest.TestReport(
        nodeid=ORAS.test,
        location=("", 0, ""),
        keywords={},
        outcome=outcome,
        longrepr=None,
        when=when,
        user_properties=told,
    )


def test_every_client_that_a_test_is_marked_with_is_in_the_roster_and_no_other() -> None:
    assert marked() == set(ROSTER)


def test_every_client_has_a_line_and_a_remark() -> None:
    text = page([], DAY, "0.1.0")

    assert all(line(text, client.name).endswith("| not tried |") for client in CLIENTS)
    assert all(client.remark.endswith(".") for client in CLIENTS)


def test_every_client_has_a_line_on_the_page_as_it_was_last_written() -> None:
    text = (ROOT / "docs" / "clients.md").read_text()

    assert [client.name for client in CLIENTS if not line(text, client.name)] == []


def test_a_client_whose_every_test_passed_works() -> None:
    text = page([ORAS], DAY, "0.1.0")

    assert line(text, "oras") == "| [oras](#oras) | 1.3.6 | 1 | works |"
    assert "## oras\n" in text
    assert "\n- oras pulls what it pushed\n" in text
    assert "Run on 2026-11-25 with Moorage 0.1.0." in text


def test_a_test_that_failed_is_told_from_the_others() -> None:
    failed = Tried("oras", "1.3.6", "test_oras_tags[one]", passed=False)

    text = page([ORAS, failed, Tried("oras", "1.3.6", "test_oras_tags[two]", passed=True)], DAY, "0.1.0")

    assert line(text, "oras") == "| [oras](#oras) | 1.3.6 | 3 | 1 failed |"
    assert text.count("oras tags") == text.count("\n- **failed:** oras tags\n") == 1


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [
        (("passed", "passed", "passed"), True),
        (("passed", "failed", "passed"), False),
        (("passed", "passed", "failed"), False),
    ],
)
def test_a_test_has_passed_when_all_of_it_has(outcomes: tuple[Outcome, ...], passed: bool) -> None:  # noqa: FBT001 - a table's column
    table = Table(Path("unwritten"), writes=False)

    for when, outcome in zip(PHASES, outcomes, strict=True):
        table.pytest_runtest_logreport(report(when, outcome))

    assert [(each.client, each.version, each.passed) for each in table.tried()] == [("oras", "1.3.6", passed)]


def test_a_run_that_was_broken_off_writes_nothing(tmp_path: Path) -> None:
    Table(tmp_path / "page.md", writes=True).pytest_sessionfinish(pytest.ExitCode.INTERRUPTED)
    Table(tmp_path / "page.md", writes=False).pytest_sessionfinish(pytest.ExitCode.OK)
    assert not (tmp_path / "page.md").exists()

    Table(tmp_path / "page.md", writes=True).pytest_sessionfinish(pytest.ExitCode.OK)
    assert (tmp_path / "page.md").read_text().startswith("# Clients\n")


def test_a_sentence_is_spelled_as_it_is_read() -> None:
    tried = Tried("oras", "1.3.6", "tests/clients/test_any.py::test_the_api_by_awss_name[one::two_three]", passed=True)

    assert tried.sentence == "the API by AWS's name"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", "1.6.20~ds1"),
        ("Docker version 20.10.24+dfsg1, build 297e128", "20.10.24+dfsg1"),
        ("v0.22.1\n", "0.22.1"),
        ("none at all", "unknown"),
    ],
)
def test_a_version_is_found_in_what_a_program_says(said: str, version: str) -> None:
    assert Client("any", lambda: said, "A remark.").version() == version

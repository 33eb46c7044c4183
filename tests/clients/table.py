"""docs/clients.md, written from a run of the tests that are marked with a client; ``make clients`` makes that run."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

from tests.clients.roster import CLIENTS, ROSTER, Client

INTRODUCTION = """\
# Clients

Real programs, run against a real server; none is imitated. `make clients` installs them all, runs the tests and writes this
page, so nothing here is promised that was not seen. `make test` runs the same tests but for those of clients that take minutes
to install.

Without TLS the server is reached as `localhost:4510`, and many clients want a word for that. With TLS, which
[`moorage trust`](names.md) sets up, it is not needed; Docker, both CLIs, Maven, containerd, crane, oras and the credential helper
are tried with TLS as well, the others without. The version is what the program says of itself.
"""
# How words are written that a function's name cannot spell.
SPELLED = {
    "api": "API",
    "aws": "AWS",
    "awss": "AWS's",
    "cli": "CLI",
    "dockerfile": "Dockerfile",
    "dockers": "Docker's",
    "ecr": "ECR",
    "sdk": "SDK",
    "tls": "TLS",
    "url": "URL",
}


@dataclass(frozen=True)
class Tried:
    """One test of a client."""

    client: str
    version: str
    test: str
    passed: bool

    @property
    def sentence(self) -> str:
        """The test's name, without the words that pytest needs."""
        name = self.test.partition("[")[0].rpartition("::")[2]
        return " ".join(SPELLED.get(word, word) for word in name.removeprefix("test_").split("_"))


def page(tried: Iterable[Tried], day: date, moorage: str) -> str:
    """Return the page: a line for every client, and what was tried with each."""
    of = _by_client(tried)
    rows = [_row(client, of[client.name]) for client in CLIENTS]
    parts = [_section(client, of[client.name]) for client in CLIENTS if of[client.name]]
    head = [
        f"Run on {day.isoformat()} with Moorage {moorage}.",
        "",
        "| client | version | tests | result |",
        "|---|---|--:|---|",
    ]
    return "\n".join([INTRODUCTION, *head, *rows, "", *parts])


def _by_client(tried: Iterable[Tried]) -> dict[str, list[Tried]]:
    of: dict[str, list[Tried]] = {client.name: [] for client in CLIENTS}
    for each in sorted(tried, key=lambda one: one.test):
        of[each.client].append(each)
    return of


def _row(client: Client, tried: list[Tried]) -> str:
    if not tried:
        return f"| {client.name} | | 0 | not tried |"
    failed = sum(not each.passed for each in tried)
    result = f"{failed} failed" if failed else "works"
    anchor = client.name.replace(" ", "-")
    return f"| [{client.name}](#{anchor}) | {tried[0].version} | {len(tried)} | {result} |"


def _section(client: Client, tried: list[Tried]) -> str:
    failed = {each.sentence for each in tried if not each.passed}
    sentences = dict.fromkeys(each.sentence for each in tried)
    lines = [f"- **failed:** {each}" if each in failed else f"- {each}" for each in sentences]
    return "\n".join([f"## {client.name}", "", client.remark, "", *lines, ""])


@cache
def _version(name: str) -> str:
    return ROSTER[name].version()


class Table:
    """The plugin: each test tells its client, where it runs; the process that gathers the reports writes the page."""

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path = path
        self._writes = writes
        self._passed: dict[tuple[str, str, str], bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Put the client and its version into the test's report."""
        for mark in item.iter_markers("client"):
            item.user_properties.append(("client", [mark.args[0], _version(mark.args[0])]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of a test: all of them must have passed."""
        for kind, told in report.user_properties:
            if kind == "client" and isinstance(told, list):
                key = (str(told[0]), str(told[1]), report.nodeid)
                self._passed[key] = self._passed.get(key, True) and report.passed

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the page, unless the run was broken off or this is one of several processes that ran tests."""
        if self._writes and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            text = page(self.tried(), datetime.now(UTC).date(), metadata.version("moorage"))
            self._path.write_text(text)

    def tried(self) -> list[Tried]:
        return [Tried(*key, passed) for key, passed in self._passed.items()]

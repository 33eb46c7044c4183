"""What these tests share: a command run to its end, an administrator of a server, the lines of a log, figures."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from prometheus_client.parser import text_string_to_metric_families

from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry, Reply
from tests.engines.programs import plain_environment, run, wait_until
from tests.engines.server import Server, moorage

Seen = TypeVar("Seen")

APP = "team/app"
TRACEBACK = "Traceback (most recent call last)"


def refusal(*args: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> tuple[int, str]:
    """Run ``moorage`` with what it must refuse, and return its exit status and its one sentence."""
    ran = run([moorage(), *args], env=plain_environment(**(environment or {})), check=False, cwd=cwd, timeout=30)
    assert ran.stdout == ""
    assert TRACEBACK not in ran.stderr
    lines = ran.stderr.splitlines()
    # A mistake in what was typed is preceded by two lines on how to get help, as with most programs.
    if ran.returncode == 2:
        assert re.fullmatch(r"Usage: moorage .*", lines[0])
        assert re.fullmatch(r"Try 'moorage .*--help' for help\.", lines[1])
        lines = lines[3:]
    (line,) = lines
    assert line.startswith("Error: ")
    return ran.returncode, line.removeprefix("Error: ")


def sign_in(server: Server) -> Registry:
    """Return the registry as the administrator sees it."""
    with client(server, "ecr", admin(server)) as ecr:
        return Registry(server.port, login_password(ecr))


def make_repository(server: Server, name: str = APP) -> None:
    with client(server, "ecr", admin(server)) as ecr:
        ecr.create_repository(repositoryName=name)


def outside(server: Server) -> Registry:
    """Return the server as somebody without a password sees it."""
    return Registry(server.port, None)


def lines_of(server: Server, reply: Reply) -> list[str]:
    """Return the lines of the log that carry the id of a reply."""
    wanted = reply.headers["x-amzn-requestid"]
    return [line for line in server.log.read_text().splitlines() if wanted in line]


class Figures:
    """What ``/metrics`` said at one moment."""

    def __init__(self, server: Server) -> None:
        reply = outside(server).must(200, "GET", "/metrics")
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self._samples = list(_samples(reply.body.decode()))

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of that name that have these labels."""
        return sum(
            value for sample, has, value in self._samples if sample == name and labels.items() <= dict(has).items()
        )

    def requests(self, **labels: str) -> float:
        return self.total("moorage_requests_total", **labels)

    def samples_of(self, name: str) -> list[tuple[dict[str, str], float]]:
        return [(has, value) for sample, has, value in self._samples if sample == name]


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def eventually(read: Callable[[], Seen], expected: Seen) -> Seen:
    """Return what is read once it is as expected, or after a while what it is instead; an answer is counted after it is sent."""
    wait_until(lambda: read() == expected, seconds=5)
    return read()

"""One mortal server for the whole folder: it is started some hundred times, on one data folder."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.people import admin, client, login_password
from tests.clients.registry import Registry
from tests.durability.kept import broken
from tests.durability.mortal import Memory, MortalServer

FIGURES = pytest.StashKey[list[str]]()
KILLED = pytest.StashKey[Counter[str]]()
KILLS_OF_ONE = 50
"""After each kill everything that was ever promised is looked at, so a registry of many kills would take their square."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=15, help="Kills at any instant of a load.")
    parser.addoption("--load", type=float, default=12, help="Seconds of load beside collections.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Divide the kills among registries that begin empty: the number of each, and how many it takes."""
    if "kills" in metafunc.fixturenames:
        left = metafunc.config.getoption("--kills")
        parts = [min(KILLS_OF_ONE, left - done) for done in range(0, left, KILLS_OF_ONE)]
        metafunc.parametrize(("registry_number", "kills"), list(enumerate(parts)))


@pytest.fixture
def killed(request: pytest.FixtureRequest) -> Counter[str]:
    """The kills at any instant and the steps that were acknowledged before them, of all registries."""
    return request.config.stash.setdefault(KILLED, Counter())


@pytest.fixture
def load_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--load"))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[str]:
    """What is to be printed at the end."""
    return request.config.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stash = terminalreporter.config.stash
    for line in stash.get(FIGURES, []):
        terminalreporter.write_line(line)
    if (killed := stash.get(KILLED, None)) and "failed" not in terminalreporter.stats:
        terminalreporter.write_line(
            f"{killed['kills']} kills at any instant: {killed['steps']} steps acknowledged, 0 lost"
        )


class Mortal:
    """A mortal server, its administrator at both doors, and what they were promised."""

    def __init__(self, server: MortalServer, ecr: Any) -> None:
        self.server = server
        self.ecr = ecr
        self.registry = Registry(server.port, login_password(ecr))
        self.memories: list[Memory] = []

    def client(self) -> Memory:
        """Return one more client that remembers."""
        self.memories.append(Memory(self.registry))
        return self.memories[-1]

    def restart(self) -> None:
        """End the server, where it still runs, and start it on what is left."""
        self.server.kill()
        self.server.live_on()
        self.server.start()

    def look(self, *memories: Memory) -> None:
        """See that everything is whole, and as it was promised."""
        if not any(arg == "--database" for arg in self.server.args):
            assert broken(self.server.data) == []
        for memory in memories:
            memory.check()


@contextmanager
def running(folder: Path, *args: str) -> Iterator[Mortal]:
    server = MortalServer(folder, *args)
    try:
        with client(server.start(), "ecr", admin(server)) as ecr:
            yield Mortal(server, ecr)
    finally:
        server.kill()


@pytest.fixture(scope="session")
def shared_mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    with running(tmp_path_factory.mktemp("mortal")) as mortal:
        yield mortal


@pytest.fixture
def mortal(shared_mortal: Mortal, request: pytest.FixtureRequest) -> Iterator[Mortal]:
    """The server, which runs, and which each test may leave dead."""
    request.node.user_properties.append(("log", str(shared_mortal.server.log)))
    if not shared_mortal.server.ready():
        shared_mortal.restart()
    yield shared_mortal
    shared_mortal.server.live_on()


@pytest.fixture
def mortal_on_postgresql(tmp_path: Path, postgres: Callable[[], str]) -> Iterator[Mortal]:
    with running(tmp_path, "--database", postgres()) as mortal:
        yield mortal

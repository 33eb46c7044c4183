"""Fixtures that any test may ask for by name: real engines, started once per session and stopped by pid."""

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.engines.docker import DockerEngine
from tests.engines.postgres import Postgres
from tests.engines.programs import Missing, tail
from tests.engines.server import Server

Engine = TypeVar("Engine")

# A shell that runs the tests in the background has their interrupts ignored, and with them those of all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A function that creates an empty PostgreSQL database and returns its URL."""
    with_database = _or_fail(lambda: Postgres().start())
    yield with_database.create
    with_database.stop()


@pytest.fixture(scope="session")
def docker() -> Iterator[DockerEngine]:
    """A real Docker Engine; ``docker.run("push", ...)``."""
    engine = _or_fail(lambda: DockerEngine().start())
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running server that all tests share: use repositories of your own, and neither stop nor reconfigure it."""
    shared = Server(tmp_path_factory.mktemp("moorage")).start()
    yield shared
    shared.stop()


@pytest.fixture
def start_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """A function that starts servers of the test's own; what it is given goes to ``moorage serve``."""
    started: list[Server] = []

    def start(*args: str, environment: dict[str, str] | None = None) -> Server:
        one = Server(tmp_path / f"server-{len(started)}", *args, environment=environment)
        started.append(one)
        request.node.user_properties.append(("log", str(one.log)))
        return one.start()

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def own_server(start_server: Callable[..., Server]) -> Server:
    """A server of this test alone, which it may stop, kill and start again."""
    return start_server()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show, below a failure, what the servers and engines that the test used have logged."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        used = item.funcargs.values()
        logs = {engine.log for engine in used if isinstance(engine, Server | DockerEngine)}
        logs |= {Path(str(value)) for name, value in item.user_properties if name == "log"}
        report.sections += [(f"log of {path.name}", tail(path)) for path in sorted(logs)]
    return report


def _or_fail(start: Callable[[], Engine]) -> Engine:
    """Start an engine; when something is missing, fail with the sentence that says what, and never skip."""
    try:
        return start()
    except Missing as missing:
        pytest.fail(str(missing), pytrace=False)

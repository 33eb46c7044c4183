"""The shared server's administrator as boto3 and as plain HTTP, and repositories and users of a test's own."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.images import DockerImages
from tests.clients.people import Person, admin, client, login_password, make_person
from tests.clients.reader import Reader, make_reader
from tests.clients.registry import Registry
from tests.clients.table import Table
from tests.engines.clients import crane, skopeo
from tests.engines.docker import DockerEngine
from tests.engines.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--clients-table", metavar="PAGE", help="write the table of clients from this run to that page")


def pytest_configure(config: pytest.Config) -> None:
    """Gather what becomes of each client; below xdist, only the process that leads the others writes."""
    if path := config.getoption("--clients-table", default=None):
        config.pluginmanager.register(Table(Path(path), writes=not hasattr(config, "workerinput")))


@pytest.fixture(scope="session")
def root(server: Server) -> Person:
    """The shared server's administrator."""
    return admin(server)


@pytest.fixture(scope="session")
def ecr(server: Server, root: Person) -> Iterator[Any]:
    with client(server, "ecr", root) as made:
        yield made


@pytest.fixture(scope="session")
def iam(server: Server, root: Person) -> Iterator[Any]:
    with client(server, "iam", root) as made:
        yield made


@pytest.fixture(scope="session")
def password(ecr: Any) -> str:
    """What the administrator logs in with at the registry."""
    return login_password(ecr)


@pytest.fixture(scope="session")
def registry(server: Server, password: str) -> Registry:
    return Registry(server.port, password)


@pytest.fixture
def new_repository(ecr: Any) -> Callable[..., str]:
    """A function that makes a repository of this test's own and returns its name."""

    def make(**settings: Any) -> str:
        name = f"clients/{uuid.uuid4().hex[:16]}"
        ecr.create_repository(repositoryName=name, **settings)
        return name

    return make


@pytest.fixture
def repository(new_repository: Callable[..., str]) -> str:
    return new_repository()


@pytest.fixture
def person(iam: Any) -> Callable[[str | None], Person]:
    """A function that makes a user with that managed policy and an access key."""
    return lambda policy: make_person(iam, policy)


@pytest.fixture(scope="session")
def engine(docker: DockerEngine, server: Server, password: str) -> DockerEngine:
    """The Docker Engine, logged in at the shared server as its administrator."""
    docker.run("login", "--username", "AWS", "--password-stdin", server.host, stdin=password)
    return docker


@pytest.fixture
def images(engine: DockerEngine, tmp_path: Path) -> DockerImages:
    return DockerImages(engine, tmp_path)


@pytest.fixture
def logins(server: Server, password: str, tmp_path: Path) -> Path:
    """A folder in which crane and skopeo are logged in as the administrator."""
    folder = tmp_path / "logins"
    folder.mkdir()
    crane("auth", "login", server.host, "--username", "AWS", "--password-stdin", config=folder, stdin=password)
    skopeo(
        *("login", "--tls-verify=false", "--username", "AWS", "--password-stdin", server.host),
        config=folder,
        stdin=password,
    )
    return folder


@pytest.fixture
def reader(own_server: Server, docker: DockerEngine, tmp_path: Path) -> Reader:
    """Someone who reads a page beside ``own_server``."""
    return make_reader(tmp_path / "checkout", own_server, docker)

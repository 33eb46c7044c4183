"""A server of its own for the whole folder: what these tests send should meet nobody else's data."""

from collections.abc import Iterator

import pytest

from tests.engines.server import Server
from tests.hostile.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with a repository, images, an open upload and users; tests leave it as they found it."""
    server = Server(tmp_path_factory.mktemp("hostile")).start()
    yield Place(server).fill()
    server.kill()


@pytest.fixture
def unchanged(place: Place) -> Iterator[None]:
    """Whatever the test sends, everything is kept as it was before."""
    before = place.kept()
    yield
    assert place.kept() == before

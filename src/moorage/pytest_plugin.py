"""A fixture for pytest: ``moorage``, a server of the session's own. It costs nothing where no test asks for it."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from moorage.cli.throwaway import ThrowAway


@pytest.fixture(scope="session")
def moorage() -> Iterator["ThrowAway"]:
    """Start a server, found by AWS's SDKs and CLI through the environment; ``moorage.registry`` is its HOST:PORT."""
    from moorage.cli.throwaway import ThrowAway  # noqa: PLC0415 - every pytest run loads this module

    with ThrowAway() as server, pytest.MonkeyPatch.context() as patch:
        wanted = server.within(os.environ)
        for name in set(os.environ) - set(wanted):
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        yield server

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.adapters.sql.database import SqlDatabase


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'moorage.db'}"
    else:
        create: Callable[[], str] = request.getfixturevalue("postgres")
        url = create()
    database = SqlDatabase(url)
    database.migrate()
    yield database
    database.close()

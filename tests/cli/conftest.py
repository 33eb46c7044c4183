"""A store without a server."""

import os
from pathlib import Path

import pytest

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.adapters.sql.database import SqlDatabase
from tests.contracts.rows import add_layer, add_repository
from tests.contracts.written import KEY, OTHER, put


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A data folder with one layer that was pushed long ago and that no image refers to."""
    data = tmp_path / "data"
    data.mkdir()
    database = SqlDatabase(f"sqlite:///{data / 'moorage.db'}")
    database.migrate()
    database.secret("server", b"secret of the server")
    add_layer(database, add_repository(database), "layer", 1)
    database.close()
    put(DiskBlobs(data / "blobs"), b"layer", key=KEY)
    return data


@pytest.fixture
def an_old_file(store: Path) -> None:
    """Bytes in the store that no row knows."""
    blobs = DiskBlobs(store / "blobs")
    put(blobs, b"nobody", key=OTHER)
    os.utime(blobs.location(OTHER), (0, 0))

"""What lies in a data folder, and whether it is whole."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.contracts.counted import MISCOUNTED

HALF_THERE = {
    "content whose row says less or more than its file": "",
    "a layer without content": """
        SELECT layers.digest FROM layers LEFT JOIN contents USING (digest) WHERE contents.digest IS NULL
    """,
    "an image without one of its blobs": """
        SELECT image_references.digest FROM image_references
        LEFT JOIN layers USING (repository_id, digest) WHERE kind = 'blob' AND layers.digest IS NULL
    """,
    "an index without one of its images": """
        SELECT image_references.digest FROM image_references
        LEFT JOIN images USING (repository_id, digest) WHERE kind != 'blob' AND images.digest IS NULL
    """,
    "a tag without its image": """
        SELECT name FROM tags LEFT JOIN images ON images.id = image_id AND images.repository_id = tags.repository_id
        WHERE images.id IS NULL
    """,
    "an image whose parts were not noted": """
        SELECT digest FROM images WHERE id NOT IN (SELECT image_id FROM image_references)
    """,
    **MISCOUNTED,
}


def broken(data: Path) -> list[str]:
    """Return, in words, what of a data folder is only half there."""
    with closing(sqlite3.connect(f"file:{data / 'moorage.db'}?mode=ro", uri=True)) as database:
        found = [f"{what}: {row[0]}" for what, question in HALF_THERE.items() for row in database.execute(question)]
        found += [f"integrity: {row}" for row in database.execute("PRAGMA integrity_check") if row != ("ok",)]
        found += [f"foreign key: {row}" for row in database.execute("PRAGMA foreign_key_check")]
        contents = database.execute("SELECT digest, key, size FROM contents").fetchall()
        images = database.execute("SELECT digest, content FROM images").fetchall()
    found += [f"image {digest} of other bytes" for digest, content in images if digest != _digest(content)]
    for digest, key, size in contents:
        path = data / "blobs" / key[:2] / key
        if not path.exists():
            found.append(f"content {digest} without its file")
        elif (path.stat().st_size, _digest(path.read_bytes())) != (size, digest):
            found.append(f"content {digest} of other bytes")
    return found


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"

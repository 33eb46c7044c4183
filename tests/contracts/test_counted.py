"""What is counted beforehand agrees with the rows, whatever comes and goes, also at once."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from moorage.adapters.sql.database import SqlDatabase
from moorage.core.errors import Refused
from moorage.core.images import ImageId
from moorage.core.names import RepositoryName, Tag
from moorage.core.repositories import Repository
from tests.actions.desk import Desk, by_tag
from tests.contracts.counted import miscounted
from tests.contracts.rows import AT, HERE, add_image, add_repository, image, index

SEEDS, TAGS = ("a", "b", "c"), ("v1", "v2", "v3")
CHILDREN = [image(seed) for seed in SEEDS]
MANIFESTS = [*CHILDREN, index(*CHILDREN[:2]), index(CHILDREN[2])]
NAMES = [RepositoryName(name) for name in ("one", "two")]


@pytest.fixture
def desk(database: SqlDatabase, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(database, tmp_path / "blobs").open()
    for name in NAMES:
        stock(desk, name)
    yield desk
    desk.close()


def stock(desk: Desk, name: RepositoryName) -> None:
    """Make the repository, with the blobs of all images."""
    desk.repository(name)
    for seed in SEEDS:
        desk.parts(name, seed)


def anything(desk: Desk, dice: random.Random) -> None:
    """Ask for something that changes images, tags or repositories; it may well be refused."""
    name, manifest, tag = dice.choice(NAMES), dice.choice(MANIFESTS), dice.choice(TAGS)
    digest, images, may = manifest.digest, desk.images, desk.admin
    asked: list[Callable[[], object]] = [
        *[lambda: desk.put(name, manifest, dice.choice([tag, None]))] * 6,
        lambda: images.delete(may, name, [by_tag(tag), by_tag(dice.choice(TAGS)), ImageId(digest, tag)]),
        lambda: images.delete(may, name, [ImageId(dice.choice(MANIFESTS).digest) for _ in range(2)]),
        lambda: images.delete_manifest(may, name, digest),
        lambda: images.untag(may, name, Tag(tag)),
        lambda: desk.repositories.delete(may, name, force=dice.random() < 0.2),
        lambda: stock(desk, name),
    ]
    with suppress(Refused):
        dice.choice(asked)()


@pytest.mark.parametrize("seed", range(4))
def test_counts_agree_with_the_rows_whatever_comes_and_goes(desk: Desk, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(60):
        anything(desk, dice)
        assert miscounted(desk.database) == []


@pytest.mark.slow
def test_counts_agree_with_the_rows_whoever_else_is_at_it(desk: Desk) -> None:
    def go_on(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(60):
            anything(desk, dice)

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(go_on, seed) for seed in range(6)]:
            done.result()

    assert miscounted(desk.database) == []


def test_a_wrong_count_is_seen(database: SqlDatabase) -> None:
    add_image(database, add_repository(database), image("a"), "v1")
    for table, change in (
        ("registries", "repository_count = repository_count + 1"),
        ("repositories", "image_count = image_count + 1"),
        ("images", "tagged = NOT tagged"),
    ):
        with database.engine.begin() as connection:
            connection.execute(text(f"UPDATE {table} SET {change}"))

    assert len(miscounted(database)) == 3


def test_an_image_that_is_removed_twice_counts_once(database: SqlDatabase) -> None:
    app = add_repository(database)
    added = add_image(database, app, image("a"), "v1")
    with database.write() as tx:
        tx.images.remove(added)
        tx.images.remove(added)

    assert miscounted(database) == []


def test_a_change_that_is_undone_is_not_counted(database: SqlDatabase) -> None:
    app = add_repository(database)

    def fail() -> None:
        with database.write() as tx:
            tx.images.add(app, image("a"), 7, AT)
            tx.repositories.add(Repository(registry=HERE, name=RepositoryName("new"), created_at=AT))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert miscounted(database) == []

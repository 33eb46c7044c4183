"""Two callers at the same moment, on both databases: whatever the order, one of the two orders is what comes out.

Every transaction that writes waits, just before it commits, for another one to come as far. Where something keeps the two
apart, as it must, nobody comes and it goes on; where nothing does, both have decided on what they read and both commit.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from moorage.actions.sessions import Wish
from moorage.adapters.sql.database import SqlDatabase, SqlTransaction
from moorage.adapters.sql.identities import SqlIdentityRows
from moorage.adapters.sql.schema import metadata
from moorage.core.digests import digest_of
from moorage.core.errors import (
    AccessDenied,
    ImageTagAlreadyExists,
    InvalidLayerPart,
    LayerReferenced,
    ManifestLayersNotFound,
    ReferencedImagesNotFound,
    Refused,
    RepositoryAlreadyExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
    TooManyTags,
    TooManyUploads,
    UploadBusy,
    UploadNotFound,
)
from moorage.core.identities import Identity, Role
from moorage.core.names import RepositoryName
from moorage.core.quotas import Quotas
from moorage.core.repositories import Mutability, Repository, TagMutability
from moorage.core.uploads import Upload
from tests.actions.desk import PART, Desk, by_digest, by_tag, call_of, policy
from tests.contracts.counted import miscounted
from tests.contracts.rows import AT, HERE, THEIRS, VAULT, index

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]
LONG_ENOUGH = 0.15
"""Seconds in which a transaction that nothing keeps out would have come as far as the one that waits for it."""


class Meeting:
    """The database of a process, whose writes wait for one another before they commit while ``called``."""

    def __init__(self, database: SqlDatabase) -> None:
        self._write = database.write
        self._barrier: threading.Barrier | None = None

    def call(self) -> None:
        """Let the next two writes meet if they can."""
        self._barrier = threading.Barrier(2, timeout=LONG_ENOUGH)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[SqlTransaction]:
        with self._write(durable=durable) as tx:
            yield tx
            if self._barrier:
                with suppress(threading.BrokenBarrierError):
                    self._barrier.wait()


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlDatabase]:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "moorage.db"
        path.write_bytes(request.getfixturevalue("template").read_bytes())
        database = SqlDatabase(f"sqlite:///{path}", vault=VAULT)
    else:
        database = SqlDatabase(request.getfixturevalue("postgresql_url"), vault=VAULT)
    yield database
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} CASCADE"))
    database.close()


@pytest.fixture(scope="session")
def postgresql_url(postgres: Callable[[], str]) -> str:
    url = postgres()
    database = SqlDatabase(url, connections=1)
    database.migrate()
    database.close()
    return url


@pytest.fixture
def meeting(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> Meeting:
    meeting = Meeting(database)
    monkeypatch.setattr(database, "write", meeting.write)
    return meeting


def both(meeting: Meeting, *asked: Callable[[], Any]) -> list[Any]:
    """Ask at the same moment; return what each got: its result, or the kind of its refusal."""
    start = threading.Barrier(len(asked))

    def ask(what: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return what()
        except Refused as refused:
            return type(refused)

    meeting.call()
    with ThreadPoolExecutor(len(asked)) as threads:
        return list(threads.map(ask, asked))


def is_one_of(got: list[Any], *kinds: object) -> bool:
    return Counter(each if isinstance(each, type) else "done" for each in got) == Counter(kinds)


def test_of_two_images_for_an_immutable_tag_exactly_one_gets_it(desk: Desk, meeting: Meeting) -> None:
    name = desk.repository(mutability=TagMutability(Mutability.IMMUTABLE))
    one, two = desk.parts(name, "one"), desk.parts(name, "two")
    got = both(meeting, lambda: desk.put(name, one, "v1"), lambda: desk.put(name, two, "v1"))

    assert is_one_of(got, "done", ImageTagAlreadyExists)
    winner = one if got[1] is ImageTagAlreadyExists else two
    assert desk.shelf(name) == {winner.digest: {"v1"}}


def test_a_tag_that_moves_to_two_images_is_noted_at_the_one_that_got_it(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    desk.push(app, "first", "v1")
    one, two = desk.push(app, "one"), desk.push(app, "two")
    both(meeting, lambda: desk.put(app, one, "v1"), lambda: desk.put(app, two, "v1"))

    assert miscounted(desk.database) == []


def test_the_same_image_put_twice_is_there_once(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    one = desk.parts(app, "one")
    got = both(meeting, lambda: desk.put(app, one, "v1").changed, lambda: desk.put(app, one, "v1").changed)

    assert sorted(got) == [False, True]
    assert desk.shelf(app) == {one.digest: {"v1"}}


def test_two_tags_for_one_image_are_both_there(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    one = desk.push(app, "one")
    both(meeting, lambda: desk.put(app, one, "v1"), lambda: desk.put(app, one, "v2"))

    assert desk.shelf(app) == {one.digest: {"v1", "v2"}}


def test_a_repository_is_not_deleted_under_an_image_that_is_being_put(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    one = desk.parts(app, "one")
    got = both(
        meeting,
        lambda: desk.put(app, one, "v1"),
        lambda: desk.repositories.delete(desk.admin, app, force=False),
    )

    if got[0] is RepositoryNotFound:
        assert isinstance(got[1], Repository)
        assert desk.rows()["images"] == []
    else:
        assert got[1] is RepositoryNotEmpty
        assert desk.shelf(app) == {one.digest: {"v1"}}


def test_of_two_deletions_of_a_repository_one_finds_it_gone(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    delete = desk.repositories.delete
    got = both(meeting, *[lambda: delete(desk.admin, app, force=True)] * 2)

    assert is_one_of(got, "done", RepositoryNotFound)


def test_a_repository_is_created_once(desk: Desk, meeting: Meeting) -> None:
    wanted = Repository(registry=HERE, name=RepositoryName("new"), created_at=AT)
    create = desk.repositories.create
    got = both(
        meeting, lambda: create(desk.admin, wanted, {"by": "one"}), lambda: create(desk.admin, wanted, {"by": "two"})
    )

    assert is_one_of(got, "done", RepositoryAlreadyExists)
    winner = "one" if got[1] is RepositoryAlreadyExists else "two"
    assert desk.repositories.tags(desk.admin, wanted.name) == {"by": winner}


def test_the_first_repositories_of_a_registry_may_come_together(desk: Desk, meeting: Meeting) -> None:
    both(meeting, lambda: desk.repository("one"), lambda: desk.repository("two"))

    assert [each.name for each in desk.repositories.page(desk.admin, "", 9)] == ["one", "two"]


def test_resource_tags_that_are_added_together_are_all_there_and_no_more_than_fifty(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    tag = desk.repositories.tag
    tag(desk.admin, app, {f"key-{number}": "" for number in range(48)})
    both(meeting, lambda: tag(desk.admin, app, {"one": ""}), lambda: tag(desk.admin, app, {"two": ""}))
    assert {"one", "two"} < set(desk.repositories.tags(desk.admin, app))

    desk.repositories.untag(desk.admin, app, ["one"])
    got = both(meeting, lambda: tag(desk.admin, app, {"three": ""}), lambda: tag(desk.admin, app, {"four": ""}))
    assert is_one_of(got, "done", TooManyTags)
    assert len(desk.repositories.tags(desk.admin, app)) == 50


def test_two_settings_of_a_repository_are_both_kept(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    frozen = TagMutability(Mutability.IMMUTABLE)
    both(
        meeting,
        lambda: desk.repositories.put_mutability(desk.admin, app, frozen),
        lambda: desk.repositories.put_scanning(desk.admin, app, scan_on_push=True),
    )

    [kept] = desk.repositories.named(desk.admin, [app])
    assert (kept.mutability, kept.scan_on_push) == (frozen, True)


def test_a_tag_that_is_deleted_while_it_moves_goes_before_or_after(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    one, two = desk.push(app, "one", "v1"), desk.push(app, "two")
    _, (removed, failures) = both(
        meeting,
        lambda: desk.put(app, two, "v1"),
        lambda: desk.images.delete(desk.admin, app, [by_tag("v1")]),
    )

    assert failures == []
    if removed == [by_digest(one, "v1")]:
        assert desk.shelf(app) == {two.digest: {"v1"}}
    else:
        assert removed == [by_digest(two, "v1")]
        assert desk.shelf(app) == {one.digest: set()}


def test_an_image_is_not_deleted_under_an_index_that_is_being_put(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    child = desk.push(app, "child")
    put, (removed, failures) = both(
        meeting,
        lambda: desk.put(app, index(child), "all"),
        lambda: desk.images.delete(desk.admin, app, [by_digest(child)]),
    )

    if put is ReferencedImagesNotFound:
        assert removed == [by_digest(child)]
        assert desk.shelf(app) == {}
    else:
        assert [failure.code for failure in failures] == ["ImageReferencedByManifestList"]
        assert desk.shelf(app) == {child.digest: set(), index(child).digest: {"all"}}


def test_two_tags_that_are_deleted_one_by_one_take_their_image_with_them(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    desk.push(app, "one", "v1", "v2")
    both(meeting, *[lambda tag=tag: desk.images.delete(desk.admin, app, [by_tag(tag)]) for tag in ("v1", "v2")])

    assert desk.shelf(app) == {}


@pytest.mark.parametrize("second", ["team/app", "other"])
def test_a_layer_that_is_completed_twice_is_stored_once(desk: Desk, meeting: Meeting, second: str) -> None:
    names = [desk.repository("team/app"), RepositoryName(second)]
    if second == "other":
        desk.repository(second)
    content = b"the same layer"
    sessions = [desk.received(name, content) for name in names]
    got = both(meeting, *[lambda each=each: desk.complete(each, content).new for each in sessions])

    assert sorted(got) == ([False, True] if names[0] == names[1] else [True, True])
    assert list(desk.files().values()) == [len(content)]
    assert [desk.bytes_of(name, digest_of(content)) for name in names] == [content] * 2


def test_a_layer_is_deleted_or_an_image_has_it_and_never_both(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    manifest = desk.parts(app, "one", "layer of one")
    layer = manifest.blobs[1].digest
    got = both(meeting, lambda: desk.put(app, manifest), lambda: desk.layers.delete(desk.admin, app, layer))

    assert is_one_of(got, "done", LayerReferenced) or is_one_of(got, "done", ManifestLayersNotFound)
    assert len(desk.layers.available(desk.admin, app, [layer])) == len(desk.shelf(app))


def test_of_two_writers_of_an_upload_one_is_heard(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    upload = desk.uploads.start(desk.admin, app).id
    processes = [desk, desk.beside()]

    def send(process: Desk, content: bytes) -> bytes:
        session = process.uploads.resume(desk.admin, app, upload, 0, PART)
        try:
            session.write([content])
            process.uploads.keep(desk.admin, session)
        finally:
            session.close()
        return content

    got = both(meeting, lambda: send(processes[0], b"one"), lambda: send(processes[1], b"two"))
    heard = [each for each in got if isinstance(each, bytes)]
    session = desk.uploads.resume(desk.admin, app, upload, 3, PART)

    assert len(heard) == 1
    assert set(got) - set(heard) < {UploadBusy, InvalidLayerPart}
    assert desk.complete(session, heard[0]).digest == digest_of(heard[0])
    processes[1].close()


def test_an_upload_is_completed_or_cancelled_and_never_both(desk: Desk, app: RepositoryName, meeting: Meeting) -> None:
    upload = desk.uploads.start(desk.admin, app).id
    session = desk.uploads.resume(desk.admin, app, upload, 0, PART)
    session.write([b"layer"])
    desk.uploads.keep(desk.admin, session)
    session.close()

    def complete() -> bool:
        return desk.complete(desk.uploads.resume(desk.admin, app, upload, None, PART), b"layer").new

    got = both(meeting, complete, lambda: desk.uploads.cancel(desk.admin, app, upload))

    assert got in ([True, UploadBusy], [True, UploadNotFound], [UploadBusy, None], [UploadNotFound, None])
    held = desk.layers.available(desk.admin, app, [digest_of(b"layer")])
    assert len(held) == len(desk.files()) == (got[0] is True)


def test_a_repository_is_deleted_before_or_after_a_layer_is_completed(
    desk: Desk, app: RepositoryName, meeting: Meeting
) -> None:
    session = desk.received(app, b"layer")
    got = both(
        meeting,
        lambda: desk.complete(session, b"layer").new,
        lambda: desk.repositories.delete(desk.admin, app, force=True).name,
    )

    assert got in ([True, app], [RepositoryNotFound, app])
    assert desk.rows()["layers"] == []


def test_keys_of_a_user_that_are_made_together_are_two_and_no_more(desk: Desk, meeting: Meeting) -> None:
    desk.identities.create_user(desk.admin, "ada")
    desk.identities.create_key(desk.admin, "ada")
    got = both(meeting, *[lambda: desk.identities.create_key(desk.admin, "ada")] * 2)

    assert sum(isinstance(each, type) for each in got) == 1
    assert len(desk.identities.keys(desk.admin, "ada")) == 2


def trust(arn: str) -> str:
    one = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


def test_two_who_leave_and_are_trusted_by_each_others_account_do_not_block_one_another(
    desk: Desk, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = desk.identities.bootstrap(THEIRS.account, AT, keep=lambda _: None)
    assert key
    admins = desk.admin, replace(call_of(key), registry=THEIRS)
    adas = [desk.identities.create_user(by, "ada") for by in admins]
    for by, other in zip(admins, reversed(adas), strict=True):
        desk.identities.roles.create(by, "friend", trust(other.arn))
    # Both have locked what they lock first before either goes on, where nothing keeps them apart.
    locked, remove = threading.Barrier(2, timeout=LONG_ENOUGH), SqlIdentityRows.remove

    def remove_together(rows: SqlIdentityRows, identity: Identity) -> None:
        with suppress(threading.BrokenBarrierError):
            locked.wait()
        remove(rows, identity)

    monkeypatch.setattr(SqlIdentityRows, "remove", remove_together)
    both(meeting, *(partial(desk.identities.delete_user, by, "ada") for by in admins))

    for by, other in zip(admins, reversed(adas), strict=True):
        assert other.id in desk.identities.roles.get(by, "friend")[0].trust


def test_sessions_of_a_role_share_its_uploads_however_long_their_names_are(desk: Desk) -> None:
    role = desk.identities.roles.create(desk.admin, "ci", trust(HERE.account))
    desk.identities.put_inline(desk.admin, "ci", "push", policy(["ecr:*"]), Role)
    app, limited = desk.repository(), desk.beside(Quotas(uploads=2))

    def start(name: str) -> Upload:
        session, _ = desk.sessions.assume(desk.admin, role.arn, Wish(name=name))
        return limited.uploads.start(replace(desk.admin, caller=session.caller), app)

    assert start("a" * 64).owner == start("b" * 64).owner == role.id
    with pytest.raises(TooManyUploads):
        start("c" * 64)
    # What others have open is no matter of the role's.
    assert limited.uploads.start(desk.admin, app).owner == desk.admin.caller.user_id


def test_a_role_that_goes_leaves_no_session_and_a_session_in_its_way_is_refused(desk: Desk, meeting: Meeting) -> None:
    role = desk.identities.roles.create(desk.admin, "ci", trust(HERE.account))
    got = both(
        meeting,
        lambda: desk.sessions.assume(desk.admin, role.arn, Wish(name="one")),
        lambda: desk.identities.roles.delete(desk.admin, "ci"),
    )

    assert got[1] is None
    if got[0] is not AccessDenied:
        session, _ = got[0]
        with desk.database.read() as tx:
            assert tx.sessions.get(session.id) is None

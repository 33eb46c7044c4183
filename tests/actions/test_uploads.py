import errno
import os
import uuid
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Any, NoReturn

import pytest

from moorage.adapters.blobs_disk import DiskWriter
from moorage.core.digests import SHA256, SHA512, Algorithm, digest_of
from moorage.core.errors import (
    AccessDenied,
    EmptyUpload,
    InvalidLayer,
    InvalidLayerPart,
    LayerPartTooSmall,
    LayerTooLarge,
    RepositoryNotFound,
    StorageFull,
    TooManyUploads,
    UploadBusy,
    UploadNotFound,
)
from moorage.core.names import RepositoryName, UploadId
from moorage.core.quotas import Quotas
from moorage.core.uploads import MIN_PART
from tests.actions.desk import COMPLETE, PART, Desk, refusal

NONE = RepositoryName("team/none")
UNKNOWN = str(uuid.UUID(int=7))


def append(desk: Desk, name: RepositoryName, upload: str, content: bytes, first: int | None = None) -> int:
    """Send a chunk as the registry door does, and return how far the upload has come."""
    session = desk.uploads.resume(desk.admin, name, upload, first, PART)
    try:
        session.write([content])
        return desk.uploads.keep(desk.admin, session).size
    finally:
        session.close()


def part(desk: Desk, name: RepositoryName, upload: str, content: bytes) -> None:
    """Send a part as the AWS door does."""
    session = desk.uploads.resume(desk.admin, name, upload, None, PART)
    try:
        session.write([content])
        desk.uploads.keep_part(desk.admin, session)
    finally:
        session.close()


def complete(desk: Desk, name: RepositoryName, upload: str, *digests: str, parts: bool = False) -> bool:
    session = desk.uploads.resume(desk.admin, name, upload, None, COMPLETE)
    try:
        return desk.uploads.complete(desk.admin, session, digests, parts=parts).new
    finally:
        session.close()


@pytest.fixture
def upload(desk: Desk, app: RepositoryName) -> str:
    return desk.uploads.start(desk.admin, app).id


# --- going on ---------------------------------------------------------------------------------------------------------


def test_a_layer_is_what_its_chunks_were(desk: Desk, app: RepositoryName, upload: str) -> None:
    sizes = [
        append(desk, app, upload, b"one "),
        append(desk, app, upload, b"and ", 4),
        append(desk, app, upload, b"two"),
    ]
    assert complete(desk, app, upload, digest_of(b"one and two"))

    assert sizes == [4, 8, 11]
    assert desk.bytes_of(app, digest_of(b"one and two")) == b"one and two"


def test_an_upload_goes_on_in_another_process(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"one ")
    other = desk.beside()
    append(other, app, upload, b"two", 4)

    assert desk.uploads.status(desk.admin, app, upload).size == 7
    assert complete(desk, app, upload, digest_of(b"one two"))  # this process knows the hash of the first chunk only
    other.close()


def test_a_chunk_must_begin_where_the_upload_stands(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"12345")

    for first in (0, 4, 6):
        with pytest.raises(InvalidLayerPart, match=f"First byte of the layer part is {first} instead of 5") as refused:
            append(desk, app, upload, b"67890", first)
        assert refused.value.last_valid_byte == 4
    assert append(desk, app, upload, b"67890", 5) == 10


def test_what_was_not_acknowledged_does_not_count(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"kept ")
    broken = desk.uploads.resume(desk.admin, app, upload, None, PART)
    broken.write([b"lost with its connection"])
    broken.close()

    assert desk.uploads.status(desk.admin, app, upload).size == 5
    append(desk, app, upload, b"too", 5)
    assert complete(desk, app, upload, digest_of(b"kept too"))


def test_a_layer_has_so_many_bytes_and_no_more(desk: Desk, app: RepositoryName, upload: str) -> None:
    desk = desk.beside(Quotas(layer=10))
    append(desk, app, upload, b"12345678")

    assert refusal(lambda: append(desk, app, upload, b"9ab")) is LayerTooLarge
    assert append(desk, app, upload, b"9a") == 10


def test_a_user_has_so_many_uploads_open_and_no_more_until_one_has_ended(desk: Desk, app: RepositoryName) -> None:
    desk = desk.beside(Quotas(uploads=2))
    other = desk.repository("team/other")
    first, _ = desk.uploads.start(desk.admin, app), desk.uploads.start(desk.admin, other)

    assert refusal(lambda: desk.uploads.start(desk.admin, app)) is TooManyUploads
    desk.uploads.cancel(desk.admin, app, first.id)
    completed = desk.uploads.start(desk.admin, app)
    assert refusal(lambda: desk.uploads.start(desk.admin, other)) is TooManyUploads
    complete(desk, app, completed.id, digest_of(b""))
    assert desk.uploads.start(desk.admin, other).size == 0


def test_what_one_user_has_open_is_no_matter_of_another(desk: Desk, app: RepositoryName) -> None:
    desk = desk.beside(Quotas(uploads=1))
    desk.uploads.start(desk.admin, app)

    assert desk.uploads.start(desk.someone("ecr:InitiateLayerUpload"), app).size == 0


@pytest.mark.parametrize("wrong", [UNKNOWN, "", "no upload at all", UNKNOWN.upper(), "../../etc/passwd"])
def test_an_upload_that_is_not_there_is_not_found(desk: Desk, app: RepositoryName, wrong: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: desk.uploads.status(desk.admin, app, wrong),
        lambda: desk.uploads.resume(desk.admin, app, wrong, None, PART),
        lambda: desk.uploads.cancel(desk.admin, app, wrong),
    ]

    assert [refusal(call) for call in calls] == [UploadNotFound] * 3
    assert desk.files() == {}


def test_an_upload_belongs_to_its_repository(desk: Desk, app: RepositoryName, upload: str) -> None:
    other = desk.repository("other")

    assert refusal(lambda: append(desk, other, upload, b"1")) is UploadNotFound
    assert refusal(lambda: desk.uploads.cancel(desk.admin, other, upload)) is UploadNotFound
    assert refusal(lambda: desk.uploads.start(desk.admin, NONE)) is RepositoryNotFound
    assert refusal(lambda: desk.uploads.start_at_once(desk.admin, NONE)) is RepositoryNotFound


def test_one_request_at_a_time_holds_an_upload(desk: Desk, app: RepositoryName, upload: str) -> None:
    held = desk.uploads.resume(desk.admin, app, upload, None, PART)

    assert refusal(lambda: append(desk, app, upload, b"1")) is UploadBusy
    assert refusal(lambda: desk.uploads.cancel(desk.admin, app, upload)) is UploadBusy
    held.close()
    assert append(desk, app, upload, b"1") == 1


def overtaken(desk: Desk, by: Callable[[Desk], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another process be quicker: it acts when the next request has seen the upload and does not hold it yet."""
    other, writer = desk.beside(), desk.blobs.writer

    def late(key: UploadId) -> DiskWriter:
        monkeypatch.undo()
        by(other)
        other.close()
        return writer(key)

    monkeypatch.setattr(desk.blobs, "writer", late)


def test_what_came_in_before_the_hold_was_gained_is_neither_lost_nor_taken_for_the_next_chunk(
    desk: Desk, app: RepositoryName, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken(desk, lambda other: append(other, app, upload, b"one ", 0), monkeypatch)
    assert refusal(lambda: append(desk, app, upload, b"one ", 0)) is InvalidLayerPart

    overtaken(desk, lambda other: append(other, app, upload, b"two ", 4), monkeypatch)
    append(desk, app, upload, b"three")
    assert complete(desk, app, upload, digest_of(b"one two three"))


@pytest.mark.parametrize("how", ["completed", "cancelled"])
def test_an_upload_that_ended_before_the_hold_was_gained_is_not_found(
    desk: Desk, app: RepositoryName, upload: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(desk, app, upload, b"layer")
    ends: dict[str, Callable[[Desk], Any]] = {
        "completed": lambda other: complete(other, app, upload, digest_of(b"layer")),
        "cancelled": lambda other: other.uploads.cancel(desk.admin, app, upload),
    }
    overtaken(desk, ends[how], monkeypatch)

    assert refusal(lambda: append(desk, app, upload, b"more", 5)) is UploadNotFound
    held = desk.layers.available(desk.admin, app, [digest_of(b"layer")])
    assert (held != {}) == (how == "completed")
    assert not held or desk.bytes_of(app, digest_of(b"layer")) == b"layer"


def test_a_refused_hold_is_no_hold(desk: Desk, app: RepositoryName, upload: str) -> None:
    assert refusal(lambda: append(desk, app, upload, b"1", 5)) is InvalidLayerPart

    assert append(desk, app, upload, b"1", 0) == 1


# --- completing and cancelling ----------------------------------------------------------------------------------------


def test_an_upload_becomes_a_layer_once(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"layer")
    assert complete(desk, app, upload, "sha256:" + "0" * 64, digest_of(b"layer"))

    assert refusal(lambda: complete(desk, app, upload, digest_of(b"layer"))) is UploadNotFound
    assert refusal(lambda: desk.uploads.status(desk.admin, app, upload)) is UploadNotFound


def test_an_upload_of_other_bytes_than_stated_may_be_completed_rightly_later(
    desk: Desk, app: RepositoryName, upload: str
) -> None:
    append(desk, app, upload, b"layer")

    assert refusal(lambda: complete(desk, app, upload, digest_of(b"other"))) is InvalidLayer
    assert desk.layers.available(desk.admin, app, [digest_of(b"layer")]) == {}
    assert complete(desk, app, upload, digest_of(b"layer"))


def test_the_registry_takes_an_empty_layer_and_the_aws_api_does_not(
    desk: Desk, app: RepositoryName, upload: str
) -> None:
    assert refusal(lambda: complete(desk, app, upload, digest_of(b""), parts=True)) is EmptyUpload

    assert complete(desk, app, upload, digest_of(b""))
    assert desk.bytes_of(app, digest_of(b"")) == b""


def test_only_the_last_part_may_be_small(desk: Desk, app: RepositoryName, upload: str) -> None:
    large = bytes(MIN_PART)
    part(desk, app, upload, large)
    part(desk, app, upload, b"small")
    part(desk, app, upload, b"small")
    good = desk.uploads.start(desk.admin, app).id
    part(desk, app, good, large)
    part(desk, app, good, b"small")

    whole = digest_of(large + b"smallsmall")
    assert refusal(lambda: complete(desk, app, upload, whole, parts=True)) is LayerPartTooSmall
    assert complete(desk, app, good, digest_of(large + b"small"), parts=True)


@pytest.mark.parametrize("hint", [SHA256, SHA512])
@pytest.mark.parametrize("algorithm", [SHA256, SHA512])
def test_a_layer_is_completed_under_a_digest_of_any_algorithm_whatever_was_expected(
    desk: Desk, app: RepositoryName, hint: Algorithm, algorithm: Algorithm
) -> None:
    wanted, upload = digest_of(b"one two", algorithm), desk.uploads.start(desk.admin, app, hint).id
    append(desk, app, upload, b"one ")
    session = desk.uploads.resume(desk.admin, app, upload, None, COMPLETE, algorithm)
    session.write([b"two"])
    with closing(session):
        assert desk.uploads.complete(desk.admin, session, (wanted,), parts=False).digest == wanted

    assert desk.bytes_of(app, wanted) == b"one two"


def test_what_an_upload_expects_is_known_to_every_process(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app, SHA512)
    append(desk, app, upload.id, b"one ")

    assert upload.algorithm == SHA512
    assert desk.beside().uploads.status(desk.admin, app, upload.id).algorithm == SHA512


def test_the_digits_of_one_algorithm_are_never_those_of_another(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"layer")
    digits = digest_of(b"layer").partition(":")[2]

    for offered in (f"sha512:{digits}", f"sha512:{digits}{digits}", digest_of(b"layer", SHA512)):
        with pytest.raises(InvalidLayer):
            complete(desk, app, upload, offered)


def test_content_under_digests_of_two_algorithms_is_two_layers(desk: Desk, app: RepositoryName) -> None:
    desk.layer(app, "layer")
    session = desk.uploads.start_at_once(desk.admin, app, SHA512)
    session.write([b"layer"])
    with closing(session):
        long = desk.uploads.complete(desk.admin, session, (digest_of(b"layer", SHA512),), parts=False).digest
    desk.layers.delete(desk.admin, app, digest_of(b"layer"))

    assert desk.bytes_of(app, long) == b"layer"


def test_a_layer_that_is_there_is_not_new_and_its_bytes_are_kept_once(desk: Desk, app: RepositoryName) -> None:
    other = desk.repository("other")
    content = b"the same layer"
    news = [desk.complete(desk.received(name, content), content).new for name in (app, app, other)]

    assert news == [True, False, True]
    assert list(desk.files().values()) == [len(content)]
    assert desk.bytes_of(other, digest_of(content)) == content


@pytest.mark.parametrize("left", [None, b"", b"half of it"])
def test_a_layer_whose_bytes_were_lost_is_whole_again_when_it_is_pushed_again(
    desk: Desk, app: RepositoryName, left: bytes | None
) -> None:
    content = b"a layer that was whole"
    desk.complete(desk.received(app, content), content)
    [lost] = (path for path in desk.blobs.folder.rglob("*") if path.is_file())
    lost.unlink()
    if left is not None:
        lost.write_bytes(left)

    desk.complete(desk.received(app, content), content)

    assert desk.bytes_of(app, digest_of(content)) == content


def test_an_upload_whose_bytes_could_not_be_synced_is_over(
    desk: Desk, app: RepositoryName, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_file: int) -> None:
        raise OSError(errno.EIO, "no")

    append(desk, app, upload, b"layer")
    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="no"):
        complete(desk, app, upload, digest_of(b"layer"))
    monkeypatch.undo()

    assert desk.files() == {}
    assert refusal(lambda: complete(desk, app, upload, digest_of(b"layer"))) is UploadNotFound


def test_nor_is_it_completed_later_where_the_disk_could_not_take_its_end_either(
    desk: Desk, app: RepositoryName, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row may stay, but not bytes that the system has given up on and that would sync without a word now."""

    def failing(_file: int) -> None:
        raise OSError(errno.ENOSPC, "no")

    def full(**_: bool) -> NoReturn:
        raise StorageFull

    append(desk, app, upload, b"layer")
    monkeypatch.setattr(os, "fdatasync", failing)
    monkeypatch.setattr(desk.database, "write", full)
    with pytest.raises(StorageFull):
        complete(desk, app, upload, digest_of(b"layer"))
    monkeypatch.undo()

    assert desk.files() == {}
    for content in (b"layer", b""):
        assert refusal(partial(complete, desk, app, upload, digest_of(content))) is UploadNotFound
    assert desk.layers.available(desk.admin, app, [digest_of(b"layer")]) == {}


def test_bytes_are_read_again_once_however_often_they_are_offered_under_a_wrong_digest(
    desk: Desk, app: RepositoryName, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(desk, app, upload, b"layer")
    read: list[UploadId] = []
    chunks = desk.blobs.chunks

    def noted(key: UploadId, start: int, end: int) -> Generator[bytes]:
        read.append(key)
        return chunks(key, start, end)

    monkeypatch.setattr(desk.blobs, "chunks", noted)

    def offer(digest: str) -> bool:
        session = desk.uploads.resume(desk.admin, app, upload, None, COMPLETE, SHA512)
        with closing(session):
            return desk.uploads.complete(desk.admin, session, (digest,), parts=False).new

    for _ in range(3):
        assert refusal(lambda: offer(digest_of(b"other", SHA512))) is InvalidLayer
    assert offer(digest_of(b"layer", SHA512))
    assert read == [upload]


def test_bytes_that_come_with_the_completion_need_the_right_to_send(desk: Desk, app: RepositoryName) -> None:
    upload = desk.uploads.start(desk.admin, app).id
    completer = desk.someone(COMPLETE)
    session = desk.uploads.resume(completer, app, upload, None, COMPLETE)
    session.write([b"layer"])

    with closing(session), pytest.raises(AccessDenied, match=PART):
        desk.uploads.complete(completer, session, (digest_of(b"layer"),), parts=False)
    assert desk.layers.available(desk.admin, app, [digest_of(b"layer")]) == {}


def test_a_hash_is_not_believed_of_bytes_that_somebody_else_has_written(
    desk: Desk, app: RepositoryName, upload: str
) -> None:
    append(desk, app, upload, b"these bytes")
    [file] = (path for path in desk.blobs.folder.rglob("*") if path.is_file())
    file.write_bytes(b"other bytes")

    assert complete(desk, app, upload, digest_of(b"other bytes"))


def test_what_was_cancelled_is_gone(desk: Desk, app: RepositoryName, upload: str) -> None:
    append(desk, app, upload, b"layer")
    desk.uploads.cancel(desk.admin, app, upload)

    assert desk.files() == {}
    assert refusal(lambda: append(desk, app, upload, b"more", 5)) is UploadNotFound


def test_an_upload_at_once_that_fails_leaves_no_bytes(desk: Desk, app: RepositoryName) -> None:
    before = desk.rows()
    session = desk.received(app, b"layer")
    assert refusal(lambda: desk.uploads.complete(desk.admin, session, (digest_of(b"x"),), parts=False)) is InvalidLayer
    desk.uploads.drop(session)
    session.close()

    assert (desk.files(), desk.rows()) == ({}, before)


def test_an_upload_of_a_deleted_repository_is_no_layer_of_a_later_one(desk: Desk, app: RepositoryName) -> None:
    session = desk.received(app, b"layer")
    desk.repositories.delete(desk.admin, app, force=True)
    assert refusal(lambda: desk.uploads.complete(desk.admin, session, (digest_of(b"layer"),), parts=False)) is (
        RepositoryNotFound
    )
    desk.repository(app)

    assert refusal(lambda: desk.complete(session, b"layer")) is UploadNotFound
    assert desk.layers.available(desk.admin, app, [digest_of(b"layer")]) == {}


def test_an_upload_at_once_needs_the_right_to_start_and_to_send(desk: Desk, app: RepositoryName) -> None:
    starter, sender = desk.someone("ecr:InitiateLayerUpload"), desk.someone(PART)

    with pytest.raises(AccessDenied, match=PART):
        desk.uploads.start_at_once(starter, app)
    with pytest.raises(AccessDenied, match="ecr:InitiateLayerUpload"):
        desk.uploads.start_at_once(sender, app)
    assert desk.files() == {}

"""Disks that take a part, fail, are full, or lose their power."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.core.digests import digest_of
from moorage.core.errors import StorageFull
from tests.contracts.written import KEY, OTHER, append, content, put, writing


@pytest.fixture
def blobs(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path / "blobs")


# --- writes that fall short or fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [0, 1, 5, 11])
def test_a_write_that_falls_short_is_gone_on_with(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    pwrite: Callable[[int, Any, int], int] = os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda file, chunks, offset: pwrite(file, b"".join(chunks)[:taken], offset))
    monkeypatch.setattr(os, "pwrite", lambda file, rest, offset: pwrite(file, rest[:1], offset))

    with writing(blobs) as writer:
        for _ in range(2):
            writer.write([b"four", b"", b"-", b"letters"])
        assert writer.seal() == digest_of(b"four-letters" * 2)

    assert content(blobs) == b"four-letters" * 2


def test_a_file_that_may_not_grow_refuses_and_gives_back_what_was_taken_since_the_start(blobs: DiskBlobs) -> None:
    append(blobs, 0, b"kept")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with writing(blobs, 4) as writer:
            writer.write([bytes(900)])
            with pytest.raises(StorageFull):
                writer.write([bytes(90), bytes(90)])
            assert writer.size == 4
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with writing(blobs, 4) as writer:
        writer.write([bytes(2000)])
        assert writer.seal() == digest_of(b"kept" + bytes(2000))


@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
@pytest.mark.parametrize(
    ("number", "refusal"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, OSError)]
)
def test_bytes_that_cannot_be_made_durable_are_not_sealed(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch, call: str, number: int, refusal: type[Exception]
) -> None:
    def fail(_file: int) -> None:
        raise OSError(number, os.strerror(number))

    with writing(blobs) as writer:
        writer.write([b"bytes"])
        monkeypatch.setattr(os, call, fail)
        with pytest.raises(refusal):
            writer.seal()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte and few files."""
    if os.geteuid() != 0:
        pytest.fail("a disk of one's own needs root: run the tests as root", pytrace=False)
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=6", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bfree * room.f_bsize


@pytest.mark.slow
def test_a_full_disk_refuses_gives_the_room_back_and_keeps_what_was_acknowledged(small_disk: Path) -> None:
    blobs = DiskBlobs(small_disk / "blobs")
    append(blobs, 0, bytes(400_000))
    before = free(small_disk)

    with writing(blobs, 400_000) as writer:
        writer.write([bytes(300_000)])
        with pytest.raises(StorageFull):
            writer.write([bytes(300_000), bytes(300_000)])
        assert writer.size == 400_000
        assert free(small_disk) == before

    with writing(blobs, 400_000) as writer:
        writer.write([b"a little more"])
        assert writer.seal() == digest_of(bytes(400_000) + b"a little more")


@pytest.mark.slow
def test_a_disk_that_takes_no_more_files_refuses_and_takes_them_when_some_are_gone(small_disk: Path) -> None:
    blobs = DiskBlobs(small_disk / "blobs")
    put(blobs, b"first", key=OTHER)
    (small_disk / "last").touch()
    (small_disk / "very last").touch()
    with pytest.raises(StorageFull):
        blobs.writer(KEY)

    (small_disk / "last").unlink()
    with pytest.raises(StorageFull):
        blobs.writer(KEY)
    (small_disk / "very last").unlink()
    put(blobs, b"bytes")

    assert content(blobs) == b"bytes"


# --- durable ------------------------------------------------------------------------------------------------------------


class Recorder:
    """Notes, in order, what changes on the disk and what is made durable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, Path]] = []
        for name in ("pwritev", "fdatasync", "fsync", "mkdir"):
            monkeypatch.setattr(os, name, self._noting(name, getattr(os, name)))

    def _noting(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(first: Any, *args: Any) -> Any:
            path = Path(f"/proc/self/fd/{first}").readlink() if isinstance(first, int) else Path(first)
            self.seen.append((name, path))
            return call(first, *args)

        return noting


def test_a_seal_syncs_the_bytes_then_their_entry(blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    path = blobs.location(KEY)
    with writing(blobs) as writer:
        writer.write([b"one"])
        recorder = Recorder(monkeypatch)
        writer.write([b"two"])
        writer.seal()

    assert recorder.seen == [("pwritev", path), ("fdatasync", path), ("fsync", path.parent)]


def test_a_new_folder_has_its_entry_synced_and_so_has_that_of_all_blobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    blobs = DiskBlobs(tmp_path / "blobs")
    blobs.writer(KEY).close()

    assert recorder.seen == [
        ("mkdir", blobs.folder),
        ("fsync", tmp_path),
        ("mkdir", blobs.location(KEY).parent),
        ("fsync", blobs.folder),
    ]


def test_a_folder_that_somebody_else_made_may_not_have_its_entry_synced_yet(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs.location(KEY).parent.mkdir()
    recorder = Recorder(monkeypatch)
    for _ in range(2):
        blobs.writer(KEY).close()

    assert [path for name, path in recorder.seen if name == "fsync"] == [blobs.folder]

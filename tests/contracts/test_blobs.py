import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.adapters import blobs_disk
from moorage.adapters.blobs_disk import CHUNK, FLUSH, DiskBlobs
from moorage.core.digests import SHA256, SHA512, Algorithm, digest_of
from moorage.core.errors import UploadBusy
from tests.contracts.processes import processes
from tests.contracts.rows import upload_id
from tests.contracts.written import KEY, OTHER, append, content, put, sealed, writing

HOLD = """
import sys
from pathlib import Path
from moorage.adapters.blobs_disk import DiskBlobs
writer = DiskBlobs(Path(sys.argv[1])).writer(sys.argv[2])
writer.start(0)
writer.write([b"of another process"])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def blobs(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path / "blobs")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refuse_to_read(blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Iterator[bytes]:
        raise AssertionError("the bytes are read again")

    monkeypatch.setattr(blobs, "chunks", refuse)


# --- writing and reading ------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back_and_its_digest_is_that_of_the_whole(blobs: DiskBlobs) -> None:
    with writing(blobs) as writer:
        writer.write([b"one ", b"", b"two "])
        writer.write([b"three"])
        assert writer.seal() == digest_of(b"one two three")
        assert writer.size == 13

    assert content(blobs) == b"one two three"


def test_no_bytes_at_all_are_content_too(blobs: DiskBlobs) -> None:
    with writing(blobs) as writer:
        assert writer.seal() == digest_of(b"")

    assert content(blobs) == b""


def test_a_write_takes_1024_pieces(blobs: DiskBlobs) -> None:
    pieces = [bytes([number % 251]) for number in range(1024)]

    put(blobs, *pieces)

    assert content(blobs) == b"".join(pieces)


@pytest.mark.parametrize("told", [True, False])
def test_more_than_the_kernel_is_told_to_write_out_at_once_is_kept_whole(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    if not told:
        monkeypatch.setattr(blobs_disk, "_sync_file_range", None)
    piece = bytes(range(256)) * (FLUSH // 256)

    with writing(blobs) as writer:
        for _ in range(2):
            writer.write([piece, b"!"])
        assert writer.seal() == digest_of((piece + b"!") * 2)


BYTES = bytes(range(251)) * 10_000


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, len(BYTES)),
        (0, 1),
        (len(BYTES) - 1, len(BYTES)),
        (CHUNK - 1, CHUNK + 1),
        (1, 2 * CHUNK),
        (CHUNK, CHUNK),
        (5, 4),
        (len(BYTES), len(BYTES) + 9),
        (len(BYTES) - 3, len(BYTES) + 9),
    ],
)
def test_any_range_is_read_and_what_lies_beyond_the_end_is_nothing(blobs: DiskBlobs, start: int, end: int) -> None:
    put(blobs, BYTES)

    assert content(blobs, start, end) == BYTES[start:end]


def test_bytes_come_in_chunks_of_bounded_size(blobs: DiskBlobs) -> None:
    put(blobs, BYTES)

    assert [len(chunk) for chunk in blobs.chunks(KEY, 0, len(BYTES))] == [CHUNK, CHUNK, len(BYTES) - 2 * CHUNK]


def test_several_ranges_are_read_in_their_order_and_no_chunk_is_of_two(blobs: DiskBlobs) -> None:
    put(blobs, BYTES)
    spans = [(CHUNK, 2 * CHUNK + 1), (0, 3), (3, 5), (7, 7), (len(BYTES) - 1, len(BYTES))]

    chunks = list(blobs.pieces(KEY, spans))

    assert [len(chunk) for chunk in chunks] == [CHUNK, 1, 3, 2, 1]
    assert b"".join(chunks) == b"".join(BYTES[start:end] for start, end in spans)


def test_what_reads_several_ranges_reads_on_after_the_bytes_were_deleted(blobs: DiskBlobs) -> None:
    put(blobs, BYTES)
    chunks = blobs.pieces(KEY, [(0, 3), (5, 9)])
    first = next(chunks)

    blobs.delete(KEY)

    assert first + b"".join(chunks) == BYTES[:3] + BYTES[5:9]


def test_a_reader_that_stops_early_leaves_no_file_open(blobs: DiskBlobs) -> None:
    put(blobs, BYTES)
    before = open_files()

    chunks = blobs.chunks(KEY, 0, len(BYTES))
    next(chunks)
    chunks.close()

    assert open_files() == before


def test_a_reader_that_has_begun_reads_on_after_the_bytes_were_deleted(blobs: DiskBlobs) -> None:
    put(blobs, BYTES)
    chunks = blobs.chunks(KEY, 0, len(BYTES))
    first = next(chunks)

    blobs.delete(KEY)

    assert first + b"".join(chunks) == BYTES


def test_deleted_bytes_are_gone_and_may_be_deleted_again(blobs: DiskBlobs) -> None:
    put(blobs, b"bytes")
    put(blobs, b"other", key=OTHER)
    for _ in range(2):
        blobs.delete(KEY)

    with pytest.raises(FileNotFoundError):
        content(blobs)
    assert content(blobs, key=OTHER) == b"other"


def test_nobody_else_on_the_machine_may_read_the_bytes(blobs: DiskBlobs) -> None:
    put(blobs, b"bytes")

    path = blobs.location(KEY)
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent, blobs.folder)] == [0o600, 0o700, 0o700]


# --- going on -----------------------------------------------------------------------------------------------------------


def test_kept_bytes_are_gone_on_with_and_not_read_again(blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    append(blobs, 0, b"one ")
    append(blobs, 4, b"two ")
    refuse_to_read(blobs, monkeypatch)

    with writing(blobs, 8) as writer:
        writer.write([b"three"])
        assert writer.seal() == digest_of(b"one two three")


def test_bytes_that_were_kept_in_one_algorithm_are_gone_on_with_in_it_and_not_read_again(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(blobs, algorithm=SHA512) as writer:
        writer.write([b"one "])
        writer.keep()
    refuse_to_read(blobs, monkeypatch)

    with writing(blobs, 4, algorithm=SHA512) as writer:
        writer.write([b"two"])
        assert writer.seal() == digest_of(b"one two", SHA512)


@pytest.mark.parametrize(("kept", "wanted"), [(SHA256, SHA512), (SHA512, SHA256)])
def test_bytes_that_were_kept_in_one_algorithm_are_sealed_in_another(
    blobs: DiskBlobs, kept: Algorithm, wanted: Algorithm
) -> None:
    with writing(blobs, algorithm=kept) as writer:
        writer.write([b"one "])
        writer.keep()

    for algorithm in (wanted, kept):
        with writing(blobs, 4, algorithm=algorithm) as writer:
            writer.write([b"two"])
            assert writer.seal() == digest_of(b"one two", algorithm)


def test_another_process_goes_on_with_what_was_kept(blobs: DiskBlobs) -> None:
    append(blobs, 0, b"one ")

    with writing(DiskBlobs(blobs.folder), 4) as writer:
        writer.write([b"two"])
        assert writer.seal() == digest_of(b"one two")


def test_processes_may_take_turns(blobs: DiskBlobs) -> None:
    other = DiskBlobs(blobs.folder)
    append(blobs, 0, b"one ")
    append(other, 4, b"two ")
    append(blobs, 8, b"three ")
    append(other, 14, b"four")

    assert sealed(blobs, 18) == digest_of(b"one two three four")


def test_bytes_that_were_never_acknowledged_are_dropped(blobs: DiskBlobs) -> None:
    append(blobs, 0, b"one ")
    with writing(blobs, 4) as writer:
        writer.write([b"lost for ever"])

    with writing(blobs, 4) as writer:
        assert writer.size == 4
        writer.write([b"two"])
        assert writer.seal() == digest_of(b"one two")
    assert content(blobs) == b"one two"


def test_bytes_written_after_the_last_keep_do_not_count(blobs: DiskBlobs) -> None:
    with writing(blobs) as writer:
        writer.write([b"one "])
        writer.keep()
        writer.write([b"lost for ever"])

    with writing(blobs, 4) as writer:
        writer.write([b"two"])
        assert writer.seal() == digest_of(b"one two")


def test_kept_bytes_whose_acknowledgement_failed_are_dropped_too(blobs: DiskBlobs) -> None:
    append(blobs, 0, b"one ")
    append(blobs, 4, b"two ")

    with writing(blobs, 4) as writer:
        writer.write([b"TWO"])
        assert writer.seal() == digest_of(b"one TWO")


@pytest.mark.parametrize("left", [0, 3])
def test_bytes_that_a_power_cut_took_are_never_passed_off_as_whole(blobs: DiskBlobs, left: int) -> None:
    append(blobs, 0, b"one ")
    os.truncate(blobs.location(KEY), left)

    with writing(DiskBlobs(blobs.folder), 4) as writer:
        writer.write([b"two"])
        assert writer.seal() != digest_of(b"one two")


def test_more_uploads_than_hashes_are_kept_for_have_their_digests_nevertheless(
    blobs: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs_disk, "RUNNING_HASHES", 2)
    keys = [upload_id(number) for number in range(4)]
    for key in keys:
        append(blobs, 0, key.encode(), key)

    assert [sealed(blobs, 36, key) for key in keys] == [digest_of(key.encode()) for key in keys]
    refuse_to_read(blobs, monkeypatch)
    assert sealed(blobs, 36, keys[-1]) == digest_of(keys[-1].encode())


STEPS = st.lists(
    st.tuples(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(["keep", "lose", "keep elsewhere"])),
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, last=st.lists(st.binary(max_size=40), max_size=3), renewed=st.booleans())
def test_however_bytes_are_split_kept_and_lost_the_digest_is_that_of_what_was_kept(
    *, steps: list[tuple[list[bytes], str]], last: list[bytes], renewed: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, elsewhere = DiskBlobs(Path(folder)), DiskBlobs(Path(folder))
        kept = b""
        for pieces, what in steps:
            with writing(elsewhere if what == "keep elsewhere" else here, len(kept)) as writer:
                for piece in pieces:
                    writer.write([piece[:7], piece[7:]])
                if what != "lose":
                    writer.keep()
                    kept += b"".join(pieces)
        with writing(DiskBlobs(Path(folder)) if renewed else here, len(kept)) as writer:
            writer.write(last)
            assert writer.seal() == f"sha256:{hashlib.sha256(kept + b''.join(last)).hexdigest()}"
        assert content(here) == kept + b"".join(last)


# --- one writer at a time -----------------------------------------------------------------------------------------------


def test_there_is_one_writer_at_a_time(blobs: DiskBlobs) -> None:
    with writing(blobs) as writer:
        writer.write([b"mine"])
        for each in (blobs, DiskBlobs(blobs.folder)):
            with pytest.raises(UploadBusy):
                each.writer(KEY)
        put(blobs, b"other", key=OTHER)
        assert writer.seal() == digest_of(b"mine")

    with writing(DiskBlobs(blobs.folder), 4) as writer:
        assert writer.size == 4


def test_a_refused_writer_leaves_no_file_open(blobs: DiskBlobs) -> None:
    with writing(blobs):
        before = open_files()
        with pytest.raises(UploadBusy):
            blobs.writer(KEY)
        assert open_files() == before


def test_a_writer_of_another_process_keeps_others_out_until_the_process_ends(blobs: DiskBlobs) -> None:
    with processes(HOLD, [(str(blobs.folder), KEY)]) as [other]:
        assert other.says() == "held"
        with pytest.raises(UploadBusy):
            blobs.writer(KEY)

    with writing(blobs) as writer:
        assert writer.size == 0

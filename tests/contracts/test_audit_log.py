"""The audit log as files: appended by several processes at once, followed from where it was read to."""

import errno
import json
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from moorage.adapters.audit_log import DAY, AuditFiles, AuditLog
from tests.contracts.processes import processes

FIRST = "1970-01-02.0.jsonl"
TODAY = 1.5 * DAY

# Appends so many lines of many lengths, each with its own text throughout.
APPEND = """
import json, sys
from pathlib import Path
from moorage.adapters.audit_log import AuditLog
log = AuditLog(Path(sys.argv[1]), most=400_000)
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    text = f"{sys.argv[2]}-{number}-"
    log.append(json.dumps([sys.argv[2], number, text * (number * 37 % 700 + 1)]).encode() + b"\\n")
print("done", flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def log(folder: Path) -> Iterator[AuditLog]:
    opened = AuditLog(folder, most=10, clock=lambda: TODAY)
    yield opened
    opened.close()


def test_lines_are_appended_in_files_that_only_the_owner_reads(folder: Path, log: AuditLog) -> None:
    log.append(b"one\n")
    log.append(b"two\n")

    assert (folder / FIRST).read_bytes() == b"one\ntwo\n"
    assert (folder.stat().st_mode & 0o777, (folder / FIRST).stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_file_that_is_full_has_a_successor_and_keeps_its_name(folder: Path, log: AuditLog) -> None:
    for number in range(5):
        log.append(b"%05d\n" % number)

    assert AuditFiles(folder).sizes() == {FIRST: 12, "1970-01-02.1.jsonl": 12, "1970-01-02.2.jsonl": 6}


def test_another_process_goes_on_with_the_last_file(folder: Path, log: AuditLog) -> None:
    for _ in range(3):
        log.append(b"12345\n")
    other = AuditLog(folder, most=10, clock=lambda: TODAY)
    other.append(b"x\n")
    other.close()

    assert AuditFiles(folder).sizes() == {FIRST: 12, "1970-01-02.1.jsonl": 8}


def test_a_day_has_files_of_its_own_and_the_tenth_comes_after_the_ninth(folder: Path) -> None:
    now = TODAY
    log = AuditLog(folder, most=1, clock=lambda: now)
    for _ in range(11):
        log.append(b"x\n")
    now += DAY
    log.append(b"x\n")
    log.close()
    files = AuditFiles(folder)

    names = list(files.sizes())
    assert names == [*(f"1970-01-02.{number}.jsonl" for number in range(11)), "1970-01-03.0.jsonl"]
    assert files.day(names[-1]) == date(1970, 1, 3)


def test_a_log_that_was_removed_is_made_anew(folder: Path, log: AuditLog) -> None:
    log.append(b"one\n")
    (folder / FIRST).unlink()
    folder.rmdir()
    log.append(b"two\n")

    assert (folder / FIRST).read_bytes() == b"two\n"


def test_a_link_is_not_followed(folder: Path, log: AuditLog, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / FIRST).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        log.append(b"x\n")
    assert not (tmp_path / "elsewhere").exists()


def test_a_line_that_was_cut_short_is_ended_and_told(
    folder: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(b"a\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:2]))

    with pytest.raises(OSError, match="No space left"):
        log.append(b"longer\n")
    monkeypatch.undo()
    log.append(b"next\n")
    assert (folder / FIRST).read_bytes() == b"a\nlo\nnext\n"


def test_a_full_disk_is_told(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        log.append(b"x\n")


def test_whole_lines_are_read_from_where_one_was(folder: Path) -> None:
    folder.mkdir()
    (folder / FIRST).write_bytes(b"one\ntwo\nthr")
    (folder / "1970-99-99.0.jsonl").touch()
    (folder / "notes.txt").touch()
    files = AuditFiles(folder)

    assert files.read(FIRST, 0, 100) == b"one\ntwo\n"
    assert files.read(FIRST, 4, 100) == b"two\n"
    assert files.read(FIRST, 8, 100) == b""
    assert files.read(FIRST, 0, 6) == b"one\n"
    assert files.read(FIRST, 8, 2) == b"th"
    files.sync(FIRST, new=True)
    files.remove(FIRST)
    files.remove(FIRST)
    assert FIRST not in files.sizes()


def test_a_folder_that_is_not_there_has_no_files(folder: Path) -> None:
    assert AuditFiles(folder).sizes() == {}


@pytest.mark.slow
def test_no_line_of_several_processes_is_torn_or_lost(folder: Path) -> None:
    lines, names = 2_000, ["a", "b", "c", "d"]
    with processes(APPEND, [(str(folder), name, str(lines)) for name in names]) as writers:
        for writer in writers:
            assert writer.says() == "ready"
        for writer in writers:
            writer.tell("go")
        for writer in writers:
            assert writer.says() == "done"
    files = AuditFiles(folder)
    found = [json.loads(line) for name in files.sizes() for line in (folder / name).read_bytes().splitlines()]

    assert all(text == f"{name}-{number}-" * (number * 37 % 700 + 1) for name, number, text in found)
    for name in names:
        assert [number for writer, number, _ in found if writer == name] == sorted(range(lines))
    assert len(files.sizes()) > 10

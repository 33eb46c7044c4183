import errno
import os
import stat
from pathlib import Path

import pytest

from moorage.adapters.files import replace_file

NOBODY = 65534


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_and_has_exactly_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(b"before")

    replace_file(file, b"after", 0o640)

    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"after", 0o640)
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_a_write_that_fails_leaves_the_file_of_before_and_nothing_else(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(b"before")
    monkeypatch.setattr(os, step, full)

    with pytest.raises(OSError, match="No space left") as failure:
        replace_file(file, b"after", 0o640)

    assert failure.value.filename == str(file)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"hosts": b"before"}


def test_a_name_that_cannot_be_replaced_leaves_nothing_and_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(IsADirectoryError) as failure:
        replace_file(tmp_path / "folder", b"after", 0o640)

    assert failure.value.filename == str(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_is_not_there_is_named_by_the_file_that_was_to_be_in_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failure:
        replace_file(tmp_path / "none" / "hosts", b"after", 0o640)

    assert failure.value.filename == str(tmp_path / "none" / "hosts")


def test_a_link_that_waits_where_a_writer_could_be_expected_is_not_followed(tmp_path: Path) -> None:
    folder, prey = tmp_path / "folder", tmp_path / "prey"
    folder.mkdir()
    prey.write_bytes(b"untouched")
    (folder / f".hosts.{os.getpid()}").symlink_to(prey)

    replace_file(folder / "hosts", b"after", 0o666)

    assert prey.read_bytes() == b"untouched"


@pytest.mark.slow
def test_what_root_writes_for_somebody_belongs_to_them(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "only root can give files away: run the tests as root"
    os.chown(tmp_path, NOBODY, NOBODY)

    replace_file(tmp_path / "endpoint", b"http://127.0.0.1:4510", 0o600, tmp_path.stat())

    assert (tmp_path / "endpoint").stat().st_uid == NOBODY

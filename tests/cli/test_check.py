"""``moorage check``."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from moorage.adapters.blobs_disk import DiskBlobs
from moorage.cli.main import main
from tests.clients.registry import digest_of
from tests.contracts.written import KEY, OTHER


def check(data: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["check", "--data", str(data), *options])


def test_a_whole_store_is_said_to_be(store: Path) -> None:
    looked = check(store, "--digests")

    assert (looked.exit_code, looked.output) == (0, "Looked at 5 B of layers: nothing wrong.\n")


def test_lost_bytes_are_an_error_until_they_are_forgotten(store: Path) -> None:
    DiskBlobs(store / "blobs").delete(KEY)
    digest = digest_of(b"layer")

    looked, repaired, again = check(store), check(store, "--repair"), check(store)

    assert (looked.exit_code, looked.output.splitlines()) == (
        1,
        [f"{digest}  its bytes are not there", "Looked at 5 B of layers: 1 wrong."],
    )
    assert (repaired.exit_code, repaired.output.splitlines()) == (
        0,
        [f"{digest}  its bytes are not there  (forgotten)", "Looked at 5 B of layers: 1 wrong, 1 repaired."],
    )
    assert (again.exit_code, again.output) == (0, "Looked at 0 B of layers: nothing wrong.\n")


def test_changed_bytes_are_found_by_reading_them_and_shown_to_programs(store: Path) -> None:
    DiskBlobs(store / "blobs").location(KEY).write_bytes(b"LAYER")

    assert check(store).exit_code == 0
    looked = check(store, "--digests", "--json")

    assert looked.exit_code == 1
    assert json.loads(looked.output) == {
        "fault": "digest",
        "why": "its bytes have another digest",
        "registryId": None,
        "region": None,
        "repositoryName": None,
        "digest": digest_of(b"layer"),
        "uploadId": KEY,
        "repaired": False,
    }


def test_files_without_a_row_are_told_and_left_to_collection(store: Path, an_old_file: None) -> None:
    looked = check(store)

    assert looked.exit_code == 0
    assert looked.output.splitlines() == [
        "Looked at 5 B of layers: nothing wrong.",
        "Without a row, and so to be removed by `moorage collect`: 1 file: 6 B.",
    ]
    assert DiskBlobs(store / "blobs").size(OTHER) == 6


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    assert check(tmp_path).exit_code == 1

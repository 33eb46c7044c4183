"""Imports point downwards only, and the contracts that say so are seen to be run."""

import subprocess
import sys
from pathlib import Path

from tests.house.tree import ROOT


def test_the_rooms_import_only_what_is_below_them() -> None:
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ", 0 broken" in ran.stdout

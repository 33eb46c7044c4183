"""The command that reads a trust store, when whoever began it was killed."""

import signal
import subprocess
import sys
from pathlib import Path

from moorage.adapters.trust_store import run_in_turn
from tests.engines.programs import wait_until

SLOWLY = """
import sys
from pathlib import Path
from moorage.adapters.trust_store import run_in_turn
run_in_turn(Path(sys.argv[1]), ["sh", "-c", 'touch "$0/begun"; sleep 0.5; touch "$0/ended"', sys.argv[1]])
"""


def test_a_command_waits_for_one_that_was_left_behind(tmp_path: Path) -> None:
    caller = subprocess.Popen([sys.executable, "-c", SLOWLY, str(tmp_path)])
    assert wait_until((tmp_path / "begun").exists, seconds=10)
    caller.send_signal(signal.SIGKILL)
    caller.wait()

    run_in_turn(tmp_path, ["test", "-e", f"{tmp_path}/ended"])

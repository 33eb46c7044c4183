"""``moorage serve`` on a tether: it ends when its standard input does, and takes its folder, which it makes, along.

``python -m moorage.cli.tethered FOLDER [OPTION]...``; the options are those of ``serve``.
"""

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from moorage.cli.main import main


def tethered(folder: Path, options: list[str]) -> None:
    """Serve until told to stop or until whoever holds the other end of standard input is gone; always raises SystemExit."""
    # Until the server has handlers of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=_hold, daemon=True, name="tether").start()
    try:
        folder.mkdir(mode=0o700)
        os.chdir(folder)
        main(["serve", *options])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hold() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    tethered(Path(sys.argv[1]), sys.argv[2:])

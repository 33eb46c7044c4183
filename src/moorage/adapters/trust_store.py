"""Having the machine read what was changed in its trust store."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from moorage.core.trust import Store, removing


def refresh(store: Store, names: Sequence[str]) -> None:
    """Have the machine trust what is in a store now, after files of these names came or went; raises CalledProcessError.

    A machine without the command has nothing to keep up to date.
    """
    folder, command = Path(store.folder), shutil.which(store.command[0])
    if command is None:
        return
    gone = [name for name in names if not (folder / name).exists()]
    if gone and store.listed:
        listed = Path(store.listed)
        with tempfile.NamedTemporaryFile(prefix="moorage-trust-") as without:
            without.write(removing(listed.read_bytes() if listed.exists() else b"", gone))
            without.flush()
            run_in_turn(folder, [command, "--certsconf", without.name])
    if not store.listed or len(gone) < len(names):
        run_in_turn(folder, [command, *store.command[1:]])


def run_in_turn(folder: Path, command: Sequence[str]) -> None:
    """Run a command when no other one is run for that folder, also none whose caller was killed and that still goes on."""
    with _turn(folder) as lock:
        # What the command starts has the lock too, until the last of it has ended.
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, pass_fds=[lock])  # noqa: S603 - the commands are our own


@contextmanager
def _turn(folder: Path) -> Iterator[int]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)

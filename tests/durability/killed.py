"""Ends the server from within, right after the n-th call that changes the disk, and takes what was not durable along.

``install`` wraps the calls of this process; nothing happens until the file ``ORDERS`` appears, with the number n (0: before
the first call) and the way to end:

- ``crash``: the process is gone, and the kernel still has all that was written;
- ``power cut``: what was not synced is gone too: bytes of files, entries of folders, commits that did not wait.

A power cut may also leave any part of what was not synced; ``crash`` leaves all of it, ``power cut`` none.
"""

import itertools
import os
import shutil
import signal
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine.default import DefaultDialect

T = TypeVar("T")

ORDERS = "MORTAL_ORDERS"
"""The variable with the path of the file; the name of the last call is left beside it, as ``.last``."""

BESIDE = ("audit", "usage")
"""Threads that change the disk when their second has come, whatever is asked meanwhile: their calls are not counted."""


class Disk:
    """What this process has changed and not yet made durable."""

    def __init__(self) -> None:
        self._sizes: dict[Path, int] = {}
        self._entries: list[Path] = []
        self._log: tuple[Path, int] | None = None

    def made(self, path: Path) -> None:
        self._entries.append(path)

    def removed(self, path: Path) -> None:
        self._sizes.pop(path, None)
        self._entries = [each for each in self._entries if each != path]

    def touched(self, path: Path, size: int) -> None:
        """Note that the bytes beyond ``size`` change."""
        self._sizes[path] = min(size, self._sizes.get(path, size))

    def synced(self, path: Path) -> None:
        self._sizes.pop(path, None)
        if path.is_dir():
            self._entries = [each for each in self._entries if each.parent != path]

    def committed(self, connection: Any) -> None:
        """Note how long SQLite's log is, where the commit waited for the disk: all before it is durable with it."""
        cursor = connection.cursor()
        if isinstance(cursor, sqlite3.Cursor):
            log = Path(cursor.execute("PRAGMA database_list").fetchone()[2] + "-wal")
            if cursor.execute("PRAGMA synchronous").fetchone()[0] >= 2:
                self._log = (log, log.stat().st_size)
            elif self._log is None:
                self._log = (log, 0)

    def lose_power(self) -> None:
        """Take back what is not durable."""
        for path, size in self._sizes.items():
            os.truncate(path, size)
        for path in reversed(self._entries):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
        if self._log:
            os.truncate(*self._log)


class Executioner:
    """Counts the calls that change the disk while there are orders, and carries these out."""

    def __init__(self, orders: Path) -> None:
        self.disk = Disk()
        self._file = orders
        self._orders = ""
        self._left = -1
        self._lock = threading.RLock()

    def call(self, name: str, work: Callable[[], T]) -> T:
        """Make one such call; the process may not outlive it."""
        if threading.current_thread().name in BESIDE:
            return work()
        with self._lock:
            self._read()
            if self._left == 0:
                self._execute(f"nothing before {name}")
            try:
                return work()
            finally:
                self._left -= 1
                if self._left == 0:
                    self._execute(name)

    def _read(self) -> None:
        orders = self._file.read_text() if self._file.exists() else ""
        if orders != self._orders:
            self._orders = orders
            self._left = int(orders.partition(" ")[0] or -1)

    def _execute(self, last: str) -> None:
        self._left = -1
        self._file.with_suffix(".last").write_text(last)
        if self._orders.endswith("power cut"):
            self.disk.lose_power()
        os.killpg(os.getpgrp(), signal.SIGKILL)


def install() -> None:
    """Wrap the calls of this process, if it is a server or a collection, which has a process group of its own."""
    if {"serve", "collect"} & set(sys.orig_argv):
        orders = Path(os.environ[ORDERS])
        executioner = Executioner(orders)
        wrap_writes(executioner)
        wrap_syncs(executioner)
        wrap_entries(executioner)
        wrap_commits(executioner)
        spread_ids(orders.with_suffix(".starts"))


def wrap_writes(executioner: Executioner) -> None:
    disk, pwritev, pwrite, ftruncate = executioner.disk, os.pwritev, os.pwrite, os.ftruncate

    def pwritev_too(file: int, chunks: Sequence[bytes], offset: int) -> int:
        disk.touched(path_of(file), min(offset, os.fstat(file).st_size))
        return executioner.call("pwritev", lambda: pwritev(file, chunks, offset))

    def pwrite_too(file: int, data: bytes, offset: int) -> int:
        disk.touched(path_of(file), min(offset, os.fstat(file).st_size))
        return executioner.call("pwrite", lambda: pwrite(file, data, offset))

    def ftruncate_too(file: int, size: int) -> None:
        disk.touched(path_of(file), size)
        executioner.call("ftruncate", lambda: ftruncate(file, size))

    replace(os, pwritev=pwritev_too, pwrite=pwrite_too, ftruncate=ftruncate_too)


def wrap_syncs(executioner: Executioner) -> None:
    def wrapped(name: str, sync: Callable[[int], None]) -> Callable[[int], None]:
        def sync_and_note(file: int) -> None:
            sync(file)
            executioner.disk.synced(path_of(file))

        return lambda file: executioner.call(name, lambda: sync_and_note(file))

    replace(os, fsync=wrapped("fsync", os.fsync), fdatasync=wrapped("fdatasync", os.fdatasync))


def wrap_entries(executioner: Executioner) -> None:
    disk, opened, mkdir, unlink = executioner.disk, os.open, os.mkdir, os.unlink

    def open_too(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_CREAT or Path(path).exists():
            return opened(path, flags, mode, dir_fd=dir_fd)
        disk.made(Path(path))
        return executioner.call("open", lambda: opened(path, flags, mode, dir_fd=dir_fd))

    def mkdir_too(path: str | Path, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if not Path(path).exists():
            disk.made(Path(path))
        executioner.call("mkdir", lambda: mkdir(path, mode, dir_fd=dir_fd))

    def unlink_too(path: str | Path, *, dir_fd: int | None = None) -> None:
        executioner.call("unlink", lambda: unlink(path, dir_fd=dir_fd))
        disk.removed(Path(path))

    replace(os, open=open_too, mkdir=mkdir_too, unlink=unlink_too)


def wrap_commits(executioner: Executioner) -> None:
    commit = DefaultDialect.do_commit

    def commit_too(dialect: DefaultDialect, connection: Any) -> None:
        def work() -> None:
            commit(dialect, connection)  # type: ignore[no-untyped-call] # SQLAlchemy's own
            executioner.disk.committed(connection)

        executioner.call("commit", work)

    replace(DefaultDialect, do_commit=commit_too)


def spread_ids(starts: Path) -> None:
    """Let each upload be the first one of its folder, so that the same request always makes the same calls."""
    with starts.open("ab") as file:
        file.write(b".")
    firsts, uuid4 = itertools.count(8 * starts.stat().st_size), uuid.uuid4
    replace(uuid, uuid4=lambda: uuid.UUID(bytes=bytes([next(firsts) % 256]) + uuid4().bytes[1:]))


def path_of(file: int) -> Path:
    return Path(f"/proc/self/fd/{file}").readlink()


def replace(owner: Any, **functions: Callable[..., Any]) -> None:
    for name, function in functions.items():
        setattr(owner, name, function)

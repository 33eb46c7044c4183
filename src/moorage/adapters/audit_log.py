"""The audit log as files: lines of JSON that are appended and never changed, ``2026-11-27.0.jsonl`` and so on.

A file is named by the day in UTC and a number, and never renamed: whoever reads it knows how far by its name and a number of
bytes. Any number of processes append at once, each record by one write that begins where the file ends (open(2), O_APPEND).
A record survives the end of the process that wrote it; it survives a power cut once it was synced, which whoever reads does.
"""

import errno
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

from moorage.adapters.files import sync_folder
from moorage.core.quotas import MIB

MOST = 64 * MIB
"""Bytes after which a file has a successor. Of several processes each may still add a record to it."""

DAY = 24 * 60 * 60
_name = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.([0-9]{1,9})\.jsonl")


class AuditLog:
    """Appends records; shared by the threads of a process."""

    def __init__(self, folder: Path, *, most: int = MOST, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._file: int | None = None
        self._day = -1

    def append(self, line: bytes) -> None:
        """Write a line; raises OSError where it could not be written as a whole."""
        with self._lock:
            file = self._open()
            if os.write(file, line) < len(line):
                # The rest would not stand beside its beginning. So at least the next line begins a line.
                os.write(file, b"\n")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._leave()

    def _open(self) -> int:
        day = int(self._clock() // DAY)
        if self._file is not None and self._day == day:
            found = os.fstat(self._file)
            # Of a file that was removed nobody would read any more.
            if found.st_size < self._most and found.st_nlink:
                return self._file
        self._leave()
        self._file, self._day = self._newest(datetime.fromtimestamp(day * DAY, UTC).date()), day
        return self._file

    def _newest(self, day: date) -> int:
        """Return the first file of a day that has room, from the last one on."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        names = [path.name for path in self._folder.iterdir()]
        number = max((last for when, last in map(_parsed, names) if when == day), default=0)
        while True:
            path = self._folder / f"{day}.{number}.jsonl"
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if os.fstat(file).st_size < self._most:
                return file
            os.close(file)
            number += 1

    def _leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class AuditFiles:
    """The port AuditFiles: the same files, read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        """Return the files with their sizes, the oldest first."""
        try:
            with os.scandir(self._folder) as entries:
                found = [
                    (_parsed(one.name), one.name, one.stat().st_size) for one in entries if _name.fullmatch(one.name)
                ]
        except FileNotFoundError:
            return {}
        return {name: size for _, name, size in sorted(found)}

    def day(self, name: str) -> date:
        """Return the day whose records a file has."""
        return _parsed(name)[0]

    def sync(self, name: str, *, new: bool) -> None:
        """Have what is in a file survive a power cut, and the file itself where it is new."""
        file = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(file)
        finally:
            os.close(file)
        if new:
            sync_folder(self._folder)

    def read(self, name: str, offset: int, most: int) -> bytes:
        """Return whole lines from there on, at most so many bytes; nothing where there is no whole line yet."""
        with (self._folder / name).open("rb") as file:
            file.seek(offset)
            content = file.read(most)
        end = content.rfind(b"\n") + 1
        # What has no end in so many bytes is no line of ours.
        return content[:end] if end or len(content) < most else content

    def remove(self, name: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            (self._folder / name).unlink()


def _parsed(name: str) -> tuple[date, int]:
    found = _name.fullmatch(name)
    try:
        return (date.fromisoformat(found[1]), int(found[2])) if found else (date.min, 0)
    except ValueError:
        return date.min, 0

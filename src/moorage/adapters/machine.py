"""Files of the machine that Moorage changes for its user, with a journal from which each is taken back byte for byte.

The journal says what a file was before the file is touched, so an interrupted change can be taken back or made again.
"""

import base64
import errno
import json
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage.adapters.files import replace_file, sync_folder
from moorage.core.hosts import without_block
from moorage.core.trust import CONTAINERD, DOCKER, HOSTS, STORES, Change, Store


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking back did: files put back or removed, and files that were changed by others since and so left alone."""

    restored: list[str]
    left: list[str]


class Machine:
    """The machine, seen from ``root``; ``journal`` is the file that remembers what was changed."""

    def __init__(self, journal: Path, root: Path = Path("/")) -> None:
        self._journal = journal
        self._root = root

    def hosts(self) -> str:
        """Return the hosts file."""
        try:
            return self._at(HOSTS).read_text()
        except FileNotFoundError:
            return ""

    def engines(self) -> list[str]:
        """Return the folders of the container engines that are installed."""
        return [folder for folder in (DOCKER, CONTAINERD) if self._at(folder).is_dir()]

    def store(self) -> Store | None:
        """Return the system's trust store, or None where it has none that is known."""
        return next((store for store in STORES if self._at(store.folder).is_dir()), None)

    def pending(self, changes: Sequence[Change]) -> list[Change]:
        """Return those changes that are not made yet."""
        return [change for change in changes if self._read(change.path) != change.content]

    def apply(self, changes: Sequence[Change], commands: Sequence[Sequence[str]]) -> None:
        """Make the changes, then run the commands; raises PermissionError, CalledProcessError."""
        journal = self._load()
        for change in changes:
            self._remember(journal, change)
            self._write(change.path, change.content)
        journal["commands"] = [
            list(each) for each in dict.fromkeys((*map(tuple, journal["commands"]), *map(tuple, commands)))
        ]
        self._save(journal)
        for command in commands:
            self._run(command)

    def undo(self) -> Undone:
        """Take back what was changed; a file that somebody else has changed since is left as it is, but for Moorage's own lines."""
        journal = self._load()
        restored: list[str] = []
        left: list[str] = []
        for entry in reversed(journal["files"]):
            (restored if self._restore(entry) else left).append(entry["path"])
        for folder in sorted(journal["folders"], key=len, reverse=True):
            place = self._at(folder)
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        for command in journal["commands"]:
            self._run(command)
        self._journal.unlink(missing_ok=True)
        return Undone(restored, left)

    def _restore(self, entry: dict[str, Any]) -> bool:
        path, current = entry["path"], self._read(entry["path"])
        before = _decoded(entry["before"])
        if current is None or current == before:
            return True
        if path == HOSTS:
            before = _hosts_before(before, current)
        elif current != _decoded(entry["after"]):
            return False
        self._put_back(path, before)
        return True

    def _put_back(self, path: str, before: bytes | None) -> None:
        if before is None:
            self._at(path).unlink()
            sync_folder(self._at(path).parent)
        else:
            self._write(path, before)

    def _remember(self, journal: dict[str, Any], change: Change) -> None:
        entry = next((each for each in journal["files"] if each["path"] == change.path), None)
        if entry is None:
            entry = {"path": change.path, "after": None}
            journal["files"].append(entry)
        current = self._read(change.path)
        if current is None or current != _decoded(entry["after"]):
            entry["before"] = _encoded(current)
        entry["after"] = _encoded(change.content)
        new = [str(folder) for folder in Path(change.path).parents if not self._at(str(folder)).is_dir()]
        journal["folders"] = list(dict.fromkeys([*journal["folders"], *new]))
        self._save(journal)

    def _read(self, path: str) -> bytes | None:
        try:
            return self._at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, path: str, content: bytes) -> None:
        place = self._at(path)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            replace_file(place, content, stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o644)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # A hosts file that is mounted on its own, as in containers, cannot be replaced; it is smaller than a page.
            place.write_bytes(content)

    def _at(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _run(self, command: Sequence[str]) -> None:
        """Run a command on the running machine; one that is not there has nothing to keep up to date."""
        found = shutil.which(command[0])
        if found and self._root == Path("/"):
            subprocess.run([found, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, check=True)  # noqa: S603 - the commands are our own

    def _load(self) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = json.loads(self._journal.read_text())
        except FileNotFoundError:
            return {"files": [], "folders": [], "commands": []}
        return loaded

    def _save(self, journal: dict[str, Any]) -> None:
        replace_file(self._journal, json.dumps(journal, indent=1).encode(), 0o600)


def _hosts_before(before: bytes | None, current: bytes) -> bytes | None:
    """Return the hosts file without Moorage's lines, whatever else was changed in it; None where there was none."""
    rest = without_block(current.decode())
    if before is not None and rest.encode() == before + b"\n":
        return before
    return None if before is None and not rest else rest.encode()


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)

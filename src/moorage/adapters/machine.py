"""Files of the machine that Moorage changes for its user, with a journal from which each is taken back byte for byte."""

import errno
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage.adapters.files import replace_file, sync_folder
from moorage.adapters.journal import File, Journal, read_journal, write_journal
from moorage.adapters.trust_store import refresh
from moorage.core.hosts import has_marks, without_block
from moorage.core.trust import CONTAINERD, DOCKER, HOSTS, STORES, Change, Store, Trusted, in_stores, planned

JOURNAL = "/var/lib/moorage-trust.json"
"""Not in a data folder: that may be another user's, and root does what the journal says."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking back did: files put back or removed, and files that were changed by others since and so left alone."""

    restored: list[str]
    left: list[str]


class Machine:
    """The machine, seen from ``root``. All methods raise OSError for what cannot be done and ValueError for a broken journal."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._journal = self._at(JOURNAL)

    def journal(self) -> Journal:
        """Return what was done so far."""
        return read_journal(self._journal)

    def pending(self, trusted: Sequence[Trusted]) -> list[Change]:
        """Return the changes that are to be made before these authorities are trusted."""
        changes = planned(trusted=trusted, hosts=self._read(HOSTS) or b"", engines=self._engines(), store=self._store())
        return [change for change in changes if self._read(change.path) != change.content]

    def begin(self, data: Path | None = None) -> None:
        """Note that something is about to be done, an authority made in a data folder for one; who may not do it learns it here."""
        journal = self.journal()
        if data is not None:
            journal.data.setdefault(str(data), not data.exists())
        journal.finished = False
        write_journal(self._journal, journal)

    def apply(self, trusted: list[Trusted]) -> None:
        """Make this machine trust these authorities; raises CalledProcessError too."""
        journal, changes = self.journal(), self.pending(trusted)
        journal.trusted, journal.finished = trusted, False
        for change in changes:
            journal.remember(change.path, self._read(change.path), change.content)
            new = [str(folder) for folder in Path(change.path).parents if not self._at(str(folder)).is_dir()]
            journal.folders = list(dict.fromkeys([*journal.folders, *new]))
        write_journal(self._journal, journal)
        for change in changes:
            self._write(change.path, change.content)
        self._run_for(journal)
        journal.finished = True
        write_journal(self._journal, journal)

    def undo(self) -> Undone:
        """Take back what was changed; a file that somebody else has changed since is left as it is, but for Moorage's own lines."""
        journal = self.journal()
        restored: list[str] = []
        left: list[str] = []
        for path, file in reversed(journal.files.items()):
            (restored if self._restore(path, file) else left).append(path)
        for folder in sorted(journal.folders, key=len, reverse=True):
            place = self._at(folder)
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
        self._run_for(journal)
        return Undone(restored, left)

    def forget(self) -> None:
        """Forget what was done, once all of it is taken back."""
        self._journal.unlink(missing_ok=True)

    def _engines(self) -> list[str]:
        """Return the folders of the container engines that are installed."""
        return [folder for folder in (DOCKER, CONTAINERD) if self._at(folder).is_dir()]

    def _store(self) -> Store | None:
        """Return the system's trust store, or None where it has none that is known."""
        return next((store for store in STORES if self._at(store.folder).is_dir()), None)

    def _restore(self, path: str, file: File) -> bool:
        current, before = self._read(path), file.before
        if current is None or current == before:
            return True
        if path == HOSTS:
            before = _hosts_before(before, current)
            if before is not None and has_marks(before):
                # One of the two marks is gone, so nobody can tell our lines from others.
                return False
        elif not file.wrote(current):
            return False
        if before is None:
            self._at(path).unlink()
            sync_folder(self._at(path).parent)
        else:
            self._write(path, before)
        return True

    def _read(self, path: str) -> bytes | None:
        try:
            return self._at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, path: str, content: bytes) -> None:
        """Write a file; one that is there keeps its mode and its owner."""
        place = self._at(path)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        known = place.stat() if place.exists() else None
        try:
            replace_file(place, content, stat.S_IMODE(known.st_mode) if known else 0o644, known)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # A hosts file that is mounted on its own, as in containers, cannot be replaced; it is smaller than a page.
            place.write_bytes(content)

    def _at(self, path: str) -> Path:
        """Return where a file really is: a link stays one, and what it points to is changed."""
        return (self._root / path.lstrip("/")).resolve()

    def _run_for(self, journal: Journal) -> None:
        """Have the machine itself read what was changed."""
        if self._root == Path("/"):
            for store, names in in_stores(journal.files):
                refresh(store, names)


def _hosts_before(before: bytes | None, current: bytes) -> bytes | None:
    """Return the hosts file without Moorage's lines, whatever else was changed in it; None where there was none."""
    rest = without_block(current)
    if before is not None and rest == before + b"\n":
        return before
    return None if before is None and not rest else rest

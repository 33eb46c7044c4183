"""What the actions need of the audit log, and of which access was used."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from moorage.core.audit import Entry, Wanted
from moorage.core.usage import Used


class AuditRows(Protocol):
    """The audit log as rows, and how far its files were read."""

    def offsets(self) -> dict[str, int]:
        """Return how many bytes of each file are rows."""

    def advance(self, name: str, known: int, reached: int) -> bool:
        """Note how far a file was read; false where it is not where ``known`` says, and then nothing is noted."""

    def add(self, entries: Sequence[Entry]) -> None:
        """Store records."""

    def page(self, wanted: Wanted, before: int | None, limit: int) -> list[tuple[int, Entry]]:
        """Return up to ``limit`` records with the numbers of their rows, the newest first, those before a row."""

    def remove(self, before: datetime, limit: int) -> int:
        """Forget up to ``limit`` records from before then, and return how many."""

    def forget_files(self, names: Sequence[str]) -> None:
        """Forget how far files were read."""


class UsageRows(Protocol):
    """Which access was used."""

    def note(self, used: Sequence[Used]) -> None:
        """Store what was used; of two times of one row the newer one stays."""

    def shorten(self, principal: str, most: int) -> None:
        """Leave a principal so many rows; those that were only denied go first, then the oldest."""

    def remove(self, before: datetime) -> None:
        """Forget what was neither allowed nor denied since then."""

    def of(self, principal: str) -> list[Used]:
        """Return what a principal used, by resource and action."""


class AuditFiles(Protocol):
    """The files of the audit log, of which whole lines are read."""

    def sizes(self) -> dict[str, int]:
        """Return the files with their sizes, the oldest first."""

    def day(self, name: str) -> date:
        """Return the day whose records a file has."""

    def sync(self, name: str, *, new: bool) -> None:
        """Have what is in a file survive a power cut, and the file itself where it is new."""

    def read(self, name: str, offset: int, most: int) -> bytes:
        """Return whole lines from there on, at most so many bytes; nothing where there is no whole line yet."""

    def remove(self, name: str) -> None:
        """Remove a file."""

"""Which access was used: noted in memory at each decision, written to rows once in a while."""

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from moorage.core.usage import Used
from moorage.ports import Database

MOST_NOTES = 2_000
"""Notes on one principal between two writes: whoever tries out names crowds out no other's."""
MOST_PRINCIPALS = 10_000
MOST_RESOURCE = 700
"""Characters of a resource, as the table has them; no ARN of something that is there has more."""
MOST_ROWS = 10_000
"""Rows on one principal; of more the oldest go, those that were only ever denied first."""
SLICE = 500
KEPT = timedelta(days=400)

Notes = dict[tuple[str, str, bool], datetime]


class UsageNotes:
    """What the guard of one process has decided since the last write; shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[str, Notes] = {}

    def note(self, principal: str, resource: str, action: str, at: datetime, *, allowed: bool) -> None:
        """Remember a decision; it takes less than a microsecond."""
        key = (resource, action, allowed)
        with self._lock:
            notes = self._notes.get(principal)
            if notes is None:
                if len(self._notes) >= MOST_PRINCIPALS:
                    return
                notes = self._notes[principal] = {}
            if len(notes) < MOST_NOTES or key in notes:
                notes[key] = at

    def take(self) -> list[Used]:
        """Return what was noted, in the order of its keys, and forget it."""
        with self._lock:
            taken, self._notes = self._notes, {}
        found: dict[tuple[str, str, str], dict[bool, datetime]] = {}
        for principal, notes in taken.items():
            for (resource, action, allowed), at in notes.items():
                # What a client wrote for an ARN may be anything; a name that nothing can have is no access to tighten.
                if len(resource) > MOST_RESOURCE or not resource.isascii():
                    continue
                found.setdefault((principal, resource, action), {})[allowed] = at
        # In one order everywhere: two who write the same rows in other orders would wait for each other.
        return [
            Used(
                principal=principal,
                resource=resource,
                action=action,
                allowed_at=times.get(True),
                denied_at=times.get(False),
            )
            for (principal, resource, action), times in sorted(found.items())
        ]

    def put_back(self, used: Sequence[Used]) -> None:
        """Remember again what was taken and could not be written; what was noted meanwhile stays."""
        with self._lock:
            for one in used:
                notes = self._notes.setdefault(one.principal, {})
                for allowed, at in ((True, one.allowed_at), (False, one.denied_at)):
                    if at and len(notes) < MOST_NOTES:
                        notes.setdefault((one.resource, one.action, allowed), at)


class Usage:
    """The rows. Whoever may open the store may read them: no call of a door leads here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, notes: UsageNotes) -> None:
        """Add what was noted to the rows; the newest time stays."""
        taken = notes.take()
        for begin in range(0, len(taken), SLICE):
            part = taken[begin : begin + SLICE]
            try:
                with self._database.write(durable=False) as tx:
                    tx.usage.note(part)
                    for principal in sorted({one.principal for one in part}):
                        tx.usage.shorten(principal, MOST_ROWS)
            except BaseException:
                notes.put_back(taken[begin:])
                raise

    def forget(self, before: datetime) -> None:
        """Remove what was last used before then."""
        with self._database.write(durable=False) as tx:
            tx.usage.remove(before)

    def of(self, principal: str) -> Iterator[Used]:
        """Yield what a principal used, by resource and action."""
        with self._database.read() as tx:
            yield from tx.usage.of(principal)

"""The audit log as rows that can be asked: brought up to the lines, each line once, and forgotten after its time.

How far a file was read is kept in the transaction that adds what was read. So whoever reads at the same time, or was killed in
between, adds nothing twice.
"""

import logging
from collections.abc import Iterator
from datetime import datetime

from moorage.core.audit import Entry, Wanted, read
from moorage.core.quotas import MIB
from moorage.ports import AuditFiles, Database

PIECE = MIB
"""Bytes of lines that one transaction adds."""
SLICE = 1000
"""Rows that one transaction removes, or one page holds."""

_log = logging.getLogger("moorage.audit")


class AuditTrail:
    """The rows of the audit log. Whoever may open the store may read them: no call of a door leads here."""

    def __init__(self, database: Database, files: AuditFiles) -> None:
        self._database = database
        self._files = files
        self._seen: dict[str, int] = {}

    def catch_up(self) -> None:
        """Sync the lines that are new, and make them rows."""
        sizes = self._files.sizes()
        while sizes != self._seen:
            with self._database.read() as tx:
                known = tx.audit.offsets()
            new = [name for name, size in sizes.items() if size != known.get(name)]
            if all(self._follow(name, known.get(name, 0)) for name in new):
                self._seen = sizes

    def _follow(self, name: str, known: int) -> bool:
        """Read a file to its end; false where somebody else was reading it meanwhile, and so knows better how far it is read."""
        self._files.sync(name, new=known == 0)
        # One that has become shorter is another file: ours only grow.
        at = known if known <= self._files.sizes().get(name, 0) else 0
        while content := self._files.read(name, at, PIECE):
            entries = [(line, read(line)) for line in content.split(b"\n") if line]
            whole = [entry for _, entry in entries if entry]
            if len(whole) < len(entries):
                _log.warning("%s has %d lines that hold no record", name, len(entries) - len(whole))
            with self._database.write(durable=False) as tx:
                if not tx.audit.advance(name, known, at + len(content)):
                    return False
                tx.audit.add(whole)
            at += len(content)
            known = at
        return True

    def forget(self, before: datetime) -> None:
        """Remove rows from before then, and the files of the days before it."""
        gone = SLICE
        while gone == SLICE:
            with self._database.write(durable=False) as tx:
                gone = tx.audit.remove(before, SLICE)
        with self._database.read() as tx:
            known = tx.audit.offsets()
        old = [name for name in {*known, *self._files.sizes()} if self._files.day(name) < before.date()]
        for name in old:
            self._files.remove(name)
        if old:
            with self._database.write(durable=False) as tx:
                tx.audit.forget_files(old)

    def entries(self, wanted: Wanted, before: int | None, page_size: int) -> Iterator[tuple[int, Entry]]:
        """Yield what is wanted with the numbers of its rows, the newest first, those before a row; read page by page."""
        size = min(page_size, SLICE)
        while True:
            with self._database.read() as tx:
                page = tx.audit.page(wanted, before, size)
            yield from page
            if len(page) < size:
                return
            before = page[-1][0]

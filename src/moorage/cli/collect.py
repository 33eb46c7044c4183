"""``moorage collect``: what is unused, shown or removed; and the same beside a running server, now and then."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from moorage.cli.options import gathered, server_settings, setting_options
from moorage.cli.tables import size
from moorage.cli.upkeep import fields, named, refuse_other_users
from moorage.config import InvalidSettings, Settings
from moorage.core.collection import Kind, Unused
from moorage.core.errors import StorageFull

if TYPE_CHECKING:
    from moorage.actions.collection import Collection  # --help need not wait for it

FIRST = 60
"""Seconds after a start at most before the first collection: a server that is started every day has one too."""

SOON = 5
"""Seconds after which a look is taken for deleted repositories: their rows should not wait for the next collection."""

REST = 0.02
"""Seconds between two transactions that erase a deleted repository, in which others have their turn."""

_log = logging.getLogger("moorage.collection")


@click.command()
@setting_options("data", "database", "keep-unused")
@click.option("--dry-run", is_flag=True, help="Only show what would go, and why.")
@click.option("--json", "as_json", is_flag=True, help="For programs: an object a line.")
def collect(config: Path | None, *, dry_run: bool, as_json: bool, **options: str | None) -> None:
    """Remove bytes that nothing refers to any more. A server may run meanwhile, and does the same by itself.

    Example: moorage collect --dry-run
    """
    from moorage.wiring import upkeep  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    settings = server_settings(gathered(config, options))
    refuse_other_users(settings.data, "collect")
    now, tally = datetime.now(UTC), Tally()
    try:
        with upkeep(settings, partial(threading.Event().wait, REST)) as store:
            for each in store.collection.unused(now) if dry_run else store.collection.collect(now):
                tally.add(each)
                click.echo(_object(each) if as_json else _line(each))
    except (InvalidSettings, StorageFull) as error:
        raise click.ClickException(str(error)) from None
    if not as_json:
        click.echo(f"{'Would remove' if dry_run else 'Removed'} {tally}.")


class Tally:
    """How much was found, in words."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()
        self._freed = 0

    def add(self, unused: Unused) -> None:
        """Count one more."""
        self._counts[unused.kind] += 1
        # A layer's bytes are its content's.
        self._freed += 0 if unused.kind is Kind.LAYER else unused.size

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __str__(self) -> str:
        if not self._counts:
            return "nothing"
        named = [f"{number} {kind.name.lower()}{'s' if number > 1 else ''}" for kind, number in self._counts.items()]
        return f"{', '.join(named)}: {size(self._freed)}"


def _line(unused: Unused) -> str:
    kind = unused.kind.name.lower()
    return f"{kind:<7}  {size(unused.size):>9}  since {unused.since:%F %T}Z  {named(unused)}  {unused.kind.value}"


def _object(unused: Unused) -> str:
    kind = {"kind": unused.kind.name.lower(), "why": unused.kind.value}
    return json.dumps({**kind, **fields(unused), "size": unused.size, "since": unused.since.isoformat()})


class Collector:
    """Collects beside a server until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Begin; where collection is never to be done, what deleted repositories left is erased all the same."""
        self._thread.start()

    def stop(self) -> None:
        """End after the row or file at hand; at any moment is as good as at another."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        every = self._settings.collect_every.total_seconds() or math.inf
        look, due = float(SOON), time.monotonic() + (every if every == math.inf else min(FIRST, every))
        while not self._stopping.wait(max(min(look, due - time.monotonic()), 0)):
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + every
                    self._collect(lambda collection: collection.collect(datetime.now(UTC)))
                else:
                    self._erase()
                look = SOON
            except Exception:  # noqa: BLE001 - the next one may find the disk or the database again
                _log.exception("a collection failed")
                look = FIRST

    def _erase(self) -> None:
        from moorage.wiring import has_remnants  # noqa: PLC0415 - see collect

        if has_remnants(self._settings):
            self._collect(lambda collection: collection.erase())

    def _collect(self, going: Callable[[Collection], Iterator[Unused]]) -> None:
        from moorage.wiring import upkeep  # noqa: PLC0415 - see collect

        tally = Tally()
        with upkeep(self._settings, partial(self._stopping.wait, REST)) as store:
            for each in going(store.collection):
                tally.add(each)
                if self._stopping.is_set():
                    break
        if tally:
            _log.info("removed what is unused: %s", tally)

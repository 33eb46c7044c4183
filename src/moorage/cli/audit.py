"""``moorage audit``: who did what; and the thread beside a server that makes rows of the log's lines."""

import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import click

from moorage.actions.usage import KEPT
from moorage.cli.options import ACCOUNT_ID, Parsed, gathered, server_settings, setting_options
from moorage.cli.tables import printable
from moorage.cli.upkeep import refuse_other_users
from moorage.config import InvalidSettings, Settings, values
from moorage.core.audit import Entry, Wanted
from moorage.core.errors import StorageFull
from moorage.core.names import AccountId

EVERY = 1
"""Seconds until a line is synced and a row."""
AGAIN = 10
"""Seconds after a failure."""
FORGET = 3600

_log = logging.getLogger("moorage.audit")


@click.command()
@setting_options("data", "database")
@click.option("--account", type=ACCOUNT_ID, metavar="ID", help="Calls to this account's registry and identities.")
@click.option("--principal", metavar="ARN", help="Calls of this principal.")
@click.option("--action", metavar="NAME", help="Calls of this operation, such as PutImage.")
@click.option("--denied", is_flag=True, help="Only what was denied.")
@click.option(
    "--since",
    type=Parsed("time", values.time),
    metavar="TIME",
    help="What is not older: a number with s, m, h or d.",
)
@click.option("--request", metavar="ID", help="The call whose answer had this x-amzn-requestid.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), metavar="N", help="So many at most.")
@click.option("--before", type=click.IntRange(1), metavar="ROW", help="The page after one that ended with this row.")
@click.option("--json", "as_json", is_flag=True, help="For programs: CloudTrail's record of each, an object a line.")
def audit(
    config: Path | None,
    account: AccountId | None,
    principal: str | None,
    action: str | None,
    since: timedelta | None,
    request: str | None,
    limit: int,
    before: int | None,
    *,
    denied: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Show who did what, and what became of it. The newest comes first; a server may run meanwhile.

    Example: moorage audit --denied --since 2h
    """
    from moorage.wiring import upkeep  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    settings = server_settings(gathered(config, options))
    refuse_other_users(settings.data, "audit")
    wanted = Wanted(
        account=account,
        principal=principal,
        name=action,
        request_id=request,
        since=datetime.now(UTC) - since if since else None,
        denied=denied,
    )
    try:
        with upkeep(settings) as store:
            store.audit.catch_up()
            found = list(islice(store.audit.entries(wanted, before, limit + 1), limit + 1))
    except (InvalidSettings, StorageFull) as error:
        raise click.ClickException(str(error)) from None
    for _, entry in found[:limit]:
        click.echo(entry.event if as_json else _line(entry))
    if not found:
        click.echo("Nothing of the kind is on record.", err=True)
    if len(found) > limit:
        click.echo(f"There are more: --before {found[limit - 1][0]}", err=True)


def _line(entry: Entry) -> str:
    event = json.loads(entry.event)
    who = ":".join(entry.principal.split(":")[4:])
    where = (entry.resource or "").rpartition(":")[2] or "-"
    result = entry.error or "ok"
    client = event["sourceIPAddress"]
    return printable(f"{entry.at:%F %T}Z  {result}  {who}  {entry.name}  {where}  from {client}  {entry.request_id}")


class Indexer:
    """Follows the audit log beside a server until it is told to stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after what the log holds by now."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        # A server that starts has better use for the machine.
        self._stopping.wait(EVERY)
        while True:
            try:
                self._follow()
            except Exception:  # noqa: BLE001 - the disk or the database may be there again later
                _log.exception("the audit log could not be followed")
                if self._stopping.wait(AGAIN):
                    return
            else:
                return

    def _follow(self) -> None:
        from moorage.wiring import upkeep  # noqa: PLC0415 - see audit

        forget_at = time.monotonic()
        with upkeep(self._settings) as store:
            last = False
            while not last:
                last = self._stopping.is_set()
                store.audit.catch_up()
                if time.monotonic() >= forget_at:
                    forget_at = time.monotonic() + FORGET
                    now = datetime.now(UTC)
                    store.audit.forget(now - self._settings.audit_keep)
                    store.usage.forget(now - KEPT)
                self._stopping.wait(EVERY)

"""``moorage check``: whether every row has its bytes."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from moorage.cli.collect import Tally
from moorage.cli.options import gathered, server_settings, setting_options
from moorage.cli.tables import size
from moorage.cli.upkeep import fields, named, refuse_other_users
from moorage.config import InvalidSettings
from moorage.core.inspection import Finding


@click.command()
@setting_options("data", "database", "keep-unused", "sparse-manifests")
@click.option("--digests", is_flag=True, help="Read and hash every byte, too.")
@click.option(
    "--repair", is_flag=True, help="Forget rows whose bytes are lost, so that the next push brings them again."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: an object a line.")
def check(config: Path | None, *, digests: bool, repair: bool, as_json: bool, **options: str | None) -> None:
    """Look whether every row has its bytes, every file its row. A server may run meanwhile; nothing is changed without --repair.

    The exit status is 1 where something is wrong and was not repaired.

    Example: moorage check --digests
    """
    from moorage.wiring import upkeep  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    settings = server_settings(gathered(config, options))
    refuse_other_users(settings.data, "check")
    wrong, mended, files = 0, 0, Tally()
    try:
        with upkeep(settings) as store:
            look = store.inspection
            total = look.total()
            # A bar of no length would be complete at once.
            bar = click.progressbar(
                length=max(total, 1), label="Looking", file=sys.stderr, hidden=not sys.stderr.isatty()
            )
            with bar:
                for finding in look.findings(digests=digests, sparse=settings.sparse, seen=bar.update):
                    repaired = repair and look.repair(finding)
                    wrong, mended = wrong + 1, mended + repaired
                    click.echo(_object(finding, repaired=repaired) if as_json else _line(finding, repaired=repaired))
            for unused in store.collection.files(datetime.now(UTC)):
                files.add(unused)
    except InvalidSettings as error:
        raise click.ClickException(str(error)) from None
    if not as_json:
        click.echo(
            f"Looked at {size(total)} of layers: {wrong or 'nothing'} wrong{f', {mended} repaired' if mended else ''}."
        )
        if files:
            click.echo(f"Without a row, and so to be removed by `moorage collect`: {files}.")
    sys.exit(1 if wrong > mended else 0)


def _line(finding: Finding, *, repaired: bool) -> str:
    return f"{named(finding)}  {finding.fault.value}{'  (forgotten)' if repaired else ''}"


def _object(finding: Finding, *, repaired: bool) -> str:
    fault = {"fault": finding.fault.name.lower(), "why": finding.fault.value}
    return json.dumps({**fault, **fields(finding), "repaired": repaired})

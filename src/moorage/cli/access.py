"""``moorage access``: which access a principal used, and the least policy that would have allowed it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from moorage.cli.options import gathered, server_settings, setting_options
from moorage.cli.tables import table
from moorage.cli.upkeep import refuse_other_users
from moorage.config import InvalidSettings
from moorage.core.errors import StorageFull
from moorage.core.usage import Used, least_policy

INLINE = 2_048
"""Characters that all inline policies of a user may have together, without white space (IAM User Guide, "IAM and STS quotas")."""


@click.command()
@setting_options("data", "database")
@click.option("--principal", required=True, metavar="ARN", help="The user, or the role, whose access it is.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 400), metavar="N", help="How far back.")
@click.option(
    "--propose", is_flag=True, help="Print the least policy for what was allowed, for aws iam put-user-policy."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: an object a line.")
def access(
    config: Path | None, principal: str, days: int, *, propose: bool, as_json: bool, **options: str | None
) -> None:
    """Show which actions a principal has used. A server may run meanwhile; its last minute is missing.

    Example: moorage access --principal arn:aws:iam::123456789012:user/builder --propose
    """
    from moorage.wiring import upkeep  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    settings = server_settings(gathered(config, options))
    refuse_other_users(settings.data, "access")
    since = datetime.now(UTC) - timedelta(days=days)
    try:
        with upkeep(settings) as store:
            used = [one for one in store.usage.of(principal) if _is_new(one, since)]
    except (InvalidSettings, StorageFull) as error:
        raise click.ClickException(str(error)) from None
    if propose:
        _propose(used, since, f"Nothing was allowed to {principal} in {days} days")
    elif as_json:
        for one in used:
            click.echo(json.dumps(_object(one)))
    else:
        rows = [[one.action, one.resource, _shown(one.allowed_at), _shown(one.denied_at)] for one in used]
        click.echo(table(["action", "resource", "last allowed", "last denied"], rows))


def _is_new(used: Used, since: datetime) -> bool:
    return any(at is not None and at >= since for at in (used.allowed_at, used.denied_at))


def _propose(used: list[Used], since: datetime, nothing: str) -> None:
    policy = least_policy(used, since)
    if policy is None:
        raise click.ClickException(f"{nothing}, so there is nothing to propose")
    click.echo(policy)
    size = len("".join(policy.split()))
    if size > INLINE:
        click.echo(
            f"It has {size} characters; the inline policies of a user may have {INLINE} together. Shorten it with patterns.",
            err=True,
        )


def _object(used: Used) -> dict[str, str | None]:
    return {
        "principal": used.principal,
        "action": used.action,
        "resource": used.resource,
        "lastAllowed": used.allowed_at.isoformat() if used.allowed_at else None,
        "lastDenied": used.denied_at.isoformat() if used.denied_at else None,
    }


def _shown(at: datetime | None) -> str:
    return f"{at:%F %T}Z" if at else "-"

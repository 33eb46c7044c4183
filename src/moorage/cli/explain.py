"""``moorage explain``: why a request is allowed or denied, and what would change that."""

import json
import re
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import click

from moorage.cli.environment import REGION
from moorage.cli.options import gathered, server_settings, setting_options
from moorage.cli.tables import printable
from moorage.cli.upkeep import refuse_other_users
from moorage.config import InvalidSettings
from moorage.core.audit import Wanted
from moorage.core.errors import Refused, StorageFull
from moorage.core.explanations import Explanation, Question, Sight, document
from moorage.core.operations import ASKED

_action = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")


def _pair(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if not all(key and equals for key, equals, _ in pairs):
        raise click.BadParameter("a condition key and its value, such as aws:SourceIp=10.0.0.1")
    return {key.lower(): value for key, _, value in pairs}


@click.command()
@setting_options("data", "database")
@click.option(
    "--principal", metavar="ARN", help="Who asks: a user, a role, a session of one, or the root of an account."
)
@click.option("--action", metavar="NAME", help="What for, such as ecr:BatchGetImage.")
@click.option("--resource", metavar="ARN", default="*", show_default=True, help="Of what.")
@click.option("--region", default=REGION, show_default=True, help="In which region, where the resource does not say.")
@click.option(
    "--context", multiple=True, metavar="KEY=VALUE", callback=_pair, help="A condition key; any number of them."
)
@click.option("--last-denial", is_flag=True, help="Explain what was denied last.")
@click.option("--request", metavar="ID", help="Explain what the call with this x-amzn-requestid was denied.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def explain(
    config: Path | None,
    principal: str | None,
    action: str | None,
    resource: str,
    region: str,
    context: dict[str, str],
    request: str | None,
    *,
    last_denial: bool,
    as_json: bool,
    **options: str | None,
) -> None:
    """Tell why a request is allowed or denied.

    And what would change that. It is decided by the policies as they are now, also where a denial of before is asked
    about. Nothing is changed, and a server may run meanwhile.

    Example: moorage explain --last-denial
    """
    from moorage.wiring import upkeep  # noqa: PLC0415 - the database's library takes a moment; --help need not wait

    asked_before = last_denial or request is not None
    if asked_before == bool(principal or action) or (not asked_before and not (principal and action)):
        raise click.UsageError(
            "Give --principal and --action, or --last-denial, or --request; they do not go together."
        )
    if action and not _action.fullmatch(action):
        raise click.BadParameter(f"{action} is no action: it begins with a service, as ecr:BatchGetImage does")
    if resource != "*" and not resource.startswith("arn:"):
        raise click.BadParameter(f"{resource} is no ARN")
    said = ""
    settings = server_settings(gathered(config, options))
    refuse_other_users(settings.data, "explain")
    try:
        with upkeep(settings) as store:
            if asked_before:
                store.audit.catch_up()
                explained, said = store.explanations.denied(Wanted(request_id=request, denied=True), datetime.now(UTC))
            else:
                question = Question(principal or "", action or "", resource, region, context)
                explained = store.explanations.explain(question, datetime.now(UTC))
    except (InvalidSettings, StorageFull, Refused) as error:
        raise click.ClickException(str(error)) from None
    if action:
        _doubt(action)
    if said and not as_json:
        click.echo(f"Said when it was denied: {printable(said)}\n")
    click.echo(json.dumps(document(explained), indent=2) if as_json else _text(explained))
    if said and explained.decision.allowed:
        click.echo(
            "Now it would be allowed, as far as the record tells: a policy was changed since, or a condition asked for something "
            "of the request that is not on record.",
            err=True,
        )


def _doubt(action: str) -> None:
    """Say so, to who reads, where nothing asks for an action: it may be misspelt."""
    known = {each.lower(): each for each in ASKED}
    if action.lower() not in known:
        nearest = get_close_matches(action.lower(), known, n=1)
        hint = f"; did you mean {known[nearest[0]]}?" if nearest else "."
        click.echo(f"Nothing in Moorage asks for {action}{hint}", err=True)


def _text(found: Explanation) -> str:
    request = found.request
    verdict = "Allowed" if found.decision.allowed else "Denied"
    reason = f", {found.decision.because}" if found.decision.because else ""
    lines = [
        f"{verdict}: {request.caller.arn}: {request.action} on {request.resource}{reason}",
        "",
        "Policies that were read:",
    ]
    lines += [f"  {source.kind}: {source.name}" for source in found.sources] or ["  none"]
    lines += ["", "Statements about the request:"]
    lines += [f"  {_sight(sight)}" for sight in found.matched] or ["  none"]
    if found.nearly:
        lines += ["", "Statements that one element keeps from it:"]
        lines += [f"  {_sight(sight)}: {_failing(sight.failing[0])}" for sight in found.nearly]
    if found.remedies:
        lines += [
            "",
            "What would change it, all of it together:" if len(found.remedies) > 1 else "What would change it:",
        ]
    for remedy in found.remedies:
        lines += [f"  {remedy.text}", *([f"  {remedy.statement}"] if remedy.statement else [])]
    return "\n".join(map(printable, lines))


def _failing(element: str) -> str:
    is_condition = " " in element
    return f"its condition {element} does not hold" if is_condition else f"its {element} is about others"


def _sight(sight: Sight) -> str:
    return f"{sight.effect} by statement {sight.statement} of {sight.source.name}"

"""What Moorage answers, as the README's tables."""

from typing import Any, cast

from moorage.core.operations import PATHS
from moorage.web.aws import ecr_policies, iam, own, sts
from moorage.web.aws.ecr import Ecr
from moorage.web.aws.model import OWN, service
from moorage.web.aws.refused import REFUSED
from moorage.web.oci.door import OciDoor

NOTHING = cast("Any", None)  # the tables of handlers are read, no handler is called


def answered() -> dict[str, set[str]]:
    """Return the operations that have a handler, by service."""
    ecr = Ecr(
        repositories=NOTHING,
        images=NOTHING,
        layers=NOTHING,
        uploads=NOTHING,
        tokens=NOTHING,
        names=NOTHING,
        secret=b"",
    )
    return {
        "ecr": {*ecr.operations(), *ecr_policies.operations(NOTHING)},
        "iam": set(iam.operations(NOTHING)),
        "sts": set(sts.operations(NOTHING, NOTHING)),
        OWN: set(own.operations(NOTHING)),
    }


def routes() -> set[tuple[str, str]]:
    """Return the kinds of routes of the registry door, each with a method that it answers."""
    door = OciDoor(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, b"", sparse=False)
    return set(door._handlers)  # noqa: SLF001 - the table of routes is the door's own business, except to be counted


def table() -> str:
    """Return what stands between the markers."""
    handled, methods = answered(), routes()
    lines = ["", "**Amazon ECR**", "", "| operation | |", "|---|---|"]
    for name in sorted(service("ecr").operations):
        said = "works" if name in handled["ecr"] else f"not yet: {REFUSED[name]}"
        lines.append(f"| {name} | {said} |")
    for each, title in (("iam", "IAM"), ("sts", "STS")):
        listed = ", ".join(sorted(handled[each]))
        missing = len(service(each).operations - handled[each])
        lines += ["", f"**{title}**: {listed}. The other {missing} operations are not there yet."]
    lines += ["", f"**Moorage's own**: {', '.join(sorted(handled[OWN]))}."]
    lines += ["", "**Registry**", "", "| path | methods |", "|---|---|"]
    for kind, path in PATHS.items():
        lines.append(f"| `{path}` | {', '.join(sorted(method for each, method in methods if each == kind))} |")
    return "\n".join([*lines, ""])

"""The table of rights as the tables of docs/actions.md."""

from collections.abc import Iterable, Sequence

from moorage.core.operations import IAM_RIGHTS, PATHS, ROUTES, SERVICES, Right

HEAD = ("action", "resource", "condition keys", "level")
NO_RIGHT = ("none: a good key is enough", "", "", "")


def operations(name: str) -> str:
    """Return the operations of a service."""
    rows = ((operation, rights) for operation, rights in SERVICES[name].items())
    return _table("operation", rows)


def routes() -> str:
    """Return the routes of the registry with their methods."""
    return _table("route", ((f"{method} `{PATHS[kind]}`", use.rights) for (kind, method), use in ROUTES.items()))


def of_iam() -> str:
    """Return the operations of IAM, together where they are about the same and bring the same."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for name, right in IAM_RIGHTS.items():
        _, resource, keys, level = _cells(right)
        alike.setdefault((resource, keys, level), []).append(name)
    lines = ["", _line("operations and actions (`iam:...`)", *HEAD[1:]), "|---" * len(HEAD) + "|"]
    return "\n".join([*lines, *(_line(", ".join(names), *cells) for cells, names in alike.items()), ""])


def _table(what: str, rows: Iterable[tuple[str, Sequence[Right]]]) -> str:
    lines = ["", _line(what, *HEAD), "|---" * (len(HEAD) + 1) + "|"]
    for name, rights in rows:
        said = [_cells(right) for right in rights] or [NO_RIGHT]
        lines += [_line(name if number == 0 else "", *cells) for number, cells in enumerate(said)]
    return "\n".join([*lines, ""])


def _cells(right: Right) -> tuple[str, ...]:
    resource = f"{right.resource}, {right.when}" if right.when else str(right.resource)
    return f"`{right.action}`", resource, ", ".join(f"`{key}`" for key in right.all_keys), str(right.level)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("  ", " ")

"""The parts of pages that are made from the source: ``make pages`` writes them, tests hold the pages to them."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.conformance import suite
from tests.house import actions, costs, operations, security, settings
from tests.house.tree import ROOT

README = ROOT / "README.md"
ACTIONS = ROOT / "docs" / "actions.md"
# By the name between the comments: the page, and what makes the part.
PARTS: dict[str, tuple[Path, Callable[[], str]]] = {
    "operations": (README, operations.table),
    "conformance": (README, suite.line),
    "weaknesses": (ROOT / "docs" / "security.md", security.table),
    "costs": (ROOT / "docs" / "performance.md", costs.table),
    "actions of ecr": (ACTIONS, lambda: actions.operations("ecr")),
    "actions of the registry": (ACTIONS, actions.routes),
    "actions of sts": (ACTIONS, lambda: actions.operations("sts")),
    "actions of moorage": (ACTIONS, lambda: actions.operations("moorage")),
    "actions of iam": (ACTIONS, actions.of_iam),
    "settings": (ROOT / "docs" / "settings.md", settings.table),
}


def written(page: str, name: str, part: str) -> str:
    """Return a page with the part in its place."""
    before, _, rest = page.partition(f"<!-- {name} -->\n")
    _, _, after = rest.partition(f"<!-- /{name} -->")
    return f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"


def between_markers(page: str, name: str) -> str | None:
    """Return what a page has between its markers, or None without them."""
    found = re.search(f"<!-- {name} -->\n(.*)\n<!-- /{name} -->", page, re.DOTALL)
    return found[1] if found else None


if __name__ == "__main__":
    for key, (path, make) in PARTS.items():
        path.write_text(written(path.read_text(), key, make()))

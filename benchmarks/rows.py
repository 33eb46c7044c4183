"""The table: one row for each thing measured, what was aimed for, and whether it was reached."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

MOORAGE = "moorage"


@dataclass(slots=True)
class Row:
    """One thing measured: who did how well in each round.

    ``goals`` says for each of the others by how many times Moorage should be the better one, None where nothing was aimed
    for; the last of them may be the limit of the machine. ``at_most`` is a goal without others: a figure not to be passed.
    """

    what: str
    unit: str
    goals: dict[str, float | None] = field(default_factory=dict)
    note: str = ""
    at_most: float | None = None
    lower_is_better: bool = False
    own: str = MOORAGE
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, who: str, figure: float) -> None:
        self.figures.setdefault(who, []).append(figure)

    def median(self, who: str) -> float | None:
        return statistics.median(self.figures[who]) if self.figures.get(who) else None

    def times(self, who: str) -> float | None:
        """Return by how many times Moorage is the better one; None where one of the two was not measured."""
        own, other = self.median(self.own), self.median(who)
        if not own or not other:
            return None
        return other / own if self.lower_is_better else own / other

    def line(self) -> str:
        own = self.median(self.own)
        others = [
            f"{shown(self.median(who))} {who}" + (f" (**{times:.2f}**)" if (times := self.times(who)) else "")
            for who in self.goals
        ]
        cells = [self.what, shown(own), self.unit, "; ".join(others), self.verdict(), self.note]
        return "| " + " | ".join(cells) + " |"

    def told(self) -> str:
        """Return the goals of the row, each with what came of it."""
        own = self.median(self.own)
        said = [
            f"{goal:.2g} times {who}: **{times:.2f}**"
            for who, goal in self.goals.items()
            if goal is not None and (times := self.times(who)) is not None
        ]
        if self.at_most is not None:
            said.append(f"under {self.at_most:g} {self.unit}: **{shown(own)}**")
        return "; ".join(said)

    def verdict(self) -> str:
        """Return the goals of the row, each with whether it was reached."""
        own = self.median(self.own)
        said = [
            f"{goal:.2g} times {who}: {_reached(times >= goal)}"
            for who, goal in self.goals.items()
            if goal is not None and (times := self.times(who)) is not None
        ]
        if self.at_most is not None and own is not None:
            said.append(f"under {self.at_most:g} {self.unit}: {_reached(own < self.at_most)}")
        return "; ".join(said)


def _reached(yes: bool) -> str:  # noqa: FBT001 - a fact on its way to a word
    return "reached" if yes else "**not reached**"


def shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def brief(rows: list[Row]) -> Iterator[str]:
    """Yield the rows that something was aimed for, with nothing beside them but whether it was reached."""
    yield "| what | Moorage | goal |"
    yield "|---|--:|---|"
    yield from (
        f"| {row.what} | {shown(row.median(row.own))} {row.unit} | {row.told()} |" for row in rows if row.verdict()
    )


def table(rows: list[Row]) -> Iterator[str]:
    yield "| what | Moorage | unit | beside it (Moorage is so many times better) | goal | note |"
    yield "|---|--:|---|---|---|---|"
    yield from (row.line() for row in rows)

"""Statements of policies, compiled, and sorted by the actions that they may be about.

A decision looks at few of the statements there are: an action is of one service, and most statements name their actions or the
service of these. Which statements those are is worked out when a document is compiled, so that a decision looks them up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from moorage.core.conditions import Test
from moorage.core.principals import Principals
from moorage.core.wildcards import ARN_SEGMENTS, Context, OpenArn, Patterns


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions of a statement, in lower case.

    ``services`` are those of which it names actions with wildcards, None where it may mean an action of whatever service.
    """

    patterns: Patterns
    services: frozenset[str] | None
    inverted: bool

    def match(self, action: str) -> bool:
        """Tell whether the statement means an action, in lower case."""
        return self.patterns.matches(action) != self.inverted


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of a statement; rows with policy variables are matched when the request is known.

    ``beginnings`` are what a resource has to begin with, one of them, to be meant: it sets most statements aside at once.
    """

    beginnings: tuple[str, ...]
    fixed: Patterns
    variable: tuple[OpenArn, ...]
    inverted: bool
    denies: bool

    def match(self, resource: str, context: Context) -> bool:
        """Tell whether the statement means a resource.

        A row whose variable has no value matches nothing. A Deny with NotResource then spares what the other rows spare; an Allow
        with NotResource means nothing, rather than all that such a row was there to except.
        """
        if not self.variable:
            return self.fixed.matches(resource) != self.inverted
        segments = resource.split(":", ARN_SEGMENTS - 1)
        if self.inverted and not self.denies and any(row.match(segments, context) is None for row in self.variable):
            return False
        found = self.fixed.matches(resource) or any(row.match(segments, context) for row in self.variable)
        return found != self.inverted

    @property
    def weight(self) -> int:
        """How many patterns have to be tried one by one."""
        return len(self.fixed.others) + len(self.variable)


class Condition(NamedTuple):
    """A test with its name, such as ``StringEquals aws:SourceIp``, and how many values it compares with."""

    name: str
    holds: Test
    weight: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled. ``principals`` is None in an identity-based policy, ``resources`` where none are named.

    ``label`` is its Sid or, where it has none, its place in the document, counted from 1; ``place`` is that place always.
    """

    label: str
    place: int
    actions: Actions
    resources: Resources | None
    conditions: tuple[Condition, ...]
    principals: Principals | None

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What a resource has to begin with, one of them, for the statement to be about it."""
        return self.resources.beginnings if self.resources else _ANYTHING

    @property
    def weight(self) -> int:
        """What it may cost to ask, in patterns and values that are tried one by one."""
        of_resources = self.resources.weight if self.resources else 0
        return 1 + len(self.actions.patterns.others) + of_resources + sum(each.weight for each in self.conditions)

    def means(self, action: str, resource: str, context: Context) -> bool:
        """Tell whether the statement is about an action, in lower case, on a resource, as its conditions stand."""
        # The resource decides most of those that were looked up by the action, so it is asked first.
        if self.resources is not None and not self.resources.match(resource, context):
            return False
        if not self.actions.match(action):
            return False
        return not self.conditions or all(condition.holds(context) for condition in self.conditions)

    def failing(self, action: str, resource: str, context: Context) -> list[str]:
        """Return the elements for which ``means`` is false: ``Action``, ``Resource`` and conditions by their names."""
        found = [] if self.actions.match(action) else ["Action"]
        if self.resources is not None and not self.resources.match(resource, context):
            found.append("Resource")
        return found + [condition.name for condition in self.conditions if not condition.holds(context)]


_ANYTHING = ("",)
_Found = tuple[tuple[str, ...], Statement]
"""A statement with its beginnings, which are asked for each decision."""


class Statements:
    """Statements, found by the action that is asked about."""

    __slots__ = ("_by_action", "_by_service", "_of_any", "all", "weight")

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.all = tuple(statements)
        self.weight = sum(one.weight for one in self.all)
        by_action: dict[str, list[_Found]] = {}
        by_service: dict[str, list[_Found]] = {}
        of_any: list[_Found] = []
        for one in self.all:
            services, found = one.actions.services, (one.beginnings, one)
            if services is None:
                of_any.append(found)
                continue
            for service in services:
                by_service.setdefault(service, []).append(found)
            for action in one.actions.patterns.exact:
                if action.partition(":")[0] not in services:
                    by_action.setdefault(action, []).append(found)
        self._by_action = {action: tuple(found) for action, found in by_action.items()}
        self._by_service = {service: tuple(found) for service, found in by_service.items()}
        self._of_any = tuple(of_any)

    def about(self, action: str, resource: str) -> Sequence[Statement]:
        """Return all that may be about an action, in lower case, on a resource; each still has to be asked."""
        if not self.all:
            return ()
        found = self._by_service.get(action.partition(":")[0], ()) + self._by_action.get(action, ()) + self._of_any
        return [statement for beginnings, statement in found if resource.startswith(beginnings)]

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

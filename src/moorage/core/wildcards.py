"""Texts with wildcards and policy variables, matched in time that grows with the text and never explodes.

A pattern is a row of pieces between ``*``: the first must begin the text, the last must end it, and each of the others is
looked for from where the one before it ended, leftmost first. Leftmost is always right, because ``*`` takes up whatever
lies between, so nothing is ever tried twice. ``?`` is one character of any kind.

Policy variables (IAM User Guide, "IAM policy elements: Variables and tags"): ``${aws:username}`` stands for a value of the
request, ``${aws:username, 'nobody'}`` has a default, and ``${*}``, ``${?}`` and ``${$}`` are those characters themselves.
A value that was put in is always literal: its ``*`` matches nothing but ``*``, its ``:`` separates nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Matcher = Callable[[str], bool]
Context = Mapping[str, str | Sequence[str]]
"""The condition keys of a request, in lower case; a key that is absent has no entry."""

ARN_SEGMENTS = 6

_SHORT = 64
"""Characters of a piece with ``?`` that an expression looks for fast enough, wherever it begins."""


class Text(NamedTuple):
    """A part of a pattern; ``live`` tells whether its wildcards are wildcards."""

    text: str
    live: bool


class Variable(NamedTuple):
    """A place for a value of the request."""

    key: str
    default: str | None


Part = Text | Variable

# Its classes exclude one another, so that a text without an end of the variable is read once.
_variable = re.compile(r"\$\{([^{}']*)(?:'([^']*)'\s*)?\}")
_wildcard = re.compile(r"(\*|\?)")


def parse_parts(text: str, *, variables: bool) -> tuple[Part, ...]:
    """Split a text of a policy into parts; ``variables`` is false for documents of version 2008-10-17."""
    if not variables or "${" not in text:
        return (Text(text, live=True),)
    parts: list[Part] = []
    end = 0
    for found in _variable.finditer(text):
        name, default = found[1].strip(), found[2]
        if default is not None and not name.endswith(","):
            continue
        parts.append(Text(text[end : found.start()], live=True))
        end = found.end()
        key = name.removesuffix(",").rstrip().lower()
        parts.append(Text(key, live=False) if key in {"*", "?", "$"} else Variable(key, default))
    parts.append(Text(text[end:], live=True))
    return tuple(part for part in parts if part != ("", True))


def has_variables(parts: Iterable[Part]) -> bool:
    """Tell whether a pattern depends on the request."""
    return any(isinstance(part, Variable) for part in parts)


def beginning(parts: Sequence[Part]) -> str:
    """Return the text that all texts begin with which a pattern matches."""
    first = parts[0] if parts else Text("", live=True)
    return _wildcard.split(first.text, maxsplit=1)[0] if isinstance(first, Text) and first.live else ""


def resolve(parts: Iterable[Part], context: Context) -> list[Text] | None:
    """Put the request's values in; None where one has neither a single value nor a default."""
    texts: list[Text] = []
    for part in parts:
        if isinstance(part, Text):
            texts.append(part)
            continue
        value = context.get(part.key)
        if not value and value != "":
            value = part.default
        if not isinstance(value, str):
            return None
        texts.append(Text(value, live=False))
    return texts


def glob(parts: Iterable[Text], *, once: bool = False) -> Matcher:
    """Return the test of whole texts against a pattern, which may be for ``once`` only."""
    pieces = _pieces(parts, once=once)
    if len(pieces) == 1:
        return pieces[0].is_all
    head, *between, tail = pieces
    middle = tuple(piece for piece in between if piece.length)
    shortest = head.length + tail.length
    if not middle and not tail.length:
        return head.begins

    def matches(text: str) -> bool:
        if len(text) < shortest or not head.begins(text):
            return False
        position, end = head.length, len(text) - tail.length
        if not tail.stands(text, end):
            return False
        for piece in middle:
            found = piece.find(text, position, end)
            if found < 0:
                return False
            position = found + piece.length
        return True

    return matches


class _Piece:
    """What stands between two ``*``: a literal, or ``runs`` of literals with ``?`` between them, each at its place in the piece.

    What looks for one with ``?`` is made when it is looked for; for a pattern that is used ``once`` nothing that takes long to make.
    """

    __slots__ = ("_find", "_once", "_row", "length", "literal", "runs")

    def __init__(self, row: Sequence[str | None], *, once: bool) -> None:
        self._row, self._once = row, once
        self._find: Callable[[str, int, int], int] | None = None
        self.length = 0
        runs: list[tuple[int, str]] = []
        for word in row:
            if word is not None:
                runs.append((self.length, word))
            self.length += len(word or "?")
        self.runs = tuple(runs)
        self.literal = None if None in row else "".join(word for _, word in runs)

    def is_all(self, text: str) -> bool:
        return len(text) == self.length and self.stands(text, 0)

    def begins(self, text: str) -> bool:
        return self.stands(text, 0)

    def stands(self, text: str, position: int) -> bool:
        if self.literal is not None:
            return text.startswith(self.literal, position)
        if position + self.length > len(text):
            return False
        for at, run in self.runs:  # noqa: SIM110 - a generator takes twice as long, and this is asked of every pattern
            if not text.startswith(run, position + at):
                return False
        return True

    def find(self, text: str, position: int, end: int) -> int:
        if self.literal is not None:
            return text.find(self.literal, position, end)
        if self._find is None:
            self._find = _Long(self._row).find if self._once or self.length > _SHORT else _expression(self._row)
        return self._find(text, position, end)


def _expression(row: Sequence[str | None]) -> Callable[[str, int, int], int]:
    # Only literals and dots: such an expression cannot backtrack.
    search = re.compile("".join("." if word is None else re.escape(word) for word in row), re.DOTALL).search

    def find(text: str, position: int, end: int) -> int:
        found = search(text, position, end)
        return found.start() if found else -1

    return find


class _Long:
    """A long piece with ``?``, looked for everywhere at once: bit n of a number tells whether its first n + 1 characters end here.

    An expression would try it anew from each character on, and take the product of both lengths.
    """

    def __init__(self, row: Sequence[str | None]) -> None:
        places: dict[str | None, list[int]] = {}
        self._length = 0
        for word in row:
            for letter in word or [None]:
                places.setdefault(letter, []).append(self._length)
                self._length += 1
        bits = {letter: self._bits(found) for letter, found in places.items()}
        self._holes = bits.get(None, 0)
        self._fits = {letter: found | self._holes for letter, found in bits.items()}

    def _bits(self, places: Iterable[int]) -> int:
        found = bytearray(self._length // 8 + 1)
        for place in places:
            found[place // 8] |= 1 << place % 8
        return int.from_bytes(found, "little")

    def find(self, text: str, position: int, end: int) -> int:
        """Return where the piece stands first between two places, -1 where it does not."""
        ending, whole, fits, holes = 0, 1 << (self._length - 1), self._fits, self._holes
        for at in range(position, end):
            ending = ((ending << 1) | 1) & fits.get(text[at], holes)
            if ending >= whole:
                return at - self._length + 1
        return -1


def _pieces(parts: Iterable[Text], *, once: bool) -> list[_Piece]:
    rows: list[list[str | None]] = [[]]
    for text, live in parts:
        for word in _wildcard.split(text) if live else (text,):
            if live and word == "*":
                rows.append([])
            elif live and word == "?":
                rows[-1].append(None)
            elif word:
                rows[-1].append(word)
    return [_Piece(row, once=once) for row in rows]


def arn_segments(parts: Iterable[Part]) -> list[list[Part]] | None:
    """Split a pattern of an ARN at its first five colons, none of which lies in a variable; None where there are fewer."""
    segments: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Variable) or not part.live:
            segments[-1].append(part)
            continue
        first, *others = part.text.split(":", ARN_SEGMENTS - len(segments))
        segments[-1].append(Text(first, live=True))
        segments.extend([Text(other, live=True)] for other in others)
    return segments if len(segments) == ARN_SEGMENTS else None


def arn_glob(segments: Sequence[Sequence[Text]]) -> Matcher:
    """Return the test of ARNs against six segments: in the first five a wildcard does not run over a colon."""
    wild = any("*" in text or "?" in text for segment in segments[:-1] for text, live in segment if live)
    values = any(not live for segment in segments[:-1] for _, live in segment)
    if not wild and not values:
        return glob(_joined(segments))
    tests = tuple(glob(segment) for segment in segments)

    def matches(arn: str) -> bool:
        found = arn.split(":", ARN_SEGMENTS - 1)
        return len(found) == ARN_SEGMENTS and all(test(text) for test, text in zip(tests, found, strict=True))

    return matches


class OpenArn:
    """A pattern of an ARN whose variables all come after its fifth colon: what is known beforehand is compiled beforehand."""

    __slots__ = ("_heads", "_rest")

    def __init__(self, segments: Sequence[Sequence[Part]]) -> None:
        self._heads = tuple(glob([part for part in segment if isinstance(part, Text)]) for segment in segments[:-1])
        self._rest = tuple(segments[-1])

    def match(self, segments: Sequence[str], context: Context) -> bool | None:
        """Tell whether an ARN, split at its first five colons, matches; None where a variable has no value."""
        rest = resolve(self._rest, context)
        if rest is None:
            return None
        if len(segments) != ARN_SEGMENTS:
            return False
        return all(head(text) for head, text in zip(self._heads, segments, strict=False)) and glob(rest, once=True)(
            segments[-1]
        )


def _joined(segments: Sequence[Sequence[Text]]) -> list[Text]:
    joined: list[Text] = []
    for number, segment in enumerate(segments):
        if number:
            joined.append(Text(":", live=False))
        joined.extend(segment)
    return joined


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns without variables, any of which may match; the usual kinds are looked up rather than tried."""

    everything: bool
    exact: frozenset[str]
    prefixes: tuple[str, ...]
    others: tuple[Matcher, ...]

    def matches(self, text: str) -> bool:
        """Tell whether one of the patterns matches the whole text."""
        return (
            self.everything
            or text in self.exact
            or text.startswith(self.prefixes)
            or (bool(self.others) and any(other(text) for other in self.others))
        )


def patterns(texts: Iterable[str], matcher: Callable[[str], Matcher], everything: frozenset[str]) -> Patterns:
    """Sort patterns by kind. ``matcher`` builds the test of one; those in ``everything`` match whatever comes.

    A single ``*`` at the end runs over anything: in an action and in the sixth segment of an ARN it may.
    """
    exact: set[str] = set()
    prefixes: list[str] = []
    others: list[Matcher] = []
    whole = False
    for text in texts:
        if text in everything:
            whole = True
        elif "*" not in text and "?" not in text:
            exact.add(text)
        elif text.endswith("*") and "*" not in text[:-1] and "?" not in text:
            prefixes.append(text[:-1])
        else:
            others.append(matcher(text))
    return Patterns(whole, frozenset(exact), tuple(prefixes), tuple(others))

"""Tables for people, as wide as what is in them, and sizes."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns below their names in capitals."""
    lines = [[name.upper() for name in head], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def printable(text: str) -> str:
    """Return a text with nothing in it that a terminal would obey; much of what is shown is what a client called it."""
    return "".join(each if each.isprintable() else "?" for each in text)


def size(count: int) -> str:
    """Return a number of bytes in the unit that leaves one to four digits before the point."""
    if count < 1024:  # noqa: PLR2004 - bytes of a KiB
        return f"{count} B"
    shown = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        shown /= 1024
        if shown < 1024:  # noqa: PLR2004 - see above
            return f"{shown:.1f} {unit}"
    return f"{shown / 1024:.1f} TiB"

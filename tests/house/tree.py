"""The files that belong to the repository, whether committed yet or not."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Return every file that git keeps or would keep, relative to the root."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(sorted({Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()}))


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file; a file that is not text has none."""
    try:
        yield from enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), start=1)
    except UnicodeDecodeError:
        return

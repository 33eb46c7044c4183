"""Other processes of Python, told by lines what to do and when."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Process:
    """One process that runs a script; it says lines and is told lines."""

    def __init__(self, script: str, *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def says(self) -> str:
        """Return its next line; where there is none, fail with what went wrong in it."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        return line.removesuffix("\n")

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def processes(script: str, each_with: Sequence[Sequence[str]]) -> Iterator[list[Process]]:
    """Start a process for each list of arguments, and end them all."""
    started = [Process(script, *args) for args in each_with]
    try:
        yield started
    finally:
        for process in started:
            process.end()

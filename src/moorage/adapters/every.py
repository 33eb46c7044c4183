"""A thread that does something now and then."""

import logging
import threading
from collections.abc import Callable
from typing import Self

_log = logging.getLogger("moorage")


class Every:
    """Does ``work`` every so many seconds, and once more at the end; what goes wrong is logged, and tried again."""

    def __init__(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        self._seconds = seconds
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Do it once more, and end."""
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            last = self._stopping.wait(self._seconds)
            try:
                self._work()
            except Exception:  # noqa: BLE001 - the next time the database may be there again
                _log.exception("%s failed", self._thread.name)
            if last:
                return

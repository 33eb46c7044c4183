"""A process of the server beside its main one, which ends with it, and without which it does not go on."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Literal, Self

STOP_SECONDS = 35
"""How long it may take to end: the requests' time and a little more."""


class Beside:
    """The process in which ``target(*args)`` runs; leaving the block ends it (SIGTERM).

    ``fork`` shares this one's memory, and is for a moment at which it has no other thread; ``spawn`` begins anew.
    """

    def __init__(self, name: str, how: Literal["fork", "spawn"], target: Callable[..., None], *args: Any) -> None:
        self._name = name
        # mypy knows no Process in the context of a method that is not a literal.
        context: Any = multiprocessing.get_context(how)
        self._process = context.Process(target=target, args=args, name=name)
        self._stopping = False
        self.failed = False

    def __enter__(self) -> Self:
        self._process.start()
        threading.Thread(target=self._watch, daemon=True, name=self._name).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()

    def stop(self) -> None:
        """Tell it to end, and do not wait; may be called by the handler of a signal."""
        self._stopping = True
        self._process.terminate()

    def _watch(self) -> None:
        self._process.join()
        if not self._stopping:
            # Half a server would look like a whole one. A terminal's Ctrl-C may have ended the other half well.
            self.failed = self._process.exitcode != 0
            os.kill(os.getpid(), signal.SIGTERM)

"""Where the doors leave the event loop: one pool of threads for rows, another for bytes.

Slow writes of bytes cannot keep rows waiting. Each thread of either may hold a connection to the database, so it has that many.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ROWS = 8
"""Threads for rows."""
BYTES = 32
"""Threads for bytes, and for the rows that go with them."""

_Work = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Pools:
    """The two pools of one process.

    ``inline`` says that reading rows is so quick that the hop would cost more than the read: true of SQLite only.
    """

    def __init__(self, *, inline: bool) -> None:
        self._rows = _Threads(ROWS, "rows")
        self._bytes = _Threads(BYTES, "bytes")
        self._inline = inline

    def rows(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run an action in a thread for rows."""
        return self._rows.run(partial(work, *args, **kwargs))

    def bytes(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Run what touches bytes in a thread for bytes."""
        return self._bytes.run(partial(work, *args, **kwargs))

    async def hot(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one short read of rows, on the loop itself where that is quicker than the hop."""
        if self._inline:
            return work(*args, **kwargs)
        return await self.rows(work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what runs and let the threads end."""
        self._rows.close()
        self._bytes.close()


class _Threads:
    """Up to ``most`` threads, each of which carries out one piece of work at a time; used on event loops alone.

    What ThreadPoolExecutor and run_in_executor put around a piece of work, two futures with a lock each, takes four times as long
    as handing it over (``docs/performance.md``), and the interpreter's lock is held meanwhile.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Lock()
        self._closed = False

    def run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Have a piece of work carried out; one that is cancelled before its turn is not. Raises RuntimeError once closed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._closing:
            if self._closed:
                raise RuntimeError(f"the threads for {self._name} have ended")
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
                thread.start()
                self._threads.append(thread)
            self._waiting.put((loop, future, work))
        return future

    def close(self) -> None:
        """Wait for what was asked for."""
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while asked := self._waiting.get():
            _carry_out(*asked)
            # Nothing of it is held while the next one is waited for.
            del asked
        self._waiting.put(None)  # for the next thread


def _carry_out(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Any]", work: Callable[[], Any]) -> None:
    """Carry out a piece of work, and let its loop know."""
    if future.cancelled():
        return
    settle: Callable[[Any], None] = future.set_result
    outcome: Any
    try:
        outcome = work()
    except StopIteration as error:
        # No future takes it: it would end a coroutine.
        settle, outcome = future.set_exception, RuntimeError(repr(error))
    except BaseException as error:  # noqa: BLE001 - whatever it is, who waits is told
        settle, outcome = future.set_exception, error
    # The loop is closed where nobody waits any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_end, future, settle, outcome)
    # An error knows this frame; all that it knows would stay as long as the error does.
    del loop, future, work, settle, outcome


def _end(future: "asyncio.Future[Any]", settle: Callable[[Any], None], outcome: Any) -> None:
    if not future.cancelled():
        settle(outcome)

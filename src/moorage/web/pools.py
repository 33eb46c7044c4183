"""Where the doors leave the event loop: one pool of threads for rows, a larger one for bytes.

Slow writes of bytes cannot keep rows waiting, and rows never wait for more connections than the database has.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

ROWS = 8
"""Threads for rows, and so connections to the database."""
BYTES = 32


class Pools:
    """The two pools of one process.

    ``inline`` says that reading rows is so quick that the hop would cost more than the read: true of SQLite only.
    """

    def __init__(self, *, inline: bool) -> None:
        self._rows = ThreadPoolExecutor(ROWS, "rows")
        self._bytes = ThreadPoolExecutor(BYTES, "bytes")
        self._inline = inline

    def rows(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run an action in a thread for rows."""
        return asyncio.get_running_loop().run_in_executor(self._rows, lambda: work(*args, **kwargs))

    def bytes(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        """Run what touches bytes in a thread for bytes."""
        return asyncio.get_running_loop().run_in_executor(self._bytes, lambda: work(*args, **kwargs))

    async def hot(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one short read of rows, on the loop itself where that is quicker than the hop."""
        if self._inline:
            return work(*args, **kwargs)
        return await self.rows(work, *args, **kwargs)

    def close(self) -> None:
        """Wait for what runs and let the threads end."""
        self._rows.shutdown()
        self._bytes.shutdown()

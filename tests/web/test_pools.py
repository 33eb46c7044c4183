"""Work that is handed to threads comes to its end, whatever it is and whenever they are told to end."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest

from moorage.web.pools import ROWS, Pools

T = TypeVar("T")


class Held:
    """Something that work is given, and that is to be let go of."""


def run(ask: Callable[[Pools], Awaitable[T]]) -> T:
    async def asked() -> T:
        pools = Pools(inline=True)
        try:
            return await asyncio.wait_for(ask(pools), 10)
        finally:
            await asyncio.to_thread(pools.close)

    return asyncio.run(asked())


def fail(_held: object) -> None:
    raise KeyError


def test_results_and_errors_reach_who_waits() -> None:
    async def ask(pools: Pools) -> list[object]:
        many = [pools.rows(int, number) for number in range(100)]
        failed = pools.bytes(fail, None)
        return await asyncio.gather(*many, failed, return_exceptions=True)

    *numbers, error = run(ask)
    assert numbers == list(range(100))
    assert isinstance(error, KeyError)


def test_what_no_future_takes_is_an_error_all_the_same() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        run(lambda pools: pools.rows(next, iter(())))


def test_work_that_is_cancelled_before_its_turn_is_not_done() -> None:
    done: list[int] = []

    async def ask(pools: Pools) -> None:
        go_on = threading.Event()
        busy = [pools.rows(go_on.wait, 10) for _ in range(ROWS)]
        late = asyncio.ensure_future(pools.rows(done.append, 1))
        late.cancel()
        go_on.set()
        await asyncio.gather(*busy)
        await pools.rows(int)

    run(ask)
    assert done == []


def test_work_that_failed_holds_nothing_of_what_it_was_given() -> None:
    async def ask(pools: Pools) -> bool:
        held = Held()
        seen = weakref.ref(held)
        # Not pytest.raises, which keeps the error.
        with suppress(KeyError):
            await pools.rows(fail, held)
        del held
        for _ in range(100):
            # The thread lets go of it a moment after it has told.
            await asyncio.sleep(0.01)
            if seen() is None:
                return True
        return False

    gc.disable()
    try:
        assert run(ask)
    finally:
        gc.enable()


def test_what_was_asked_for_before_the_end_is_done_and_nothing_after_it() -> None:
    async def ask(pools: Pools) -> int:
        go_on = threading.Event()
        before = [pools.rows(go_on.wait, 10) for _ in range(3 * ROWS)]
        closing = asyncio.create_task(asyncio.to_thread(pools.close))
        while True:
            try:
                before.append(pools.rows(go_on.wait, 10))
            except RuntimeError:
                break
            await asyncio.sleep(0.001)
        go_on.set()
        await closing
        return sum(await asyncio.gather(*before))

    assert run(ask) >= 3 * ROWS

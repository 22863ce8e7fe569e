"""Chores come again, also after one failed."""

import asyncio

from core.app.chores import Chores
from core.clock import SystemClock


async def test_a_chore_that_fails_comes_again() -> None:
    chores, calls, again = Chores(SystemClock()), [], asyncio.Event()

    async def chore() -> None:
        calls.append(True)
        if len(calls) == 1:
            raise OSError("database away")
        again.set()

    chores.every(0.01, "test", chore)
    await chores.start()
    try:
        await asyncio.wait_for(again.wait(), 10)
    finally:
        await chores.stop()

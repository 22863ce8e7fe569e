"""Virtual time, and processes that die between two steps without another word."""

import asyncio
from random import Random
from typing import Any

import pytest

from tests.simulation.loop import PROCESS, SimulatedLoop, Stuck
from tests.simulation.record import Disk, MemoryTradingStore


def loop() -> SimulatedLoop:
    return SimulatedLoop(Random(1))


def test_waiting_takes_no_time_and_moves_the_clock() -> None:
    simulated = loop()

    async def wait() -> float:
        await asyncio.gather(asyncio.sleep(86_400), asyncio.sleep(5))
        return simulated.time()

    assert simulated.run_until_complete(wait()) == 86_400
    simulated.finish()


def test_a_loop_in_which_nobody_can_go_on_says_so() -> None:
    simulated = loop()
    with pytest.raises(Stuck):
        simulated.run_until_complete(asyncio.Future(loop=simulated))
    simulated.finish()


def test_a_loop_in_which_somebody_runs_in_circles_says_so() -> None:
    simulated = loop()

    async def circles() -> None:
        for _ in range(10**9):
            await asyncio.sleep(0)

    with pytest.raises(Stuck):
        simulated.run_until_complete(circles())
    simulated.finish()


@pytest.mark.parametrize("steps", range(12))
def test_a_process_that_dies_anywhere_leaves_nothing_half_written(steps: int) -> None:
    from core.engine.ports import AccountState

    simulated, disk, ended = loop(), Disk(), []

    async def write() -> None:
        store = MemoryTradingStore(disk)
        try:
            async with store.unit() as unit:
                await unit.save_account(AccountState("a"))
                await unit.save_account(AccountState("b"))
        finally:
            await asyncio.sleep(1)
            ended.append("went on after its death")

    async def world() -> Any:
        context = simulated.begin(lambda: None)
        process = context[PROCESS]
        simulated.doom(process, steps)
        asyncio.get_running_loop().create_task(write(), context=context)
        await asyncio.sleep(10)
        died = not simulated.alive(process)
        async with MemoryTradingStore(disk).unit() as unit:  # nobody holds the record any more
            await unit.save_account(AccountState("c"))
        return died

    died = simulated.run_until_complete(world())
    simulated.finish()
    assert set(disk.accounts) in ({"c"}, {"a", "b", "c"})
    assert died == (not ended)
    assert simulated.broken == []


def test_a_process_that_stands_still_goes_on_later() -> None:
    simulated, times = loop(), []

    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            times.append(simulated.time())

    async def world() -> None:
        context = simulated.begin(lambda: None)
        asyncio.get_running_loop().create_task(work(), context=context)
        await asyncio.sleep(1.5)
        simulated.stall(context[PROCESS], 10)
        await asyncio.sleep(30)

    simulated.run_until_complete(world())
    simulated.finish()
    assert times == [1, 11.5, 12.5]

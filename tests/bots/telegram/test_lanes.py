"""Lines of one chat are answered in order; what shows its progress lets the next ones pass."""

import asyncio

from bots.telegram.lanes import Lanes, StepAside


class Worker:
    """Work that ends when it is told to, and notes when it began."""

    def __init__(self, lanes: Lanes, lane: str = "chat", aside: bool = False, urgent: bool = False) -> None:
        self.begun, self.end, self._aside = asyncio.Event(), asyncio.Event(), aside
        lanes.add(lane, self._work, urgent)

    async def _work(self, aside: StepAside) -> None:
        self.begun.set()
        if self._aside:
            aside()
        await self.end.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_work_waits_for_what_came_before_it_in_its_chat_only() -> None:
    lanes = Lanes()
    first, second, elsewhere = Worker(lanes), Worker(lanes), Worker(lanes, "other")
    await settled()
    assert first.begun.is_set()
    assert not second.begun.is_set()
    assert elsewhere.begun.is_set()
    first.end.set()
    await settled()
    assert second.begun.is_set()
    await lanes.stop(0)


async def test_work_that_steps_aside_holds_up_nothing_behind_it() -> None:
    lanes = Lanes()
    sweep, price, after = Worker(lanes, aside=True), Worker(lanes), Worker(lanes)
    await settled()
    assert price.begun.is_set()
    assert not after.begun.is_set()
    price.end.set()
    await settled()
    assert after.begun.is_set()
    assert not sweep.end.is_set()
    await lanes.stop(0)


async def test_work_that_fails_lets_the_next_pass() -> None:
    lanes = Lanes()

    async def fail(aside: StepAside) -> None:
        raise RuntimeError("broken")

    lanes.add("chat", fail)
    next_ = Worker(lanes)
    await settled()
    assert next_.begun.is_set()
    await lanes.stop(0)

"""Order within a chat, concurrency between chats."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable, Iterable

PATIENCE = 1.0  # seconds that an urgent line waits for slow work before it passes
WAITING = 30  # lines of one chat that may wait

StepAside = Callable[[], None]


class Lanes:
    """Runs the work of each lane one after the other; lanes do not wait for each other.

    Work is given a function by which it steps aside: what comes after it in the lane need not wait for it any longer.
    Urgent work (cancel, panic) keeps its place too, but waits for slow work before it only a moment.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, dict[asyncio.Task[None], asyncio.Event]] = {}
        self._all: set[asyncio.Task[None]] = set()

    def full(self, lane: Hashable) -> bool:
        """Whether the lane holds as much as it may."""
        return len(self._running.get(lane, ())) >= WAITING

    def add(self, lane: Hashable, work: Callable[[StepAside], Awaitable[None]], urgent: bool = False) -> None:
        """Puts work at the end of a lane."""
        before = tuple(self._running.get(lane, {}).values())
        passed = asyncio.Event()
        task = asyncio.create_task(self._in_turn(before, work, passed, urgent), name=f"telegram chat {lane}")
        self._running.setdefault(lane, {})[task] = passed
        self._all.add(task)
        task.add_done_callback(lambda done: self._finished(lane, done))

    def _finished(self, lane: Hashable, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        left = self._running.get(lane, {})
        if (passed := left.pop(task, None)) is not None:
            passed.set()
        if not left:
            self._running.pop(lane, None)

    async def stop(self, seconds: float = 2.0) -> None:
        """Lets work under way end, and after a moment cancels it."""
        if self._all:
            _, late = await asyncio.wait(self._all, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @staticmethod
    async def _in_turn(
        before: Iterable[asyncio.Event],
        work: Callable[[StepAside], Awaitable[None]],
        passed: asyncio.Event,
        urgent: bool,
    ) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(all_of(before), PATIENCE if urgent else None)
        await work(passed.set)


async def all_of(events: Iterable[asyncio.Event]) -> None:
    """Waits until each has happened."""
    for each in events:
        await each.wait()

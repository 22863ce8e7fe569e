"""Order within a chat, concurrency between chats."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

PATIENCE = 1.0  # seconds that an urgent line waits for slow work before it passes
WAITING = 30  # lines of one chat that may wait


class Lanes:
    """Runs the work of each lane one after the other; lanes do not wait for each other.

    Urgent work (cancel, panic) keeps its place too, but waits for slow work before it only a moment.
    """

    def __init__(self) -> None:
        self._running: dict[Hashable, set[asyncio.Task[None]]] = {}
        self._all: set[asyncio.Task[None]] = set()

    def full(self, lane: Hashable) -> bool:
        """Whether the lane holds as much as it may."""
        return len(self._running.get(lane, ())) >= WAITING

    def add(self, lane: Hashable, work: Callable[[], Awaitable[None]], urgent: bool = False) -> None:
        """Puts work at the end of a lane."""
        before = set(self._running.get(lane, ()))
        task = asyncio.create_task(self._in_turn(before, work, urgent), name=f"telegram chat {lane}")
        self._running.setdefault(lane, set()).add(task)
        self._all.add(task)
        task.add_done_callback(lambda done: self._finished(lane, done))

    def _finished(self, lane: Hashable, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        left = self._running.get(lane, set())
        left.discard(task)
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
    async def _in_turn(before: set[asyncio.Task[None]], work: Callable[[], Awaitable[None]], urgent: bool) -> None:
        if before:
            await asyncio.wait(before, timeout=PATIENCE if urgent else None)
        await work()

"""Time comes from a Clock: aware UTC datetimes, int64 milliseconds in arrays."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The only source of time and of waiting in the product."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...

    def now_ms(self) -> int:
        """UTC milliseconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits that long on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def now_ms(self) -> int:
        return to_ms(self.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SimulatedClock:
    """A clock that moves only when told, waking its sleepers in order of their deadlines."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def now_ms(self) -> int:
        return to_ms(self._now)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), waiter))
        await waiter

    def set(self, now: datetime) -> None:
        """Moves to `now` without yielding; sleepers whose time has come wake at the next turn of the loop."""
        if now < self._now:
            raise InvalidInput(f"The clock stands at {self._now.isoformat()} and cannot go back to {now.isoformat()}.")
        self._now = now
        while self._sleepers and self._sleepers[0][0] <= now:
            waiter = heapq.heappop(self._sleepers)[2]
            if not waiter.done():
                waiter.set_result(None)

    async def advance(self, seconds: float) -> None:
        """Moves forward, stopping at every sleeper's deadline so that what it does happens at its own time."""
        end = self._now + timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= end:
            self.set(self._sleepers[0][0])
            await asyncio.sleep(0)
        self.set(end)
        await asyncio.sleep(0)


def to_ms(moment: datetime) -> int:
    """UTC milliseconds of an aware datetime, exact (no float)."""
    if moment.tzinfo is None:
        raise InvalidInput(f"The time {moment.isoformat()} has no time zone; UTC is expected.")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """Aware UTC datetime of UTC milliseconds, exact."""
    return EPOCH + timedelta(milliseconds=int(milliseconds))

"""Arbitrage: watches books of all venues for opportunities, tells how they come and go, and executes nothing.

Both legs of a cross-venue opportunity are meant to be traded at once, with money and coins that already lie at the two
venues: coins that travel arrive after the price has gone.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.bus import Bus
from core.clock import Clock, from_ms
from core.events import OpportunityChanged
from core.exchanges.books import BookHub
from core.exchanges.scanner import Key, Opportunity, Policy, Scanner
from core.exchanges.venues.transfers import Transfers
from core.jobs import end_task
from core.market.book import Book
from core.market.instrument import Instrument

MOVED = Decimal("0.1")  # share of profit or size whose change is told
SWEEP = 0.5  # seconds between two looks at everything, which end what grew old
INTEREST = 3_600.0  # seconds for which opportunities are watched after somebody asked


@dataclass(slots=True)
class Alive:
    """An opportunity and since when it is there (UTC ms); told: as it was last told."""

    id: str
    since: int
    now: Opportunity
    told: Opportunity


class Arbitrage:
    """Opportunities over the books of a hub.

    Events are published in their order; `alive` is what there is at the moment.
    """

    def __init__(
        self,
        hub: BookHub,
        clock: Clock,
        bus: Bus,
        *,
        policy: Policy | None = None,
        transfers: Transfers | None = None,
    ) -> None:
        self._hub, self._clock, self._bus = hub, clock, bus
        self.policy, self._transfers = policy or Policy(), transfers or Transfers()
        self.scanner = Scanner((), hub.fee, self.policy, self._transfers)
        self.alive: dict[Key, Alive] = {}
        self._events: asyncio.Queue[OpportunityChanged] = asyncio.Queue()
        self._until = 0  # UTC ms
        self._tasks: list[asyncio.Task[None]] = []
        self._unlisten: Callable[[], None] = lambda: None

    @property
    def watched(self) -> tuple[Instrument, ...]:
        return self.scanner.instruments

    def follow(self, instruments: Iterable[Instrument], seconds: float = INTEREST) -> None:
        """Watches these too, for a while; books of real and simulated venues are never compared."""
        now = self._clock.now_ms()
        before = self.watched if self._until > now else ()
        together = tuple(dict.fromkeys((*before, *instruments)))
        self._until = max(self._until, now + int(seconds * 1000))
        if together != self.watched:
            self._end(self.alive.keys(), now)  # keys are places in the scanner
            self.scanner = Scanner(together, self._hub.fee, self.policy, self._transfers)
            for each in together:
                book = self._hub.book(each)
                if book is not None and self._hub.state(each) == "live":
                    self.scanner.update(each, book, now)
        self._watch()
        if not self._tasks:
            self._unlisten = self._hub.listen(self.changed)
            self._tasks = [
                asyncio.create_task(self._publish(), name="opportunities"),
                asyncio.create_task(self._sweep(), name="opportunities grow old"),
            ]

    async def stop(self) -> None:
        """Watches nothing any more. What is alive ends."""
        self._end(self.alive.keys(), self._clock.now_ms())
        self._unlisten()
        for task in self._tasks:
            await end_task(task)
        self._tasks = []
        while not self._events.empty():
            await self._bus.publish(self._events.get_nowait())

    def changed(self, instrument: Instrument, book: Book) -> None:
        """A book changed: looks again at what it touches."""
        if instrument not in self.scanner:
            return
        now = self._clock.now_ms()
        self.scanner.update(instrument, book, now)
        found = self.scanner.scan(instrument, now)
        self._settle(found, [key for key in self.alive if self.scanner.touched(instrument, key)], now)

    def look(self) -> list[Alive]:
        """Everything there is now, the most profitable first; what grew old or lost its book has ended."""
        now = self._clock.now_ms()
        for each in self.watched:
            if self._hub.book(each) is None:
                self.scanner.drop(each)
        self._settle(self.scanner.scan_all(now), list(self.alive), now)
        return sorted(self.alive.values(), key=lambda each: -each.now.profit)

    async def told(self) -> None:
        """Waits until everybody has heard of everything that happened."""
        if self._tasks:
            await self._events.join()

    def _settle(self, found: dict[Key, Opportunity], among: Collection[Key], now: int) -> None:
        """What was found takes the place of what was known among these keys."""
        self._end([key for key in among if key not in found], now)
        for key, opportunity in found.items():
            known = self.alive.get(key)
            if known is None:
                self.alive[key] = Alive(uuid.uuid4().hex, now, opportunity, opportunity)
                self._tell(self.alive[key], "appeared", now)
                continue
            known.now = opportunity
            if _differs(opportunity.profit, known.told.profit) or _differs(opportunity.size, known.told.size):
                known.told = opportunity
                self._tell(known, "moved", now)

    def _end(self, keys: Collection[Key], now: int) -> None:
        for key in tuple(keys):
            self._tell(self.alive.pop(key), "gone", now)

    def _tell(self, each: Alive, state: str, now: int) -> None:
        found = each.now
        self._events.put_nowait(
            OpportunityChanged(
                each.id,
                found.kind,
                from_ms(now),
                "appeared" if state == "appeared" else "gone" if state == "gone" else "moved",
                found.path,
                found.size,
                found.profit,
                found.fraction,
                (now - each.since) / 1000,
            )
        )

    async def _publish(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._bus.publish(event)
            finally:
                self._events.task_done()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(SWEEP)
            if self._until > self._clock.now_ms():
                self._watch()
            self.look()

    def _watch(self) -> None:
        for each in self.watched:
            self._hub.watch(each)


def _differs(value: Decimal, before: Decimal) -> bool:
    return abs(value - before) > MOVED * abs(before)

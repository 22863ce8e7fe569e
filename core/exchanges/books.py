"""BookHub: live order books of several venues. Books are rebuilt after a gap, and say when they are stale.

A book is followed while somebody is interested in it. Its stream may begin with a snapshot of its own, or with changes
that wait for one: then, and after a gap, the venue is asked for its book and the changes since are put on top of it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from core.clock import Clock
from core.errors import AppError, NotFound, Unavailable
from core.market.book import Book, BookChange
from core.market.instrument import Instrument
from core.market.merged import DEPTH, MergedBook, Outlet, merged
from core.market.sequence import Sequenced
from core.trading.costs import Costs

STALE = 5.0  # seconds without a word after which a book is not to be traded on
INTEREST = 120.0  # seconds for which a book somebody asked for is followed
PATIENCE = 8.0  # seconds that a venue may take to tell its book
AGAIN = 1_000  # ms between two questions for a book that has a gap
WAIT, LONGEST = 1.0, 30.0  # seconds before a stream is taken up again, doubled with each failure
DOLLARS = ("USDT", "USD", "USDC")  # quotes that are looked for at other venues

Listener = Callable[[Instrument, Book], None]
State = Literal["waiting", "live", "stale", "gap"]


class BookSource(Protocol):
    """Public data of a venue, as far as books need it. `freshness(instrument)`, where there is one, tells the age."""

    name: str
    simulated: bool

    async def instruments(self) -> Sequence[Instrument]: ...
    async def book(self, instrument: Instrument) -> BookChange: ...
    def stream_book(self, instrument: Instrument) -> AsyncIterator[BookChange]: ...


@dataclass(slots=True)
class _Followed:
    instrument: Instrument
    sequenced: Sequenced
    until: int  # UTC ms
    seen: int | None = None  # UTC ms at which something was heard last
    failures: int = 0
    asked: int | None = None  # UTC ms at which the venue was asked for its book last
    task: asyncio.Task[None] | None = None


class BookHub:
    """Books of all venues by instrument.

    datas: the venues; costs: what a taker pays at each, the default fees where none are given
    stale_after: seconds without a word
    """

    def __init__(
        self,
        datas: Mapping[str, Any],
        clock: Clock,
        *,
        costs: Callable[[str], Costs] | None = None,
        stale_after: float = STALE,
    ) -> None:
        self._datas, self._clock, self.stale_after = dict(datas), clock, stale_after
        self._costs = costs or (lambda venue: Costs())
        self._books: dict[Instrument, _Followed] = {}
        self._listeners: list[Listener] = []
        self._log = structlog.get_logger("books")

    # -- following ----------------------------------------------------------------------------------------------

    @property
    def venues(self) -> tuple[str, ...]:
        return tuple(self._datas)

    def simulated(self, venue: str) -> bool:
        return venue in self._datas and bool(self._datas[venue].simulated)

    def fee(self, venue: str) -> float:
        """What a taker pays there, fraction."""
        return self._costs(venue).taker_fee

    def watch(self, instrument: Instrument, seconds: float = INTEREST) -> None:
        """Follows the book for a while. Raises NotFound for a venue that is not connected."""
        if instrument.venue not in self._datas:
            raise NotFound(f"{instrument.venue} is not connected, so its book of {instrument.symbol} is not known.")
        until = self._clock.now_ms() + int(seconds * 1000)
        known = self._books.get(instrument)
        if known is None:
            places = (_places(instrument.tick_size), _places(instrument.lot_size))
            known = _Followed(instrument, Sequenced(Book(instrument.venue, instrument.symbol), places), until)
            self._books[instrument] = known
        known.until = max(known.until, until)
        if known.task is None or known.task.done():
            known.task = asyncio.create_task(self._follow(known), name=f"book {instrument.key}")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls the listener after each change of a book that can be trusted; the returned call ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def stop(self) -> None:
        """Ends every stream."""
        tasks = [each.task for each in self._books.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._books.clear()

    # -- what is known ------------------------------------------------------------------------------------------

    def state(self, instrument: Instrument) -> State:
        """Whether the book can be traded on: only a live one can."""
        known = self._books.get(instrument)
        if known is None or known.sequenced.state == "waiting":
            return "waiting"
        if known.sequenced.state == "gap":
            return "gap"
        age = self.age(instrument)
        return "stale" if age is None or age > self.stale_after else "live"

    def stale(self, instrument: Instrument) -> bool:
        return self.state(instrument) != "live"

    def age(self, instrument: Instrument) -> float | None:
        """Seconds since its stream said anything; None when it never did."""
        known = self._books.get(instrument)
        if known is None or known.seen is None:
            return None
        own = (self._clock.now_ms() - known.seen) / 1000
        freshness = getattr(self._datas[instrument.venue], "freshness", None)
        told = freshness(instrument) if freshness is not None else None
        return own if told is None else min(own, float(told))

    def book(self, instrument: Instrument) -> Book | None:
        """The book while it can be trusted (it may be stale); None before, and during a gap."""
        known = self._books.get(instrument)
        return known.sequenced.book if known is not None and known.sequenced.live else None

    async def fresh(self, instrument: Instrument) -> Book:
        """The book now: the live one, else the venue's answer to a question. Raises NotFound, Unavailable."""
        return await self.renewed(instrument, self.stale_after)

    async def renewed(self, instrument: Instrument, max_age: float) -> Book:
        """The book, asked for when nothing was heard of it for `max_age` seconds. Raises as `fresh` does."""
        self.watch(instrument)
        age = self.age(instrument)
        if self.state(instrument) != "live" or age is None or age > max_age:
            await self._resync(self._books[instrument])
        book = self.book(instrument)
        if book is None or self.state(instrument) != "live":
            raise Unavailable(f"{instrument.venue} gives no book of {instrument.symbol} now.", venue=instrument.venue)
        return book

    # -- several venues -----------------------------------------------------------------------------------------

    async def offers(self, instrument: Instrument) -> list[Instrument]:
        """The same coin against any dollar at every venue of the same kind, real or simulated; this one first."""
        found = [instrument]
        for data in self._datas.values():
            if bool(data.simulated) is not self.simulated(instrument.venue):
                continue
            with contextlib.suppress(AppError, OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    listed = await data.instruments()
                quotes = (instrument.quote, *DOLLARS) if instrument.quote in DOLLARS else (instrument.quote,)
                same = [each for each in listed if each.base == instrument.base and each.quote in quotes]
                same.sort(key=lambda each: quotes.index(each.quote))
                found += [each for each in same if each.key != instrument.key]
        return found

    async def comparable(self, coins: Sequence[str], simulated: bool) -> list[Instrument]:
        """Pairs of these coins that arbitrage can compare: at two venues, or in a circle of three at one."""
        listed: list[Instrument] = []
        for data in self._datas.values():
            if bool(data.simulated) is simulated:
                with contextlib.suppress(AppError, OSError, TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        listed += await data.instruments()
        money = {*coins, *DOLLARS}
        found = [each for each in listed if each.base in coins and each.quote in money]
        symbols = Counter(each.symbol for each in found)
        pairs = {(each.venue, each.base, each.quote) for each in found}
        circles: set[tuple[str, str, str]] = set()
        for venue, base, quote in pairs:
            for dollar in DOLLARS:
                if {(venue, base, dollar), (venue, quote, dollar)} <= pairs and quote != dollar:
                    circles |= {(venue, base, quote), (venue, base, dollar), (venue, quote, dollar)}
        return [each for each in found if symbols[each.symbol] > 1 or (each.venue, each.base, each.quote) in circles]

    async def merged(
        self, instrument: Instrument, rates: Mapping[str, float] | None = None, depth: int = DEPTH
    ) -> MergedBook:
        """The books of all venues for this coin in the instrument's quote, after fees.

        rates: of the quote per unit of another, e.g. {"USDC": 0.9998}; without one, pairs in it are left out
        Raises Unavailable when no venue tells its book.
        """
        rates = {instrument.quote: 1.0, **(rates or {})}
        offers, notes = await self.offers(instrument), list[str]()
        chosen = []
        for each in offers:
            if each.quote in rates:
                chosen.append(each)
            else:
                notes.append(
                    f"{each.venue} {each.symbol} is left out: no rate of {each.quote} to {instrument.quote} is given."
                )
        books = []
        answers = await asyncio.gather(*(self.fresh(each) for each in chosen), return_exceptions=True)
        for each, answer in zip(chosen, answers, strict=True):
            if isinstance(answer, AppError):
                notes.append(f"{each.venue} {each.symbol} is left out: {answer.message}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                books.append((Outlet(each, self.fee(each.venue), rates[each.quote]), answer))
        if not books:
            raise Unavailable(f"No venue tells its book of {instrument.symbol} now.", hint=" ".join(notes) or None)
        return merged(instrument.base, instrument.quote, books, tuple(notes), depth)

    # -- streams ------------------------------------------------------------------------------------------------

    async def _follow(self, known: _Followed) -> None:
        """Reads the stream for as long as somebody is interested, and takes it up again when it ends."""
        data = self._datas[known.instrument.venue]
        while known.until > self._clock.now_ms():
            try:
                async for change in data.stream_book(known.instrument):
                    if await self._take(known, change):
                        known.failures = 0
                    if known.until <= self._clock.now_ms():
                        return
            except (AppError, OSError, TimeoutError) as error:
                known.failures += 1
                if known.failures in (1, 10) or known.failures % 100 == 0:
                    self._log.warning("book stream failed", instrument=known.instrument.key, error=str(error))
            known.sequenced.distrust("its stream was interrupted")
            await self._clock.sleep(min(LONGEST, WAIT * 2 ** min(known.failures, 6)))

    async def _take(self, known: _Followed, change: BookChange) -> bool:
        """Takes a change in; asks for a snapshot where one is needed. Returns whether the book can be trusted."""
        now = known.seen = self._clock.now_ms()
        before = known.sequenced.gaps
        if known.sequenced.apply(change):
            self._tell(known)
        elif known.sequenced.gaps > before:
            self._log.info("gap in a book", instrument=known.instrument.key, reason=known.sequenced.reason)
        if not known.sequenced.live and (known.asked is None or now - known.asked >= AGAIN):
            known.asked = now
            with contextlib.suppress(Unavailable):
                await self._resync(known)
        return known.sequenced.live

    async def _resync(self, known: _Followed) -> None:
        """Asks the venue for its book. Raises NotFound, Unavailable."""
        venue = known.instrument.venue
        try:
            async with asyncio.timeout(PATIENCE):
                snapshot = await self._datas[venue].book(known.instrument)
        except (OSError, TimeoutError, AttributeError) as error:
            raise Unavailable(f"{venue} does not tell its book of {known.instrument.symbol}.", venue=venue) from error
        known.seen = self._clock.now_ms()
        if known.sequenced.apply(snapshot):
            self._tell(known)

    def _tell(self, known: _Followed) -> None:
        for listener in tuple(self._listeners):
            listener(known.instrument, known.sequenced.book)


def _places(grid: Any) -> int:
    """Decimals of a grid; Kraken's quantities have eight where it names none."""
    return max(0, -int(grid.normalize().as_tuple().exponent)) if grid > 0 else 8

"""Observed venues: market data and trading whose every call tells the venue's vitals how it went."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from core.clock import Clock, to_ms
from core.errors import AppError, InvalidInput, NotFound, OrderRefused, Unavailable
from core.exchanges.health import Vitals
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.trading.costs import Costs
from core.trading.exchange import Acknowledgement, Capabilities, Exchange, Look, MarketData, Quote
from core.trading.orders import Order, OrderRequest
from core.trading.portfolio import Fill

T = TypeVar("T")

QUESTIONS = frozenset({"book", "trades"})
QUICK = 200.0  # ms
SURE = 1_000.0  # ms; the clock of a venue that took longer to tell it is off by an unknown half of that
GIVEN_UP = 5.0  # seconds after which a question that its asker gave up counts as one without an answer


class Watch:
    """Times questions to one venue. changed: called after each, for whoever tells of a change of state"""

    def __init__(self, vitals: Vitals, changed: Callable[[], Awaitable[None]], timer: Callable[[], float]) -> None:
        self.vitals = vitals
        self._changed = changed
        self._timer = timer

    async def ask(self, question: Awaitable[T], *, private: bool = False) -> T:
        """The answer. What the venue refuses for good reason (NotFound, InvalidInput, OrderRefused) is an answer."""
        began = self._timer()
        try:
            answer = await question
        except (NotFound, InvalidInput):
            self.vitals.answered(self._timer() - began, private=private)
            raise
        except asyncio.CancelledError:
            seconds = self._timer() - began
            if seconds >= GIVEN_UP:
                self.vitals.failed(seconds, Unavailable("it did not answer in time", kind="timeout"))
            else:
                self.vitals.breaker.left()
            raise
        except OrderRefused as refused:
            if refused.details.get("kind") in (None, "other", "funds", "minimum", "lot", "price", "closed", "trigger"):
                self.vitals.answered(self._timer() - began, private=private)
            else:
                self.vitals.failed(self._timer() - began, refused)
            await self._changed()
            raise
        except (AppError, OSError, TimeoutError) as failed:
            self.vitals.failed(self._timer() - began, failed)
            await self._changed()
            raise
        self.vitals.answered(self._timer() - began, private=private)
        await self._changed()
        return answer

    def demand(self) -> None:
        """Raises Unavailable at once while the venue is left alone."""
        if not self.vitals.breaker.allows():
            health = self.vitals.health()
            raise Unavailable(
                f"{self.vitals.venue} is not asked now: {health.reason}.{health.again}",
                hint=health.hint,
                venue=self.vitals.venue,
                kind="breaker",
                seconds=health.retry_in,
            )


class ObservedData:
    """A venue's public data; what is asked for goes through as it is, once the breaker lets it."""

    def __init__(self, data: MarketData, watch: Watch, clock: Clock) -> None:
        self.data = data
        self.name, self.simulated = data.name, data.simulated
        self._watch = watch
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        """Whatever else the venue can do: books and trades are measured, streams tell their own freshness."""
        found = getattr(self.data, name)
        if name not in QUESTIONS:
            return found

        async def measured(*given: Any, **named: Any) -> Any:
            return await self._ask(lambda: found(*given, **named))

        return measured

    async def instruments(self) -> Sequence[Instrument]:
        return await self._ask(lambda: self.data.instruments())

    async def quote(self, instrument: Instrument) -> Quote:
        quote = await self._ask(lambda: self.data.quote(instrument))
        self._watch.vitals.priced(to_ms(quote.time))
        return quote

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        return await self._ask(lambda: self.data.bars(instrument, timeframe, since=since, limit=limit))

    async def ping(self) -> float:
        return await self._ask(lambda: self.data.ping())

    async def look(self) -> None:
        """Asks the venue for its time, or anything, so that its health is known. Raises Unavailable."""
        told: Callable[[], Awaitable[int | None]] | None = getattr(self.data, "venue_time", None)
        if told is None:
            await self.ping()
            return
        for _ in range(2):  # the first question may have waited for a connection
            before, began = self._clock.now_ms(), time.perf_counter()
            moment = await self._ask(told)
            took = (time.perf_counter() - began) * 1000
            if moment is not None and took < SURE:  # it was read half way through, as far as anybody can know
                self._watch.vitals.skewed((moment - before - took / 2) / 1000)
            if moment is None or took < QUICK:
                return

    async def close(self) -> None:
        await self.data.close()

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        self._watch.demand()
        return await self._watch.ask(question())


class ObservedExchange:
    """Trading at a venue. New exposure is refused while the venue is out; cancels, look-ups and closes always go."""

    def __init__(self, exchange: Exchange, watch: Watch, refuse: Callable[[OrderRequest], Awaitable[None]]) -> None:
        self._exchange, self._watch, self._refuse = exchange, watch, refuse
        self.capabilities: Capabilities = exchange.capabilities

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        """Raises OrderRefused where nothing was sent because the venue is out, and what the venue's `place` raises."""
        try:
            await self._refuse(request)
        except Unavailable as out:
            raise OrderRefused(out.message, hint=out.hint, **out.details) from out
        return await self._ask(self._exchange.place(request, last))

    async def cancel(self, order_id: str) -> bool:
        return await self._ask(self._exchange.cancel(order_id))

    async def find(self, order_id: str) -> Order | None:
        return await self._ask(self._exchange.find(order_id))

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        return await self._ask(self._exchange.fills_of(order_id))

    async def open_orders(self) -> Sequence[Order]:
        return await self._ask(self._exchange.open_orders())

    async def recent_fills(self, since: int) -> Sequence[Fill]:
        return await self._ask(self._exchange.recent_fills(since))

    async def balances(self) -> dict[str, Decimal]:
        return await self._ask(self._exchange.balances())

    async def costs(self, instrument: Instrument) -> Costs:
        return await self._ask(self._exchange.costs(instrument))

    def fills(self) -> AsyncIterator[Fill]:
        return self._exchange.fills()

    async def _ask(self, question: Awaitable[T]) -> T:
        return await self._watch.ask(question, private=True)

"""Decisions: what a strategy asks for at a closed bar, checked by the limits and carried out in one transaction."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import structlog

from core.clock import Clock, to_ms
from core.engine import stepping
from core.engine.book import Book
from core.engine.decision import last_row, request_of, situation_of, standing
from core.engine.lease import Lease
from core.engine.means import Means
from core.engine.rules import Rules
from core.engine.views import Run
from core.errors import AppError, InvalidInput
from core.events import Bar
from core.exchanges.paper import Batch, PaperVenue
from core.market import timeframes
from core.market.bars import Bars
from core.money import ZERO, decimal_of
from core.risk import limits as risk
from core.simulation.account import SignalRow
from core.trading.orders import OrderRequest, Side
from core.trading.strategy import Context, SignalStrategy, StepStrategy, Strategy, is_stepped
from core.trading.tickets import Ticket

SLOW = 0.005  # seconds of computing after which a strategy is moved off the event loop

Value = TypeVar("Value")


class Decisions:
    """One decision of a run at a time, on the paper venue.

    rules: the limits checked before every order; lease: held by whoever may place orders
    means: what the limits are told about the account's owner as a whole
    """

    def __init__(self, book: Book, venue: PaperVenue, clock: Clock, rules: Rules, lease: Lease | None) -> None:
        self._book, self._venue, self._clock, self._rules, self._lease = book, venue, clock, rules, lease
        self.means: Means | None = None
        self._seconds: dict[str, float] = {}
        self._log = structlog.get_logger("trader")

    async def decide(self, run: Run, strategy: Strategy, window: Bars, bar: Bar) -> Run:
        """Does what the strategy asks for at the bar, the last of its window; the run as it stands then."""
        if self.means is not None:
            await self.means.ready(run.account)
        if is_stepped(strategy):
            return await self._step(run, strategy, window, bar)
        if isinstance(strategy, SignalStrategy):
            return await self._follow(run, strategy, window, bar)
        raise InvalidInput(f"{strategy.name} cannot trade on paper.")

    def forget(self, run: Run) -> None:
        """Drops what was noted about a run that has ended."""
        self._seconds.pop(run.id, None)

    async def row(self, run: Run, strategy: SignalStrategy, window: Bars, *, leave: bool = False) -> SignalRow:
        """What the signals say at the last bar of the window.

        leave: an exit that they asked for earlier counts, too; a missed entry is not chased
        """
        signals = await self._timed(run, lambda: strategy.signals(window, Context()))
        row = last_row(signals, len(window))
        first = run.decided + timeframes.milliseconds(run.timeframe) <= to_ms(run.started)
        stand = standing(row, signals)
        return stand if first or (leave and stand.exposure <= 0.0) else row

    async def _follow(self, run: Run, strategy: SignalStrategy, window: Bars, bar: Bar) -> Run:
        """Does what the signals at the bar ask for."""
        row = await self.row(run, strategy, window)
        decision = await self._venue.decide(run.account, run.ledger, run.instrument, row)
        gone = self._orders_of(run, decision.cancel)
        async with self._book.reserving(run.account):
            place, reason = self._passed(run, bar, decision.place, gone)
            batch = Batch(
                run.account,
                run.ledger,
                gone,
                place,
                () if decision.protect is None else ((run.instrument, decision.protect),),
                decided=True,
            )
            run = replace(run, decided=bar.time, reason=reason)
            return await self._carry_out(run, batch, {each.id: ZERO for each in place})

    def _passed(
        self, run: Run, bar: Bar, ticket: Ticket | None, gone: Sequence[str]
    ) -> tuple[tuple[OrderRequest, ...], str | None]:
        """The order that the limits let pass, if any, and why one was refused. gone: orders that are cancelled"""
        if ticket is None:
            return (), run.reason
        portfolio = self._book.portfolio(run.account, run.ledger)
        request = request_of(run, bar, ticket, portfolio, self._clock.now())
        recent, halted = self._book.recent(run.account), self._halted(run.account)
        try:
            situation = situation_of(run, request, bar, portfolio, recent=recent, halted=halted)
            if self.means is not None:
                situation = self.means.seen(request, situation, gone)
            risk.demand(risk.checks(situation, self._rules.limits(run.account)))
            if self._lease is not None:
                self._lease.demand()
        except AppError as refused:
            reason = refused.sentence()
            self._log.warning("order of strategy refused", run=run.id, reason=reason)
            return (), reason
        return (request,), None

    async def _step(self, run: Run, strategy: StepStrategy, window: Bars, bar: Bar) -> Run:
        """Does what the strategy asks for when it sees its ledger at the bar."""
        account, index, fills = await self._venue.copy(run.account, run.ledger, run.instrument)
        done, memory = await self._timed(run, lambda: stepping.step(strategy, run, window, account, index, fills))
        cancel = self._orders_of(run, done.cancel)
        limits = self._rules.limits(run.account)
        async with self._book.reserving(run.account):
            stand = self._stand(run, cancel)
            now = self._clock.now()
            drafted = stepping.drafted(run, bar, done, stand, limits, now, self._look(cancel))
            if drafted.place and self._lease is not None:
                try:
                    self._lease.demand()
                except AppError as refused:
                    drafted = stepping.Drafted(reason=refused.sentence())
            if drafted.reason is not None:
                self._log.warning("order of strategy refused", run=run.id, reason=drafted.reason)
            instrument = run.instrument
            batch = Batch(
                run.account,
                run.ledger,
                cancel,
                tuple(drafted.place),
                tuple((instrument, row) for _, row in done.protect),
                tuple(instrument for _ in done.unprotect),
                drafted.tickets,
                decided=True,
            )
            reason = drafted.reason or (None if drafted.place else run.reason)
            labels = stepping.labels_of(run, done, account)
            run = replace(run, decided=bar.time, reason=reason, memory=memory, labels=labels)
            return await self._carry_out(run, batch, drafted.reserved, drafted.labels)

    def _look(self, cancel: Sequence[str]) -> stepping.Look | None:
        """What completes a situation by all that concerns the account's owner. cancel: orders of the decision"""
        means = self.means
        if means is None:
            return None
        return lambda request, situation, before: means.seen(request, situation, cancel, before)

    def _stand(self, run: Run, cancel: Sequence[str]) -> stepping.Stand:
        """What the run can dispose of once these orders are cancelled."""
        book, instrument = self._book, run.instrument
        gone = [order for each in cancel if (order := book.order(each)) is not None]
        freed = {
            side: sum((book.bound(order.id) for order in gone if order.request.side is side), ZERO) for side in Side
        }
        return stepping.Stand(
            book.portfolio(run.account, run.ledger),
            book.free(run.account, run.ledger, instrument.quote) + freed[Side.BUY],
            book.free(run.account, run.ledger, instrument.base) + freed[Side.SELL],
            book.recent(run.account),
            self._halted(run.account),
            decimal_of(self._venue.costs.taker_fee),
        )

    def _orders_of(self, run: Run, refs: Iterable[int]) -> tuple[str, ...]:
        found = (self._venue.order_of(run.account, run.ledger, ref) for ref in refs)
        return tuple(order for order in found if order is not None)

    async def _carry_out(
        self, run: Run, batch: Batch, reserved: Mapping[str, Decimal], labels: Mapping[str, str] | None = None
    ) -> Run:
        """The decision and the run as it stands after it, in one transaction. labels: of new orders, by id"""

        async def also(unit: Any) -> None:
            nonlocal run
            for order, label in (labels or {}).items():
                ref = self._venue.reference(run.account, run.ledger, order)
                run = replace(run, labels={**run.labels, str(ref): label})
            await unit.save_run(run)

        await self._venue.carry_out(batch, also, reserved)
        return run

    async def _timed(self, run: Run, compute: Callable[[], Value]) -> Value:
        """What is computed, off the event loop when the last time took long."""
        began = time.perf_counter()
        found = compute() if self._seconds.get(run.id, SLOW) < SLOW else await asyncio.to_thread(compute)
        self._seconds[run.id] = time.perf_counter() - began
        return found

    def _halted(self, account: str) -> bool:
        return self._book.halted(account)

"""Live runs: strategies on live accounts. The same decision as on paper, with the venue in place of the matching.

At a closed bar an image of the run's ledger is made from the journal, the one decision code is asked, and what it asks
for goes out as orders whose ids follow from the run and the bar. The bar counts as decided in the transaction that
writes the order down, so that no bar is decided twice. Stops, targets and trails are an order of their own over what
the ledger holds, replaced when they move or the position changes.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import structlog

from core import wording
from core.clock import Clock
from core.engine.book import Book
from core.engine.decision import held_of
from core.engine.drafting import protection as protecting_order
from core.engine.estimate import expected
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.image import decision_of, long_only, sized
from core.engine.means import Means
from core.engine.outcomes import FAILURES
from core.engine.ports import Document, TradingStore
from core.engine.valuation import FRESH
from core.engine.views import MANUAL, Run
from core.errors import AppError, Conflict, InvalidInput, OrderRefused, Unavailable
from core.events import AccountNotice, Bar
from core.exchanges.record import Also, Change
from core.market.instrument import Instrument
from core.money import ZERO, decimal_of
from core.outbox import decode, encode
from core.risk import limits as risk
from core.risk.mandates import Mandate, Wish, permission, permits
from core.simulation.account import SignalRow, Ticket
from core.trading.costs import Costs
from core.trading.exchange import Exchange, Quote
from core.trading.orders import Limit, Market, Order, OrderRequest, OrderType, Side
from core.trading.portfolio import Transfer
from core.trading.purses import venue_of
from core.trading.strategy import Strategy, is_stepped

KIND = "protection"  # of the documents in which the protective prices of runs are kept
ROOM = Decimal("1.01")  # what a buy at the market reserves of its expected cost


@dataclass(frozen=True, slots=True)
class Protection:
    """The prices that protect a run's position. trail: fraction; count: orders placed for it so far"""

    stop: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None
    count: int = 0

    def order(self) -> OrderType | None:
        """The one order that watches these prices. Raises InvalidInput where there is none that does."""
        return protecting_order(self.stop, self.target, self.trail)

    def moved(self, asked: Ticket | SignalRow, instrument: Instrument) -> "Protection":
        """These prices with those that are asked for; what is not named stays."""
        trail = asked.protect_trail if isinstance(asked, Ticket) else asked.trail
        stop, target = (
            None if value is None or value != value else instrument.price(decimal_of(value))
            for value in (asked.stop, asked.target)
        )
        fraction = None if trail is None or trail != trail else decimal_of(trail)
        return Protection(stop or self.stop, target or self.target, fraction or self.trail, self.count)


class LiveRuns:
    """What strategies do on live accounts. Whoever calls lets one run do one thing at a time."""

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        execution: Execution,
        exchange_for: Callable[[str], Exchange],
        feed: Feed,
        means: Means,
        clock: Clock,
    ) -> None:
        self._store, self._book, self._execution = store, book, execution
        self._exchange_for, self._feed, self._means, self._clock = exchange_for, feed, means, clock
        self._kept: dict[str, Protection] = {}
        self._told: set[tuple[str, str]] = set()  # run and what its owner was told of its protection
        self._log = structlog.get_logger("trader")

    # -- beginning ----------------------------------------------------------------------------------------------

    def demand_startable(self, account: str, strategy: Strategy, instrument: Instrument, cash: Decimal) -> None:
        """Raises InvalidInput for what cannot trade live, RiskRefused with the line to write without a mandate."""
        venue = venue_of(account)
        if is_stepped(strategy):
            raise InvalidInput(
                f"{strategy.name} looks after its own orders bar by bar; such strategies trade on paper, not live.",
                hint="Strategies that give signals trade live, for example sma_cross.",
            )
        if instrument.venue != venue:
            raise InvalidInput(f"This is the live account at {venue}, and {instrument.key} trades elsewhere.")
        if instrument.kind != "spot":
            raise InvalidInput(f"Strategies trade spot live, and {instrument.symbol} is {instrument.kind}.")
        self.mandate(account, instrument, cash)

    def mandate(self, account: str, instrument: Instrument, cash: Decimal) -> Mandate:
        """The mandate that lets a strategy trade with this cash. Raises RiskRefused, with the line to write."""
        wish, now = Wish("strategy", account, instrument, cash), self._clock.now()
        mandates, used = self._means.rules.mandates(account), self._means.at_stake
        risk.demand((permission(mandates, wish, used, now),))
        return next(each for each in mandates if permits(each, wish, used(each), now).passed)

    async def transfer(self, transfers: Iterable[Transfer], also: Also, demand: Callable[[], None]) -> None:
        """Moves cash or coins between ledgers of one account, in the journal alone: at the venue nothing moves."""
        entries = tuple(transfers)
        async with self._book.reserving(entries[0].account):
            demand()
            async with self._store.unit() as unit:
                await also(unit)
                for entry in entries:
                    await unit.record(entry)
            self._book.apply(Change(entries=entries))

    # -- a bar closes -------------------------------------------------------------------------------------------

    async def decide(self, run: Run, row: SignalRow, bar: Bar) -> Run:
        """Does what the signals at the bar ask for; the run as it stands then.

        A refusal pauses the run, with its reason: its owner is told once, and it goes on with the next signal.
        """
        row, short = long_only(row)
        try:
            done = await self._carry_out(run, row, bar)
        except FAILURES as refused:
            reason = refused.sentence() if isinstance(refused, AppError) else f"{type(refused).__name__}."
            self._log.warning("order of strategy refused", run=run.id, reason=reason)
            self._kept.pop(run.id, None)  # what was written down counts
            return await self._paused(run, bar, reason)
        return done if short is None or done.reason is not None else await self._paused(run, bar, short)

    async def _carry_out(self, run: Run, row: SignalRow, bar: Bar) -> Run:
        name = f"{run.id}-{bar.time}-0"
        decided = replace(run, decided=bar.time, reason=run.reason if row.exposure != row.exposure else None)
        if await self._store.order(name) is not None:  # it went out before a restart
            return await self._keep(decided, await self._protection(run))
        costs = await self._exchange_for(run.account).costs(run.instrument)
        await self._means.ready(run.account)
        working = self._entries(run)
        decision = decision_of(run, self._portfolio(run), row, bar, costs, working)
        if decision.cancel:
            await self._cancel(working)
            decision = decision_of(run, self._portfolio(run), row, bar, costs)
        before = await self._protection(run)
        if not self._entries(run) and not self._lots(run):
            before = Protection(count=before.count)  # of a position that is gone
        if decision.place is None:
            after = before if decision.protect is None else before.moved(decision.protect, run.instrument)
            after.order()
            return await self._keep(decided, after)
        protection = before.moved(decision.place, run.instrument)
        protection.order()
        quote = await self._fresh(run.instrument)
        size = sized(run, self._portfolio(run), decision.place, bar, max(quote.last, quote.ask), costs)
        if size.side is Side.SELL and size.quantity:
            await self._cancel(self._guards(run))  # it holds the coins, and may just have sold them
            size = sized(run, self._portfolio(run), decision.place, bar, quote.last, costs)
        if not size.quantity:
            return await self._keep(replace(decided, reason=size.reason if row.exposure else None), before)
        limit = decision.place.limit
        request = OrderRequest(
            name,
            run.account,
            run.instrument,
            size.side,
            Market() if limit is None else Limit(run.instrument.price(decimal_of(limit))),
            quantity=size.quantity,
            ledger=run.ledger,
            reduce_only=size.side is Side.SELL,
            created=self._clock.now(),
        )
        await self._submit(request, quote, costs, self._writes(decided, protection))
        self._kept[run.id] = protection
        return decided

    async def _submit(self, request: OrderRequest, quote: Quote, costs: Costs, also: Also) -> Order:
        """Sends the order once the mandate and all limits let it pass, in the transaction that reserves for it."""

        def demand() -> Decimal:
            cost = expected(request, quote, costs)
            self._means.demand(request, quote, cost)
            if request.side is Side.SELL:
                return cost.quantity
            room = ROOM if isinstance(request.type, Market) else Decimal(1)
            free = self._book.free(request.account, request.ledger, request.instrument.quote)
            return min((cost.notional + cost.fee) * room, free)

        return await self._execution.submit(request, demand, also=also)

    async def _paused(self, run: Run, bar: Bar, reason: str) -> Run:
        after = replace(run, decided=bar.time, reason=reason)
        async with self._store.unit() as unit:
            await unit.save_run(after)
            if run.reason is None:
                text = f"Strategy {run.number} ({run.strategy} on {run.instrument.symbol}) pauses: {reason}"
                unit.emit(self._notice(run, text))
        return after

    # -- protection ---------------------------------------------------------------------------------------------

    async def tend(self, run: Run) -> bool:
        """Sees to it that one order protects what the run holds, where it asked for that. False: to be tried again."""
        if self._book.halted(run.account):
            return True
        try:
            await self._guard(run)
        except FAILURES as refused:
            reason = refused.sentence() if isinstance(refused, AppError) else f"{type(refused).__name__}."
            self._log.warning("position of strategy not protected", run=run.id, reason=reason)
            if (run.id, type(refused).__name__) not in self._told:
                self._told.add((run.id, type(refused).__name__))
                text = f"What strategy {run.number} holds of {run.instrument.base} is not protected now: {reason}"
                async with self._store.unit() as unit:
                    unit.emit(self._notice(run, text))
            return isinstance(refused, OrderRefused | InvalidInput)  # the next bar tries those
        self._told = {each for each in self._told if each[0] != run.id}
        return True

    async def _guard(self, run: Run) -> None:
        protection, guards, lots = await self._protection(run), self._guards(run), self._unsold(run)
        kind = protection.order() if lots else None
        if kind is not None and len(guards) == 1:
            request = guards[0].request
            if request.type == kind and abs((request.quantity or ZERO) - guards[0].filled - lots) <= ZERO:
                return
        if any(isinstance(each.request.type, Market) for each in guards):
            return  # it is being sold
        await self._cancel(guards)
        lots = self._unsold(run)
        if kind is None or not lots:
            return
        quote = await self._fresh(run.instrument)
        if lots * quote.last < run.instrument.min_notional:
            return
        stop, target = protection.stop, protection.target
        if (stop is not None and quote.last <= stop) or (target is not None and quote.last >= target):
            kind = Market()  # it was reached meanwhile
        after = replace(protection, count=protection.count + 1)
        request = OrderRequest(
            f"{run.id}-guard-{after.count}", run.account, run.instrument, Side.SELL, kind, quantity=lots,
            ledger=run.ledger, reduce_only=True, created=self._clock.now(),
        )  # fmt: skip
        self._kept[run.id] = after
        await self._execution.submit(request, lambda: lots, also=self._writes(run, after))

    async def _protection(self, run: Run) -> Protection:
        if run.id not in self._kept:
            document = await self._store.document(KIND, run.id)
            self._kept[run.id] = Protection() if document is None else decode(Protection, document.value)
        return self._kept[run.id]

    # -- ending -------------------------------------------------------------------------------------------------

    async def clear(self, run: Run) -> None:
        """Cancels what the run still wants to open; what protects its position stays."""
        await self._cancel(self._entries(run))

    async def close(self, run: Run, *, keep: bool) -> Run:
        """Cancels the run's orders, sells what it holds and gives back its money; keep: leaves position and stop."""
        if keep:  # written down first: a venue that does not answer must not turn it into a sale later
            run = await self._keep(replace(run, returned=ZERO), await self._protection(run))
        await self.clear(run)
        if keep:
            return run
        await self._cancel(self._guards(run))
        reason, lots = run.reason, self._lots(run)
        holds = held_of(run, self._portfolio(run)) != 0
        quote = await self._fresh(run.instrument) if holds else None
        if quote is not None and lots and lots * quote.last >= run.instrument.min_notional:
            request = OrderRequest(
                f"{run.id}-close-{uuid.uuid4().hex}", run.account, run.instrument, Side.SELL, Market(), quantity=lots,
                ledger=run.ledger, reduce_only=True, created=self._clock.now(),
            )  # fmt: skip
            sold = await self._execution.submit(request, lambda: lots)
            if not sold.status.final or sold.average_price is None:
                raise Unavailable(
                    f"Run #{run.number} ({run.strategy}) is stopped, and its position is not sold yet.",
                    hint="Stop it once more to finish; the next start of the product does so, too.",
                )
            price = wording.price(sold.average_price, run.instrument)
            reason = f"Its {wording.quantity(sold.filled, run.instrument.base)} were sold at {price}."
        amount = self._book.total(run.account, run.ledger, run.instrument.quote)
        after = replace(run, returned=amount, reason=reason)

        async def also(unit: Any) -> None:
            await unit.save_run(after)

        back = [*self._back(run, run.instrument.quote, amount)]
        if quote is not None:
            rest = held_of(run, self._portfolio(run))
            back += self._back(run, run.instrument.base, rest, run.instrument.key, quote.last)
        if back:
            await self.transfer(back, also, lambda: None)
            return after
        return await self._keep(after, await self._protection(run))

    def forget(self, run: Run) -> None:
        """Drops what was noted about a run that has ended."""
        self._kept.pop(run.id, None)

    def _back(
        self, run: Run, asset: str, amount: Decimal, instrument: str | None = None, price: Decimal | None = None
    ) -> tuple[Transfer, ...]:
        """From the run's ledger to the manual one."""
        if not amount:
            return ()
        name, now, note = f"{run.id}:back:{asset}:{self._clock.now_ms()}", self._clock.now(), f"from {run.strategy}"
        return (
            Transfer(f"{name}:manual", run.account, MANUAL, asset, amount, now, note, instrument, price),
            Transfer(f"{name}:run", run.account, run.ledger, asset, -amount, now, note, instrument, price),
        )

    # -- inside -------------------------------------------------------------------------------------------------

    def _portfolio(self, run: Run) -> Any:
        return self._book.portfolio(run.account, run.ledger)

    def _lots(self, run: Run) -> Decimal:
        """What the run holds, in whole lots."""
        return lots_of(run.instrument, held_of(run, self._portfolio(run)))

    def _unsold(self, run: Run) -> Decimal:
        """What it holds and no open order of its own sells, in whole lots."""
        sales = [each for each in self._entries(run) if each.request.side is Side.SELL]
        bound = sum(((each.request.quantity or ZERO) - each.filled for each in sales), ZERO)
        return lots_of(run.instrument, held_of(run, self._portfolio(run)) - bound)

    def _own(self, run: Run) -> list[Order]:
        return [each for each in self._book.open_orders(run.account, run.ledger) if each.request.parent is None]

    def _entries(self, run: Run) -> list[Order]:
        return [each for each in self._own(run) if not is_guard(each, run)]

    def _guards(self, run: Run) -> list[Order]:
        return [each for each in self._own(run) if is_guard(each, run)]

    async def _cancel(self, orders: Iterable[Order]) -> None:
        """Cancels them for sure. Raises Conflict when one may still fill."""
        for order in orders:
            after = await self._execution.cancel(order)
            if not after.status.final:
                raise Conflict(
                    f"Order #{order.number} could not be cancelled for sure, so nothing takes its place yet.",
                    order=order.id,
                )

    async def _fresh(self, instrument: Instrument) -> Quote:
        quote = await self._feed.quote(instrument, max_age=0.0)
        age = self._feed.age(instrument)
        if age is None or age > FRESH:
            raise Unavailable(f"There is no fresh price of {instrument.symbol}.", hint="Nothing was sent.")
        return quote

    def _writes(self, run: Run, protection: Protection) -> Also:
        async def also(unit: Any) -> None:
            await unit.save_run(run)
            await unit.save_document(Document(KIND, run.id, run.account, encode(protection)))

        return also

    async def _keep(self, run: Run, protection: Protection) -> Run:
        async with self._store.unit() as unit:
            await self._writes(run, protection)(unit)
        self._kept[run.id] = protection
        return run

    def _notice(self, run: Run, text: str) -> AccountNotice:
        return AccountNotice(f"run:{run.id}:{uuid.uuid4().hex}", run.account, self._clock.now(), text)


def lots_of(instrument: Instrument, held: Decimal) -> Decimal:
    """Rounded down to whole lots, which may be none."""
    try:
        return instrument.quantity(max(ZERO, held))
    except InvalidInput:
        return ZERO


def is_guard(order: Order, run: Run) -> bool:
    """Whether the order protects what the run holds."""
    return order.id.startswith(f"{run.id}-guard-")

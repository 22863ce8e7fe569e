"""Desk: what a person does with an account by hand. Draft, preview, submit; cancel; look; panic; begin anew.

A preview refuses at once what cannot be done. Submit looks again just before recording: the quote is fresh, the price
still lies in the previewed band, the kill switch is off, the means are there. What it refuses leaves nothing behind.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from core import wording
from core.clock import Clock
from core.engine.arming import Armed, Arming, Caps
from core.engine.book import Book
from core.engine.drafting import demand_above, demand_protection, demand_sides, entry_of, order_type, protection
from core.engine.emergency import Emergency
from core.engine.estimate import expected, warnings
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.live import LiveVenues
from core.engine.means import Means
from core.engine.ports import AccountState, TradingStore
from core.engine.protecting import Protecting
from core.engine.register import Adopt, Register
from core.engine.rules import Rules
from core.engine.synthetics.grid import each_of
from core.engine.synthetics.terms import homes, on_grid, reference
from core.engine.trader import Trader
from core.engine.valuation import FRESH, Valuation
from core.engine.views import MANUAL, AccountView, Panic, Preview, ProfitView
from core.errors import AppError, Conflict, InvalidInput, NotFound, Unavailable
from core.exchanges.paper import Batch, PaperVenue
from core.exchanges.venues import profile_of
from core.market.instrument import Instrument
from core.money import ONE, ZERO, plain, quantise_quantity
from core.risk import limits as risk
from core.risk.mandates import Mandate
from core.simulation.account import SignalRow
from core.trading.costs import Costs
from core.trading.exchange import Exchange, Quote
from core.trading.orders import (
    Grid,
    Limit,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    TimeInForce,
    TrailingStop,
)  # fmt: skip
from core.trading.portfolio import Fill, Position
from core.trading.purses import mode_of, owner_of, title_of, venue_of

OPENING = Decimal(10_000)
CURRENCY = "USDT"
BAND = Decimal("0.01")  # how far the market may move between preview and confirmation


class Desk:
    """Manual trading and the books of every account, on paper and live by the same way.

    opening: what a new paper account starts with; rules: the limits checked before every order
    """

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        venue: PaperVenue,
        execution: Execution,
        feed: Feed,
        trader: Trader,
        clock: Clock,
        *,
        valuation: Valuation,
        arming: Arming,
        rules: Rules,
        adopt: Adopt,
        exchange_for: Callable[[str], Exchange],
        live: LiveVenues | None = None,
        opening: Decimal = OPENING,
        currency: str = CURRENCY,
    ) -> None:
        self._store, self._book, self._venue, self._execution = store, book, venue, execution
        self._feed, self._trader, self._clock = feed, trader, clock
        self._currency = currency
        self._valuation, self.arming = valuation, arming
        self._means = self.means = Means(book, self._valuation, store, rules, clock)
        self._register = Register(store, book, venue, trader, clock, opening, currency, adopt)
        self._exchange_for, self._live = exchange_for, live
        self.protecting = Protecting(store, book, execution, self.submit, clock)
        self.emergency = Emergency(store, book, execution, trader, valuation, self._register, live, clock)

    # -- orders -------------------------------------------------------------------------------------------------

    async def draft(
        self,
        account: str,
        side: Side | str,
        instrument: Instrument,
        *,
        quantity: Decimal | None = None,
        spend: Decimal | None = None,
        fraction: Decimal | None = None,
        limit: Decimal | None = None,
        stop: Decimal | None = None,
        target: Decimal | None = None,
        trail: Decimal | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        expires: datetime | None = None,
    ) -> OrderRequest:
        """The order a person means; it is nowhere yet.

        One of quantity (base), spend (quote) and fraction (0 to 1, of the free cash or the free position).
        stop, target, trail protect what a buy opens; at a sell, stop makes it a stop order and trail a trailing stop.
        Raises InvalidInput, InsufficientFunds.
        """
        currency, venue = (await self.open(account)).currency, venue_of(account)
        side = Side(side)
        if instrument.quote != currency:
            raise InvalidInput(
                f"This account trades in {currency}, and {instrument.symbol} is priced in {instrument.quote}.",
                hint=f"Choose a pair that ends in /{currency}.",
            )
        if venue is not None and instrument.venue != venue:
            raise InvalidInput(f"This is the account at {venue}, and {instrument.key} is traded at {instrument.venue}.")
        given = {"quantity": quantity, "spend": spend, "fraction": fraction}
        if sum(value is not None for value in given.values()) != 1:
            raise InvalidInput("An order needs a quantity, an amount to spend, or a fraction: exactly one of them.")
        for name, value in (*given.items(), ("limit", limit), ("stop", stop), ("target", target), ("trail", trail)):
            if value is not None and not value > 0:
                raise InvalidInput(f"The {name} {plain(value)} is not above zero.")
        kind = order_type(side, instrument, limit, stop, target, trail)
        if side is Side.SELL and target is not None:
            demand_above("target", target, "the market at", (await self._feed.quote(instrument)).last)
        if fraction is not None:
            quantity, spend = self._means.part(account, side, instrument, fraction)
        if spend is not None and (side is Side.SELL or limit is not None):
            price = limit or (await self._feed.quote(instrument)).last
            taker_fee = (await self._costs(account, instrument)).taker_fee
            rate = Decimal(repr(taker_fee)) if side is Side.BUY else ZERO
            quantity, spend = spend / (price * (1 + rate)), None
        return OrderRequest(
            uuid.uuid4().hex,
            account,
            instrument,
            side,
            kind,
            quantity=None if quantity is None else instrument.quantity(quantity),
            spend=spend,
            time_in_force=time_in_force,
            reduce_only=side is Side.SELL,  # by hand nothing is sold that is not there, also when the stop was faster
            expires=expires,
            created=self._clock.now(),
        )

    async def compose(
        self,
        account: str,
        side: Side | str,
        instrument: Instrument,
        kind: OrderType,
        *,
        quantity: Decimal | None = None,
        spend: Decimal | None = None,
        fraction: Decimal | None = None,
    ) -> OrderRequest:
        """An order of any type; it is nowhere yet. One of quantity (base), spend (quote), fraction (of what is free).

        Raises InvalidInput, InsufficientFunds.
        """
        plainly = await self.draft(account, side, instrument, quantity=quantity, spend=spend, fraction=fraction)
        kind = on_grid(kind, instrument)
        size = plainly.quantity
        if size is None:
            last = (await self._feed.quote(instrument)).last
            price = reference(kind, plainly.side, instrument, last)
            rate = Decimal(repr((await self._costs(account, instrument)).taker_fee))
            size = (plainly.spend or ZERO) / (price * (1 + rate))
        if isinstance(kind, Grid):
            size = each_of(kind, size, instrument) * (kind.levels - 1) or size
        return replace(plainly, type=kind, quantity=instrument.quantity(size), spend=None)

    def homes(self, request: OrderRequest) -> list[tuple[str, str]]:
        """(part, where it lives) of an order that waits: at the venue, or in this process."""
        return homes(request, self._execution.natives(request.account), whole=self._execution.works(request))

    async def preview(self, request: OrderRequest) -> Preview:
        """What the order would do now. Raises RiskRefused, InsufficientFunds or InvalidInput, with numbers."""
        await self.open(request.account)
        quote = await self._feed.quote(request.instrument)
        cost = expected(request, quote, await self._costs(request.account, request.instrument))
        demand_sides(request, quote.last, cost.price)
        await self._means.ready(request.account)
        looked_at = self._means.checks(request, quote, cost)
        risk.demand(looked_at)
        held = self._valuation.held(request.account, request.instrument)
        equity = self._valuation.equity(request.account)
        after = (held + cost.quantity * request.side.sign) * cost.price / equity if equity > 0 else ZERO
        band = isinstance(entry_of(request.type), Market)
        native = mode_of(request.account) == "LIVE" and self._execution.works(request)
        return Preview(
            request,
            mode_of(request.account),
            cost.price,
            cost.quantity,
            cost.notional,
            cost.fee,
            cost.slippage,
            after,
            looked_at,
            tuple(warnings(request, quote, cost, equity, self._feed.age(request.instrument), at_venue=native)),
            quote.last * (1 - BAND) if band else ZERO,
            quote.last * (1 + BAND) if band else Decimal("Infinity"),
            quote.simulated,
        )

    async def submit(self, request: OrderRequest, preview: Preview | None = None) -> Order:
        """Records and places the order, and waits for the next price. The same request again gives the same order.

        Raises Conflict when the market left the previewed band, Unavailable when the quote is old, and whatever
        `preview` may raise; then there is no order.
        """
        await self.open(request.account)
        instrument = request.instrument
        await self._means.ready(request.account)
        quote = await self._fresh(instrument)
        if preview is not None:
            demand_band(preview, quote)
        costs = await self._costs(request.account, instrument)
        request = self._sized(request, quote, costs)

        def demand() -> Decimal:
            cost = expected(request, quote, costs)
            demand_sides(request, quote.last, cost.price)
            self._means.demand(request, quote, cost)
            if request.side is Side.SELL:
                return cost.quantity
            needed = request.spend or cost.notional + cost.fee
            room = ONE + BAND if isinstance(entry_of(request.type), Market | Stop | TrailingStop) else ONE
            return min(needed * room, self._book.free(request.account, request.ledger, instrument.quote))

        def last() -> None:
            newest = self._feed.known(instrument)
            if preview is not None and newest is not None:
                demand_band(preview, newest)

        order = await self._execution.submit(request, demand, last=last)
        if not order.status.final:
            with contextlib.suppress(AppError):  # without a price now, the order waits for the next one
                await self._feed.poke(instrument)
        return await self._store.order(order.id) or order

    def _sized(self, request: OrderRequest, quote: Quote, costs: Costs) -> OrderRequest:
        """Live, an amount to spend becomes a quantity just before it is sent: what it surely buys, fees included."""
        if request.spend is None or mode_of(request.account) == "PAPER":
            return request
        bought = expected(request, replace(quote, last=max(quote.ask, quote.last)), costs).quantity
        return replace(request, quantity=bought, spend=None)

    async def redraft(
        self, account: str, order: int | str, *, price: Decimal | None = None, quantity: Decimal | None = None
    ) -> OrderRequest:
        """The order that would take the place of an open limit order, at another price and/or for another quantity.

        quantity: wanted in all, what has filled so far included. Raises NotFound, Conflict, InvalidInput.
        """
        old = await self.order(account, order)
        if old.status.final:
            raise Conflict(f"Order #{old.number} was {old.status.value.replace('_', ' ')} before.", order=old.id)
        if old.request.parent is not None:
            raise InvalidInput(
                f"Order #{old.number} is a part of another order, which looks after it.",
                hint="Cancel that one, then place a new one.",
            )
        instrument, kind = old.request.instrument, old.request.type
        if price is None and quantity is None:
            raise InvalidInput("Say the new price or the new quantity.", hint=f"replace {old.number} price=…")
        if not isinstance(kind, Limit) or old.request.quantity is None:
            raise InvalidInput(
                f"Order #{old.number} is not a limit order, and only those are replaced.",
                hint="Cancel it, then place a new one.",
            )
        for name, value in (("price", price), ("quantity", quantity)):
            if value is not None and not value > 0:
                raise InvalidInput(f"The {name} {plain(value)} is not above zero.")
        return replace(
            old.request,
            id=uuid.uuid4().hex,
            type=kind if price is None else Limit(instrument.price(price)),
            quantity=old.request.quantity if quantity is None else instrument.quantity(quantity),
            created=self._clock.now(),
            replaces=old.id,
        )

    async def replace(self, request: OrderRequest) -> Order:
        """Puts the request in the place of the order that it replaces. Raises as `submit`; see `Execution.replace`."""
        old = await self.order(request.account, request.replaces or "")
        await self._means.ready(request.account)
        quote = await self._fresh(request.instrument)
        costs = await self._costs(request.account, request.instrument)
        left = replace(request, quantity=max(ZERO, (request.quantity or ZERO) - old.filled) or request.quantity)

        def demand() -> Decimal:
            cost = expected(left, quote, costs)
            situation = self._means.situation(left, quote, cost)
            freed = self._book.bound(old.id)
            if request.side is Side.BUY:
                situation = replace(situation, cash=situation.cash + freed)
            else:
                situation = replace(situation, held=situation.held + freed)
            risk.demand(risk.checks(situation, self._means.rules.limits(request.account)))
            return cost.quantity if request.side is Side.SELL else cost.notional + cost.fee

        order = await self._execution.replace(old, request, demand)
        if not order.status.final:
            with contextlib.suppress(AppError):
                await self._feed.poke(request.instrument)
        return await self._store.order(order.id) or order

    async def protect(
        self,
        account: str,
        instrument: Instrument,
        *,
        stop: Decimal | None = None,
        target: Decimal | None = None,
        trail: Decimal | None = None,
    ) -> None:
        """Lets these prices watch the whole manual position from now on, in place of what did; none of them: nothing.

        Raises NotFound without a position, InvalidInput for a price on the wrong side of the market, Unavailable when
        there is no fresh price to hold them against; then all stays as it was.
        """
        await self.open(account)
        position = self._book.portfolio(account, MANUAL).positions.get(instrument.key)
        if position is None or position.quantity <= 0:
            raise NotFound(f"You hold no {instrument.base} by hand, so there is nothing to protect.")
        if stop is not None or target is not None or trail is not None:
            demand_protection(stop, target, trail, (await self._fresh(instrument)).last)
        if mode_of(account) == "LIVE":
            await self.protecting.put(account, instrument, protection(stop, target, trail))
            return
        row = SignalRow(
            **{
                name: float(value)
                for name, value in (("stop", stop), ("target", target), ("trail", trail))
                if value is not None
            }
        )
        await self._venue.carry_out(Batch(account, MANUAL, unprotect=(instrument,), protect=((instrument, row),)))

    async def cancel(self, account: str, order: int | str) -> Order:
        """Cancels by number or id. Raises NotFound, or Conflict when there was nothing left to cancel."""
        found = await self.order(account, order)
        if found.status.final:
            raise Conflict(f"Order #{found.number} was {found.status.value.replace('_', ' ')} before.", order=found.id)
        after = await self._execution.cancel(found)
        if after.status is not OrderStatus.CANCELLED:
            raise Conflict(
                f"Order #{after.number} could not be cancelled: it is {after.status.value.replace('_', ' ')}.",
                order=after.id,
            )
        return after

    async def cancel_all(self, account: str) -> list[Order]:
        """Cancels every open order of the account; what was filled meanwhile is left out."""
        return await self._execution.cancel_all(account)

    async def order(self, account: str, order: int | str) -> Order:
        """The order by number ('3', '#3') or id. Raises NotFound."""
        word = str(order).strip().lstrip("#")
        found = await self._store.order(word)
        if found is None and word.isdigit():
            found = await self._store.order_by_number(account, int(word))
        if found is None or found.request.account != account:
            numbers = [f"#{each.number}" for each in self._book.open_orders(account)]
            raise NotFound(
                f"There is no order '{order}'.",
                hint=f"Open: {', '.join(numbers)}." if numbers else "No order is open.",
            )
        return found

    async def orders(self, account: str, open_only: bool = True, limit: int = 50) -> list[Order]:
        """The newest orders first."""
        if open_only:
            return sorted(self._book.open_orders(account), key=lambda each: -each.number)[:limit]
        return list(await self._store.orders(account, limit=limit))

    async def fills(self, account: str, limit: int = 50) -> list[Fill]:
        """The newest fills first."""
        return list(await self._store.fills(account, limit))

    # -- looking ------------------------------------------------------------------------------------------------

    async def portfolio(self, account: str) -> AccountView:
        """The account at the newest prices there are; `stale` says that one of them is old."""
        await self.open(account)
        return await self._valuation.portfolio(account)

    async def profit(self, account: str, since: datetime | None = None) -> ProfitView:
        """Profit since the time, or since the account was opened or reset."""
        await self.open(account)
        return await self._valuation.profit(account, since)

    def account_for(self, user: str, venue: str) -> str:
        """The account with which a user trades who has chosen the venue: live while armed, else on paper."""
        return self.arming.account_for(user, venue)

    def exposed(self, account: str) -> list[str]:
        """The owner's other live accounts on which orders are open or coins are held, armed or not."""

        def holds(each: str) -> bool:
            held = (self._book.portfolio(each, ledger).positions.values() for ledger in self._book.ledgers(each))
            return any(position.quantity for positions in held for position in positions)

        return [
            each
            for each in self.emergency.accounts(owner_of(account))
            if each != account and venue_of(each) is not None and (self._book.open_orders(each) or holds(each))
        ]

    def at_venue(self, account: str, kind: OrderType) -> bool:
        """Whether the account's venue works such orders itself, so that nothing of them lives in this process."""
        capabilities = self._exchange_for(account).capabilities
        return not capabilities.paper and capabilities.works(kind)

    def titled(self, account: str) -> str:
        """'LIVE binance, not armed'."""
        venue = venue_of(account)
        armed = venue is None or self.account_for(owner_of(account), venue) == account
        return title_of(account) if armed else f"{title_of(account)}, not armed"

    async def live_accounts(self, user: str) -> list[str]:
        """The user's accounts at venues there are keys for."""
        return [] if self._live is None else await self._live.accounts(user)

    # -- the account as a whole -----------------------------------------------------------------------------------

    async def open(self, account: str) -> AccountState:
        """The account's state; a new account gets its opening deposit."""
        return await self._register.open(account)

    async def reset(self, account: str, cash: Decimal = OPENING) -> AccountView:
        """Ends all runs and orders and begins anew with `cash`; what was stays as history. Raises InvalidInput."""
        await self._register.reset(account, cash)
        return await self.portfolio(account)

    async def panic(self, account: str) -> Panic:
        """Stops everything on all accounts of the owner: no new exposure, no open order, no running strategy."""
        return await self.emergency.panic(owner_of(account))

    async def resume(self, account: str) -> None:
        """Lifts the kill switch from all accounts of the owner."""
        await self.emergency.resume(owner_of(account))

    async def revoke(self, account: str, number: int) -> tuple[Mandate, list[Order], list[Order]]:
        """Ends a mandate at once and cancels what was ordered under it: (mandate, cancelled, still open).

        Raises NotFound, Conflict.
        """
        mandate = await self._means.rules.revoke(account, number)
        orders = self._means.under(mandate)
        found = await asyncio.gather(*(self._execution.cancel(each) for each in orders), return_exceptions=True)
        ended = [each for each in found if isinstance(each, Order) and each.status is OrderStatus.CANCELLED]
        return mandate, ended, [each for each in orders if self._book.order(each.id) is not None]

    async def halted(self, account: str) -> bool:
        """Whether the kill switch is on."""
        await self.open(account)
        return self._means.halted(account)

    async def flatten(self, account: str) -> list[Order]:
        """Sells every position of the account at market: the manual ones as orders, those of strategies by ending them.

        Cash that a stopped run still holds comes back, too. One that cannot be sold keeps no other; the first refusal
        is raised when everything else is sold.
        """
        failed: list[AppError] = []
        for run in await self._trader.runs(account):
            portfolio = self._book.portfolio(account, run.ledger)
            holds = any(position.quantity for position in portfolio.positions.values())
            kept = run.state != "running" and not run.returned and portfolio.balances.get(self._currency, ZERO) > 0
            if holds or kept:
                try:
                    await self._trader.stop(account, run)
                except AppError as refused:
                    failed.append(refused)
        orders = []
        positions = self._book.portfolio(account, MANUAL).positions.values()
        for position in sorted(positions, key=lambda each: self._pays_fees(account, each)):
            if position.quantity > 0 and not self._is_dust(account, position):
                try:
                    orders.append(await self._sell_out(account, self._book.instruments[position.instrument]))
                except AppError as refused:
                    failed.append(refused)
        if len(failed) > 1:
            raise Conflict(" ".join(dict.fromkeys(each.sentence() for each in failed)))
        if failed:
            raise failed[0]
        return orders

    async def snapshot(self) -> None:
        """Keeps what every account is worth, under the present hour."""
        await self._valuation.snapshot()

    def watched(self) -> list[Instrument]:
        """Instruments that somebody holds: their prices are kept fresh."""
        return self._valuation.watched()

    async def arm(self, account: str, caps: Caps, hours: int) -> Armed:
        """Lets a live account trade for so many hours, within the caps. The caller has proved the second factor."""
        await self.open(account)
        await self._valuation.refresh(account)
        held: dict[str, Decimal] = {}
        for ledger in self._book.ledgers(account):
            for key, position in self._book.portfolio(account, ledger).positions.items():
                held[key] = held.get(key, ZERO) + position.quantity
        return await self.arming.arm(account, caps, hours, held, self._valuation.earned(account))

    # -- inside -------------------------------------------------------------------------------------------------

    async def _costs(self, account: str, instrument: Instrument) -> Costs:
        return await self._exchange_for(account).costs(instrument)

    async def _sell_out(self, account: str, instrument: Instrument) -> Order:
        for order in self._book.open_orders(account, MANUAL):
            if order.request.instrument.key == instrument.key:
                await self._execution.cancel(order)
        quantity = self._book.total(account, MANUAL, instrument.base)
        return await self.submit(await self.draft(account, Side.SELL, instrument, quantity=quantity))

    def dust(self, account: str) -> set[str]:
        """The coins (instrument keys) of which too little is held by hand for an order at the account's venue."""
        held = self._book.portfolio(account, MANUAL).positions.values()
        return {each.instrument for each in held if each.quantity > 0 and self._is_dust(account, each)}

    def _pays_fees(self, account: str, position: Position) -> bool:
        """Whether it is the token in which the venue takes its fees: sold last, because the other sales need it."""
        discount = profile_of(venue_of(account) or "").discount
        return discount is not None and self._book.instruments[position.instrument].base == discount.token

    def _is_dust(self, account: str, position: Position) -> bool:
        """Whether a venue would not take an order this small; on paper everything can be sold."""
        if mode_of(account) == "PAPER":
            return False
        instrument = self._book.instruments[position.instrument]
        lots = quantise_quantity(position.quantity, instrument.lot_size)
        return lots <= 0 or lots * self._valuation.price(position) < instrument.min_notional

    async def _fresh(self, instrument: Instrument) -> Quote:
        """The newest quote. Raises Unavailable when it is too old to act on."""
        quote = await self._feed.quote(instrument, max_age=0.0)
        age = self._feed.age(instrument)
        if age is None or age > FRESH:
            raise Unavailable(
                f"The price of {instrument.symbol} is {0 if age is None else age:.0f} seconds old, "
                f"and an order needs one of the last {FRESH:.0f} seconds.",
                hint="Nothing was sent; try again when the market data is back.",
                age=age,
            )
        return quote


def demand_band(preview: Preview, quote: Quote) -> None:
    """Raises Conflict when the market, or the price that can be had now, left what the preview showed."""
    instrument = preview.request.instrument
    best = quote.ask if preview.request.side is Side.BUY else quote.bid
    worse = best > preview.band_high if preview.request.side is Side.BUY else best < preview.band_low
    if preview.band_low <= quote.last <= preview.band_high and not worse:
        return
    now = best if worse else quote.last
    raise Conflict(
        f"{instrument.symbol} moved to {wording.price(now, instrument)}, outside "
        f"{wording.price(preview.band_low, instrument)} to {wording.price(preview.band_high, instrument)} "
        f"of the preview.",
        hint="Nothing was sent; ask again for a new preview.",
        last=str(now),
    )

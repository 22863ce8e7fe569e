"""Valuation: what accounts hold, what that is worth at the newest prices, and what was earned with it."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from core.clock import Clock, to_ms
from core.engine.book import Book
from core.engine.feed import Feed
from core.engine.ports import EquityPoint, TradingStore
from core.engine.views import MANUAL, AccountView, BalanceView, LedgerView, PositionView, ProfitView
from core.errors import AppError
from core.exchanges.paper import PaperVenue
from core.market.instrument import Instrument
from core.money import ZERO
from core.simulation.account import SignalRow
from core.trading.orders import OneCancelsOther, Order, Side, Stop, StopLimit, TrailingStop
from core.trading.portfolio import Portfolio, Position, Transfer
from core.trading.purses import mode_of

FRESH = 15.0  # seconds a price may be old before it is called so
HOUR = 3_600_000


class Valuation:
    """The books of every account at the newest prices there are, in its currency."""

    def __init__(self, store: TradingStore, book: Book, venue: PaperVenue, feed: Feed, clock: Clock) -> None:
        self._store, self._book, self._venue = store, book, venue
        self._feed, self._clock = feed, clock

    async def portfolio(self, account: str) -> AccountView:
        """The account at the newest prices there are; `stale` says that one of them is old."""
        await self.refresh(account)
        runs = {run.id: run for run in await self._store.runs(account)}
        totals: dict[str, Decimal] = {}
        positions: list[PositionView] = []
        ledgers: list[LedgerView] = []
        reserved, currency = ZERO, self._book.currency(account)
        for name in self._book.ledgers(account):
            portfolio = self._book.portfolio(account, name)
            cash, equity = portfolio.balances.get(currency, ZERO), self.ledger_equity(account, name)
            reserved += self._book.reserved(account, name, currency)
            positions += self._positions(account, name, portfolio)
            for asset, total in portfolio.balances.items():
                totals[asset] = totals.get(asset, ZERO) + total
            run = runs.get(name)
            if run is None or run.state == "running" or equity != 0:
                title = MANUAL if run is None else f"#{run.number} {run.strategy} {run.instrument.symbol}"
                ledgers.append(LedgerView(name, title, cash, equity, None if run is None else run.id))
        balances = [
            BalanceView(asset, total, self._value(asset, total, currency))
            for asset, total in totals.items()
            if total != 0 or asset == currency
        ]
        ages = [self._feed.age(position.instrument) for position in positions]
        return AccountView(
            mode_of(account),
            currency,
            totals.get(currency, ZERO),
            sum((ledger.equity for ledger in ledgers), ZERO),
            tuple(balances),
            tuple(positions),
            tuple(ledgers),
            reserved,
            any(self._feed.label(position.instrument) for position in positions) or self._simulated(account),
            any(age is None or age > FRESH for age in ages),
        )

    async def profit(self, account: str, since: datetime | None = None) -> ProfitView:
        """Profit since the time, or since the account was opened or reset."""
        await self.refresh(account)
        entries = await self._store.entries(account)
        state = self._book.account(account)
        began = since or (state.opened if state is not None else None)
        ledgers: dict[str, Portfolio] = {}
        realised_before = fees_before = deposits = early = ZERO
        exits: set[str] = set()
        currency = self._book.currency(account)
        for entry in entries:
            before = ledgers.get(entry.ledger, Portfolio())
            ledgers[entry.ledger] = after = before.apply(entry)
            old = since is not None and entry.time < since
            if isinstance(entry, Transfer):
                deposits += entry.worth(currency)
                early += entry.worth(currency) if old else ZERO
                continue
            was = before.positions.get(entry.instrument, Position(entry.instrument))
            now = after.positions[entry.instrument]
            if old:
                realised_before += now.realised - was.realised
                fees_before += entry.fee
            elif abs(now.quantity) < abs(was.quantity) or was.quantity * now.quantity < 0:
                exits.add(entry.order)
        folded = [position for portfolio in ledgers.values() for position in portfolio.positions.values()]
        realised = sum((position.realised for position in folded), ZERO) - realised_before
        fees = sum((position.fees for position in folded), ZERO) - fees_before
        unrealised = sum((position.unrealised(self.price(position)) for position in folded), ZERO)
        equity = self.equity(account)
        points = [point for point in await self._store.equity(account) if since is None or point.time >= to_ms(since)]
        start = points[0].equity if since is not None and points and early else deposits
        total = equity - start
        curve = [(point.time, float(point.equity)) for point in points] + [(self._clock.now_ms(), float(equity))]
        if since is None and state is not None and state.opened is not None:
            moved = [entry for entry in entries if isinstance(entry, Transfer)]
            opening = sum((each.worth(currency) for each in moved if each.time == moved[0].time), ZERO)
            curve = [(to_ms(state.opened), float(opening)), *(each for each in curve if each[0] > to_ms(state.opened))]
        return ProfitView(
            realised,
            unrealised,
            fees,
            total,
            total / start if start else ZERO,
            tuple(time for time, _ in curve),
            tuple(value for _, value in curve),
            len(exits),
            currency,
            mode_of(account),
            began,
            self._simulated(account),
        )

    async def snapshot(self) -> None:
        """Keeps what every account is worth, under the present hour."""
        hour = self._clock.now_ms() // HOUR * HOUR
        async with self._store.unit() as unit:
            for account in self._book.accounts():
                await unit.save_equity(EquityPoint(account, hour, self.equity(account)))

    def watched(self) -> list[Instrument]:
        """Instruments that somebody holds: their prices are kept fresh."""
        found: dict[Instrument, None] = {}
        for account in self._book.accounts():
            for ledger in self._book.ledgers(account):
                for position in self._book.portfolio(account, ledger).positions.values():
                    if position.quantity and position.instrument in self._book.instruments:
                        found[self._book.instruments[position.instrument]] = None
        return list(found)

    def price(self, position: Position) -> Decimal:
        """The newest price of the position's instrument; its own entry price when there never was one."""
        return self.price_of(position.instrument, position.entry_price)

    def price_of(self, key: str, otherwise: Decimal = ZERO) -> Decimal:
        """The newest price of an instrument by its key; `otherwise` when there never was one."""
        instrument = self._book.instruments.get(key)
        quote = None if instrument is None else self._feed.known(instrument)
        return otherwise if quote is None else quote.last

    def newest(self, instrument: Instrument) -> Decimal | None:
        """The newest price there is of the instrument."""
        quote = self._feed.known(instrument)
        return None if quote is None else quote.last

    def ledger_equity(self, account: str, ledger: str) -> Decimal:
        """Cash and positions of the ledger, at the newest prices."""
        portfolio = self._book.portfolio(account, ledger)
        held = sum((each.quantity * self.price(each) for each in portfolio.positions.values() if each.quantity), ZERO)
        return portfolio.balances.get(self._book.currency(account), ZERO) + held

    def equity(self, account: str) -> Decimal:
        """What all ledgers of the account are worth together."""
        return sum((self.ledger_equity(account, ledger) for ledger in self._book.ledgers(account)), ZERO)

    def earned(self, account: str) -> Decimal:
        """What the account has earned since it was opened, at the newest prices."""
        return self.equity(account) - self._book.moved(account)

    def _simulated(self, account: str) -> bool:
        return mode_of(account) == "PAPER" and self._feed.simulated

    def _value(self, asset: str, total: Decimal, currency: str) -> Decimal | None:
        if asset == currency:
            return total
        for instrument in self._book.instruments.values():
            if instrument.base == asset and instrument.quote == currency:
                quote = self._feed.known(instrument)
                if quote is not None:
                    return total * quote.last
        return None

    def _positions(self, account: str, ledger: str, portfolio: Portfolio) -> list[PositionView]:
        found = []
        for position in portfolio.positions.values():
            if position.quantity == 0:
                continue
            instrument, price = self._book.instruments[position.instrument], self.price(position)
            stop, target, trail = self._guards(account, ledger, instrument)
            found.append(
                PositionView(
                    ledger,
                    instrument,
                    position.quantity,
                    position.entry_price,
                    price,
                    position.quantity * price,
                    position.unrealised(price),
                    position.realised,
                    stop,
                    target,
                    trail,
                )
            )
        return found

    def _guards(
        self, account: str, ledger: str, instrument: Instrument
    ) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        """(stop, target, trail) that watch the position: of the paper venue, or of the orders that protect it."""
        if mode_of(account) == "PAPER":
            guard = self._venue.protection(account, ledger, instrument) or SignalRow()
            stop, target, trail = (
                None if value != value else Decimal(repr(value)) for value in (guard.stop, guard.target, guard.trail)
            )
            return stop, target, trail
        held = self._book.portfolio(account, ledger).positions[instrument.key].quantity
        orders = protecting(self._book.open_orders(account, ledger), instrument)
        # One that sells only a part is an order like others: the position as a whole is not protected by it.
        found = [
            guard_of(each)
            for each in orders
            if (each.request.quantity or ZERO) - each.filled + instrument.lot_size > held
        ]
        stop, target, trail = (next((each[n] for each in found if each[n] is not None), None) for n in range(3))
        return stop, target, trail

    def held(self, account: str, instrument: Instrument) -> Decimal:
        """What all ledgers of the account hold together."""
        ledgers = (self._book.portfolio(account, name).positions for name in self._book.ledgers(account))
        return sum((held[instrument.key].quantity for held in ledgers if instrument.key in held), ZERO)

    async def refresh(self, account: str) -> None:
        """Looks at the prices of what the account holds, where they are old; failures leave the old ones."""
        held = {
            position.instrument
            for ledger in self._book.ledgers(account)
            for position in self._book.portfolio(account, ledger).positions.values()
            if position.quantity
        }
        for key in held & set(self._book.instruments):
            with contextlib.suppress(AppError):
                await self._feed.quote(self._book.instruments[key])


def protecting(orders: Sequence[Order], instrument: Instrument) -> list[Order]:
    """The orders that sell what is held when the price falls to a stop."""
    return [
        order
        for order in orders
        if order.request.instrument == instrument
        and order.request.parent is None
        and order.request.side is Side.SELL
        and isinstance(order.request.type, Stop | StopLimit | TrailingStop | OneCancelsOther)
    ]


def guard_of(order: Order) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """(stop, target, trail) of an order that protects a position."""
    match order.request.type:
        case Stop(trigger) | StopLimit(trigger, _):
            return trigger, None, None
        case OneCancelsOther(price, trigger):
            return trigger, price, None
        case TrailingStop(fraction):
            return None, None, fraction
        case _:
            return None, None, None

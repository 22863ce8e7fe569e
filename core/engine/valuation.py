"""Valuation: what accounts hold, what that is worth at the newest prices, and what was earned with it."""

import contextlib
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
from core.trading.portfolio import Portfolio, Position, Transfer

FRESH = 15.0  # seconds a price may be old before it is called so
HOUR = 3_600_000


class Valuation:
    """The books of every account at the newest prices there are, in `currency`."""

    def __init__(
        self, store: TradingStore, book: Book, venue: PaperVenue, feed: Feed, clock: Clock, currency: str
    ) -> None:
        self._store, self._book, self._venue = store, book, venue
        self._feed, self._clock, self._currency = feed, clock, currency

    async def portfolio(self, account: str) -> AccountView:
        """The account at the newest prices there are; `stale` says that one of them is old."""
        await self.refresh(account)
        runs = {run.id: run for run in await self._store.runs(account)}
        totals: dict[str, Decimal] = {}
        positions: list[PositionView] = []
        ledgers: list[LedgerView] = []
        reserved = ZERO
        for name in self._book.ledgers(account):
            portfolio = self._book.portfolio(account, name)
            cash, equity = portfolio.balances.get(self._currency, ZERO), self.ledger_equity(account, name)
            reserved += self._book.reserved(account, name, self._currency)
            positions += self._positions(account, name, portfolio)
            for asset, total in portfolio.balances.items():
                totals[asset] = totals.get(asset, ZERO) + total
            run = runs.get(name)
            if run is None or run.state == "running" or equity != 0:
                title = MANUAL if run is None else f"#{run.number} {run.strategy} {run.instrument.symbol}"
                ledgers.append(LedgerView(name, title, cash, equity, None if run is None else run.id))
        balances = [
            BalanceView(asset, total, self._value(asset, total))
            for asset, total in totals.items()
            if total != 0 or asset == self._currency
        ]
        ages = [self._feed.age(position.instrument) for position in positions]
        return AccountView(
            "PAPER",
            self._currency,
            totals.get(self._currency, ZERO),
            sum((ledger.equity for ledger in ledgers), ZERO),
            tuple(balances),
            tuple(positions),
            tuple(ledgers),
            reserved,
            any(self._feed.label(position.instrument) for position in positions) or self._feed.simulated,
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
        for entry in entries:
            before = ledgers.get(entry.ledger, Portfolio())
            ledgers[entry.ledger] = after = before.apply(entry)
            old = since is not None and entry.time < since
            if isinstance(entry, Transfer):
                deposits += entry.amount
                early += entry.amount if old else ZERO
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
            opening = next((entry.amount for entry in entries if isinstance(entry, Transfer)), ZERO)
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
            self._currency,
            "PAPER",
            began,
            self._feed.simulated,
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
        instrument = self._book.instruments.get(position.instrument)
        quote = None if instrument is None else self._feed.known(instrument)
        return position.entry_price if quote is None else quote.last

    def newest(self, instrument: Instrument) -> Decimal | None:
        """The newest price there is of the instrument."""
        quote = self._feed.known(instrument)
        return None if quote is None else quote.last

    def ledger_equity(self, account: str, ledger: str) -> Decimal:
        """Cash and positions of the ledger, at the newest prices."""
        portfolio = self._book.portfolio(account, ledger)
        held = sum((each.quantity * self.price(each) for each in portfolio.positions.values() if each.quantity), ZERO)
        return portfolio.balances.get(self._currency, ZERO) + held

    def equity(self, account: str) -> Decimal:
        """What all ledgers of the account are worth together."""
        return sum((self.ledger_equity(account, ledger) for ledger in self._book.ledgers(account)), ZERO)

    def _value(self, asset: str, total: Decimal) -> Decimal | None:
        if asset == self._currency:
            return total
        for instrument in self._book.instruments.values():
            if instrument.base == asset and instrument.quote == self._currency:
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
            guard = self._venue.protection(account, ledger, instrument) or SignalRow()
            stop, target, trail = (
                None if value != value else Decimal(repr(value)) for value in (guard.stop, guard.target, guard.trail)
            )
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

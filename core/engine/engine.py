"""Engine: feed, paper venue, execution, trader and desk, put together and started in the right order."""

import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal

from core.bus import Bus
from core.clock import Clock
from core.engine.arming import Arming, Factor
from core.engine.book import Book
from core.engine.desk import CURRENCY, OPENING, Desk
from core.engine.execution import Execution
from core.engine.feed import Feed
from core.engine.gate import Gate
from core.engine.lease import Lease
from core.engine.live import Absent, LiveVenues
from core.engine.liveruns import LiveRuns
from core.engine.ports import TradingStore
from core.engine.reconciliation import Reconciliation
from core.engine.rules import Rules
from core.engine.synthetics.service import Synthetics
from core.engine.trader import HISTORY, Load, Trader
from core.engine.valuation import Valuation
from core.events import AccountNotice
from core.exchanges.paper import PaperVenue
from core.risk.limits import LIVE, PAPER, Limits
from core.trading.costs import Costs
from core.trading.exchange import Exchange, MarketData
from core.trading.purses import venue_of


class Engine:
    """Everything that moves money, for all accounts.

    sources: market data by preference; interval: seconds between two looks at the market
    limits: of whoever set none, on paper and live alike; PAPER and LIVE by default
    live: the exchanges of live accounts; without them all trading is on paper
    factor: whether a code is a user's present second factor; without it no account can be armed
    exchange_for: where an account's manual orders go; the paper venue, or the account's live one, by default
    """

    def __init__(
        self,
        store: TradingStore,
        sources: Sequence[MarketData],
        clock: Clock,
        bus: Bus,
        *,
        costs: Costs | None = None,
        limits: Limits | None = None,
        load: Load | None = None,
        interval: float = 1.0,
        history: int = HISTORY,
        opening: Decimal = OPENING,
        currency: str = CURRENCY,
        lease_seconds: float = 15.0,
        lease_wait: float = 20.0,
        exchange_for: Callable[[str], Exchange] | None = None,
        live: LiveVenues | None = None,
        factor: Factor | None = None,
    ) -> None:
        self.record, self._clock = store, clock
        self.live = live
        self.venue = PaperVenue(store, clock, costs)
        self.book = Book(store, clock)
        self.venue.listen(self.book.apply)
        self.feed = Feed(sources, clock, bus, matcher=self.venue, interval=interval)
        self.rules = Rules(store, clock, limits or PAPER, limits or LIVE)
        self.lease = Lease(store, clock, seconds=lease_seconds, wait=lease_wait, tell=self._tell_lost, over=self._rest)
        self.arming = Arming(store, clock, factor)
        self.valuation = Valuation(store, self.book, self.venue, self.feed, clock)
        self.gate = Gate(self.book, self.feed, self.valuation, self.arming)
        self._exchange_for = exchange_for
        self.execution = Execution(store, self.book, self.exchange_for, clock, self.lease, self.gate.demand)
        self.reconciliation = Reconciliation(
            store, self.book, self.execution, self.exchange_for, live, self.feed, clock, self._tend
        )
        self.synthetics = Synthetics(store, self.book, self.execution, self.exchange_for, self.feed, bus, clock)
        self.execution.synthetics = self.synthetics
        self.trader = Trader(
            store,
            self.book,
            self.venue,
            self.feed,
            bus,
            clock,
            load=load,
            rules=self.rules,
            lease=self.lease,
            history=history,
        )
        self.desk = Desk(
            store,
            self.book,
            self.venue,
            self.execution,
            self.feed,
            self.trader,
            clock,
            valuation=self.valuation,
            arming=self.arming,
            rules=self.rules,
            adopt=self.reconciliation.adopt,
            exchange_for=self.exchange_for,
            live=live,
            opening=opening,
            currency=currency,
        )
        self.desk.emergency.look = self.reconciliation.look_once
        self.trader.look_at(self.desk.means)
        self.trader.trade_live(
            LiveRuns(store, self.book, self.execution, self.exchange_for, self.feed, self.desk.means, clock)
        )
        self.feed.watch_for(self.trader.watched)
        self.feed.watch_for(self.desk.watched)

    def exchange_for(self, account: str) -> Exchange:
        """The exchange at which the account trades: the paper venue, or its live one."""
        if self._exchange_for is not None:
            return self._exchange_for(account)
        if venue_of(account) is None:
            return self.venue.account(account)
        return Absent(account) if self.live is None else self.live.exchange(account)

    async def _tell_lost(self, text: str) -> None:
        """Tells the owners of open orders that the lease was lost: what this process keeps for them rested."""
        now, accounts = self._clock.now(), dict.fromkeys(order.request.account for order in self.book.open_orders())
        if accounts:
            async with self.record.unit() as unit:
                for account in accounts:
                    unit.emit(AccountNotice(f"lease:{uuid.uuid4().hex}", account, now, text))

    async def _rest(self) -> None:
        """Stands still: another process trades, and what is in memory here grows old."""
        await self.feed.rest()
        await self.reconciliation.stop()
        await self.trader.close()
        await self.synthetics.stop()
        await self.execution.stop()

    async def _tend(self) -> None:
        """Begins the day of the live accounts, and ends armings that have run out."""
        for account in self.reconciliation.accounts():
            await self.valuation.refresh(account)
            await self.arming.turn_day(account, self.valuation.earned(account))
        await self.arming.expire()

    async def restore(self) -> None:
        """Takes the lease and brings memory to what the record holds; nothing trades yet. Raises Conflict."""
        await self.lease.take()
        await self.venue.load()
        await self.book.load()
        await self.rules.load()
        await self.arming.load()
        await self.reconciliation.load()
        await self.execution.load()
        await self.execution.reconcile()

    async def start(self, *, live: bool = True) -> None:
        """Restores, lets open orders see what they missed, takes the strategies up again, and begins to trade.

        live: False looks at no market by itself; the caller plays one (see core.engine.replay)
        """
        await self.restore()
        await self.feed.choose()
        await self.feed.catch_up()
        await self.reconciliation.look_at_all()
        await self.synthetics.load()
        await self.desk.protecting.load()
        await self.trader.resume()
        self.desk.emergency.take_up()
        if live:
            self.execution.start()
            self.reconciliation.start()
            self.synthetics.start()
            await self.feed.start()
            await self.desk.snapshot()

    async def stop(self) -> None:
        """Ends in order: nothing new is looked at, what stands is kept, the lease is given back."""
        await self.feed.stop()
        await self.reconciliation.stop()
        await self.desk.emergency.stop()
        await self.trader.close()
        await self.synthetics.stop()
        await self.execution.stop()
        await self.venue.close()
        if self.live is not None:
            await self.live.close()
        await self.lease.drop()

    async def snapshot(self) -> None:
        """Keeps what every account is worth now."""
        await self.desk.snapshot()

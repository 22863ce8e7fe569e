"""Book: the record of money as it stands, in memory. It folds what was committed and is never ahead of the record."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from core.clock import Clock, to_ms
from core.engine.ports import AccountState, TradingStore
from core.exchanges.record import Change
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.orders import Order, Side
from core.trading.portfolio import Fill, Portfolio, Transfer, fold
from core.trading.purses import owner_of, venue_of

MINUTE = 60_000
NEWEST = 500  # orders at most that are looked at, at the start, for how many the last minute had

Listener = Callable[[Order | None, Order], None]


class Book:
    """Portfolios by ledger, open orders and what they reserve, for all accounts."""

    def __init__(self, store: TradingStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._portfolios: dict[tuple[str, str], Portfolio] = {}
        self._orders: dict[str, Order] = {}
        self._reserved: dict[str, Decimal] = {}
        self._accounts: dict[str, AccountState] = {}
        self._recent: dict[str, deque[int]] = {}
        self._moves: dict[str, dict[int, Decimal]] = defaultdict(dict)
        self._reserving: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listeners: list[Listener] = []
        self._versions: dict[str, int] = defaultdict(int)
        self._fills: dict[str, set[str]] = defaultdict(set)  # ids in the journals of live accounts
        self._moved: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self._elsewhere: dict[str, Mapping[str, Decimal]] = {}
        self.instruments: dict[str, Instrument] = {}

    async def load(self) -> None:
        """Reads the whole record anew."""
        self._accounts = {state.account: state for state in await self._store.accounts()}
        for image in (self._portfolios, self._fills, self._moved, self._moves):
            image.clear()
        for account in self._accounts:
            self.take(await self._store.entries(account))
            newest = await self._store.orders(account, limit=NEWEST)
            own = (each.request.created for each in newest if each.request.parent is None)
            self._recent[account] = deque(sorted(to_ms(time) for time in own if time is not None))
        self._orders = {order.id: order for order in await self._store.orders(open_only=True)}
        self._reserved = dict(await self._store.reservations())
        self.instruments = dict(await self._store.instruments())

    # -- what was committed -------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Takes in a committed transaction, and then tells who listens."""
        self.take(change.entries)
        happened = []
        for order in change.orders:
            self.instruments[order.request.instrument.key] = order.request.instrument
            self._versions[order.request.account] += 1
            before = self._orders.get(order.id)
            happened.append((before, order))
            if order.id in change.reserved:
                self._reserved[order.id] = change.reserved[order.id]
                if order.request.parent is None and before is None:
                    self._recent.setdefault(order.request.account, deque()).append(self._clock.now_ms())
            if order.status.final:
                self._orders.pop(order.id, None)
                self._reserved.pop(order.id, None)
            else:
                self._orders[order.id] = order
        for before, after in happened:
            for listener in self._listeners:
                listener(before, after)

    def take(self, entries: Iterable[Fill | Transfer]) -> None:
        """Folds entries of the journal into their ledgers."""
        for entry in entries:
            key = (entry.account, entry.ledger)
            self._portfolios[key] = self._portfolios.get(key, Portfolio()).apply(entry)
            self._versions[entry.account] += 1
            if isinstance(entry, Transfer):
                worth = entry.worth(self.currency(entry.account))
                self._moved[entry.account] += worth
                self._note(entry.account, to_ms(entry.time), worth)
            elif venue_of(entry.account) is not None:
                self._fills[entry.account].add(entry.id)

    def _note(self, account: str, time: int, worth: Decimal) -> None:
        moves = self._moves[account]
        moves[time] = moves.get(time, ZERO) + worth
        if moves[time] == 0:  # between two ledgers of the account
            del moves[time]

    def listen(self, listener: Listener) -> None:
        """Calls `listener(before, after)` after every change of an order; before is None of one that is new.

        It is called while others wait, also inside the paper venue's turn: it notes what happened, and does no more.
        """
        self._listeners.append(listener)

    def meet(self, instrument: Instrument) -> None:
        """Remembers an instrument that an account holds without having ordered it here."""
        self.instruments.setdefault(instrument.key, instrument)

    def bind_elsewhere(self, account: str, bound: Mapping[str, Decimal]) -> None:
        """What orders that were placed elsewhere bind of the account's assets."""
        self._elsewhere[account] = bound

    def set_account(self, state: AccountState) -> None:
        """Takes in what stands beside an account; a new epoch begins with an empty book."""
        before = self._accounts.get(state.account)
        self._accounts[state.account] = state
        if before is not None and before.epoch != state.epoch:
            self._moves.pop(state.account, None)
            self._moved.pop(state.account, None)
            self._portfolios = {key: each for key, each in self._portfolios.items() if key[0] != state.account}
            gone = [order.id for order in self._orders.values() if order.request.account == state.account]
            for order_id in gone:
                del self._orders[order_id]
                self._reserved.pop(order_id, None)

    # -- what is asked ------------------------------------------------------------------------------------------

    def account(self, account: str) -> AccountState | None:
        return self._accounts.get(account)

    def halted(self, account: str) -> bool:
        """Whether the kill switch of the account's owner is on: it stops all of their accounts."""
        owner = owner_of(account)
        states = (self.account(each) for each in self._accounts if owner_of(each) == owner)
        return any(state is not None and state.halted for state in states)

    def currency(self, account: str) -> str:
        """What the account is counted in."""
        state = self._accounts.get(account)
        return "USDT" if state is None else state.currency

    def version(self, account: str) -> int:
        """Another number after each change of the account."""
        return self._versions[account]

    def knows(self, account: str, fill: str) -> bool:
        """Whether a live account's journal has the fill."""
        return fill in self._fills[account]

    def moved(self, account: str) -> Decimal:
        """What came into the account (+) and left it (-) so far beside trading, in its currency."""
        return self._moved[account]

    def accounts(self) -> list[str]:
        return list(self._accounts)

    def ledgers(self, account: str) -> list[str]:
        """Names of the account's ledgers, the manual one first."""
        return sorted((name for key, name in self._portfolios if key == account), key=lambda name: name != "manual")

    def portfolio(self, account: str, ledger: str) -> Portfolio:
        return self._portfolios.get((account, ledger), Portfolio())

    def order(self, order_id: str) -> Order | None:
        """An open order."""
        return self._orders.get(order_id)

    def open_orders(self, account: str | None = None, ledger: str | None = None) -> list[Order]:
        """Orders that have not ended, oldest first."""
        return [
            order
            for order in self._orders.values()
            if account in (None, order.request.account) and ledger in (None, order.request.ledger)
        ]

    def total(self, account: str, ledger: str, asset: str) -> Decimal:
        """What the ledger holds of the asset."""
        return self.portfolio(account, ledger).balances.get(asset, ZERO)

    def reserved(self, account: str, ledger: str, asset: str) -> Decimal:
        """What the ledger's open orders bind of the asset."""
        return sum(
            (self.bound(order.id) for order in self.open_orders(account, ledger) if reserved_asset(order) == asset),
            ZERO,
        )

    def bound(self, order_id: str) -> Decimal:
        """What an open order binds: quote of a buy, base of a sell; nothing when it is not open.

        One that replaces an order that is still open binds what it needs beyond that.
        """
        order = self._orders.get(order_id)
        if order is None:
            return ZERO
        own = remaining(order, self._reserved.get(order_id, ZERO))
        old = self._orders.get(order.request.replaces or "")
        if old is None or reserved_asset(old) != reserved_asset(order):
            return own
        return max(ZERO, own - remaining(old, self._reserved.get(old.id, ZERO)))

    def free(self, account: str, ledger: str, asset: str) -> Decimal:
        """What the ledger holds of the asset and no open order binds."""
        elsewhere = self._elsewhere.get(account, {}).get(asset, ZERO) if ledger == "manual" else ZERO
        return self.total(account, ledger, asset) - self.reserved(account, ledger, asset) - elsewhere

    def recent(self, account: str) -> int:
        """Orders of the account in the last minute."""
        times = self._recent.setdefault(account, deque())
        while times and times[0] <= self._clock.now_ms() - MINUTE:
            times.popleft()
        return len(times)

    def moves(self, account: str) -> tuple[tuple[int, Decimal], ...]:
        """What came into the account (+) and left it (-) beside trading, by time (UTC ms), oldest first."""
        return tuple(sorted(self._moves[account].items()))

    def reserving(self, account: str) -> asyncio.Lock:
        """Held from the checks of an order until it is recorded: one order of a person at a time, at all venues."""
        return self._reserving[owner_of(account)]

    async def differences(self, account: str) -> list[str]:
        """Where this image departs from a full fold of the record; empty when it is true."""
        ledgers: dict[str, list[Fill | Transfer]] = {}
        for entry in await self._store.entries(account):
            ledgers.setdefault(entry.ledger, []).append(entry)
        found = []
        for ledger in {*ledgers, *self.ledgers(account)}:
            truth, image = fold(ledgers.get(ledger, ())), self.portfolio(account, ledger)
            if truth != image:
                found.append(f"{account}/{ledger}: the journal gives {truth.balances}, the book has {image.balances}")
        orders = {order.id: order.filled for order in await self._store.orders(account, open_only=True)}
        if orders != (image_orders := {order.id: order.filled for order in self.open_orders(account)}):
            found.append(f"{account}: the record has open orders {orders}, the book has {image_orders}")
        return found


def reserved_asset(order: Order) -> str:
    """What an open order binds: quote for a buy, base for a sell."""
    instrument = order.request.instrument
    return instrument.quote if order.request.side is Side.BUY else instrument.base


def remaining(order: Order, reserved: Decimal) -> Decimal:
    """What is left of a reservation after the order's fills."""
    if order.status.final:
        return ZERO
    if order.request.quantity is not None:
        return reserved * max(ZERO, 1 - order.filled / order.request.quantity)
    spent = (
        order.filled if order.request.side is Side.SELL else order.filled * (order.average_price or ZERO) + order.fees
    )
    return max(ZERO, reserved - spent)

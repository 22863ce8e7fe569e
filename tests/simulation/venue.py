"""The venue: accounts, a matching book and a moving market, without a network. What it says of itself is the truth.

Client ids are unique among open orders only, as at real venues: an order that is sent again after it has ended is a
second order. Reading may lag: what is asked is answered as it was `lag` milliseconds ago.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from random import Random

from core.clock import from_ms
from core.errors import AppError
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.trading.exchange import ELSEWHERE, Quote
from core.trading.orders import (
    Limit,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TimeInForce,
)
from core.trading.portfolio import Fill

TOKEN = "TOK"  # the venue's own, in which it takes fees from those who hold it
TOKEN_PRICE = Decimal(600)
SMALLEST = Decimal("1e-8")  # to which fees are rounded and holds are raised
LEVELS = 4
LATE = 1_500  # ms after which a trade is told that was made in the moment of a cancel
NEAR = Decimal("0.01")  # of the market, within which such a trade happens


class Refused(AppError):
    """The venue did not take the order."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution at the venue."""

    id: str
    order: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    time: int
    maker: bool
    fee_asset: str | None = None  # what it was taken in, where that is not the quote; `fee` is its worth
    fee_amount: Decimal = ZERO


@dataclass(slots=True)
class Held:
    """An order as the venue keeps it. request: the product's, None when it was placed by hand elsewhere."""

    id: str
    client_id: str
    account: str
    instrument: Instrument
    side: Side
    type: OrderType
    quantity: Decimal
    time_in_force: TimeInForce
    created: int
    request: OrderRequest | None = None
    status: OrderStatus = OrderStatus.OPEN
    reason: str | None = None
    ended: int | None = None
    trades: list[Trade] = field(default_factory=list)
    triggered: bool = False
    expires: int | None = None

    @property
    def open(self) -> bool:
        return self.ended is None

    @property
    def filled(self) -> Decimal:
        return sum((trade.quantity for trade in self.trades), ZERO)

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


@dataclass(slots=True)
class Depth:
    """The market of one instrument: levels of (price, size), the best first."""

    instrument: Instrument
    bids: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    asks: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    last: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Moved:
    """One change of a balance."""

    time: int
    account: str
    asset: str
    amount: Decimal


class Venue:
    """A venue with any number of accounts. `now` tells its time in UTC ms, which need not be ours."""

    def __init__(
        self,
        name: str,
        instruments: list[Instrument],
        now: Callable[[], int],
        random: Random,
        *,
        taker_fee: Decimal,
        maker_fee: Decimal,
        native: frozenset[str],
    ) -> None:
        self.name, self.instruments, self._now, self._random = name, instruments, now, random
        self.taker_fee, self.maker_fee, self.native = taker_fee, maker_fee, native
        self.balances: dict[str, dict[str, Decimal]] = {}
        self.orders: dict[str, Held] = {}  # by the venue's id, oldest first
        self.markets: dict[Instrument, Depth] = {each: Depth(each) for each in instruments}
        self.arrivals: list[tuple[str, bool]] = []  # (client id, taken) of every order that the product placed here
        self.watchers: list[Callable[[Held, Trade], None]] = []
        self.charges = "quote"  # in what fees are taken: quote, bought (of a purchase, of what was bought) or token
        self.trades_late = 0
        self.late = 0.0  # share of cancels beside which a trade is made that is told only afterwards
        self._open: dict[str, Held] = {}
        self._moved: list[Moved] = []
        self._numbers = itertools.count(1)

    # -- the market -----------------------------------------------------------------------------------------------

    def move(self, instrument: Instrument, price: Decimal, spread: int) -> None:
        """The market now trades around the price, `spread` ticks wide; orders that it reaches fill."""
        depth, tick = self.markets[instrument], instrument.tick_size
        middle = instrument.price(price)
        depth.bids = [(middle - tick * (spread + step * 3), self._size(instrument)) for step in range(LEVELS)]
        depth.asks = [(middle + tick * (spread + step * 3), self._size(instrument)) for step in range(LEVELS)]
        depth.last = middle
        for order in list(self._open.values()):
            if order.instrument == instrument and order.open:
                self._work(order)

    def _size(self, instrument: Instrument) -> Decimal:
        return instrument.lot_size * self._random.randint(1, 400) * 10

    # -- what is asked of it --------------------------------------------------------------------------------------

    def place(self, account: str, client_id: str, request: OrderRequest, *, by_hand: bool = False) -> Held:
        """Takes the order and does at once what can be done. Raises Refused."""
        if not by_hand:
            self.arrivals.append((client_id, False))
        order = self._order(account, client_id, request, by_hand)
        if any(each.account == account and each.client_id == client_id for each in self._open.values()):
            raise Refused(f"The client id {client_id} is in use.")
        self._demand_funds(order)
        if not by_hand:
            self.arrivals[-1] = (client_id, True)
        self.orders[order.id] = self._open[order.id] = order
        self._work(order, arriving=True)
        return order

    def cancel(self, account: str, client_id: str) -> bool:
        """True when it was open and is cancelled."""
        for order in self._open.values():
            if order.account == account and order.client_id == client_id:
                if self.late and order.request is not None and self._random.random() < self.late:
                    self._trade_late(order)
                self._end(order, OrderStatus.CANCELLED, "Cancelled on request.")
                return True
        return False

    def open(self, account: str, asset: str, amount: Decimal) -> None:
        """What the account has always held."""
        self.balances.setdefault(account, {})[asset] = amount

    def transfer(self, account: str, asset: str, amount: Decimal) -> None:
        """A deposit (+), or a withdrawal (-) of what is free. Raises Refused."""
        if amount < 0 and self.free(account, asset) < -amount:
            raise Refused("That much is not free.")
        self._book(account, asset, amount)

    def sweep(self) -> None:
        """Cancels every open order, as venues do that come back from a crash."""
        for order in list(self._open.values()):
            self._end(order, OrderStatus.CANCELLED, "Cancelled by the venue.")

    # -- what it knows --------------------------------------------------------------------------------------------

    def quote(self, instrument: Instrument) -> Quote:
        depth = self.markets[instrument]
        return Quote(instrument, depth.bids[0][0], depth.asks[0][0], depth.last, from_ms(self._now()))

    def find(self, account: str, client_id: str, lag: int = 0) -> Order | None:
        """The newest order under the client id, as it stood then."""
        at = self._now() - lag
        for order in reversed(self.orders.values()):
            if order.account == account and order.client_id == client_id and order.created <= at:
                return self.shown(order, at)
        return None

    def fills_of(self, account: str, client_id: str, lag: int = 0) -> list[Fill]:
        at = self._now() - lag
        return [
            self.fill(order, trade)
            for order in self.orders.values()
            if order.account == account and order.client_id == client_id
            for trade in order.trades
            if trade.time <= at
        ]

    def open_orders(self, account: str, lag: int = 0) -> list[Order]:
        at = self._now() - lag
        return [
            self.shown(order, at)
            for order in self.orders.values()
            if order.account == account and order.created <= at and (order.ended is None or order.ended > at)
        ]

    def recent_fills(self, account: str, since: int, lag: int = 0) -> list[Fill]:
        at = self._now() - lag
        found = [
            (trade, order)
            for order in self.orders.values()
            if order.account == account
            for trade in order.trades
            if since <= trade.time <= at
        ]
        found.sort(key=lambda each: (each[0].time, int(each[0].id[1:])))
        return [self.fill(order, trade) for trade, order in found]

    def totals(self, account: str, lag: int = 0) -> dict[str, Decimal]:
        """What the account holds by asset, bound or not, as it was then."""
        at, found = self._now() - lag, dict(self.balances.get(account, {}))
        for moved in reversed(self._moved):
            if moved.time <= at - LATE:  # what was booked before is not later than that
                break
            if moved.account == account and moved.time > at:
                found[moved.asset] -= moved.amount
        return {asset: amount for asset, amount in found.items() if amount}

    def free(self, account: str, asset: str) -> Decimal:
        bound = (self._hold(order) for order in self._open.values() if order.account == account)
        total = self.balances.get(account, {}).get(asset, ZERO)
        return total - sum((amount for of, amount in bound if of == asset), ZERO)

    def shown(self, order: Held, at: int) -> Order:
        """The order as it stood at the time."""
        trades = [trade for trade in order.trades if trade.time <= at]
        filled = sum((trade.quantity for trade in trades), ZERO)
        ended = order.ended is not None and order.ended <= at
        status = order.status if ended else OrderStatus.PARTIAL if filled else OrderStatus.OPEN
        worth = sum((trade.price * trade.quantity for trade in trades), ZERO)
        fees = sum((trade.fee for trade in trades), ZERO)
        last = order.ended if ended and order.ended else trades[-1].time if trades else order.created
        return Order(
            self._request(order), status, filled, worth / filled if filled else None, fees,
            order.reason if ended else None, from_ms(last),
        )  # fmt: skip

    def fill(self, order: Held, trade: Trade) -> Fill:
        """The trade as the product is told of it."""
        ours = order.request
        return Fill(
            f"{self.name}:{trade.id}", ours.id if ours else f"{self.name}:{order.id}", order.account,
            ours.ledger if ours else ELSEWHERE, order.instrument.key, order.side, trade.price, trade.quantity,
            trade.fee, from_ms(trade.time), trade.maker, trade.fee_asset, trade.fee_amount,
        )  # fmt: skip

    def named(self, client_id: str) -> list[Held]:
        """Every order there ever was under the client id."""
        return [order for order in self.orders.values() if order.client_id == client_id]

    def working(self, account: str) -> list[Held]:
        """The account's open orders, oldest first."""
        return [order for order in self._open.values() if order.account == account]

    # -- inside ---------------------------------------------------------------------------------------------------

    def _request(self, order: Held) -> OrderRequest:
        return order.request or OrderRequest(
            f"{self.name}:{order.id}", order.account, order.instrument, order.side, order.type,
            quantity=order.quantity, ledger=ELSEWHERE, created=from_ms(order.created),
        )  # fmt: skip

    def _order(self, account: str, client_id: str, request: OrderRequest, by_hand: bool) -> Held:
        instrument, now = request.instrument, self._now()
        if instrument not in self.markets:
            raise Refused(f"{instrument.symbol} is not traded here.")
        if type(request.type).__name__ not in self.native:
            raise Refused(f"{type(request.type).__name__} orders are not taken here.")
        quantity = request.quantity
        if request.spend is not None:
            price = self.markets[instrument].asks[0][0]
            lots = request.spend / (price * (1 + self.taker_fee)) / instrument.lot_size
            quantity = lots.to_integral_value(ROUND_FLOOR) * instrument.lot_size
        if quantity is None or quantity <= 0 or quantity % instrument.lot_size:
            raise Refused(f"The quantity {quantity} is not in whole lots of {instrument.lot_size}.")
        order = Held(
            f"X{next(self._numbers)}", client_id, account, instrument, request.side, request.type, quantity,
            request.time_in_force, now, None if by_hand else request,
            expires=None if request.expires is None else int(request.expires.timestamp() * 1000),
        )  # fmt: skip
        price = self._price(order)
        if price <= 0 or price % instrument.tick_size:
            raise Refused(f"The price {plain(price)} is not on the grid of {instrument.tick_size}.")
        if price * quantity < instrument.min_notional:
            raise Refused(f"{plain(price * quantity)} is below the smallest notional.")
        return order

    def _price(self, order: Held) -> Decimal:
        """At which the order counts: its own, or the market's."""
        match order.type:
            case Limit(price) | StopLimit(_, price):
                return price
            case Stop(trigger):
                return trigger
        depth = self.markets[order.instrument]
        return depth.asks[0][0] if order.side is Side.BUY else depth.bids[0][0]

    def _demand_funds(self, order: Held) -> None:
        asset, needed = self._hold(order)
        if isinstance(order.type, Market) and order.side is Side.BUY:
            needed = self._worth_of_market(order)
        free = self.free(order.account, asset)
        if needed > free:
            raise Refused(f"Insufficient balance: {plain(needed)} {asset} needed, {plain(free)} free.")

    def _worth_of_market(self, order: Held) -> Decimal:
        left, total = order.quantity, ZERO
        for price, size in self.markets[order.instrument].asks:
            taken = min(left, size)
            total, left = total + self._with_fee(price * taken), left - taken
        return total

    def _with_fee(self, notional: Decimal) -> Decimal:
        return (notional * (1 + self.taker_fee)).quantize(SMALLEST, ROUND_CEILING) + SMALLEST

    def _hold(self, order: Held) -> tuple[str, Decimal]:
        if order.side is Side.SELL:
            return order.instrument.base, order.remaining
        return order.instrument.quote, self._with_fee(self._price(order) * order.remaining)

    def _work(self, order: Held, arriving: bool = False) -> None:
        """Does with the order what the market allows now."""
        if order.expires is not None and order.expires <= self._now():
            self._end(order, OrderStatus.EXPIRED, "Its time is over.")
            return
        kind = order.type
        if isinstance(kind, Stop | StopLimit) and not order.triggered:
            last = self.markets[order.instrument].last
            if (last - kind.trigger) * order.side.sign < 0:
                return
            order.triggered, arriving = True, True
        limit = kind.price if isinstance(kind, Limit | StopLimit) else None
        levels = self._reach(order, limit)
        if order.time_in_force is TimeInForce.FOK and sum((size for _, size in levels), ZERO) < order.quantity:
            self._end(order, OrderStatus.EXPIRED, "It could not be filled whole.")
            return
        for price, size in levels:
            self._trade(order, price if arriving or limit is None else limit, min(size, order.remaining), arriving)
            if not order.open:
                return
        if limit is None or order.time_in_force is TimeInForce.IOC:
            self._end(order, OrderStatus.EXPIRED, "There was no more depth.")

    def _reach(self, order: Held, limit: Decimal | None) -> list[tuple[Decimal, Decimal]]:
        depth = self.markets[order.instrument]
        levels = depth.asks if order.side is Side.BUY else depth.bids
        return [(price, size) for price, size in levels if limit is None or (limit - price) * order.side.sign >= 0]

    def _trade(self, order: Held, price: Decimal, quantity: Decimal, taker: bool) -> None:
        fee, kind, amount = self._charged(order, price, quantity, self.taker_fee if taker else self.maker_fee)
        if order.side is Side.BUY and isinstance(order.type, Market | Stop):
            asset, own = self._hold(order)
            if price * quantity + fee > self.free(order.account, asset) + own:
                self._end(order, OrderStatus.EXPIRED, "The balance is used up.")
                return
        trade = Trade(f"T{next(self._numbers)}", order.id, price, quantity, fee, self._now(), not taker, kind, amount)
        order.trades.append(trade)
        self._take_size(order, quantity)
        self._book(order.account, order.instrument.base, quantity * order.side.sign)
        self._book(order.account, order.instrument.quote, -price * quantity * order.side.sign - (ZERO if kind else fee))
        if kind:
            self._book(order.account, kind, -amount)
        if order.remaining == 0:
            self._end(order, OrderStatus.FILLED, None)
        for watcher in self.watchers:
            watcher(order, trade)

    def _charged(
        self, order: Held, price: Decimal, quantity: Decimal, rate: Decimal
    ) -> tuple[Decimal, str | None, Decimal]:
        """(the fee's worth in quote, what else than quote it is taken in, how much of that)."""
        if self.charges == "bought" and order.side is Side.BUY:
            amount = (quantity * rate).quantize(SMALLEST)
            return price * amount, order.instrument.base, amount
        fee = (price * quantity * rate).quantize(SMALLEST)
        amount = (fee / TOKEN_PRICE).quantize(SMALLEST)
        if self.charges == "token" and amount and self.free(order.account, TOKEN) >= amount:
            return amount * TOKEN_PRICE, TOKEN, amount
        return fee, None, ZERO

    def _trade_late(self, order: Held) -> None:
        """The cancelled order filled just before, all but a lot, and the venue itself does not know it yet."""
        price, last = self._price(order), self.markets[order.instrument].last
        at, quantity, sign = self._now() + LATE, order.remaining - order.instrument.lot_size, order.side.sign
        if quantity <= 0 or abs(price - last) > last * NEAR:
            return
        fee, kind, amount = self._charged(order, price, quantity, self.maker_fee)
        order.trades.append(Trade(f"T{next(self._numbers)}", order.id, price, quantity, fee, at, True, kind, amount))
        self._book(order.account, order.instrument.base, quantity * sign, at)
        self._book(order.account, order.instrument.quote, -price * quantity * sign - (ZERO if kind else fee), at)
        if kind:
            self._book(order.account, kind, -amount, at)
        self.trades_late += 1

    def _take_size(self, order: Held, quantity: Decimal) -> None:
        """What was taken is not there for the next one."""
        depth = self.markets[order.instrument]
        levels = depth.asks if order.side is Side.BUY else depth.bids
        while quantity > 0 and levels:
            price, size = levels[0]
            if size > quantity:
                levels[0] = (price, size - quantity)
                return
            if len(levels) == 1:  # there is always somebody
                levels[0] = (price, order.instrument.lot_size)
                return
            quantity -= size
            levels.pop(0)

    def _book(self, account: str, asset: str, amount: Decimal, at: int | None = None) -> None:
        held = self.balances.setdefault(account, {})
        held[asset] = held.get(asset, ZERO) + amount
        assert held[asset] >= 0, f"{account} would hold {held[asset]} {asset}"
        self._moved.append(Moved(self._now() if at is None else at, account, asset, amount))

    def _end(self, order: Held, status: OrderStatus, reason: str | None) -> None:
        order.status, order.reason, order.ended = status, reason, self._now()
        del self._open[order.id]

"""A venue's matching core: price-time priority, holds, fees, stops, lists of orders. Pure; time comes as an argument.

Every public verb leaves a book that is not crossed and tells what happened to `listener`, in the order it happened.
"""

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Literal

from tests.simulators.venues.accounts import Accounts
from tests.simulators.venues.book import Book
from tests.simulators.venues.fees import Fees
from tests.simulators.venues.values import (
    HOUSE,
    ONE,
    ZERO,
    BalancesMoved,
    BookMoved,
    Event,
    Fill,
    Hold,
    Listing,
    Order,
    OrderChanged,
    Refusal,
    Rules,
    Side,
    Status,
    Ticket,
    Traded,
    What,
    down,
    on_grid,
)

OTHER: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
Levels = Sequence[tuple[Decimal, Decimal]]


class Matching:
    """The books and accounts of one venue.

    orders: every order of users, by id; the house's only while they rest. fills: of users, oldest first
    last: the last price by symbol
    """

    def __init__(self, rules: Rules, now: Callable[[], int], first_id: int = 1) -> None:
        self.rules, self.now = rules, now
        self.accounts = Accounts()
        self.listings: dict[str, Listing] = {}
        self.books: dict[str, Book] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.trades: dict[str, deque[Traded]] = {}
        self.last: dict[str, Decimal] = {}
        self.listener: Callable[[Sequence[Event]], None] = lambda events: None
        self.thinned: deque[Decimal] = deque()  # share of its quantity that the next orders of users find in the book
        self._fees = Fees(self)
        self._ids, self._trade_ids = count(first_id), count(first_id)
        self._pending: dict[str, list[Order]] = {}
        self._printed: deque[tuple[str, Decimal]] = deque()
        self._events: list[Event] = []
        self._live: dict[tuple[str, str], int] = {}  # (user, client id) of open orders
        self._used: set[tuple[str, str]] = set()
        self._expiring: set[tuple[int, int]] = set()  # (UTC ms, order)

    def admit(self, listing: Listing) -> None:
        """Opens a pair for trading, or changes its terms."""
        self.listings[listing.symbol] = listing
        self.books.setdefault(listing.symbol, Book())
        self._pending.setdefault(listing.symbol, [])
        self.trades.setdefault(listing.symbol, deque(maxlen=1000))

    def deposit(self, user: str, asset: str, amount: Decimal) -> None:
        """Coins come from outside, or go there where the amount is below zero."""
        self.accounts.deposit(user, asset, amount)
        self._tell_balances({asset: amount})
        self._flush()

    def place(self, user: str, ticket: Ticket) -> Order:
        """Takes the order, matches it, and returns it as it stands then. Raises Refusal."""
        (order,) = self._placed(user, (ticket,), None)
        return order

    def place_list(self, user: str, tickets: Sequence[Ticket]) -> tuple[Order, ...]:
        """Takes orders of one side of which one ends the others as soon as it trades or triggers. Raises Refusal."""
        return self._placed(user, tickets, next(self._ids))

    def cancel(self, user: str, order_id: int) -> Order:
        """Raises Refusal where nothing of that user is open under the id. A list ends as a whole."""
        self.expire()
        order = self.orders.get(order_id)
        if order is None or order.user != user or not order.live:
            raise Refusal("unknown", f"order {order_id}")
        for leg in self._legs(order):
            self._end(leg, "canceled")
        self._flush()
        return order

    def find(self, user: str, client_id: str) -> Order | None:
        """The open order with that client id, else the latest one that had it."""
        known = self._live.get((user, client_id))
        if known is not None:
            return self.orders[known]
        mine = (each for each in self.orders.values() if each.user == user and each.ticket.client_id == client_id)
        return max(mine, key=lambda order: order.id, default=None)

    def of(self, user: str, symbol: str | None = None, *, live: bool | None = None) -> list[Order]:
        """The user's orders, oldest first."""
        return [
            order
            for order in self.orders.values()
            if order.user == user
            and (symbol is None or order.ticket.symbol == symbol)
            and (live is None or order.live == live)
        ]

    def expire(self) -> None:
        """Ends the orders whose time has come."""
        now = self.now()
        for expires, order_id in sorted(self._expiring):
            if expires > now:
                break
            self._expiring.remove((expires, order_id))
            self._end(self.orders[order_id], "expired", "its time had come")
        self._flush()

    def quote(self, symbol: str, bids: Levels, asks: Levels) -> None:
        """The house replaces its orders by these (price, quantity); users' orders that they cross are filled."""
        self._withdraw(symbol)
        self._make(symbol, bids, asks)
        self._settle_triggers()
        self._flush()

    def sweep(self, symbol: str, price: Decimal, bids: Levels, asks: Levels) -> None:
        """The market trades up or down to `price`: users' orders there and on the way fill, at their own prices.

        The last trade is printed at `price`; then the house quotes anew, and the stops that were passed act on that.
        """
        self._withdraw(symbol)
        book = self.books[symbol]
        for side in OTHER:
            there = [
                each.remaining for each in book.resting(OTHER[side]) if _reaches(side, price, each.ticket.price or ZERO)
            ]
            if there:
                self._house(symbol, side, price, sum(there, ZERO), "IOC")
        if self.last.get(symbol) != price:
            self._house(symbol, "sell", price, self.listings[symbol].lot, "GTC")
            self._house(symbol, "buy", price, self.listings[symbol].lot, "IOC")
        self._make(symbol, bids, asks)
        self._settle_triggers()
        self._flush()

    def stir(self, symbol: str) -> None:
        """Tells the best levels anew, under new sequence numbers, as they would after an order came and went."""
        self.books[symbol].touch()
        self._flush()

    # -- placing ---------------------------------------------------------------------------------------------------

    def _placed(self, user: str, tickets: Sequence[Ticket], group: int | None) -> tuple[Order, ...]:
        self.expire()
        for ticket in tickets:
            self._check(user, ticket)
        holds = [self._hold(user, ticket) for ticket in tickets]
        hold = max(holds, key=lambda each: each.amount)
        self.accounts.bind(user, hold)
        orders = tuple(self._record(user, ticket, hold, group) for ticket in tickets)
        for order in orders:
            self._begin(order)
        self._settle_triggers()
        self._flush()
        return orders

    def _check(self, user: str, ticket: Ticket) -> None:
        """Raises Refusal."""
        listing = self.listings.get(ticket.symbol)
        if listing is None:
            raise Refusal("symbol", ticket.symbol)
        if not listing.trading:
            raise Refusal("closed", ticket.symbol)
        for price in (ticket.price, ticket.trigger, ticket.activation):
            if price is not None and (price <= 0 or not on_grid(price, listing.tick)):
                raise Refusal("tick", str(price))
        least = listing.min_quantity or listing.lot
        if ticket.quantity is not None:
            if ticket.quantity <= 0 or ticket.quantity < least or not on_grid(ticket.quantity, listing.lot):
                raise Refusal("lot", str(ticket.quantity))
        elif ticket.spend is None or ticket.spend <= 0:
            raise Refusal("parameters", "neither quantity nor spend")
        self._check_notional(ticket, listing)
        key = (user, ticket.client_id)
        if ticket.client_id and (key in self._live or (self.rules.unique_for_ever and key in self._used)):
            raise Refusal("duplicate", ticket.client_id)
        book = self.books[ticket.symbol]
        if ticket.post_only and ticket.price is not None and ticket.trigger is None:
            against = book.best(OTHER[ticket.side])
            if against is not None and _reaches(ticket.side, ticket.price, against):
                raise Refusal("crosses", str(ticket.price))
        if self.rules.refuses_triggered and ticket.trigger is not None and self._reached(ticket, ticket.trigger):
            raise Refusal("trigger", str(ticket.trigger))

    def _check_notional(self, ticket: Ticket, listing: Listing) -> None:
        if ticket.spend is not None:
            notional = ticket.spend
        else:
            price = ticket.price or ticket.trigger or self._market_price(ticket.symbol)
            if price is None:
                return
            notional = price * (ticket.quantity or ZERO)
        if notional < listing.min_notional:
            raise Refusal("notional", str(notional))

    def _hold(self, user: str, ticket: Ticket) -> Hold:
        """What the order binds. A market buy by quantity binds what it will surely cost."""
        listing = self.listings[ticket.symbol]
        if ticket.side == "sell":
            return Hold(listing.base, ticket.quantity if ticket.quantity is not None else self._sold_for(ticket))
        if ticket.spend is not None:
            return Hold(listing.quote, ticket.spend)
        assert ticket.quantity is not None
        waits = ticket.trigger is not None or ticket.trail is not None or ticket.trail_distance is not None
        price = ticket.price or ticket.trigger or ticket.activation
        if price is None and waits:
            price = self._market_price(ticket.symbol)
        cost = ticket.quantity * price if price is not None else self._walked(ticket.symbol, ticket.quantity)
        return Hold(listing.quote, cost * (ONE + self._fees.held_share(listing)))

    def _sold_for(self, ticket: Ticket) -> Decimal:
        """Base quantity that brings in `spend` at most."""
        assert ticket.spend is not None
        left, quantity, lot = ticket.spend, ZERO, self.listings[ticket.symbol].lot
        for price, size in self.books[ticket.symbol].levels("buy"):
            part = min(size, left / price)
            quantity, left = quantity + part, left - part * price
            if left <= 0:
                break
        return down(quantity, lot)

    def _walked(self, symbol: str, quantity: Decimal) -> Decimal:
        """Quote that the quantity costs at the asks as they stand, icebergs' hidden parts included."""
        cost, left = ZERO, quantity
        for order in self.books[symbol].resting("sell"):
            part = min(order.remaining, left)
            cost, left = cost + part * (order.ticket.price or ZERO), left - part
            if left <= 0:
                break
        return cost

    def _record(self, user: str, ticket: Ticket, hold: Hold, group: int | None) -> Order:
        quantity = ticket.quantity if ticket.quantity is not None else ZERO
        if ticket.side == "sell" and ticket.quantity is None:
            quantity = hold.amount
        now = self.now()
        order = Order(next(self._ids), user, ticket, quantity, hold, now, group=group, updated=now)
        self.orders[order.id] = order
        if ticket.expires is not None:
            self._expiring.add((ticket.expires, order.id))
        if ticket.client_id:
            self._live[user, ticket.client_id] = order.id
            self._used.add((user, ticket.client_id))
        return order

    def _begin(self, order: Order) -> None:
        ticket = order.ticket
        if not order.live:  # another leg of its list has acted meanwhile
            return
        if ticket.trigger is not None or ticket.trail is not None or ticket.trail_distance is not None:
            order.status = "pending"
            self._pending[ticket.symbol].append(order)
            last = self.last.get(ticket.symbol)
            if last is not None and (ticket.trail or ticket.trail_distance):
                self._follow(order, last)
            self._tell("new", order)
            if ticket.trigger is not None and self._reached(ticket, ticket.trigger):
                self._trigger(order)
            return
        if order.user != HOUSE:
            self._tell("new", order)
        self._match(order)

    # -- matching --------------------------------------------------------------------------------------------------

    def _match(self, taker: Order) -> None:
        """Takes what it may from the book; the rest rests, or ends."""
        ticket, book = taker.ticket, self.books[taker.ticket.symbol]
        if taker.user != HOUSE and self.thinned:
            self._thin(taker, self.thinned.popleft())
        if ticket.time_in_force == "FOK" and not self._fills_whole(taker):
            self._end(taker, "expired", "not enough in the book")
            return
        while taker.live and (maker := book.first(OTHER[ticket.side])) is not None:
            price = maker.ticket.price
            assert price is not None
            if ticket.kind == "limit" and ticket.price is not None and not _reaches(ticket.side, ticket.price, price):
                break
            quantity = min(maker.shown, self._affordable(taker, price))
            if quantity <= 0:
                break
            self._trade(taker, maker, price, quantity)
        if not taker.live:
            return
        if ticket.kind == "market" or ticket.time_in_force == "IOC":
            self._end(taker, "expired", "nothing left in the book")
        else:
            book.add(taker)

    def _affordable(self, taker: Order, price: Decimal) -> Decimal:
        """Base quantity that the taker still wants and, buying at no fixed price, can pay."""
        ticket, listing = taker.ticket, self.listings[taker.ticket.symbol]
        if ticket.side == "sell" or taker.user == HOUSE or ticket.kind == "limit":
            return taker.remaining
        budget = taker.hold.amount
        if ticket.spend is None:
            budget += self.accounts.free(taker.user, listing.quote)
        most = down(budget / (price * (ONE + self._fees.held_share(listing))), listing.lot)
        return most if ticket.spend is not None else min(most, taker.remaining)

    def _fills_whole(self, taker: Order) -> bool:
        ticket, available = taker.ticket, ZERO
        for maker in self.books[ticket.symbol].resting(OTHER[ticket.side]):
            price = maker.ticket.price or ZERO
            if ticket.price is not None and not _reaches(ticket.side, ticket.price, price):
                break
            available += maker.remaining
        return available >= taker.remaining

    def _trade(self, taker: Order, maker: Order, price: Decimal, quantity: Decimal) -> None:
        symbol, now, trade = taker.ticket.symbol, self.now(), next(self._trade_ids)
        buyer, seller = (taker, maker) if taker.ticket.side == "buy" else (maker, taker)
        listing = self.listings[symbol]
        self.accounts.pay(buyer.user, seller.user, listing.quote, price * quantity)
        self.accounts.pay(seller.user, buyer.user, listing.base, quantity)
        self.last[symbol] = price
        public = Traded(symbol, trade, price, quantity, taker.ticket.side, buyer.id, seller.id, now)
        self.trades[symbol].append(public)
        for order in (maker, taker):
            self._count(order, trade, price, quantity, order is maker)
        self._events.append(public)
        self._printed.append((symbol, price))

    def _count(self, order: Order, trade: int, price: Decimal, quantity: Decimal, maker: bool) -> None:
        """Books one side of a trade: what it fills, frees and costs, and what it ends."""
        ticket, listing, now = order.ticket, self.listings[order.ticket.symbol], self.now()
        order.filled += quantity
        order.cost += price * quantity
        order.updated = now
        if maker:
            self.books[ticket.symbol].take(order, quantity)
        if ticket.quantity is None and ticket.side == "buy":
            order.quantity = order.filled
        for leg in self._legs(order):
            if leg is not order:
                self._end(leg, "expired", "another order of its list traded")
        self._free_for(order, price, quantity, listing)
        fee, asset = self._fees.of(order.user, ticket.side, listing, price, quantity, maker)
        if order.user == HOUSE:
            if order.remaining <= 0:
                self._end(order, "filled")
            return
        self._fees.collect(order.user, asset, fee)
        order.fees = {**order.fees, asset: order.fees.get(asset, ZERO) + fee}
        fill = Fill(
            trade,
            order.id,
            order.user,
            ticket.symbol,
            ticket.side,
            price,
            quantity,
            fee,
            asset,
            maker,
            now,
            ticket.client_id,
        )
        self.fills.append(fill)
        if self._is_done(order):
            self._close(order, "filled")
        self._tell("trade", order, fill)
        self._tell_balances(cause=order.id)

    def _is_done(self, order: Order) -> bool:
        if order.ticket.spend is None or order.ticket.side == "sell":
            return order.remaining <= 0
        ask = self.books[order.ticket.symbol].best("sell")
        return ask is None or self._affordable(order, ask) <= 0

    def _free_for(self, order: Order, price: Decimal, quantity: Decimal, listing: Listing) -> None:
        """Unbinds what that much of the order held: by its own price, not by the better one it may have got."""
        if order.ticket.side == "sell":
            self.accounts.release(order.user, order.hold, quantity)
            return
        own = order.ticket.price if order.ticket.price is not None else price
        self.accounts.release(order.user, order.hold, own * quantity * (ONE + self._fees.held_share(listing)))

    def _thin(self, taker: Order, share: Decimal) -> None:
        """The house takes back so much of its quotes that only that share of the order's quantity can trade now."""
        ticket, book = taker.ticket, self.books[taker.ticket.symbol]
        makers = [
            maker
            for maker in book.resting(OTHER[ticket.side])
            if ticket.kind == "market" or _reaches(ticket.side, ticket.price or ZERO, maker.ticket.price or ZERO)
        ]
        lot = self.listings[ticket.symbol].lot
        if ticket.quantity is None:
            first = makers[0].ticket.price if makers else None
            wanted = (ticket.spend or ZERO) / (first or ONE)
        else:
            wanted = taker.remaining
        left = max(down(wanted * share, lot), lot)
        for maker in makers:
            kept = min(left, maker.remaining)
            left -= kept
            if maker.user != HOUSE or kept == maker.remaining:
                continue
            if maker.live:
                book.remove(maker)
            if kept > 0:
                maker.quantity = maker.filled + kept
                book.add(maker)
            else:
                self._close(maker, "canceled")

    # -- stops -----------------------------------------------------------------------------------------------------

    def _settle_triggers(self) -> None:
        """Shows every printed price to the waiting stops, also those that their own trades print."""
        while self._printed:
            symbol, price = self._printed.popleft()
            for order in list(self._pending[symbol]):
                if order.status != "pending":
                    continue
                ticket = order.ticket
                if ticket.trail is not None or ticket.trail_distance is not None:
                    if self._follow(order, price):
                        self._trigger(order)
                elif ticket.trigger is not None and _passed(price, ticket.trigger, bool(ticket.rising)):
                    self._trigger(order)

    def _follow(self, order: Order, price: Decimal) -> bool:
        """Moves a trailing stop with the price; True when the price came back by the distance."""
        ticket = order.ticket
        if order.best is None:
            if ticket.activation is not None and not _passed(price, ticket.activation, bool(ticket.rising)):
                return False
            order.best = price
        sells = ticket.side == "sell"
        order.best = max(order.best, price) if sells else min(order.best, price)
        distance = ticket.trail_distance if ticket.trail_distance is not None else order.best * (ticket.trail or ZERO)
        return price <= order.best - distance if sells else price >= order.best + distance

    def _trigger(self, order: Order) -> None:
        self._pending[order.ticket.symbol].remove(order)
        order.status, order.triggered, order.updated = "open", True, self.now()
        for leg in self._legs(order):
            if leg is not order:
                self._end(leg, "expired", "another order of its list triggered")
        self._tell("triggered", order)
        self._match(order)

    def _reached(self, ticket: Ticket, trigger: Decimal) -> bool:
        last = self.last.get(ticket.symbol)
        return last is not None and _passed(last, trigger, bool(ticket.rising))

    # -- ending, telling -------------------------------------------------------------------------------------------

    def _end(self, order: Order, status: Status, reason: str = "") -> None:
        """Takes it out of the book or the waiting stops, frees what it still binds and tells it."""
        if not order.live:
            return
        if order.status == "pending":
            self._pending[order.ticket.symbol].remove(order)
        elif order.shown > 0:
            self.books[order.ticket.symbol].remove(order)
        order.reason = reason
        self._close(order, status)
        if order.user == HOUSE:
            return
        if status == "canceled":
            self._tell("canceled", order)
        elif status == "expired":
            self._tell("expired", order)
        self._tell_balances(cause=order.id)

    def _close(self, order: Order, status: Status) -> None:
        order.status = status
        order.shown, order.updated = ZERO, self.now()
        if order.user == HOUSE:
            self.orders.pop(order.id, None)
        if not any(leg is not order for leg in self._legs(order)):
            self.accounts.release(order.user, order.hold, order.hold.amount)
        if self._live.get((order.user, order.ticket.client_id)) == order.id:
            del self._live[order.user, order.ticket.client_id]

    def _legs(self, order: Order) -> list[Order]:
        """The live orders of its list, or itself."""
        if order.group is None:
            return [order]
        return [each for each in self.orders.values() if each.group == order.group and each.live]

    def _house(self, symbol: str, side: Side, price: Decimal, quantity: Decimal, force: Literal["GTC", "IOC"]) -> None:
        if quantity <= 0:
            return
        ticket = Ticket(symbol, side, "limit", quantity, price=price, time_in_force=force)
        asset = self.listings[symbol].base if side == "sell" else self.listings[symbol].quote
        self._begin(self._record(HOUSE, ticket, Hold(asset, ZERO), None))

    def _make(self, symbol: str, bids: Levels, asks: Levels) -> None:
        for price, quantity in bids:
            self._house(symbol, "buy", price, quantity, "GTC")
        for price, quantity in asks:
            self._house(symbol, "sell", price, quantity, "GTC")

    def _withdraw(self, symbol: str) -> None:
        for side in OTHER:
            for order in [each for each in self.books[symbol].resting(side) if each.user == HOUSE]:
                self._end(order, "canceled")

    def _market_price(self, symbol: str) -> Decimal | None:
        return self.last.get(symbol) or self.books[symbol].best("sell") or self.books[symbol].best("buy")

    def _tell(self, what: What, order: Order, fill: Fill | None = None) -> None:
        if order.user == HOUSE:
            return
        self._events.append(OrderChanged(what, copy(order), fill))

    def _tell_balances(self, outside: dict[str, Decimal] | None = None, cause: int | None = None) -> None:
        accounts = self.accounts
        for user, assets in accounts.taken().items():
            now = {asset: (accounts.free(user, asset), accounts.held(user, asset)) for asset in assets}
            self._events.append(BalancesMoved(user, now, self.now(), outside or {}, cause))

    def _flush(self) -> None:
        self._tell_balances()
        for symbol, book in self.books.items():
            moved = book.moved()
            if moved is not None:
                first, last, sides = moved
                self._events.append(BookMoved(symbol, first, last, sides["buy"], sides["sell"], self.now()))
        events, self._events = self._events, []
        if events:
            self.listener(events)


def halted(listing: Listing) -> Listing:
    return replace(listing, trading=False)


def _reaches(side: Side, limit: Decimal, price: Decimal) -> bool:
    """Whether an order of that side and limit may trade at the price."""
    return limit >= price if side == "buy" else limit <= price


def _passed(price: Decimal, mark: Decimal, rising: bool) -> bool:
    return price >= mark if rising else price <= mark

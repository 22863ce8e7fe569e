"""Means: what an account has free for an order, and what the limits are told about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from core.clock import Clock
from core.engine.book import Book
from core.engine.drafting import entry_of
from core.engine.estimate import Cost
from core.engine.ports import TradingStore
from core.engine.rules import Rules
from core.engine.valuation import HOUR, Valuation
from core.engine.views import MANUAL
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.risk import limits as risk
from core.risk.exposure import Course, Exposure, Stake, Standing, exposure, standing
from core.risk.mandates import Mandate, Wish, origin_of, permission
from core.trading.exchange import Quote
from core.trading.orders import (
    Iceberg,
    Ladder,
    Limit,
    Order,
    OrderRequest,
    OrderType,
    Side,
    StopLimit,
    Twap,
    Vwap,
)
from core.trading.purses import mode_of, owner_of, venue_of

Best = Callable[[Instrument, Side], Decimal | None]


@dataclass(frozen=True, slots=True)
class Used:
    """How much of the limits a person uses now. order_notional aside, which is of one order."""

    exposure: Exposure
    wealth: Decimal
    positions: tuple[tuple[str, Decimal], ...]  # asset and what is at stake in it, the largest first
    standing: Standing
    recent: int


class Means:
    """The free and the held of every account, at the newest prices there are.

    best: the best price on the other side of the book, where one is known (see `look_into`)
    """

    def __init__(self, book: Book, valuation: Valuation, store: TradingStore, rules: Rules, clock: Clock) -> None:
        self._book, self._valuation, self._store = book, valuation, store
        self.rules, self._clock = rules, clock
        self._best: Best = lambda instrument, side: None
        self._points: dict[str, tuple[tuple[int, int], tuple[tuple[int, Decimal], ...]]] = {}

    def look_into(self, best: Best) -> None:
        """From now on the price collar is held against these books: the best ask for a buy, the best bid for a sell."""
        self._best = best

    def part(
        self, account: str, side: Side, instrument: Instrument, fraction: Decimal
    ) -> tuple[Decimal | None, Decimal | None]:
        """(quantity, spend) of a fraction of what is free."""
        if fraction > 1:
            raise InvalidInput(f"The fraction {plain(fraction)} is above 1.", hint="0.5 is half of what is free.")
        asset = instrument.base if side is Side.SELL else instrument.quote
        free = self._book.free(account, MANUAL, asset)
        if free <= 0:
            raise InvalidInput(f"There is no {asset} free: {risk.amount(free, asset)}.", asset=asset, free=str(free))
        if side is Side.SELL:
            return free * fraction, None
        return None, (free * fraction).quantize(Decimal("1e-8"), "ROUND_DOWN")

    # -- before an order ----------------------------------------------------------------------------------------

    async def ready(self, account: str) -> None:
        """Reads what the person's accounts were worth, once an hour; the checks themselves wait for nothing."""
        hour = self._clock.now_ms() // HOUR
        for each in self.accounts(account):
            state = self._book.account(each)
            now = (hour, state.epoch if state is not None else 0)
            if each not in self._points or self._points[each][0] != now:
                points = tuple((point.time, point.equity) for point in await self._store.equity(each))
                self._points[each] = (now, points)

    def checks(self, request: OrderRequest, quote: Quote, cost: Cost) -> tuple[risk.Check, ...]:
        """Every limit that concerns the order, passed or not."""
        return risk.checks(self.situation(request, quote, cost), self.rules.limits(request.account))

    def demand(self, request: OrderRequest, quote: Quote, cost: Cost) -> None:
        """Raises RiskRefused or InsufficientFunds, with numbers, when the order must not be placed."""
        risk.demand(self.checks(request, quote, cost))

    def situation(self, request: OrderRequest, quote: Quote, cost: Cost) -> risk.Situation:
        """What the limits are asked about an order."""
        account, ledger, instrument = request.account, request.ledger, request.instrument
        kind = entry_of(request.type)
        best = self._best(instrument, request.side) or (quote.ask if request.side is Side.BUY else quote.bid)
        if isinstance(kind, StopLimit):  # its price is held against the market as it is once it is triggered
            best = max(best, kind.trigger) if request.side is Side.BUY else min(best, kind.trigger)
        situation = risk.Situation(
            instrument,
            request.side,
            cost.quantity,
            cost.price,
            quote.last,
            request.spend or cost.notional + cost.fee,
            self._book.free(account, ledger, instrument.quote),
            self._book.free(account, ledger, instrument.base),
            self._held(request),
            self._valuation.ledger_equity(account, ledger),
            limit=worst_price(kind, request.side),
            reducing=request.reduce_only,
            best=best,
        )
        return self.seen(request, situation)

    def seen(
        self, request: OrderRequest, situation: risk.Situation, gone: Iterable[str] = (), before: Decimal = ZERO
    ) -> risk.Situation:
        """The situation with all that concerns the person as a whole: other accounts, losses, rate, mandates.

        gone: orders that are cancelled with this one; before: what others of the same decision may buy (quote)
        """
        account, asset = request.account, request.instrument.base
        change = situation.quantity * situation.price * situation.side.sign
        return replace(
            situation,
            recent=max(situation.recent, self.recent(account)),
            halted=situation.halted or self.halted(account),
            after=exposure(
                self._stakes(account, (*gone, request.replaces, request.parent), (request, before)),
                account,
                request.ledger,
                asset,
                change,
            ),
            wealth=self._wealth(account),
            standing=self._standing(account),
            more=(*situation.more, *self._permission(request, abs(change), before)),
        )  # fmt: skip

    # -- what is looked at --------------------------------------------------------------------------------------

    def accounts(self, account: str) -> list[str]:
        """The owner's accounts of the same kind, paper or live."""
        owner, live = owner_of(account), venue_of(account) is not None
        return [
            each for each in self._book.accounts() if owner_of(each) == owner and (venue_of(each) is not None) == live
        ]

    def halted(self, account: str) -> bool:
        """Whether the kill switch of the account's owner is on: it stops all of their accounts."""
        return self._book.halted(account)

    def recent(self, account: str) -> int:
        """Orders of the owner in the last minute, from wherever they came."""
        return sum(self._book.recent(each) for each in self.accounts(account))

    def used(self, account: str) -> Used:
        """How much of the limits is used now."""
        stakes = list(self._stakes(account))
        assets: dict[str, Decimal] = {}
        for stake in stakes:
            assets[stake.asset] = assets.get(stake.asset, ZERO) + stake.after(ZERO)
        positions = tuple(sorted(((name, value) for name, value in assets.items() if value), key=lambda it: -it[1]))
        largest = positions[0][0] if positions else ""
        return Used(
            exposure(stakes, account, MANUAL, largest),
            self._wealth(account),
            positions,
            self._standing(account),
            self.recent(account),
        )

    def at_stake(self, mandate: Mandate) -> Decimal:
        """What counts against the mandate: cost of what is held without a human, and what its orders may still buy."""
        account, total = mandate.account, ZERO
        for ledger in self._book.ledgers(account):
            if origin_of(ledger) == "person":
                continue
            for position in self._book.portfolio(account, ledger).positions.values():
                instrument = self._book.instruments.get(position.instrument)
                if instrument is not None and mandate.covers(instrument):
                    total += abs(position.quantity) * position.entry_price
        for order in self._book.open_orders(account):
            if origin_of(order.request.ledger) != "person" and mandate.covers(order.request.instrument):
                total += self._coming(order)
        return total

    def under(self, mandate: Mandate) -> list[Order]:
        """Open orders that could not have been placed without this mandate, and may still add to what is at stake."""
        now = self._clock.now()
        others = [each for each in self.rules.mandates(mandate.account) if each.stands(now) and each.id != mandate.id]
        return [
            order
            for order in self._book.open_orders(mandate.account)
            if origin_of(order.request.ledger) != "person"
            and order.request.parent is None
            and not order.request.reduce_only
            and mandate.covers(order.request.instrument)
            and not any(each.covers(order.request.instrument) for each in others)
        ]

    # -- inside -------------------------------------------------------------------------------------------------

    def _held(self, request: OrderRequest) -> Decimal:
        portfolio = self._book.portfolio(request.account, request.ledger)
        position = portfolio.positions.get(request.instrument.key)
        held = ZERO if position is None else position.quantity
        # No one is short at a venue's spot market: below zero, the journal is only behind, and a buy reduces nothing.
        return max(ZERO, held) if mode_of(request.account) == "LIVE" else held

    def _wealth(self, account: str) -> Decimal:
        return sum((self._valuation.equity(each) for each in self.accounts(account)), ZERO)

    def _standing(self, account: str) -> Standing:
        courses = [
            Course(
                self._points[each][1] if each in self._points else (),
                self._book.moves(each),
                self._valuation.equity(each),
            )
            for each in self.accounts(account)
        ]
        return standing(courses, self._clock.now_ms())

    def _stakes(
        self, account: str, gone: Iterable[str | None] = (), more: tuple[OrderRequest, Decimal] | None = None
    ) -> Iterable[Stake]:
        """What the owner has at stake on accounts of this kind. gone: orders that do not count any more

        more: an order and what others beside it may buy (quote)
        """
        found: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
        if more is not None:
            request, before = more
            found[request.account, request.ledger, request.instrument.base] = ZERO, before
        for each in self.accounts(account):
            for ledger in self._book.ledgers(each):
                for position in self._book.portfolio(each, ledger).positions.values():
                    if position.quantity:
                        key = (each, ledger, asset_of(position.instrument))
                        held, coming = found.get(key, (ZERO, ZERO))
                        found[key] = held + position.quantity * self._valuation.price(position), coming
            for order in self._book.open_orders(each):
                if order.id not in gone:
                    key = (each, order.request.ledger, order.request.instrument.base)
                    held, coming = found.get(key, (ZERO, ZERO))
                    found[key] = held, coming + self._coming(order)
        return [Stake(*key, held, coming) for key, (held, coming) in found.items()]

    def _coming(self, order: Order) -> Decimal:
        """What an open order may still add to what is at stake, in quote."""
        request = order.request
        if request.side is Side.SELL:
            return ZERO
        bound = self._book.bound(order.id)
        if request.exposure is None:
            return bound
        price = self._valuation.newest(request.instrument)
        return max(bound, (request.estimate - order.filled) * (price or ZERO))

    def _permission(self, request: OrderRequest, notional: Decimal, before: Decimal) -> Iterable[risk.Check]:
        origin = origin_of(request.ledger)
        if venue_of(request.account) is None or origin == "person":
            return ()
        wish = Wish(origin, request.account, request.instrument, notional)
        mandates = self.rules.mandates(request.account)
        now = self._clock.now()
        return (permission(mandates, wish, lambda mandate: self.at_stake(mandate) + before, now),)


def asset_of(key: str) -> str:
    """'BTC' of 'binance:BTC/USDT'."""
    return key.partition(":")[2].partition("/")[0]


def worst_price(kind: OrderType, side: Side) -> Decimal | None:
    """The worst price at which an order may trade; None at market."""
    match kind:
        case Limit(price) | StopLimit(_, price) | Iceberg(price):
            return price
        case Twap(limit=limit) | Vwap(limit=limit):
            return limit
        case Ladder(prices) if prices:
            return max(prices) if side is Side.BUY else min(prices)
        case _:
            return None

"""Scanner: opportunities between books, recomputed for what an update touches.

Candidates are found by kernels in floats. What they find is walked again in exact decimals, on whole lots and above the
smallest orders, before anybody hears of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.exchanges.venues.transfers import Transfers
from core.market.book import Book
from core.market.instrument import Instrument
from core.money import ONE, ZERO, decimal_of, quantise_quantity

DEPTH = 50
DOLLARS = ("USDT", "USD", "USDC")  # where circles begin and end
Kind = Literal["cross_venue", "triangular"]
Key = tuple[str, int, int]  # "cross", buy at, sell at; or "circle", its number, 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts as an opportunity.

    max_age: seconds that each of its books may be old; min_profit: quote; min_fraction: of what is spent
    transfers: subtract a withdrawal of the coin, which brings it back to where it was bought, from the profit
    """

    max_age: float = 2.0
    min_profit: Decimal = ONE
    min_fraction: Decimal = Decimal("0.0003")
    transfers: bool = True


@dataclass(frozen=True, slots=True)
class Leg:
    """One trade. notional, fee: quote of the pair; worst: the last price it needs"""

    instrument: Instrument
    buy: bool
    quantity: Decimal
    notional: Decimal
    worst: Decimal
    fee: Decimal

    @property
    def price(self) -> Decimal:
        """On average, before the fee."""
        return self.notional / self.quantity

    @property
    def told(self) -> str:
        """'buy BTC/USDT at binance'"""
        return f"{'buy' if self.buy else 'sell'} {self.instrument.symbol} at {self.instrument.venue}"


@dataclass(frozen=True, slots=True)
class Opportunity:
    """What can be earned now, all legs at once. size: of the first leg, base; spent, profit, transfer: currency

    profit: after taker fees and the transfer; transfer: of bringing the coins back, None where nobody knows
    """

    kind: Kind
    legs: tuple[Leg, ...]
    currency: str
    spent: Decimal
    profit: Decimal
    transfer: Decimal | None = ZERO

    @property
    def size(self) -> Decimal:
        return self.legs[0].quantity

    @property
    def fraction(self) -> Decimal:
        return self.profit / self.spent

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(leg.told for leg in self.legs)


class Scanner:
    """The best levels of many markets, and what pays between them.

    fee: what a taker pays at a venue, fraction
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        fee: Callable[[str], float],
        policy: Policy | None = None,
        transfers: Transfers | None = None,
        depth: int = DEPTH,
    ) -> None:
        self.instruments, self.policy = tuple(instruments), policy or Policy()
        self._transfers = transfers or Transfers()
        self._index = {each: place for place, each in enumerate(self.instruments)}
        count = len(self.instruments)
        self._tops, self._lengths = np.zeros((count, 2, 2, depth)), np.zeros((count, 2), np.int64)
        self._seen = np.zeros(count, np.int64)
        self._fees = np.array([fee(each.venue) for each in self.instruments], np.float64)
        self._exact = [decimal_of(float(each)) for each in self._fees]
        self._groups = self._grouped()
        self._legs, self._sides = self._circles()
        through: dict[int, list[int]] = defaultdict(list)
        for circle, legs in enumerate(self._legs.tolist()):
            for market in legs:
                through[market].append(circle)
        self._through = {market: np.array(circles, np.int64) for market, circles in through.items()}
        self._out = np.zeros((4_096, 5))
        self._every = np.arange(len(self._legs), dtype=np.int64)

    def __contains__(self, instrument: object) -> bool:
        return instrument in self._index

    @property
    def pays(self) -> bool:
        """Whether there is anything to compare at all."""
        return bool(self._groups) or len(self._legs) > 0

    @property
    def circles(self) -> int:
        return len(self._legs)

    def update(self, instrument: Instrument, book: Book, now: int) -> None:
        """Takes the book as it is. now: UTC ms; a venue that told an older time is believed."""
        from core.market import levels

        market = self._index[instrument]
        levels.copy_top(book.keys, book.sizes, book.counts, self._tops[market], self._lengths[market])
        self._seen[market] = min(now, book.time) if book.time else now

    def drop(self, instrument: Instrument) -> None:
        """Forgets the book: it has a gap."""
        self._lengths[self._index[instrument]] = 0

    def touched(self, instrument: Instrument, key: Key) -> bool:
        """Whether an opportunity of that key depends on the instrument's book."""
        market = self._index[instrument]
        if key[0] == "cross":
            return market in key[1:]
        return market in self._legs[key[1]]

    def scan(self, instrument: Instrument, now: int) -> dict[Key, Opportunity]:
        """What pays between this book and the others. now: UTC ms"""
        market = self._index[instrument]
        group = self._groups.get((instrument.base, instrument.quote))
        found = self._cross(group, now, market) if group is not None else {}
        circles = self._through.get(market)
        return found if circles is None else found | self._circle(circles, now)

    def scan_all(self, now: int) -> dict[Key, Opportunity]:
        """Everything that pays."""
        found: dict[Key, Opportunity] = {}
        for group in self._groups.values():
            found |= self._cross(group, now)
        if len(self._legs):
            found |= self._circle(self._every, now)
        return found

    # -- candidates ---------------------------------------------------------------------------------------------

    def _cross(self, group: NDArray[np.int64], now: int, through: int | None = None) -> dict[Key, Opportunity]:
        from core.market import crossings

        count = crossings.crossed(
            self._tops, self._lengths, self._seen, self._fees, group, now, self._oldest, self._out
        )
        found: dict[Key, Opportunity] = {}
        for buy, sell, quantity, spent, got in self._out[:count].tolist():
            if through in (None, buy, sell) and self._worth(spent, got):
                opportunity = self._between(int(buy), int(sell), _summed(quantity))
                if opportunity is not None:
                    found["cross", int(buy), int(sell)] = opportunity
        return found

    def _circle(self, circles: NDArray[np.int64], now: int) -> dict[Key, Opportunity]:
        from core.market import crossings

        count = crossings.circled(
            self._tops, self._lengths, self._seen, self._fees, self._legs, self._sides, circles, now, self._oldest,
            self._out,
        )  # fmt: skip
        found: dict[Key, Opportunity] = {}
        for circle, spent, got in self._out[:count, :3].tolist():
            if self._worth(spent, got):
                opportunity = self._around(int(circle), _summed(spent))
                if opportunity is not None:
                    found["circle", int(circle), 0] = opportunity
        return found

    @property
    def _oldest(self) -> int:
        return int(self.policy.max_age * 1000)

    def _worth(self, spent: float, got: float) -> bool:
        """Whether it may pay enough; exact figures are never better than these by more than rounding."""
        profit = got - spent
        least, fraction = float(self.policy.min_profit), float(self.policy.min_fraction)
        return profit >= least * (1 - 1e-9) and profit >= spent * fraction * (1 - 1e-9)

    # -- exact --------------------------------------------------------------------------------------------------

    def _levels(self, market: int, buy: bool) -> Iterator[tuple[Decimal, Decimal]]:
        side = 1 if buy else 0
        for place in range(int(self._lengths[market, side])):
            price, size = self._tops[market, side, :, place].tolist()
            yield decimal_of(price), decimal_of(size)

    def _leg(self, market: int, buy: bool, quantity: Decimal) -> Leg | None:
        """The trade through the known levels; None where they are fewer, or the venue would not take it."""
        left, notional, worst = quantity, ZERO, ZERO
        for price, size in self._levels(market, buy):
            taken = min(left, size)
            notional, worst, left = notional + taken * price, price, left - taken
            if left <= 0:
                break
        instrument = self.instruments[market]
        if left > 0 or quantity <= 0 or notional < instrument.min_notional:
            return None
        return Leg(instrument, buy, quantity, notional, worst, notional * self._exact[market])

    def _between(self, buy: int, sell: int, quantity: Decimal) -> Opportunity | None:
        source, target = self.instruments[buy], self.instruments[sell]
        fee = ZERO if not self.policy.transfers else self._transfers.fee(source.venue, source.base)
        if self.policy.transfers and not self._transfers.possible(source.venue, target.venue, source.base):
            return None
        for lot in sorted((source.lot_size, target.lot_size), reverse=True):
            quantity = quantise_quantity(quantity, lot)
        bought, sold = self._leg(buy, True, quantity), self._leg(sell, False, quantity)
        if bought is None or sold is None:
            return None
        spent = bought.notional + bought.fee
        transfer = None if fee is None else fee * sold.price
        profit = sold.notional - sold.fee - spent - (transfer or ZERO)
        return self._kept(Opportunity("cross_venue", (bought, sold), source.quote, spent, profit, transfer))

    def _around(self, circle: int, amount: Decimal) -> Opportunity | None:
        """The circle with whole lots: what a lot leaves over is dust, and counted as lost."""
        legs: list[Leg] = []
        money, spent = amount, ZERO
        for market, side in zip(self._legs[circle].tolist(), self._sides[circle].tolist(), strict=True):
            buy = side == 1
            quantity = self._bought(market, money) if buy else money
            leg = self._leg(market, buy, quantise_quantity(quantity, self.instruments[market].lot_size))
            if leg is None:
                return None
            if not legs:
                spent = leg.notional + leg.fee if buy else leg.quantity
            money = leg.quantity if buy else leg.notional - leg.fee
            legs.append(leg)
        currency = legs[0].instrument.quote if legs[0].buy else legs[0].instrument.base
        return self._kept(Opportunity("triangular", tuple(legs), currency, spent, money - spent))

    def _bought(self, market: int, money: Decimal) -> Decimal:
        """How much the money buys with the fee on top, through the known levels."""
        quantity, factor = ZERO, ONE + self._exact[market]
        for price, size in self._levels(market, True):
            taken = min(size, money / (price * factor))
            quantity, money = quantity + taken, money - taken * price * factor
            if taken < size:
                break
        return quantity

    def _kept(self, found: Opportunity) -> Opportunity | None:
        enough = found.profit >= self.policy.min_profit and found.fraction >= self.policy.min_fraction
        return found if enough else None

    # -- what is compared with what -----------------------------------------------------------------------------

    def _grouped(self) -> dict[tuple[str, str], NDArray[np.int64]]:
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, each in enumerate(self.instruments):
            groups[each.base, each.quote].append(place)
        return {name: np.array(places, np.int64) for name, places in groups.items() if len(places) > 1}

    def _circles(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Both ways around every three pairs A/B, A/X and B/X of a venue, where X is a dollar."""
        at = {(each.venue, each.base, each.quote): place for place, each in enumerate(self.instruments)}
        legs: list[tuple[int, int, int]] = []
        sides: list[tuple[int, int, int]] = []
        for (venue, base, quote), cross in at.items():
            for money in DOLLARS:
                first, second = at.get((venue, base, money)), at.get((venue, quote, money))
                if first is not None and second is not None and len({first, second, cross}) == 3:
                    legs += [(second, cross, first), (first, cross, second)]
                    sides += [(1, 1, 0), (1, 0, 0)]
        return np.array(legs, np.int64).reshape(-1, 3), np.array(sides, np.int64).reshape(-1, 3)


def _summed(value: float) -> Decimal:
    """A sum of levels without what adding floats did to its last digits."""
    return Decimal(f"{value:.13g}")

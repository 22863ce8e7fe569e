"""Splitting: what an order of a size is expected to cost over several venues, and which part goes where.

Prices and quantities of a merged book become exact decimals here; from here on nothing is rounded but quantities, down
onto each venue's lots.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.errors import InvalidInput
from core.market.merged import MergedBook, Outlet
from core.money import ONE, ZERO, decimal_of, plain, quantise_quantity


@dataclass(frozen=True, slots=True)
class Part:
    """What one venue takes of an order. notional and fee: common quote; worst: the last price reached, its own quote"""

    outlet: Outlet
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    worst: Decimal

    @property
    def price(self) -> Decimal:
        """On average, before the fee, in the common quote."""
        return self.notional / self.quantity


@dataclass(frozen=True, slots=True)
class Routed:
    """An order over venues. buy: else it sells; asked: base; touch: the best price before fees there is

    notes: what was not done and why, as sentences
    """

    buy: bool
    asked: Decimal
    parts: tuple[Part, ...]
    touch: Decimal
    notes: tuple[str, ...] = ()

    @property
    def quantity(self) -> Decimal:
        return sum((part.quantity for part in self.parts), ZERO)

    @property
    def notional(self) -> Decimal:
        return sum((part.notional for part in self.parts), ZERO)

    @property
    def fee(self) -> Decimal:
        return sum((part.fee for part in self.parts), ZERO)

    @property
    def missing(self) -> Decimal:
        """Of what was asked, the quantity that finds no place."""
        return self.asked - self.quantity

    @property
    def price(self) -> Decimal:
        """On average before fees."""
        return self.notional / self.quantity if self.parts else ZERO

    @property
    def after_fees(self) -> Decimal:
        """What one coin costs, or brings, on average."""
        if not self.parts:
            return ZERO
        return (self.notional + (self.fee if self.buy else -self.fee)) / self.quantity

    @property
    def slippage(self) -> Decimal:
        """How much worse than the best price the average is, fraction."""
        if not self.parts or not self.touch:
            return ZERO
        return (self.price - self.touch) / self.touch * (1 if self.buy else -1)


@dataclass(frozen=True, slots=True)
class _Level:
    price: Decimal  # common quote, before fees
    size: Decimal


class _Ladders:
    """The levels of one side of a merged book by outlet, exact."""

    def __init__(self, book: MergedBook, buy: bool) -> None:
        rows = book.asks if buy else book.bids
        self.buy = buy
        self.outlets = book.outlets
        self.fees = [decimal_of(each.fee) for each in book.outlets]
        self.rates = [decimal_of(each.rate) for each in book.outlets]
        self.order: list[tuple[int, _Level]] = []
        self.levels: list[list[_Level]] = [[] for _ in book.outlets]
        for _, price, size, index in rows.tolist():
            level = _Level(decimal_of(price), decimal_of(size))
            self.order.append((int(index), level))
            self.levels[int(index)].append(level)

    def depth(self, index: int) -> Decimal:
        return sum((level.size for level in self.levels[index]), ZERO)

    def part(self, index: int, quantity: Decimal) -> Part:
        """That quantity through one outlet's own levels, which hold as much."""
        left, notional, worst = quantity, ZERO, ZERO
        for level in self.levels[index]:
            taken = min(left, level.size)
            notional, worst, left = notional + taken * level.price, level.price, left - taken
            if not left:
                break
        return Part(self.outlets[index], quantity, notional, notional * self.fees[index], worst / self.rates[index])

    def needs(self, index: int, quantity: Decimal) -> Decimal:
        """What the quantity takes from the purse: money of the pair with fees for a buy, coins for a sale."""
        if not self.buy:
            return quantity
        part = self.part(index, quantity)
        return (part.notional + part.fee) / self.rates[index]

    def affordable(self, index: int, level: _Level, money: Decimal) -> Decimal:
        """How much of a level the rest of a purse pays for."""
        if not self.buy:
            return money
        return money * self.rates[index] / (level.price * (ONE + self.fees[index]))


def best_execution(book: MergedBook, buy: bool, quantity: Decimal) -> Routed:
    """What the order is expected to cost when it takes the best levels of all venues, without regard to lots.

    quantity: base. Raises InvalidInput for a quantity that is not above zero.
    """
    _positive(quantity)
    ladders = _Ladders(book, buy)
    taken = _taken(ladders, quantity, None, range(len(book.outlets)))
    parts = tuple(ladders.part(index, amount) for index, amount in enumerate(taken) if amount > 0)
    return _routed(ladders, buy, quantity, parts, [])


def split(
    book: MergedBook,
    buy: bool,
    quantity: Decimal,
    budgets: Mapping[str, Decimal],
    purses: Mapping[str, str] | None = None,
) -> Routed:
    """One order as one part for each venue, on its lots, above its smallest notional, and within its balance.

    budgets: what each purse can spend: money of the pair (fees are paid from it) for a buy, coins for a sale
    purses: venue: the purse it is paid from; a venue's own by default
    The parts together never exceed the quantity, nor those of a purse its budget. Raises InvalidInput.
    """
    _positive(quantity)
    ladders, notes = _Ladders(book, buy), list[str]()
    named = [(purses or {}).get(each.venue, each.venue) for each in book.outlets]
    open_to = [index for index, each in enumerate(book.outlets) if budgets.get(named[index], ZERO) > 0]
    for index, each in enumerate(book.outlets):
        if index not in open_to:
            what = each.instrument.quote if buy else each.instrument.base
            notes.append(f"{each.venue} takes no part: there is no free {what}.")
    while open_to:
        taken = _taken(ladders, quantity, (budgets, named), open_to)
        amounts = _on_lots(ladders, quantity, taken, budgets, named, open_to)
        parts = {index: ladders.part(index, amount) for index, amount in enumerate(amounts) if amount > 0}
        small = [index for index, part in parts.items() if _too_small(part)]
        if not small:
            return _routed(ladders, buy, quantity, tuple(parts.values()), notes)
        least = min(small, key=lambda index: parts[index].notional)
        open_to.remove(least)
        instrument = book.outlets[least].instrument
        notes.append(
            f"{instrument.venue} takes no part: its share is worth less than its smallest order of "
            f"{plain(instrument.min_notional)} {instrument.quote}."
        )
    return _routed(ladders, buy, quantity, (), notes)


def _taken(
    ladders: _Ladders,
    quantity: Decimal,
    purses: tuple[Mapping[str, Decimal], list[str]] | None,
    open_to: Collection[int],
) -> list[Decimal]:
    """How much each outlet gives when the best levels are taken one after the other."""
    left, taken = quantity, [ZERO] * len(ladders.outlets)
    money = dict(purses[0]) if purses else {}
    for index, level in ladders.order:
        if index not in open_to:
            continue
        amount = min(left, level.size)
        if purses:
            purse = purses[1][index]
            amount = min(amount, ladders.affordable(index, level, money[purse]))
            cost = amount * level.price * (ONE + ladders.fees[index]) / ladders.rates[index] if ladders.buy else amount
            money[purse] = max(ZERO, money[purse] - cost)
        taken[index] += amount
        left -= amount
        if left <= 0:
            break
    return taken


def _on_lots(
    ladders: _Ladders,
    quantity: Decimal,
    taken: list[Decimal],
    budgets: Mapping[str, Decimal],
    named: list[str],
    open_to: Collection[int],
) -> list[Decimal]:
    """Whole lots of each share; what rounding left over goes to whoever gives most of it at the best price."""
    amounts = [
        quantise_quantity(amount, ladders.outlets[index].instrument.lot_size) for index, amount in enumerate(taken)
    ]
    reached = [index for index, _ in ladders.order if index in open_to]
    for index in dict.fromkeys(reached):  # by their best price
        left = min(quantity - sum(amounts, ZERO), ladders.depth(index) - amounts[index])
        extra = quantise_quantity(left, ladders.outlets[index].instrument.lot_size)
        if extra > 0 and _affords(ladders, amounts, index, extra, budgets, named):
            amounts[index] += extra
    return amounts


def _affords(
    ladders: _Ladders,
    amounts: list[Decimal],
    index: int,
    extra: Decimal,
    budgets: Mapping[str, Decimal],
    named: list[str],
) -> bool:
    wanted = [amount + (extra if place == index else ZERO) for place, amount in enumerate(amounts)]
    same = [place for place, purse in enumerate(named) if purse == named[index] and wanted[place] > 0]
    return sum((ladders.needs(place, wanted[place]) for place in same), ZERO) <= budgets[named[index]]


def _too_small(part: Part) -> bool:
    least = part.outlet.instrument.min_notional
    return part.notional / decimal_of(part.outlet.rate) < least


def _routed(ladders: _Ladders, buy: bool, asked: Decimal, parts: tuple[Part, ...], notes: list[str]) -> Routed:
    prices = [level.price for levels in ladders.levels for level in levels[:1]]
    touch = (min(prices) if buy else max(prices)) if prices else ZERO
    routed = Routed(buy, asked, tuple(sorted(parts, key=lambda each: -each.quantity)), touch, tuple(notes))
    if parts and routed.missing > 0 and not notes:
        return Routed(buy, asked, routed.parts, touch, (f"{plain(routed.missing)} {_base(parts)} find no place.",))
    return routed


def _base(parts: tuple[Part, ...]) -> str:
    return parts[0].outlet.instrument.base


def _positive(quantity: Decimal) -> None:
    if not quantity > 0:
        raise InvalidInput(f"The quantity {plain(quantity)} is not above zero.")

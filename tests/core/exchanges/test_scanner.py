"""Opportunities between books: what is planted is found with its size and profit, and nothing else is."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.exchanges.depth import Binance
from core.exchanges.scanner import Opportunity, Policy, Scanner
from core.exchanges.venues.transfers import Transfers
from core.market.book import Book, BookChange, levels_of
from core.market.instrument import Instrument
from tests.core.exchanges.recorded import SYMBOLS, ethusdt

Pairs = list[tuple[str, str]]
FEE = Decimal("0.001")
NOW = 1_000_000
EAGER = Policy(max_age=1.0, min_profit=Decimal("0.01"), min_fraction=Decimal(0), transfers=False)


def pair(venue: str, symbol: str = "BTC/USDT", lot: str = "0.001", least: str = "5") -> Instrument:
    base, _, quote = symbol.partition("/")
    return Instrument(venue, base, quote, Decimal("0.01"), Decimal(lot), Decimal(least))


def book(instrument: Instrument, bids: Pairs, asks: Pairs, time: int = NOW) -> Book:
    found = Book(instrument.venue, instrument.symbol)
    found.apply(BookChange(instrument.venue, instrument.symbol, time, levels_of(bids), levels_of(asks), True))
    return found


def scanned(
    *books: tuple[Instrument, Pairs, Pairs], policy: Policy = EAGER, transfers: Transfers | None = None, age: int = 0
) -> list[Opportunity]:
    scanner = Scanner([each for each, _, _ in books], lambda venue: float(FEE), policy, transfers)
    for instrument, bids, asks in books:
        scanner.update(instrument, book(instrument, bids, asks), NOW)
    whole = scanner.scan_all(NOW + age)
    parts = {}
    for instrument, _, _ in books:
        parts |= scanner.scan(instrument, NOW + age)
    assert parts == whole  # what an update touches adds up to everything
    return list(whole.values())


CHEAP: tuple[Pairs, Pairs] = ([("99", "1")], [("100", "1"), ("100.5", "2"), ("101.5", "9")])
DEAR: tuple[Pairs, Pairs] = ([("102", "1.5"), ("101", "0.7504"), ("100", "9")], [("103", "1")])


def test_both_books_are_walked_to_the_last_unit_that_pays() -> None:
    [found] = scanned((pair("one"), *CHEAP), (pair("two"), *DEAR))
    assert found.path == ("buy BTC/USDT at one", "sell BTC/USDT at two")
    size = Decimal("2.250")  # 101 sold against 100.5 still pays after two fees; lots of 0.001
    assert found.size == size
    spent = (Decimal(100) + Decimal("100.5") * Decimal("1.25")) * (1 + FEE)
    got = (Decimal(102) * Decimal("1.5") + Decimal(101) * Decimal("0.75")) * (1 - FEE)
    assert (found.spent, found.profit) == (spent, got - spent)
    assert found.fraction == found.profit / spent
    assert [leg.worst for leg in found.legs] == [Decimal("100.5"), Decimal(101)]


def test_what_fees_eat_is_no_opportunity() -> None:
    assert scanned((pair("one"), [("99", "9")], [("100", "9")]), (pair("two"), [("100.19", "9")], [("101", "9")])) == []
    assert scanned((pair("one"), [("99", "9")], [("100", "9")]), (pair("two"), [("100.30", "9")], [("101", "9")]))


@pytest.mark.parametrize(("size", "lot", "least"), [("0.04", "0.001", "5"), ("0.04", "0.05", "0"), ("0.004", "0", "0")])
def test_what_is_too_thin_for_a_lot_a_smallest_order_or_a_profit_is_none(size: str, lot: str, least: str) -> None:
    one, two = pair("one", lot=lot, least=least), pair("two", lot=lot, least=least)
    assert scanned((one, [("99", "9")], [("100", size)]), (two, [("102", "9")], [("103", "9")])) == []


def test_one_old_book_is_enough_for_none() -> None:
    books = (pair("one"), *CHEAP), (pair("two"), *DEAR)
    assert scanned(*books, age=1_000)
    assert scanned(*books, age=1_001) == []
    scanner = Scanner([pair("one"), pair("two")], lambda venue: 0.001, EAGER)
    scanner.update(pair("one"), book(pair("one"), *CHEAP), NOW)
    scanner.update(pair("two"), book(pair("two"), *DEAR, time=NOW - 3_000), NOW)  # arrived now, said long ago
    assert scanner.scan_all(NOW) == {}


def test_a_withdrawal_is_subtracted_and_coins_that_cannot_travel_are_left_out() -> None:
    books = (pair("one"), *CHEAP), (pair("two"), *DEAR)
    policy = Policy(1.0, Decimal("0.01"), Decimal(0), transfers=True)
    [free] = scanned(*books)
    [paid] = scanned(*books, policy=policy, transfers=Transfers({"one:BTC": Decimal("0.01")}))
    assert paid.transfer == Decimal("0.01") * paid.legs[1].price
    assert paid.profit == free.profit - paid.transfer
    [unknown] = scanned(*books, policy=policy, transfers=Transfers({}))
    assert (unknown.transfer, unknown.profit) == (None, free.profit)
    assert scanned(*books, policy=policy, transfers=Transfers({}, frozenset({"two:BTC"}))) == []


def test_other_currencies_are_not_compared() -> None:
    assert scanned((pair("one"), *CHEAP), (pair("two", "BTC/USDC"), *DEAR)) == []


def test_a_circle_of_three_pairs_is_walked_with_fees_and_lots() -> None:
    found = scanned(
        (pair("one", "BTC/USDT", "0.00001"), [("99900", "1")], [("100000", "0.02"), ("101500", "9")]),
        (pair("one", "ETH/BTC", "0.001", "0"), [("0.0490", "9")], [("0.0491", "0.30"), ("0.06", "9")]),
        (pair("one", "ETH/USDT", "0.001"), [("5000", "0.25"), ("4990", "9")], [("5010", "9")]),
    )
    [circle] = found
    assert circle.path == ("buy BTC/USDT at one", "buy ETH/BTC at one", "sell ETH/USDT at one")
    first, second, third = circle.legs
    assert second.quantity == third.quantity <= Decimal("0.30")
    assert first.quantity <= Decimal("0.02")
    assert second.quantity * Decimal("0.0491") * (1 + FEE) <= first.quantity
    spent = first.quantity * 100_000 * (1 + FEE)
    got = (Decimal("0.25") * 5_000 + (third.quantity - Decimal("0.25")) * 4_990) * (1 - FEE)
    assert (circle.spent, circle.profit) == (spent, got - spent)
    assert circle.profit > 10


def test_a_fair_circle_pays_nothing_either_way() -> None:
    books = (
        (pair("one", "BTC/USDT"), [("99990", "1")], [("100010", "1")]),
        (pair("one", "ETH/BTC"), [("0.04995", "9")], [("0.05005", "9")]),
        (pair("one", "ETH/USDT"), [("4999", "9")], [("5001", "9")]),
    )
    assert scanned(*books) == []


def scaled(change: BookChange, venue: str, factor: float, late: int = 0) -> BookChange:
    """The same change at another venue, at prices that many times as high, told that much later."""
    sides = [levels.copy() for levels in (change.bids, change.asks)]
    for levels in sides:
        levels[:, 0] = (levels[:, 0] * factor).round(4)
    return BookChange(venue, change.symbol, change.time - late, sides[0], sides[1], change.snapshot)


@pytest.mark.realdata
def test_a_skew_of_a_recorded_market_is_found_while_it_lasts_and_nothing_before_or_after(shared_data: Path) -> None:
    """Venues replay one recorded market: an equal one, one 0.15 % off (below two fees), one 1 % off but late by 4 s,
    and one that is 0.5 % off for 200 messages."""
    wire, changes = Binance(SYMBOLS), []
    for raw in ethusdt(shared_data):
        if raw.startswith(b'{"lastUpdateId"'):
            changes = [wire.snapshot(raw, "ETH/USDT")]
        elif changes:
            changes += wire.decode(raw)
    names = ("true", "near", "late", "skewed")
    listed = {name: pair(name, "ETH/USDT", "0.0001") for name in names}
    scanner = Scanner(list(listed.values()), lambda venue: 0.001, Policy(min_profit=Decimal(1), transfers=False))
    whole = Book("true", "ETH/USDT")
    found: list[int] = []
    for number, change in enumerate(changes[:900]):
        whole.apply(change)
        now = change.time or changes[1].time
        factors = {"true": 1.0, "near": 1.0015, "late": 1.01, "skewed": 1.005 if 400 <= number < 600 else 1.0}
        as_it_is = BookChange("", "ETH/USDT", now, whole.levels("bid", 50), whole.levels("ask", 50), True)
        for name in names:
            book = Book(name, "ETH/USDT")
            book.apply(scaled(as_it_is, name, factors[name], 4_000 if name == "late" else 0))
            scanner.update(listed[name], book, now)
        opportunities = scanner.scan(listed["skewed"], now)
        if not opportunities:
            continue
        found.append(number)
        assert not any("late" in step for each in opportunities.values() for step in each.path)
        [best] = [each for each in opportunities.values() if each.path[0] == "buy ETH/USDT at true"]
        quantity, profit = by_hand(whole, 1.005)
        assert best.path[1] == "sell ETH/USDT at skewed"
        assert quantity - Decimal("0.0001") < best.size <= quantity
        assert best.profit == pytest.approx(profit, rel=Decimal("0.0001"))
    assert found == list(range(400, 600))


def by_hand(whole: Book, factor: float) -> tuple[Decimal, Decimal]:
    """Unit by unit: what can be bought in the book and sold in the same one at higher prices, and what it brings."""
    asks = [[Decimal(str(price)) * (1 + FEE), Decimal(str(size))] for price, size in whole.levels("ask", 50).tolist()]
    bids = [
        [Decimal(str(round(price * factor, 4))) * (1 - FEE), Decimal(str(size))]
        for price, size in whole.levels("bid", 50).tolist()
    ]
    quantity = profit = Decimal(0)
    while asks and bids and bids[0][0] > asks[0][0]:
        taken = min(asks[0][1], bids[0][1])
        quantity, profit = quantity + taken, profit + taken * (bids[0][0] - asks[0][0])
        for side in (asks, bids):
            side[0][1] -= taken
            if not side[0][1]:
                side.pop(0)
    return quantity, profit

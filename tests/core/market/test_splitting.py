"""One order over several venues: the best levels first, in whole lots, within every balance."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.market.book import Book, BookChange, levels_of
from core.market.instrument import Instrument
from core.market.merged import MergedBook, Outlet, merged
from core.market.splitting import best_execution, split

Levels = list[tuple[float, float]]


def outlet(venue: str, fee: float = 0.001, lot: str = "0.01", least: str = "10", rate: float = 1.0) -> Outlet:
    return Outlet(Instrument(venue, "BTC", "USDT", Decimal("0.01"), Decimal(lot), Decimal(least)), fee, rate)


def book_of(*venues: tuple[Outlet, Levels, Levels]) -> MergedBook:
    books = []
    for each, bids, asks in venues:
        book = Book(each.venue, "BTC/USDT")
        book.apply(BookChange(each.venue, "BTC/USDT", 0, levels_of(bids), levels_of(asks), True))
        books.append((each, book))
    return merged("BTC", "USDT", books)


def two(lot: str = "0.01", least: str = "10") -> MergedBook:
    return book_of(
        (outlet("one", 0.001, lot, least), [(99.0, 1)], [(100.0, 1), (102.0, 5)]),
        (outlet("two", 0.002, lot, least), [(98.5, 2)], [(100.5, 2), (103.0, 5)]),
    )


RICH = {"one": Decimal(10_000), "two": Decimal(10_000)}


def test_the_best_levels_of_all_venues_are_taken_in_their_order_after_fees() -> None:
    found = best_execution(two(), True, Decimal(4))
    assert {part.outlet.venue: part.quantity for part in found.parts} == {"one": 2, "two": 2}
    assert found.notional == 100 + 201 + 102
    assert found.fee == Decimal("202") * Decimal("0.001") + Decimal("201") * Decimal("0.002")
    assert found.price == Decimal("100.75")
    assert found.slippage == Decimal("0.0075")
    assert found.missing == 0


def test_a_sale_takes_the_best_bids_and_what_the_books_cannot_take_is_missing() -> None:
    found = best_execution(two(), False, Decimal(5))
    assert (found.quantity, found.missing) == (3, 2)
    assert found.notional == 99 + 197
    assert found.after_fees < found.price
    assert found.notes


def test_a_fee_can_make_the_lower_price_the_worse_one() -> None:
    book = book_of((outlet("dear", 0.01), [], [(100.0, 1)]), (outlet("fair", 0.0), [], [(100.5, 1)]))
    assert best_execution(book, True, Decimal(1)).parts[0].outlet.venue == "fair"


def test_another_currency_is_converted_by_the_rate_that_was_given() -> None:
    book = book_of((outlet("usdc", 0.0, rate=1.01), [], [(100.0, 1)]), (outlet("usdt", 0.0), [], [(100.5, 1)]))
    assert best_execution(book, True, Decimal(2)).notional == Decimal("201.5")


def test_shares_are_whole_lots_and_the_rest_of_rounding_finds_a_place() -> None:
    book = book_of((outlet("one", 0.001, "0.1"), [], [(100.0, 1.05)]), (outlet("two", 0.001, "0.01"), [], [(100.5, 5)]))
    found = split(book, True, Decimal("2.13"), RICH)
    assert {part.outlet.venue: part.quantity for part in found.parts} == {
        "one": Decimal("1.0"), "two": Decimal("1.13"),
    }  # fmt: skip


def test_a_share_below_the_smallest_order_goes_to_the_others_and_is_said() -> None:
    book = book_of((outlet("one", least="200"), [], [(100.0, 1)]), (outlet("two"), [], [(100.5, 5)]))
    found = split(book, True, Decimal(2), RICH)
    assert [(part.outlet.venue, part.quantity) for part in found.parts] == [("two", 2)]
    assert "one takes no part" in found.notes[0]
    assert split(book_of((outlet("one", least="200"), [], [(100.0, 9)])), True, Decimal(1), RICH).parts == ()


def test_a_purse_that_venues_share_is_spent_once() -> None:
    found = split(two(), True, Decimal(4), {"cash": Decimal(150)}, {"one": "cash", "two": "cash"})
    assert 149 < found.notional + found.fee <= 150
    assert found.missing > 0


def test_a_venue_without_balance_takes_no_part() -> None:
    found = split(two(), False, Decimal(3), {"two": Decimal(1)})
    assert [(part.outlet.venue, part.quantity) for part in found.parts] == [("two", 1)]
    assert found.notes[0] == "one takes no part: there is no free BTC."


def test_nothing_cannot_be_split() -> None:
    with pytest.raises(InvalidInput, match="not above zero"):
        split(two(), True, Decimal(0), RICH)


PRICES = st.integers(9_000, 11_000).map(lambda each: each / 100)
SIDE = st.lists(st.tuples(PRICES, st.integers(1, 500).map(lambda each: each / 1000)), min_size=1, max_size=8)


@given(
    sides=st.lists(SIDE, min_size=1, max_size=4), quantity=st.integers(1, 3_000), money=st.integers(1, 500),
    buy=st.booleans(), lots=st.lists(st.sampled_from(["0", "0.001", "0.01", "0.1"]), min_size=4, max_size=4),
    shared=st.booleans(),
)  # fmt: skip
def test_a_split_never_exceeds_the_size_a_balance_or_a_book(
    sides: list[Levels], quantity: int, money: int, buy: bool, lots: list[str], shared: bool
) -> None:
    venues = [
        (outlet(f"v{place}", 0.001 * place, lots[place], "5"), [] if buy else side, side if buy else [])
        for place, side in enumerate(sides)
    ]
    asked, budget = Decimal(quantity) / 1000, Decimal(money) if buy else Decimal(money) / 100
    names = {f"v{place}": "all" if shared else f"v{place}" for place in range(len(sides))}
    found = split(book_of(*venues), buy, asked, dict.fromkeys(names.values(), budget), names)
    spent: dict[str, Decimal] = {}
    for part in found.parts:
        instrument = part.outlet.instrument
        assert part.quantity > 0
        assert not instrument.lot_size or part.quantity % instrument.lot_size == 0
        assert part.notional >= 5
        assert part.quantity <= sum(map(Decimal, map(str, dict(sides[int(instrument.venue[1])]).values())))
        purse = names[instrument.venue]
        spent[purse] = spent.get(purse, Decimal(0)) + (part.notional + part.fee if buy else part.quantity)
    assert found.quantity <= asked
    assert all(each <= budget + Decimal("1e-20") for each in spent.values())

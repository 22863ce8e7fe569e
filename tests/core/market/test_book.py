"""A book in sorted arrays is what a dictionary of prices would be; several merged are all levels sorted."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.market.book import Book, BookChange, levels_of
from core.market.instrument import Instrument
from core.market.merged import Merger, Outlet
from core.market.sequence import Sequenced

PRICE = st.integers(1, 400).map(lambda each: each / 4)
LEVELS = st.lists(st.tuples(PRICE, st.sampled_from([0.0, 0.5, 1.0, 2.5])), max_size=40)


def change(bids: list[tuple[float, float]], asks: list[tuple[float, float]], **more: int | bool) -> BookChange:
    return BookChange("one", "BTC/USDT", 0, levels_of(bids), levels_of(asks), **more)  # type: ignore[arg-type]


@given(st.lists(st.tuples(LEVELS, LEVELS, st.booleans()), max_size=12))
def test_a_book_is_what_a_dictionary_of_prices_would_be(told: list[tuple[list, list, bool]]) -> None:
    book, model = Book("one", "BTC/USDT"), ({}, {})
    for bids, asks, snapshot in told:
        book.apply(change(bids, asks, snapshot=snapshot))
        for side, levels in zip(model, (bids, asks), strict=True):
            if snapshot:
                side.clear()
            for price, size in levels:
                side[price] = size
                if not size:
                    del side[price]
    assert book.levels("bid").tolist() == [list(each) for each in sorted(model[0].items(), reverse=True)]
    assert book.levels("ask").tolist() == [list(each) for each in sorted(model[1].items())]
    assert book.bid == (max(model[0].items()) if model[0] else None)
    assert book.ask == (min(model[1].items()) if model[1] else None)


def test_a_book_grows_and_keeps_its_limit() -> None:
    deep, short = Book("one", "BTC/USDT"), Book("one", "BTC/USDT", limit=10)
    bids = [(1000.0 - step, 1.0) for step in range(900)]
    for book in (deep, short):
        book.apply(change(bids[:300], []))
        book.apply(change(bids[300:], [(1001.0, 1.0)]))
    assert len(deep.levels("bid")) == 900
    assert short.levels("bid")[:, 0].tolist() == [price for price, _ in bids[:10]]
    short.clear()
    assert short.empty


@pytest.mark.parametrize("level", [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (float("nan"), 1.0)])
def test_what_is_no_level_is_refused(level: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput):
        levels_of([level])


BOOKS = st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=4)


@given(BOOKS, st.lists(st.integers(0, 60), min_size=4, max_size=4))
def test_merged_books_are_all_levels_by_their_price_after_fees(told: list[tuple[list, list]], fees: list[int]) -> None:
    outlets = [Outlet(Instrument(f"v{at}", "BTC", "USDT"), fees[at] / 10_000) for at in range(len(told))]
    merger, expected = Merger("BTC", "USDT", outlets), ([], [])
    for at, (bids, asks) in enumerate(told):
        book = Book(f"v{at}", "BTC/USDT")
        book.apply(change(bids, asks))
        merger.update(at, book)
        expected[0].extend(price * (1 - fees[at] / 10_000) for price in book.levels("bid")[:, 0])
        expected[1].extend(price * (1 + fees[at] / 10_000) for price in book.levels("ask")[:, 0])
    merged = merger.merged()
    np.testing.assert_allclose(merged.bids[:, 0], sorted(expected[0], reverse=True), rtol=1e-12)
    np.testing.assert_allclose(merged.asks[:, 0], sorted(expected[1]), rtol=1e-12)
    assert all(one >= two for one, two in pairwise(merged.bids[:, 0]))
    merger.leave_out(0)
    assert (merger.merged().asks[:, 3] != 0).all()
    assert merger.best[1] == pytest.approx(min(merger.merged().asks[:, 0], default=float("nan")), nan_ok=True)


def sequenced(*changes: BookChange) -> Sequenced:
    found = Sequenced(Book("one", "BTC/USDT"))
    for each in changes:
        found.apply(each)
    return found


START = change([(99, 1)], [(101, 1)], snapshot=True, last=10)


def test_the_first_change_may_begin_inside_the_snapshot_and_older_ones_are_passed_over() -> None:
    found = sequenced(change([(1, 1)], [], first=5, last=9), change([(98, 2)], [], first=9, last=12), START)
    assert found.live
    assert found.last == 12
    assert found.book.levels("bid").tolist() == [[99, 1], [98, 2]]


def test_a_snapshot_that_is_too_old_for_what_waits_is_a_gap() -> None:
    found = sequenced(change([(98, 2)], [], first=14, last=15), START)
    assert (found.state, found.reason) == ("gap", "changes 11 to 13 are missing")
    assert found.apply(change([(97, 1)], [(101, 1)], snapshot=True, last=13))
    assert found.last == 15


def test_futures_name_the_change_before() -> None:
    found = sequenced(START, change([(98, 1)], [], first=8, last=20, previous=7))
    assert found.apply(change([(97, 1)], [], first=30, last=31, previous=20))
    assert not found.apply(change([(97, 1)], [], first=40, last=41, previous=39))
    assert found.reason == "the change before 41 is missing"


def test_a_book_that_crosses_itself_is_not_trusted() -> None:
    found = sequenced(START)
    assert not found.apply(change([(102, 1)], [], first=11, last=11))
    assert found.state == "gap"
    assert "crossed" in found.reason


def test_an_answer_that_the_stream_has_overtaken_changes_nothing() -> None:
    found = sequenced(START, change([(99.5, 1)], [], first=11, last=11))
    assert not found.apply(change([(90, 1)], [(91, 1)], snapshot=True, last=10))
    assert found.live
    assert found.book.bid == (99.5, 1)

"""Books built from recorded streams are the venues' own books."""

import re
from pathlib import Path

import pytest

from core.exchanges.depth import Best, Binance, Kraken
from core.market.book import Book, BookChange
from core.market.sequence import Sequenced
from tests.core.exchanges.recorded import SYMBOLS, answers, ethusdt, stream

pytestmark = pytest.mark.realdata


def messages(data: Path) -> tuple[list[BookChange], list[Best]]:
    """Changes of the recorded ETH/USDT book, the snapshot among them where it arrived, and the best prices told."""
    wire = Binance(SYMBOLS)
    changes: list[BookChange] = []
    best: list[Best] = []
    for raw in ethusdt(data):
        if raw.startswith(b'{"lastUpdateId"'):
            changes.append(wire.snapshot(raw, "ETH/USDT"))
        else:
            changes += wire.decode(raw)
            told = wire.best(raw)
            best += [told] if told else []
    return changes, best


def test_the_best_prices_of_binance_are_the_book_tickers_at_the_same_updates(shared_data: Path) -> None:
    changes, told = messages(shared_data)
    tickers = {each.update: each for each in told}
    book = Sequenced(Book("binance", "ETH/USDT"))
    updates, same, latest = sorted(tickers), 0, 0
    place = 0
    for change in changes:
        if not book.apply(change) or change.snapshot:
            continue
        assert change.last is not None
        assert not book.book.crossed
        if change.last in tickers:
            same += 1
        while place + 1 < len(updates) and updates[place + 1] <= change.last:
            place += 1
        if updates[place] <= change.last:  # nothing better was told since
            ticker = tickers[updates[place]]
            assert book.book.bid == (ticker.bid, ticker.bid_size)
            assert book.book.ask == (ticker.ask, ticker.ask_size)
            latest += 1
    assert book.gaps == 0
    assert (same, latest) == (577, 3432)


def test_a_removed_change_is_a_gap_and_a_snapshot_mends_it(shared_data: Path) -> None:
    changes, _ = messages(shared_data)
    for missing in (10, 200, 1_500):
        book, whole = (Sequenced(Book("binance", "ETH/USDT")) for _ in range(2))
        for change in changes[: missing + 10]:
            whole.apply(change)
        for change in [*changes[:missing], *changes[missing + 1 : missing + 20]]:
            book.apply(change)
        assert (book.state, book.gaps) == ("gap", 1)
        assert re.fullmatch(r"changes \d+ to \d+ are missing", book.reason)
        levels = whole.book.levels("bid"), whole.book.levels("ask")
        assert book.apply(BookChange("binance", "ETH/USDT", 0, *levels, True, None, whole.last))
        for change in changes[missing + 10 : missing + 20]:
            whole.apply(change)
        assert book.last == whole.last
        assert (book.book.levels("bid") == whole.book.levels("bid")).all()
        assert (book.book.levels("ask") == whole.book.levels("ask")).all()


def test_the_other_binance_recording_is_unbroken_and_agrees_with_its_book_tickers(shared_data: Path) -> None:
    wire = Binance(SYMBOLS)
    books = {symbol: Sequenced(Book("binance", symbol)) for symbol in SYMBOLS.values()}
    raw = list(stream(shared_data, "BINANCE.ws.1.0"))
    tickers = {(each.symbol, each.update): each for each in map(wire.best, raw) if each}
    for message in raw:  # everything waits for the snapshots, as it did when it was recorded
        for change in wire.decode(message):
            assert not books[change.symbol].apply(change)
    found = 0
    for address, answer in answers(shared_data, "BINANCE.http.0.0"):
        symbol = SYMBOLS[address.partition("symbol=")[2].partition("&")[0]]
        sequenced = books[symbol]
        assert sequenced.apply(wire.snapshot(answer, symbol))
        assert sequenced.live
        assert not sequenced.book.crossed
        last = [each for (name, update), each in tickers.items() if name == symbol and update <= (sequenced.last or 0)]
        if last:
            assert sequenced.book.bid == (last[-1].bid, last[-1].bid_size)
            assert sequenced.book.ask == (last[-1].ask, last[-1].ask_size)
            found += 1
    assert found >= 2
    assert sum(each.gaps for each in books.values()) == 0


def test_every_checksum_of_the_recorded_kraken_books_is_our_own(shared_data: Path) -> None:
    names = (
        "WAVES/EUR",
        "XMR/USD",
        "KSM/BTC",
        "GRT/ETH",
        "SC/EUR",
        "ETH/CHF",
        "OCEAN/BTC",
        "OMG/USD",
        "BTC/CHF",
        "ADA/BTC",
    )
    wire = Kraken({name: name for name in names})
    places: dict[str, int] = {}
    books: dict[str, Sequenced] = {}
    checked = 0
    for raw in stream(shared_data, "KRAKEN.ws.50.0"):
        for change in wire.decode(raw):
            if change.snapshot:
                price = re.search(rb'"as":\[\["\d+\.(\d+)"', raw)
                assert price is not None
                places[change.symbol] = len(price[1])
                books[change.symbol] = Sequenced(Book("kraken", change.symbol, limit=1_000), (places[change.symbol], 8))
            assert books[change.symbol].apply(change), (change.symbol, books[change.symbol].reason)
            checked += change.checksum is not None
    assert len(books) == len(names)
    assert checked > 4_000


def test_a_removed_kraken_message_shows_in_the_checksum(shared_data: Path) -> None:
    wire = Kraken({"XMR/USD": "XMR/USD"})
    changes = [change for raw in stream(shared_data, "KRAKEN.ws.50.0") for change in wire.decode(raw)]
    book = Sequenced(Book("kraken", "XMR/USD", limit=1_000), (8, 8))
    for change in [changes[0], *changes[2:40]]:
        book.apply(change)
    assert book.state == "gap"
    assert "checksum" in book.reason

"""Messages of venues in their own forms become changes of one form."""

import json
from typing import Any

import pytest

from core.errors import InvalidInput
from core.exchanges.depth import Binance, Coinbase, Kraken, KuCoin, decoder
from core.market.book import Book
from core.market.sequence import Sequenced


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_binance_with_and_without_the_stream_s_envelope_and_for_futures() -> None:
    wire = Binance({"BTCUSDT": "BTC/USDT"})
    data = {"e": "depthUpdate", "E": 123, "s": "BTCUSDT", "U": 157, "u": 160, "b": [["0.0024", "10"]], "a": []}
    [plain], [wrapped] = wire.decode(raw(data)), wire.decode(raw({"stream": "btcusdt@depth", "data": data}))
    assert (plain.first, plain.last, plain.previous, plain.time) == (157, 160, None, 123)
    assert plain.bids.tolist() == wrapped.bids.tolist() == [[0.0024, 10]]
    [future] = wire.decode(raw({**data, "pu": 149}))
    assert future.previous == 149
    assert wire.decode(raw({"result": None, "id": 1})) == ()
    assert wire.decode(raw({**data, "s": "ETHUSDT"})) == ()


def test_kucoin_orders_levels_by_their_own_number_and_passes_over_empty_prices() -> None:
    wire = KuCoin({"BTC-USDT": "BTC/USDT"})
    message = {
        "type": "message", "topic": "/market/level2:BTC-USDT", "subject": "trade.l2update",
        "data": {
            "changes": {"asks": [["18906", "0", "14"], ["18906", "0.3", "13"]], "bids": [["0", "0", "15"]]},
            "sequenceStart": 13, "sequenceEnd": 15, "symbol": "BTC-USDT", "time": 1663747970273,
        },
    }  # fmt: skip
    [change] = wire.decode(raw(message))
    assert (change.first, change.last, change.time) == (13, 15, 1663747970273)
    assert change.asks.tolist() == [[18906, 0.3], [18906, 0]]
    assert change.bids.size == 0
    whole = {"code": "200000", "data": {"sequence": "12", "time": 5, "bids": [["6500.12", "0.45"]], "asks": []}}
    book = Sequenced(Book("kucoin", "BTC/USDT"))
    assert book.apply(wire.snapshot(raw(whole), "BTC/USDT"))
    assert book.apply(change)
    top = {**message, "topic": "/spotMarket/level2Depth5:BTC-USDT", "subject": "level2"}
    top["data"] = {"asks": [["9989", "8"]], "bids": [["9988", "56"]], "timestamp": 1586948108193}
    assert wire.decode(raw(top))[0].snapshot
    assert wire.decode(raw({"id": "1", "type": "ack"})) == ()


def coinbase(number: int, product: str = "BTC-USD", kind: str = "update", channel: str = "l2_data") -> bytes:
    level = {"side": "offer", "event_time": "", "price_level": str(100 + number), "new_quantity": "1"}
    events = [{"type": kind, "product_id": product, "updates": [level]}]
    stamp = "2023-02-09T20:32:50.714964855Z"
    return raw({"channel": channel, "timestamp": stamp, "sequence_num": number, "events": events})


def test_a_hole_in_a_coinbase_connection_is_a_gap_in_every_book_of_it() -> None:
    wire = Coinbase({"BTC-USD": "BTC/USD", "ETH-USD": "ETH/USD"})
    books = {name: Sequenced(Book("coinbase", name)) for name in ("BTC/USD", "ETH/USD")}

    def hear(message: bytes) -> None:
        for change in wire.decode(message):
            books[change.symbol].apply(change)

    for number, (product, kind) in enumerate(
        [("BTC-USD", "snapshot"), ("ETH-USD", "snapshot"), ("BTC-USD", "update"), ("ETH-USD", "update")]
    ):
        hear(coinbase(number, product, kind))
    assert wire.decode(coinbase(4, channel="heartbeats")) == ()
    hear(coinbase(5))
    assert all(book.live for book in books.values())
    assert books["BTC/USD"].book.time == 1_675_974_770_714
    hear(coinbase(7))  # 6 never came
    hear(coinbase(8, "ETH-USD"))
    assert [book.state for book in books.values()] == ["gap", "gap"]
    hear(coinbase(9, "ETH-USD", "snapshot"))
    assert books["ETH/USD"].live


def test_kraken_s_present_stream_and_its_checksum() -> None:
    """The example of docs.kraken.com for the checksum."""
    wire = Kraken({"BTC/USD": "BTC/USD"})
    asks = [
        ("45285.2", "0.00100000"), ("45286.4", "1.54571953"), ("45286.6", "1.54571109"), ("45289.6", "1.54560911"),
        ("45290.2", "0.15890660"), ("45291.8", "1.54553491"), ("45294.7", "0.04454749"), ("45296.1", "0.35380000"),
        ("45297.5", "0.09945542"), ("45299.5", "0.18772827"),
    ]  # fmt: skip
    bids = [
        ("45283.5", "0.10000000"), ("45283.4", "1.54582015"), ("45282.1", "0.10000000"), ("45281.0", "0.10000000"),
        ("45280.3", "1.54592586"), ("45279.0", "0.07990000"), ("45277.6", "0.03310103"), ("45277.5", "0.30000000"),
        ("45277.3", "1.54602737"), ("45276.6", "0.15445238"),
    ]  # fmt: skip
    data = {
        "symbol": "BTC/USD",
        "bids": [{"price": float(price), "qty": float(size)} for price, size in bids],
        "asks": [{"price": float(price), "qty": float(size)} for price, size in asks],
        "checksum": 3310070434,
        "timestamp": "2023-10-06T17:35:55.440295Z",
    }
    [change] = wire.decode(raw({"channel": "book", "type": "snapshot", "data": [data]}))
    book = Book("kraken", "BTC/USD")
    book.apply(change)
    assert book.checksum((1, 8)) == change.checksum
    update = {"symbol": "BTC/USD", "bids": [], "asks": [{"price": 45285.2, "qty": 0.0}], "checksum": 1}
    sequenced = Sequenced(Book("kraken", "BTC/USD"), (1, 8))
    assert sequenced.apply(change)
    assert not sequenced.apply(wire.decode(raw({"channel": "book", "type": "update", "data": [update]}))[0])
    assert sequenced.state == "gap"


def test_a_venue_without_a_decoder_is_named() -> None:
    with pytest.raises(InvalidInput, match="No decoder reads the books of mars"):
        decoder("mars", {})
    assert isinstance(decoder("kraken", {}), Kraken)

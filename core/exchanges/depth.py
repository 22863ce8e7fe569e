"""Depth: what venues' streams say of their books, as changes of one form.

A decoder takes a message as it arrives on the wire and gives the changes inside; one that says nothing of a book gives
none. It keeps what numbering needs beyond one message. `symbols` names pairs as the venue does: "ETHUSDT": "ETH/USDT".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

import numpy as np
import orjson

from core.clock import to_ms
from core.errors import InvalidInput
from core.market.book import NO_LEVELS, BookChange, Levels

Raw = bytes | str
NAMES = {"XBT": "BTC", "XDG": "DOGE"}  # as Kraken's older stream writes them


@dataclass(frozen=True, slots=True)
class Best:
    """A venue's own word on the best prices, at one of its sequence numbers."""

    symbol: str
    update: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Decoder(Protocol):
    """Messages of one connection to a venue."""

    def decode(self, raw: Raw) -> Sequence[BookChange]: ...
    def snapshot(self, raw: Raw, symbol: str, time: int = 0) -> BookChange:
        """The answer of the venue's REST interface to a question for a book; time: when it was asked, UTC ms."""
        ...


def decoder(venue: str, symbols: Mapping[str, str]) -> Decoder:
    """The decoder of a venue's stream. Raises InvalidInput for a venue whose stream we do not read ourselves."""
    made = DECODERS.get(venue)
    if made is None:
        raise InvalidInput(f"No decoder reads the books of {venue}.", hint=f"There is one for {', '.join(DECODERS)}.")
    return made(symbols)


class Binance:
    """Binance: `depthUpdate` with its first and last update, U and u; futures name the one before, pu."""

    venue = "binance"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._symbols = symbols

    def decode(self, raw: Raw) -> Sequence[BookChange]:
        data = orjson.loads(raw)
        data = data.get("data", data)
        symbol = self._symbols.get(data.get("s", ""))
        if symbol is None or data.get("e") != "depthUpdate":
            return ()
        return (
            BookChange(
                self.venue,
                symbol,
                data["E"],
                pairs(data["b"]),
                pairs(data["a"]),
                False,
                data["U"],
                data["u"],
                data.get("pu"),
            ),
        )

    def best(self, raw: Raw) -> Best | None:
        """The best prices of a `bookTicker` message; None for any other."""
        data = orjson.loads(raw)
        data = data.get("data", data)
        symbol = self._symbols.get(data.get("s", ""))
        if symbol is None or not {"u", "b", "B", "a", "A"} <= data.keys() or isinstance(data["b"], list):
            return None
        return Best(symbol, data["u"], *(float(data[name]) for name in "bBaA"))

    def snapshot(self, raw: Raw, symbol: str, time: int = 0) -> BookChange:
        data = orjson.loads(raw)
        told = data.get("T", time)
        bids, asks = pairs(data["bids"]), pairs(data["asks"])
        return BookChange(self.venue, symbol, told, bids, asks, True, None, data["lastUpdateId"])


class KuCoin:
    """KuCoin: `trade.l2update` from sequenceStart to sequenceEnd, each level with its own number."""

    venue = "kucoin"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._symbols = symbols

    def decode(self, raw: Raw) -> Sequence[BookChange]:
        message = orjson.loads(raw)
        data, topic = message.get("data"), message.get("topic", "")
        if message.get("type") != "message" or "level2" not in topic:
            return ()
        symbol = self._symbols.get(topic.rpartition(":")[2])
        if symbol is None:
            return ()
        if "changes" not in data:  # the best levels, all of them
            return (self._whole(data, symbol, data.get("timestamp", 0), None),)
        bids, asks = (_numbered(data["changes"].get(side, ())) for side in ("bids", "asks"))
        first, last = int(data["sequenceStart"]), int(data["sequenceEnd"])
        return (BookChange(self.venue, symbol, int(data.get("time", 0)), bids, asks, False, first, last),)

    def snapshot(self, raw: Raw, symbol: str, time: int = 0) -> BookChange:
        data = orjson.loads(raw)["data"]
        return self._whole(data, symbol, int(data.get("time", time)), int(data["sequence"]))

    def _whole(self, data: Any, symbol: str, time: int, last: int | None) -> BookChange:
        return BookChange(self.venue, symbol, time, pairs(data["bids"]), pairs(data["asks"]), True, None, last)


class Coinbase:
    """Coinbase Advanced Trade: `l2_data`. Numbers count the messages of a connection over all its pairs.

    A hole in them may have been anybody's: it becomes a hole in the numbers of every pair.
    """

    venue = "coinbase"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._symbols = symbols
        self._last: int | None = None
        self._numbers: dict[str, int] = {}

    def decode(self, raw: Raw) -> Sequence[BookChange]:
        message = orjson.loads(raw)
        number = message.get("sequence_num")
        if number is not None:
            if self._last is not None and number > self._last + 1:
                self._numbers = {symbol: last + 1 for symbol, last in self._numbers.items()}
            self._last = number
        if message.get("channel") not in ("l2_data", "level2"):
            return ()
        time = _instant(message.get("timestamp"))
        found = (self._change(event, time) for event in message.get("events", ()))
        return tuple(change for change in found if change is not None)

    def _change(self, event: Any, time: int) -> BookChange | None:
        symbol = self._symbols.get(event.get("product_id", ""))
        if symbol is None:
            return None
        sides: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for level in event["updates"]:
            sides[level["side"] == "bid"].append((level["price_level"], level["new_quantity"]))
        number = self._numbers[symbol] = self._numbers.get(symbol, 0) + 1
        whole = event.get("type") == "snapshot"
        return BookChange(
            self.venue, symbol, time, pairs(sides[True]), pairs(sides[False]), whole, None if whole else number, number
        )

    def snapshot(self, raw: Raw, symbol: str, time: int = 0) -> BookChange:
        book = orjson.loads(raw)["pricebook"]
        bids, asks = (pairs((each["price"], each["size"]) for each in book[side]) for side in ("bids", "asks"))
        return BookChange(self.venue, symbol, _instant(book.get("time")) or time, bids, asks, True)


class Kraken:
    """Kraken, both versions of its stream: no numbers, but a checksum of the best ten levels of each side."""

    venue = "kraken"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        self._symbols = symbols

    def decode(self, raw: Raw) -> Sequence[BookChange]:
        message = orjson.loads(raw)
        if isinstance(message, list):
            return self._older(message)
        if message.get("channel") != "book":
            return ()
        found = []
        for data in message.get("data", ()):
            symbol = self._named(data["symbol"])
            if symbol is not None:
                bids, asks = (
                    pairs((each["price"], each["qty"]) for each in data.get(side, ())) for side in ("bids", "asks")
                )
                whole, time = message.get("type") == "snapshot", _instant(data.get("timestamp"))
                checksum = data.get("checksum")
                found.append(BookChange(self.venue, symbol, time, bids, asks, whole, checksum=checksum))
        return found

    def _older(self, message: list[Any]) -> Sequence[BookChange]:
        if len(message) < 4 or not str(message[-2]).startswith("book"):
            return ()
        symbol = self._named(message[-1])
        if symbol is None:
            return ()
        told = {name: value for part in message[1:-2] for name, value in part.items()}
        whole = "as" in told or "bs" in told
        bids, asks = (told.get(side + "s" if whole else side, ()) for side in ("b", "a"))
        time = max((int(float(level[2]) * 1000) for level in chain(bids, asks)), default=0)
        checksum = int(told["c"]) if "c" in told else None
        return (BookChange(self.venue, symbol, time, pairs(bids), pairs(asks), whole, checksum=checksum),)

    def _named(self, name: str) -> str | None:
        base, _, quote = name.partition("/")
        return self._symbols.get(name) or self._symbols.get(f"{NAMES.get(base, base)}/{NAMES.get(quote, quote)}")

    def snapshot(self, raw: Raw, symbol: str, time: int = 0) -> BookChange:
        [book] = orjson.loads(raw)["result"].values()
        return BookChange(self.venue, symbol, time, pairs(book["bids"]), pairs(book["asks"]), True)


DECODERS: Mapping[str, Callable[[Mapping[str, str]], Decoder]] = {
    "binance": Binance,
    "kucoin": KuCoin,
    "coinbase": Coinbase,
    "kraken": Kraken,
}


def pairs(levels: Iterable[Sequence[Any]]) -> Levels:
    """Levels as an array from pairs of texts or numbers; what follows the pair is left out."""
    found = list(levels)
    if not found:
        return NO_LEVELS
    if len(found[0]) > 2:
        found = [level[:2] for level in found]
    return np.fromiter(map(float, chain.from_iterable(found)), np.float64, 2 * len(found)).reshape(-1, 2)


def _numbered(levels: Sequence[Sequence[str]]) -> Levels:
    """KuCoin's levels in the order of their own numbers; a price of 0 only moves the number on."""
    found = sorted(levels, key=lambda level: int(level[2])) if len(levels) > 1 else levels
    return pairs(level for level in found if float(level[0]) > 0)


def _instant(text: str | None) -> int:
    """UTC ms of an ISO time of any precision; 0 without one."""
    if not text:
        return 0
    whole, _, fraction = text.rstrip("Z").partition(".")
    return to_ms(datetime.fromisoformat(f"{whole}+00:00")) + int((fraction + "000")[:3])

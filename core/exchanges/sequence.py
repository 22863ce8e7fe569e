"""Sequence gaps that ccxt does not look for: the book is dropped and read anew, never gone on with.

Binance's gaps ccxt finds itself. Kraken numbers no messages: its checksum is compared here, because ccxt's own
comparison fails on floats.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import structlog


def guard(client: Any, venue: str) -> None:
    """Lets the client of that venue notice messages that are missing."""
    watcher = {"kucoin": _books_of_kucoin, "coinbase": _messages_of_coinbase, "kraken": _books_of_kraken}.get(venue)
    if watcher is not None:
        watcher(client)


def _books_of_kucoin(client: Any) -> None:
    """Changes name the numbers of their first and last; a dropped book starts again from a snapshot by itself."""
    told: Callable[[Any, Any], None] | None = getattr(client, "handle_order_book", None)
    if told is None:
        return

    def handle_order_book(stream: Any, message: Any) -> None:
        data = message.get("data") or {}
        symbol = client.safe_symbol(data.get("symbol") or str(message.get("topic")).partition(":")[2], None, "-")
        book, first = client.orderbooks.get(symbol), client.safe_integer(data, "sequenceStart")
        nonce = None if book is None else book.get("nonce")
        if first is not None and nonce is not None and first > nonce + 1:
            structlog.get_logger("streams").warning(
                "gap in a book", venue="kucoin", symbol=symbol, lost=first - nonce - 1
            )
            del client.orderbooks[symbol]
        told(stream, message)

    client.handle_order_book = handle_order_book


def _books_of_kraken(client: Any) -> None:
    """Every message has the checksum of the best ten levels; where ours differs, the connection is made anew.

    Where it differs from a snapshot's already, the pair's figures are written otherwise, and it is not looked at.
    """
    told: Callable[[Any, Any], None] | None = getattr(client, "handle_order_book", None)
    if told is None:
        return
    unlike: set[str] = set()  # pairs whose checksum cannot be made

    def handle_order_book(stream: Any, message: Any) -> None:
        data = (message.get("data") or [{}])[0]
        symbol, expected = str(data.get("symbol")), data.get("checksum")
        if message.get("type") == "update" and symbol not in client.orderbooks:
            return  # dropped before; its snapshot comes with the next connection
        ready: list[Any] = []  # a book is handed out only once it is known to be whole
        stream.resolve = lambda *given: ready.append(given)
        try:
            told(stream, message)
        finally:
            del stream.resolve
        if whole(message, data, symbol, expected):
            for given in ready:
                stream.resolve(*given)
            return
        from ccxt.base.errors import ChecksumError

        structlog.get_logger("streams").warning("gap in a book", venue="kraken", symbol=symbol)
        del client.orderbooks[symbol]
        stream.on_error(ChecksumError(f"kraken left out a change of {symbol}"))

    def whole(message: Any, data: Any, symbol: str, expected: Any) -> bool:
        book, info = client.orderbooks[symbol], (client.markets.get(symbol) or {}).get("info") or {}
        if expected is None or symbol in unlike or "pair_decimals" not in info:
            return True
        places = int(info["pair_decimals"]), int(info.get("lot_decimals") or 8)
        if _checksum(book["asks"], book["bids"], *places) == int(expected):
            return True
        if message.get("type") == "update":
            return False
        structlog.get_logger("streams").warning("checksum not understood", venue="kraken", symbol=symbol)
        unlike.add(symbol)
        return True

    client.handle_order_book = handle_order_book


def _checksum(asks: Sequence[Any], bids: Sequence[Any], price: int, size: int) -> int:
    """Kraken's, of (price, size) with that many decimals: the ten best asks, then the ten best bids."""
    digits = []
    for level in (*asks[:10], *bids[:10]):
        digits += [f"{level[0]:.{price}f}", f"{level[1]:.{size}f}"]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in digits).encode())


def _messages_of_coinbase(client: Any) -> None:
    """Every message of a connection has a number; after a missing one all its subscriptions are made anew."""
    told: Callable[[Any, Any], Any] = client.handle_message
    last: dict[int, int] = {}  # by connection

    def handle_message(stream: Any, message: Any) -> Any:
        number = message.get("sequence_num") if isinstance(message, dict) else None
        if number is not None:
            before = last.get(id(stream))
            last[id(stream)] = int(number)
            if before is not None and int(number) > before + 1:
                from ccxt.base.errors import InvalidNonce

                structlog.get_logger("streams").warning(
                    "gap in a stream", venue="coinbase", lost=int(number) - before - 1
                )
                last.pop(id(stream))
                stream.on_error(InvalidNonce("coinbase left out a message"))
                return None
        return told(stream, message)

    client.handle_message = handle_message

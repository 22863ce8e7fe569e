"""Sequence gaps that ccxt does not look for: the book is dropped and read anew, never gone on with.

Binance's gaps ccxt finds itself. Kraken numbers no messages; its checksum is off because it fails on floats.
"""

from collections.abc import Callable
from typing import Any

import structlog


def guard(client: Any, venue: str) -> None:
    """Lets the client of that venue notice messages that are missing."""
    watcher = {"kucoin": _books_of_kucoin, "coinbase": _messages_of_coinbase}.get(venue)
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

"""Recordings of venues' streams, as the lines in the shared data hold them."""

import gzip
from collections.abc import Iterator
from pathlib import Path

SYMBOLS = {
    "ETHUSDT": "ETH/USDT", "NKNUSDT": "NKN/USDT", "BLZETH": "BLZ/ETH", "LRCBTC": "LRC/BTC", "RUNEEUR": "RUNE/EUR",
}  # fmt: skip


def ethusdt(data: Path) -> Iterator[bytes]:
    """346 s of Binance's ETH/USDT: depth, trades and best prices; the snapshot is a line among them."""
    with gzip.open(data / "exchange" / "l2" / "binance_spot_ethusdt_20240808.gz", "rb") as lines:
        for line in lines:
            yield line.split(b" ", 1)[1]


def stream(data: Path, name: str) -> Iterator[bytes]:
    """What a websocket said, in order."""
    for line in (data / "exchange" / "recordings" / name).read_bytes().splitlines():
        head, _, message = line.partition(b": ")
        if head.replace(b".", b"").isdigit():
            yield message


def answers(data: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Addresses and what REST answered to them."""
    for line in (data / "exchange" / "recordings" / name).read_bytes().splitlines():
        address, arrow, rest = line.partition(b" -> ")
        if arrow:
            yield address.decode(), rest.split(b": ", 1)[1]

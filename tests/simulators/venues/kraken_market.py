"""Public data in Kraken's shapes, with its old names of assets: XXBT, ZUSD, but USDT and SOL."""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.simulators.venues.candles import MINUTE, Candle
from tests.simulators.venues.values import ZERO, Listing, Refusal, Traded
from tests.simulators.venues.venue import Venue

Params = Mapping[str, Any]
Level = tuple[Decimal, Decimal]
LEGACY = {
    "BTC": "XXBT", "ETH": "XETH", "LTC": "XLTC", "XRP": "XXRP", "DOGE": "XXDG", "XLM": "XXLM", "XMR": "XXMR",
    "ETC": "XETC", "ZEC": "XZEC", "USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP", "JPY": "ZJPY", "CAD": "ZCAD",
}  # fmt: skip
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080)  # minutes
PAGE = 720  # candles at once, always the latest
MARKED = re.compile(r'"#(-?[0-9.]+)#"')
TIERS = (0, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)


def asset_id(asset: str) -> str:
    return LEGACY.get(asset, asset)


def altname(asset: str) -> str:
    return LEGACY[asset][1:] if asset in LEGACY else asset


def pair_altname(listing: Listing) -> str:
    return altname(listing.base) + altname(listing.quote)


def pair_id(listing: Listing) -> str:
    """XXBTZUSD where both assets have an old name, else XBTUSDT."""
    old = listing.base in LEGACY and listing.quote in LEGACY
    return asset_id(listing.base) + asset_id(listing.quote) if old else pair_altname(listing)


def pair_wsname(listing: Listing) -> str:
    return f"{altname(listing.base)}/{altname(listing.quote)}"


def listing_of(venue: Venue, pair: Any) -> Listing:
    """By any of the names that Kraken knows a pair by. Raises Refusal."""
    for listing in venue.matching.listings.values():
        if str(pair) in (pair_id(listing), pair_altname(listing), pair_wsname(listing), listing.symbol):
            return listing
    raise Refusal("symbol", str(pair))


def digits(step: Decimal) -> int:
    """Decimals of a grid."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def price_text(listing: Listing, price: Decimal | None) -> str:
    return f"{price or ZERO:.{digits(listing.tick)}f}"


def size_text(listing: Listing, size: Decimal | None) -> str:
    return f"{size or ZERO:.{digits(listing.lot)}f}"


def seconds(time: int) -> float:
    return time / 1000


def iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def number(text: str) -> str:
    """Marks a text that `encoded` writes as a number with all its digits, as checksums need them."""
    return f"#{text}#"


def encoded(message: Any) -> str:
    return MARKED.sub(r"\1", json.dumps(message))


def checksum(asks: Sequence[tuple[str, str]], bids: Sequence[tuple[str, str]]) -> int:
    """CRC32 of the best ten (price, size) texts of each side, asks first, without points and leading zeros."""
    parts = [text.replace(".", "").lstrip("0") for level in (*list(asks)[:10], *list(bids)[:10]) for text in level[:2]]
    return zlib.crc32("".join(parts).encode())


def routes(venue: Venue) -> dict[str, Callable[[Params], Any]]:
    def pairs(params: Params) -> Any:
        listings = list(venue.matching.listings.values())
        if params.get("pair"):
            listings = [listing_of(venue, each) for each in params["pair"].split(",")]
        return {pair_id(listing): _pair(listing) for listing in listings}

    def tickers(params: Params) -> Any:
        listings = list(venue.matching.listings.values())
        if params.get("pair"):
            listings = [listing_of(venue, each) for each in params["pair"].split(",")]
        return {pair_id(listing): ticker(venue, listing) for listing in listings}

    def depth(params: Params) -> Any:
        listing, count = listing_of(venue, params["pair"]), int(params.get("count", 100))
        book, now = venue.matching.books[listing.symbol], venue.now() // 1000
        sides = {
            name: [
                [price_text(listing, price), size_text(listing, size), now] for price, size in book.levels(side, count)
            ]
            for name, side in (("asks", "sell"), ("bids", "buy"))
        }
        return {pair_id(listing): sides}

    def trades(params: Params) -> Any:
        listing, count = listing_of(venue, params["pair"]), int(params.get("count", 1000))
        since = params.get("since")
        found = list(venue.matching.trades[listing.symbol])
        if since is not None:  # seconds, or the nanoseconds of an earlier `last`
            start = float(since) * 1000 if len(str(since).partition(".")[0]) < 14 else int(since) / 1_000_000
            found = [trade for trade in found if trade.time > start][:count]
        found = found[-count:]
        last = (found[-1].time if found else venue.now()) * 1_000_000
        return {pair_id(listing): [trade_row(listing, trade) for trade in found], "last": str(last)}

    def candles(params: Params) -> Any:
        listing, interval = listing_of(venue, params["pair"]), int(params.get("interval", 1))
        if interval not in INTERVALS:
            raise Refusal("parameters", "interval")
        since = float(params.get("since") or 0) * 1000
        found = venue.candles[listing.symbol].of(interval * MINUTE, None, venue.now(), PAGE)
        rows = [candle(listing, each) for each in found if each.time > since]
        return {pair_id(listing): rows, "last": rows[-2][0] if len(rows) > 1 else int(since / 1000)}

    def assets(params: Params) -> Any:
        names = dict.fromkeys(name for each in venue.matching.listings.values() for name in (each.base, each.quote))
        return {asset_id(name): _asset(name) for name in names}

    return {
        "/0/public/Time": lambda params: {
            "unixtime": venue.now() // 1000,
            "rfc1123": datetime.fromtimestamp(venue.now() / 1000, UTC).strftime("%a, %d %b %y %H:%M:%S +0000"),
        },
        "/0/public/SystemStatus": lambda params: {"status": "online", "timestamp": iso(venue.now())},
        "/0/public/AssetPairs": pairs,
        "/0/public/Assets": assets,
        "/0/public/Ticker": tickers,
        "/0/public/Depth": depth,
        "/0/public/Trades": trades,
        "/0/public/OHLC": candles,
    }


def day_of(venue: Venue, listing: Listing) -> Candle:
    return venue.candles[listing.symbol].day(venue.now()) or Candle(0, ZERO, ZERO, ZERO, ZERO)


def best(venue: Venue, listing: Listing) -> tuple[Level, Level]:
    """(price, size) of the best bid and ask; zeros where there is none."""
    book = venue.matching.books[listing.symbol]
    bid, ask = book.best("buy"), book.best("sell")
    return (
        (bid or ZERO, ZERO if bid is None else book.size("buy", bid)),
        (ask or ZERO, ZERO if ask is None else book.size("sell", ask)),
    )


def vwap(day: Candle) -> Decimal:
    return day.turnover / day.volume if day.volume else day.close


def ticker(venue: Venue, listing: Listing) -> dict[str, Any]:
    bid, ask = best(venue, listing)
    day, trades = day_of(venue, listing), venue.matching.trades[listing.symbol]
    last = venue.matching.last.get(listing.symbol)

    def side(level: Level) -> list[str]:
        return [price_text(listing, level[0]), str(int(level[1])), size_text(listing, level[1])]

    def twice(text: str) -> list[str]:
        return [text, text]

    return {
        "a": side(ask),
        "b": side(bid),
        "c": [price_text(listing, last), size_text(listing, trades[-1].quantity if trades else ZERO)],
        "v": twice(size_text(listing, day.volume)),
        "p": twice(price_text(listing, vwap(day))),
        "t": [day.trades, day.trades],
        "l": twice(price_text(listing, day.low)),
        "h": twice(price_text(listing, day.high)),
        "o": price_text(listing, day.open),
    }


def trade_row(listing: Listing, trade: Traded) -> list[Any]:
    """Price, volume, seconds, buy or sell, market or limit, nothing, number."""
    return [
        price_text(listing, trade.price),
        size_text(listing, trade.quantity),
        seconds(trade.time),
        "b" if trade.taker == "buy" else "s",
        "m",
        "",
        trade.trade,
    ]


def candle(listing: Listing, each: Candle) -> list[Any]:
    """Seconds, open, high, low, close, average, volume, trades."""
    figures = (each.open, each.high, each.low, each.close, vwap(each))
    texts = (price_text(listing, figure) for figure in figures)
    return [each.time // 1000, *texts, size_text(listing, each.volume), each.trades]


def _asset(name: str) -> dict[str, Any]:
    fiat = asset_id(name).startswith("Z") and len(name) == 3
    return {
        "aclass": "currency",
        "altname": altname(name),
        "decimals": 4 if fiat else 10,
        "display_decimals": 2 if fiat else 5,
        "collateral_value": 1,
        "status": "enabled",
    }


def _pair(listing: Listing) -> dict[str, Any]:
    return {
        "altname": pair_altname(listing),
        "wsname": pair_wsname(listing),
        "aclass_base": "currency",
        "base": asset_id(listing.base),
        "aclass_quote": "currency",
        "quote": asset_id(listing.quote),
        "lot": "unit",
        "cost_decimals": 5,
        "pair_decimals": digits(listing.tick),
        "lot_decimals": digits(listing.lot),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[volume, float(listing.taker * 100)] for volume in TIERS],
        "fees_maker": [[volume, float(listing.maker * 100)] for volume in TIERS],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{(listing.min_quantity or listing.lot):f}",
        "costmin": f"{listing.min_notional:f}",
        "tick_size": f"{listing.tick:f}",
        "status": "online" if listing.trading else "cancel_only",
        "long_position_limit": 1100,
        "short_position_limit": 400,
    }

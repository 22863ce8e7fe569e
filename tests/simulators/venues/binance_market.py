"""Public data in Binance's shapes: exchange information, depth, tickers, trades, klines."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.simulators.venues.candles import DAY, MINUTE, Candle
from tests.simulators.venues.values import ZERO, Listing, Refusal, Traded
from tests.simulators.venues.venue import Venue

Params = Mapping[str, str]
HOUR = 60 * MINUTE
SPANS = {
    **{f"{n}m": n * MINUTE for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * HOUR for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
}
TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT",
)  # fmt: skip


def text(value: Decimal | None) -> str:
    return f"{value or ZERO:.8f}"


def identity(symbol: str) -> str:
    return symbol.replace("/", "")


def listing_of(venue: Venue, market: str | None) -> Listing:
    """Raises Refusal."""
    for listing in venue.matching.listings.values():
        if market == listing.base + listing.quote:
            return listing
    raise Refusal("symbol", str(market))


def routes(venue: Venue) -> dict[tuple[str, str], Callable[[Params], Any]]:
    def depth(params: Params) -> Any:
        listing = listing_of(venue, params.get("symbol"))
        book, limit = venue.matching.books[listing.symbol], int(params.get("limit", 100))
        return {
            "lastUpdateId": book.sequence,
            "bids": [[text(price), text(size)] for price, size in book.levels("buy", limit)],
            "asks": [[text(price), text(size)] for price, size in book.levels("sell", limit)],
        }

    def day(params: Params) -> Any:
        return each(params, lambda listing: ticker(venue, listing))

    def best(params: Params) -> Any:
        return each(params, lambda listing: book_ticker(venue, listing))

    def price(params: Params) -> Any:
        return each(
            params,
            lambda listing: {
                "symbol": identity(listing.symbol),
                "price": text(venue.matching.last.get(listing.symbol)),
            },
        )

    def each(params: Params, of: Callable[[Listing], Any]) -> Any:
        if "symbol" in params:
            return of(listing_of(venue, params["symbol"]))
        if "symbols" in params:
            return [of(listing_of(venue, name)) for name in json.loads(params["symbols"])]
        return [of(listing) for listing in venue.matching.listings.values()]

    def trades(params: Params) -> Any:
        listing = listing_of(venue, params.get("symbol"))
        return [public_trade(trade) for trade in list(venue.matching.trades[listing.symbol])[-limit(params) :]]

    def aggregated(params: Params) -> Any:
        listing, start = listing_of(venue, params.get("symbol")), int(params.get("startTime", 0))
        found = [trade for trade in venue.matching.trades[listing.symbol] if trade.time >= start]
        return [aggregate_trade(trade) for trade in (found[: limit(params)] if start else found[-limit(params) :])]

    def klines(params: Params) -> Any:
        listing, span = listing_of(venue, params.get("symbol")), SPANS[params["interval"]]
        start, end = params.get("startTime"), int(params.get("endTime", venue.now()))
        found = venue.candles[listing.symbol].of(span, int(start) if start else None, end, limit(params))
        return [kline(candle, span) for candle in found]

    return {
        ("GET", "/api/v3/ping"): lambda params: {},
        ("GET", "/api/v3/time"): lambda params: {"serverTime": venue.now()},
        ("GET", "/sapi/v1/system/status"): lambda params: {"status": 0, "msg": "normal"},
        ("GET", "/api/v3/exchangeInfo"): lambda params: exchange_info(venue, params),
        ("GET", "/api/v3/depth"): depth,
        ("GET", "/api/v3/ticker/24hr"): day,
        ("GET", "/api/v3/ticker/bookTicker"): best,
        ("GET", "/api/v3/ticker/price"): price,
        ("GET", "/api/v3/trades"): trades,
        ("GET", "/api/v3/historicalTrades"): trades,
        ("GET", "/api/v3/aggTrades"): aggregated,
        ("GET", "/api/v3/klines"): klines,
        ("GET", "/api/v3/avgPrice"): lambda params: {
            "mins": 5,
            "price": text(venue.matching.last.get(listing_of(venue, params.get("symbol")).symbol)),
            "closeTime": venue.now(),
        },
    }


def limit(params: Params) -> int:
    return min(int(params.get("limit", 500)), 1000)


def public_trade(trade: Traded) -> dict[str, Any]:
    return {
        "id": trade.trade,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "time": trade.time,
        "isBuyerMaker": trade.taker == "sell",
        "isBestMatch": True,
    }


def aggregate_trade(trade: Traded) -> dict[str, Any]:
    return {
        "a": trade.trade,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "f": trade.trade,
        "l": trade.trade,
        "T": trade.time,
        "m": trade.taker == "sell",
        "M": True,
    }


def kline(candle: Candle, span: int) -> list[Any]:
    figures = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    bought = (text(candle.bought), text(candle.bought * candle.close))
    return [
        *(candle.time, *map(text, figures), candle.time + span - 1),
        *(text(candle.turnover), candle.trades, *bought, "0"),
    ]


def book_ticker(venue: Venue, listing: Listing) -> dict[str, Any]:
    book = venue.matching.books[listing.symbol]
    bid, ask = book.best("buy"), book.best("sell")
    return {
        "symbol": identity(listing.symbol),
        "bidPrice": text(bid),
        "bidQty": text(None if bid is None else book.size("buy", bid)),
        "askPrice": text(ask),
        "askQty": text(None if ask is None else book.size("sell", ask)),
    }


def ticker(venue: Venue, listing: Listing) -> dict[str, Any]:
    now, trades = venue.now(), venue.matching.trades[listing.symbol]
    day = venue.candles[listing.symbol].day(now) or Candle(now, ZERO, ZERO, ZERO, ZERO)
    change = day.close - day.open
    best = book_ticker(venue, listing)
    return {
        "symbol": identity(listing.symbol),
        "priceChange": text(change),
        "priceChangePercent": f"{change / day.open * 100 if day.open else 0:.3f}",
        "weightedAvgPrice": text(day.turnover / day.volume if day.volume else day.close),
        "prevClosePrice": text(day.open),
        "lastPrice": text(venue.matching.last.get(listing.symbol, day.close)),
        "lastQty": text(trades[-1].quantity if trades else ZERO),
        **{name: best[name] for name in ("bidPrice", "bidQty", "askPrice", "askQty")},
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.turnover),
        "openTime": now - DAY,
        "closeTime": now,
        "firstId": trades[0].trade if trades else -1,
        "lastId": trades[-1].trade if trades else -1,
        "count": day.trades,
    }


def exchange_info(venue: Venue, params: Params) -> dict[str, Any]:
    listings = list(venue.matching.listings.values())
    if "symbol" in params:
        listings = [listing_of(venue, params["symbol"])]
    limits = (("REQUEST_WEIGHT", "MINUTE", 1, 6000), ("ORDERS", "SECOND", 10, 100), ("ORDERS", "DAY", 1, 200_000))
    return {
        "timezone": "UTC",
        "serverTime": venue.now(),
        "rateLimits": [
            {"rateLimitType": kind, "interval": unit, "intervalNum": count, "limit": most}
            for kind, unit, count, most in limits
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(listing) for listing in listings],
    }


def _symbol(listing: Listing) -> dict[str, Any]:
    tick, lot = text(listing.tick), text(listing.lot)
    digits = ("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision")
    commissions = ("baseCommissionPrecision", "quoteCommissionPrecision")
    return {
        "symbol": identity(listing.symbol),
        "status": "TRADING" if listing.trading else "BREAK",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        **dict.fromkeys((*digits, *commissions), 8),
        "orderTypes": list(TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "10000000.00000000", "tickSize": tick},
            {
                "filterType": "LOT_SIZE",
                "minQty": text(listing.min_quantity or listing.lot),
                "maxQty": "9000000.00000000",
                "stepSize": lot,
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": "900000.00000000",
                "stepSize": "0.00000000",
            },
            {
                "filterType": "TRAILING_DELTA",
                "minTrailingAboveDelta": 10,
                "maxTrailingAboveDelta": 2000,
                "minTrailingBelowDelta": 10,
                "maxTrailingBelowDelta": 2000,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": text(listing.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }

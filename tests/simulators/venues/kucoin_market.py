"""Public data in KuCoin's shapes: symbols, tickers, books, trades, candles."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.simulators.venues.candles import DAY, MINUTE, Candle
from tests.simulators.venues.values import ZERO, Listing, Refusal, Traded
from tests.simulators.venues.venue import Venue

Params = Mapping[str, Any]
HOUR = 60 * MINUTE
SPANS = {
    **{f"{n}min": n * MINUTE for n in (1, 3, 5, 15, 30)},
    **{f"{n}hour": n * HOUR for n in (1, 2, 4, 6, 8, 12)},
    "1day": DAY,
    "1week": 7 * DAY,
}
PAGE = 1500  # candles at once


def plain(value: Decimal | None) -> str:
    text = f"{value or ZERO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def identity(symbol: str) -> str:
    return symbol.replace("/", "-")


def name(number: int) -> str:
    """The venue's long hexadecimal form of an order's or a trade's number."""
    return f"{number:024x}"


def listing_of(venue: Venue, market: Any) -> Listing:
    """Raises Refusal."""
    listing = venue.matching.listings.get(str(market).replace("-", "/"))
    if listing is None:
        raise Refusal("symbol", str(market))
    return listing


def routes(venue: Venue) -> dict[str, Callable[[Params], Any]]:
    def book(depth: int | None) -> Callable[[Params], Any]:
        return lambda params: levels(venue, listing_of(venue, params["symbol"]), depth)

    def histories(params: Params) -> Any:
        trades = venue.matching.trades[listing_of(venue, params["symbol"]).symbol]
        return [history(trade) for trade in list(trades)[-100:]]

    def candles(params: Params) -> Any:
        listing, span = listing_of(venue, params["symbol"]), SPANS[params["type"]]
        start = int(params["startAt"]) * 1000 if params.get("startAt") else None
        end = int(params["endAt"]) * 1000 if params.get("endAt") else venue.now()
        found = venue.candles[listing.symbol].of(span, start, min(end, venue.now()), PAGE if start else 100)
        return [candle(each) for each in reversed(found)]

    def stats(params: Params) -> Any:
        return ticker(venue, listing_of(venue, params["symbol"])) | {"time": venue.now()}

    listings = venue.matching.listings
    symbols = lambda params: [_symbol(listing) for listing in listings.values()]  # noqa: E731  # one of a table
    return {
        "/api/v1/timestamp": lambda params: venue.now(),
        "/api/v1/status": lambda params: {"status": "open", "msg": ""},
        "/api/v1/symbols": symbols,
        "/api/v2/symbols": symbols,
        "/api/v1/currencies": lambda params: currencies(venue),
        "/api/v3/currencies": lambda params: currencies(venue),
        "/api/v1/market/allTickers": lambda params: {
            "time": venue.now(),
            "ticker": [ticker(venue, listing) for listing in listings.values()],
        },
        "/api/v1/market/stats": stats,
        "/api/v1/market/orderbook/level1": lambda params: level1(venue, listing_of(venue, params["symbol"])),
        "/api/v1/market/orderbook/level2_20": book(20),
        "/api/v1/market/orderbook/level2_100": book(100),
        "/api/v1/market/histories": histories,
        "/api/v1/market/candles": candles,
    }


def levels(venue: Venue, listing: Listing, depth: int | None) -> dict[str, Any]:
    book = venue.matching.books[listing.symbol]
    return {
        "time": venue.now(),
        "sequence": str(book.sequence),
        "bids": [[plain(price), plain(size)] for price, size in book.levels("buy", depth)],
        "asks": [[plain(price), plain(size)] for price, size in book.levels("sell", depth)],
    }


def level1(venue: Venue, listing: Listing) -> dict[str, Any]:
    book, trades = venue.matching.books[listing.symbol], venue.matching.trades[listing.symbol]
    bid, ask = book.best("buy"), book.best("sell")
    return {
        "time": venue.now(),
        "sequence": str(book.sequence),
        "price": plain(venue.matching.last.get(listing.symbol)),
        "size": plain(trades[-1].quantity if trades else ZERO),
        "bestBid": plain(bid),
        "bestBidSize": plain(None if bid is None else book.size("buy", bid)),
        "bestAsk": plain(ask),
        "bestAskSize": plain(None if ask is None else book.size("sell", ask)),
    }


def ticker(venue: Venue, listing: Listing) -> dict[str, Any]:
    best = level1(venue, listing)
    day = venue.candles[listing.symbol].day(venue.now()) or Candle(0, ZERO, ZERO, ZERO, ZERO)
    change = day.close - day.open
    return {
        "symbol": identity(listing.symbol),
        "symbolName": identity(listing.symbol),
        "buy": best["bestBid"],
        "bestBidSize": best["bestBidSize"],
        "sell": best["bestAsk"],
        "bestAskSize": best["bestAskSize"],
        "changeRate": f"{change / day.open if day.open else 0:.4f}",
        "changePrice": plain(change),
        "high": plain(day.high),
        "low": plain(day.low),
        "vol": plain(day.volume),
        "volValue": plain(day.turnover),
        "last": best["price"],
        "averagePrice": plain(day.open),
        "takerFeeRate": plain(listing.taker),
        "makerFeeRate": plain(listing.maker),
        "takerCoefficient": "1",
        "makerCoefficient": "1",
    }


def history(trade: Traded) -> dict[str, Any]:
    return {
        "sequence": str(trade.trade),
        "price": plain(trade.price),
        "size": plain(trade.quantity),
        "side": trade.taker,
        "time": trade.time * 1_000_000,
    }


def candle(each: Candle) -> list[str]:
    """Seconds, open, close, high, low, volume, turnover."""
    figures = (each.open, each.close, each.high, each.low, each.volume, each.turnover)
    return [str(each.time // 1000), *map(plain, figures)]


def currencies(venue: Venue) -> list[dict[str, Any]]:
    coins = dict.fromkeys(coin for each in venue.matching.listings.values() for coin in (each.base, each.quote))
    return [
        {
            "currency": coin,
            "name": coin,
            "fullName": coin,
            "precision": 8,
            "confirms": None,
            "contractAddress": None,
            "isMarginEnabled": False,
            "isDebitEnabled": False,
            "chains": [
                {
                    "chainName": coin,
                    "withdrawalMinSize": "0.001",
                    "depositMinSize": "0.0002",
                    "withdrawFeeRate": "0",
                    "withdrawalMinFee": "0.0005",
                    "isWithdrawEnabled": True,
                    "isDepositEnabled": True,
                    "confirms": 3,
                    "preConfirms": 1,
                    "contractAddress": "",
                    "withdrawPrecision": 8,
                    "maxWithdraw": None,
                    "maxDeposit": None,
                    "needTag": False,
                    "chainId": coin.lower(),
                }
            ],
        }
        for coin in coins
    ]


def _symbol(listing: Listing) -> dict[str, Any]:
    return {
        "symbol": identity(listing.symbol),
        "name": identity(listing.symbol),
        "baseCurrency": listing.base,
        "quoteCurrency": listing.quote,
        "feeCurrency": listing.quote,
        "market": listing.quote,
        "baseMinSize": plain(listing.min_quantity or listing.lot),
        "quoteMinSize": plain(listing.min_notional),
        "baseMaxSize": "10000000000",
        "quoteMaxSize": "99999999",
        "baseIncrement": plain(listing.lot),
        "quoteIncrement": "0.000001",
        "priceIncrement": plain(listing.tick),
        "priceLimitRate": "0.1",
        "minFunds": plain(listing.min_notional),
        "isMarginEnabled": False,
        "enableTrading": listing.trading,
        "feeCategory": 1,
        "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00",
        "st": False,
    }

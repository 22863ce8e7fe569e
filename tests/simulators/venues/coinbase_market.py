"""Public data in the shapes of Coinbase's Advanced Trade: products, tickers, books, candles."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.simulators.venues.candles import DAY, MINUTE, Candle
from tests.simulators.venues.values import ZERO, Listing, Refusal, Side, Traded
from tests.simulators.venues.venue import Venue

Params = Mapping[str, Any]
HOUR = 60 * MINUTE
SPANS = {
    "ONE_MINUTE": MINUTE, "FIVE_MINUTE": 5 * MINUTE, "FIFTEEN_MINUTE": 15 * MINUTE, "THIRTY_MINUTE": 30 * MINUTE,
    "ONE_HOUR": HOUR, "TWO_HOUR": 2 * HOUR, "FOUR_HOUR": 4 * HOUR, "SIX_HOUR": 6 * HOUR, "ONE_DAY": DAY,
}  # fmt: skip
PAGE = 350  # candles at once
PRODUCTS, BOOK = "/api/v3/brokerage/market/products", "/api/v3/brokerage/market/product_book"
FIAT = ("USD", "EUR", "GBP")


def plain(value: Decimal | None) -> str:
    text = f"{value or ZERO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def identity(symbol: str) -> str:
    return symbol.replace("/", "-")


def iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: Any) -> int:
    """UTC ms of such a text."""
    return int(datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp() * 1000)


def listing_of(venue: Venue, product: Any) -> Listing:
    """Raises Refusal."""
    listing = venue.matching.listings.get(str(product).replace("-", "/"))
    if listing is None:
        raise Refusal("symbol", str(product))
    return listing


def public(venue: Venue, path: str, params: Params) -> Any:
    """The answer to a public question; None where that is none. Raises Refusal."""
    match path.removeprefix("/api/v3/brokerage").strip("/").split("/"):
        case ["time"]:
            now = venue.now()
            return {"iso": iso(now), "epochSeconds": str(now // 1000), "epochMillis": str(now)}
        case ["market", "products"]:
            wanted = params.get("product_type", "SPOT") == "SPOT"
            products = [product(venue, each) for each in venue.matching.listings.values() if wanted]
            return {"products": products, "num_products": len(products)}
        case ["market", "products", name]:
            return product(venue, listing_of(venue, name))
        case ["market", "products", name, "ticker"]:
            return _ticker(venue, listing_of(venue, name), params)
        case ["market", "products", name, "candles"]:
            return _candles(venue, listing_of(venue, name), params)
        case ["market", "product_book"]:
            return {"pricebook": _book(venue, listing_of(venue, params.get("product_id")), params)}
        case ["v2", "time"]:
            return {"data": {"iso": iso(venue.now()), "epoch": venue.now() // 1000}}
        case ["v2", "currencies"]:
            return {
                "data": [{"id": name, "name": name, "min_size": "0.01000000"} for name in _assets(venue, fiat=True)]
            }
        case ["v2", "currencies", "crypto"]:
            return {"data": [_crypto(name) for name in _assets(venue, fiat=False)]}
        case ["v2", "exchange-rates"]:
            names = [*_assets(venue, fiat=True), *_assets(venue, fiat=False)]
            return {"data": {"currency": "USD", "rates": dict.fromkeys(names, "1")}}
    return None


def _assets(venue: Venue, *, fiat: bool) -> list[str]:
    names = dict.fromkeys(name for each in venue.matching.listings.values() for name in (each.base, each.quote))
    return [name for name in names if (name in FIAT) == fiat]


def _crypto(name: str) -> dict[str, Any]:
    head = {"code": name, "name": name, "color": "#F7931A", "sort_index": 100, "exponent": 8, "type": "crypto"}
    return head | {"address_regex": "", "asset_id": f"asset-{name.lower()}"}


def best(venue: Venue, listing: Listing, side: Side) -> tuple[Decimal, Decimal]:
    """(price, size), zeros where there is none."""
    book = venue.matching.books[listing.symbol]
    price = book.best(side)
    return (ZERO, ZERO) if price is None else (price, book.size(side, price))


def product(venue: Venue, listing: Listing) -> dict[str, Any]:
    day = venue.candles[listing.symbol].day(venue.now()) or Candle(0, ZERO, ZERO, ZERO, ZERO)
    change = (day.close - day.open) / day.open * 100 if day.open else ZERO
    middle = (best(venue, listing, "buy")[0] + best(venue, listing, "sell")[0]) / 2
    name = identity(listing.symbol)
    return {
        "product_id": name,
        "price": plain(venue.matching.last.get(listing.symbol)),
        "price_percentage_change_24h": f"{change:.8f}",
        "volume_24h": plain(day.volume),
        "volume_percentage_change_24h": "0",
        "base_increment": plain(listing.lot),
        "quote_increment": plain(listing.tick),
        "quote_min_size": plain(listing.min_notional),
        "quote_max_size": "150000000",
        "base_min_size": plain(listing.min_quantity or listing.lot),
        "base_max_size": "3400000",
        "base_name": listing.base,
        "quote_name": listing.quote,
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": not listing.trading,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": listing.quote,
        "base_currency_id": listing.base,
        "fcm_trading_session_details": None,
        "mid_market_price": plain(middle),
        "alias": "",
        "alias_to": [],
        "base_display_symbol": listing.base,
        "quote_display_symbol": listing.quote,
        "view_only": False,
        "price_increment": plain(listing.tick),
        "display_name": name,
        "product_venue": "CBE",
        "approximate_quote_24h_volume": plain(day.turnover),
    }


def trade(each: Traded) -> dict[str, Any]:
    """The side is the maker's."""
    return {
        "trade_id": str(each.trade),
        "product_id": identity(each.symbol),
        "price": plain(each.price),
        "size": plain(each.quantity),
        "time": iso(each.time),
        "side": "SELL" if each.taker == "buy" else "BUY",
    }


def _ticker(venue: Venue, listing: Listing, params: Params) -> dict[str, Any]:
    limit = int(params.get("limit") or 100)
    start, end = int(params.get("start") or 0) * 1000, int(params.get("end") or 1 << 40) * 1000
    found = [each for each in venue.matching.trades[listing.symbol] if start <= each.time <= end]
    return {
        "trades": [trade(each) for each in reversed(found[-limit:])],
        "best_bid": plain(best(venue, listing, "buy")[0]),
        "best_ask": plain(best(venue, listing, "sell")[0]),
    }


def _candles(venue: Venue, listing: Listing, params: Params) -> dict[str, Any]:
    span, now = SPANS[params["granularity"]], venue.now()
    start, end = int(params["start"]) * 1000, min(int(params["end"]) * 1000, now)
    found = venue.candles[listing.symbol].of(span, start, end, PAGE)
    rows = [
        {
            "start": str(each.time // 1000),
            "low": plain(each.low),
            "high": plain(each.high),
            "open": plain(each.open),
            "close": plain(each.close),
            "volume": plain(each.volume),
        }
        for each in reversed(found)
    ]
    return {"candles": rows}


def _book(venue: Venue, listing: Listing, params: Params) -> dict[str, Any]:
    book, limit = venue.matching.books[listing.symbol], int(params.get("limit") or 0) or None
    sides = {
        name: [{"price": plain(price), "size": plain(size)} for price, size in book.levels(side, limit)]
        for name, side in (("bids", "buy"), ("asks", "sell"))
    }
    return {"product_id": identity(listing.symbol), **sides, "time": iso(venue.now())}

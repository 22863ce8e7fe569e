"""The forms in which venues answer: what has none of them is no answer, whatever ccxt would make of it.

A page of a proxy with status 200, or JSON of something else, must never be read as "no such order" or "no balances".
"""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

LONG = 1_000_000  # characters; of longer answers only the beginning is looked at
QUOTED_LISTS = re.compile(r"/(openOrders|allOrders|myTrades)$")
COINBASE = {
    "/orders/historical/batch": "orders",
    "/orders/historical/fills": "fills",
    "/brokerage/accounts": "accounts",
}


def readable(venue: str, url: str, text: str) -> bool:
    """Whether the text of a successful answer is one that the venue gives to that question."""
    text = text.strip()
    form = FORMS.get(venue)
    if form is None:  # some venues speak other than JSON, but none in pages
        return not text.startswith("<")
    if len(text) > LONG:
        return text[0] in "{["
    try:
        body = json.loads(text)
    except ValueError:
        return False
    return form(urlsplit(url).path, body)


def _binance(path: str, body: Any) -> bool:
    if isinstance(body, list):
        return all(isinstance(each, dict | list) for each in body) and not path.endswith(
            ("/account", "/depth", "/order")
        )
    if not isinstance(body, dict):
        return False
    if "code" in body and "msg" in body:
        return True
    if QUOTED_LISTS.search(path):
        return False
    if path.endswith("/api/v3/account"):
        return isinstance(body.get("balances"), list)
    if path.endswith("/depth"):
        return isinstance(body.get("bids"), list) and isinstance(body.get("asks"), list)
    return bool(body.get("orderId")) if path.endswith("/api/v3/order") else True


def _kucoin(path: str, body: Any) -> bool:
    return isinstance(body, dict) and "code" in body and (str(body["code"]) != "200000" or "data" in body)


def _kraken(path: str, body: Any) -> bool:
    told = isinstance(body, dict) and isinstance(body.get("error"), list)
    return told and (bool(body["error"]) or isinstance(body.get("result"), dict | list))


def _bybit(path: str, body: Any) -> bool:
    return isinstance(body, dict) and "retCode" in body and (bool(body["retCode"]) or "result" in body)


def _okx(path: str, body: Any) -> bool:
    return (
        isinstance(body, dict) and "code" in body and (str(body["code"]) != "0" or isinstance(body.get("data"), list))
    )


def _coinbase(path: str, body: Any) -> bool:
    if not isinstance(body, dict) or not body:
        return isinstance(body, list) and all(isinstance(each, dict | list) for each in body)
    wanted = next((name for end, name in COINBASE.items() if path.endswith(end)), None)
    return wanted is None or "error" in body or isinstance(body.get(wanted), list)


FORMS: dict[str, Callable[[str, Any], bool]] = {
    "binance": _binance,
    "binanceus": _binance,
    "kucoin": _kucoin,
    "kraken": _kraken,
    "bybit": _bybit,
    "okx": _okx,
    "coinbase": _coinbase,
}

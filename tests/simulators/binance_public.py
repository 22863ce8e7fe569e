"""A Binance spot REST API on loopback, as unmodified ccxt asks it, that fails on order.

`base` is what goes into ENDPOINT_BASE; the real host stays in the path. Order failures with `fail("429", "drop", …)`:
each takes the next question. Shapes are checked against recorded payloads in test_ccxt_simulator.py.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal

import numpy as np
from aiohttp import web

from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument

Trouble = Literal["429", "418", "451", "500", "503", "drop", "garbage", "stall"]
LIMIT = 1_000
BODIES: dict[str, tuple[int, str]] = {
    "429": (429, '{"code":-1003,"msg":"Too many requests; current limit is 1200 request weight per 1 MINUTE."}'),
    "418": (418, '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1700000000000."}'),
    "451": (
        451,
        '{"code":0,"msg":"Service unavailable from a restricted location according to \'b. Eligibility\' in '
        'https://www.binance.com/en/terms."}',
    ),
    "500": (500, "Internal Server Error"),
    "503": (503, "Service Unavailable"),
}


class BinancePublic:
    """Serves the given bars, of one symbol each, as Binance would at the time `now()`.

    bars: the finest bars of each instrument; coarser klines are made of them
    questions: every path asked for, with its query, in order
    """

    def __init__(self, *bars: Bars, now: Callable[[], int]) -> None:
        self._bars = {each.instrument.base + each.instrument.quote: each for each in bars}
        self._now = now
        self._troubles: deque[tuple[Trouble, str]] = deque()
        self.stalled = asyncio.Event()
        self.stall_after: int | None = None  # klines pages served before questions are left unanswered
        self.questions: list[tuple[str, dict[str, str]]] = []
        self.pages = 0
        self.base = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "BinancePublic":
        application = web.Application()
        application.router.add_get("/{host}/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def fail(self, *troubles: Trouble, path: str = "") -> None:
        """Lets the next questions fail, one each; only those to `path` where one is given."""
        self._troubles.extend((trouble, path) for trouble in troubles)

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of every question to that path."""
        return [query for asked, query in self.questions if asked == path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, query = "/" + request.match_info["path"], dict(request.query)
        self.questions.append((path, query))
        if request.match_info["host"] != "api.binance.com":
            return _refusal(404, -1, "no such host here")
        if self._troubles and self._troubles[0][1] in ("", path):
            return await self._trouble(self._troubles.popleft()[0], request)
        match path:
            case "/api/v3/ping":
                return web.json_response({})
            case "/api/v3/time":
                return web.json_response({"serverTime": self._now()})
            case "/api/v3/exchangeInfo":
                return web.json_response(exchange_info([each.instrument for each in self._bars.values()], self._now()))
        bars = self._bars.get(query.get("symbol", ""))
        if bars is None:
            return _refusal(400, -1121, "Invalid symbol.")
        match path:
            case "/api/v3/klines":
                if self.stall_after is not None and self.pages >= self.stall_after:
                    return await self._trouble("stall", request)
                self.pages += 1
                return web.json_response(self._klines(bars, query))
            case "/api/v3/ticker/24hr":
                return web.json_response(ticker(bars.between(end_ms=self._now() + 1), self._now()))
            case "/api/v3/ticker/bookTicker":
                known = ticker(bars.between(end_ms=self._now() + 1), self._now())
                return web.json_response({k: known[k] for k in ("symbol", "bidPrice", "bidQty", "askPrice", "askQty")})
        return _refusal(404, -1, "not here")

    async def _trouble(self, trouble: Trouble, request: web.Request) -> web.StreamResponse:
        if trouble == "stall":
            self.stalled.set()
            await asyncio.Event().wait()
        if trouble == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if trouble == "garbage":
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
        status, body = BODIES[trouble]
        headers = {"Retry-After": "1"} if status in (418, 429) else {}
        return web.Response(status=status, text=body, headers=headers, content_type="application/json")

    def _klines(self, bars: Bars, query: Mapping[str, str]) -> list[list[Any]]:
        interval, limit = query["interval"], min(int(query.get("limit", 500)), LIMIT)
        coarse = _coarse(bars.between(end_ms=self._now() + 1), interval)
        start, end = query.get("startTime"), query.get("endTime")
        found = coarse.between(None if start is None else int(start), None if end is None else int(end) + 1)
        found = found[:limit] if start is not None else found[max(0, len(found) - limit) :]
        return klines(found)


def klines(bars: Bars) -> list[list[Any]]:
    length = timeframes.milliseconds(bars.timeframe)
    rows = zip(
        *(getattr(bars, n).tolist() for n in ("timestamp", "open", "high", "low", "close", "volume")), strict=True
    )
    return [
        [t, *map(_text, (o, h, low, c, v)), t + length - 1, _text(v * c), 308, _text(v / 2), _text(v * c / 2), "0"]
        for t, o, h, low, c, v in rows
    ]


def ticker(bars: Bars, now: int) -> dict[str, Any]:
    day = bars.between(now - timeframes.DAY)
    last, tick = float(day.close[-1]), float(bars.instrument.tick_size or Decimal("0.01"))
    first = float(day.open[0])
    quantity, turnover = float(day.volume.sum()), float((day.volume * day.close).sum())
    return {
        "symbol": bars.instrument.base + bars.instrument.quote,
        "priceChange": _text(last - first),
        "priceChangePercent": f"{(last / first - 1) * 100:.3f}",
        "weightedAvgPrice": _text(turnover / quantity),
        "prevClosePrice": _text(first),
        "lastPrice": _text(last),
        "lastQty": "0.01000000",
        "bidPrice": _text(last - tick),
        "bidQty": "1.00000000",
        "askPrice": _text(last + tick),
        "askQty": "1.00000000",
        "openPrice": _text(first),
        "highPrice": _text(float(day.high.max())),
        "lowPrice": _text(float(day.low.min())),
        "volume": _text(quantity),
        "quoteVolume": _text(turnover),
        "openTime": now - timeframes.DAY,
        "closeTime": now,
        "firstId": 28385,
        "lastId": 28460,
        "count": 76,
    }


def exchange_info(instruments: list[Instrument], now: int) -> dict[str, Any]:
    limits = (
        ("REQUEST_WEIGHT", "MINUTE", 1, 6000),
        ("ORDERS", "SECOND", 10, 100),
        ("RAW_REQUESTS", "MINUTE", 5, 61000),
    )
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [
            {"rateLimitType": kind, "interval": unit, "intervalNum": count, "limit": limit}
            for kind, unit, count, limit in limits
        ],
        "exchangeFilters": [],
        "symbols": [_symbol(instrument) for instrument in instruments],
    }


def _symbol(instrument: Instrument) -> dict[str, Any]:
    tick, lot = f"{instrument.tick_size:.8f}", f"{instrument.lot_size:.8f}"
    digits = dict.fromkeys(("baseAssetPrecision", "quotePrecision", "quoteAssetPrecision"), 8)
    digits |= dict.fromkeys(("baseCommissionPrecision", "quoteCommissionPrecision"), 8)
    switches = ("icebergAllowed", "ocoAllowed", "quoteOrderQtyMarketAllowed", "allowTrailingStop")
    return {
        "symbol": instrument.base + instrument.quote,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        **digits,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        **dict.fromkeys(switches, True),
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000.00000000", "stepSize": lot},
            {
                "filterType": "MIN_NOTIONAL",
                "minNotional": f"{instrument.min_notional:.8f}",
                "applyToMarket": True,
                "avgPriceMins": 5,
            },
            {"filterType": "ICEBERG_PARTS", "limit": 10},
        ],
        "permissions": ["SPOT"],
    }


def _coarse(bars: Bars, interval: str) -> Bars:
    """Klines of the interval, the last one as far as it has come, which `Bars.resample` would leave out."""
    whole = bars.resample(interval)
    opened = timeframes.floor(int(bars.timestamp[-1]), interval)
    rest = bars.between(opened)
    if interval == bars.timeframe or not len(rest) or (len(whole) and int(whole.timestamp[-1]) == opened):
        return whole
    forming = Bars(
        bars.instrument,
        whole.timeframe,
        np.array([opened]),
        rest.open[:1],
        rest.high.max(keepdims=True),
        rest.low.min(keepdims=True),
        rest.close[-1:],
        rest.volume.sum(keepdims=True),
    )
    return whole.followed_by(forming)


def _refusal(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=status)


def _text(value: float) -> str:
    return f"{value:.8f}"

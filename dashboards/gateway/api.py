"""The HTTP API under /api/v1: instruments, quotes, bars with indicators, strategies and backtests."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market import timeframes
from core.trading.costs import Costs
from dashboards.gateway import research, venues
from dashboards.gateway.models import (
    EXAMPLE,
    BacktestAnswer,
    BacktestRequest,
    BarsAnswer,
    Instruments,
    Quoted,
    Strategies,
    quote_figures,
)  # fmt: skip
from dashboards.gateway.problems import answers

if TYPE_CHECKING:
    from core.commands.context import Services
    from core.market.bars import Bars
    from core.market.instrument import Instrument

NAMED = "as people say it: btc, BTC/USDT, or with its venue, sandbox:BTC/USDT"
TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")


def routes(services: "Services") -> APIRouter:
    """The routes of the market and of research."""
    router = APIRouter(prefix="/api/v1", tags=["market and research"])

    @router.get("/instruments", summary="What can be traded", response_model=Instruments, responses=answers(503))
    async def instruments() -> dict[str, Any]:
        """What can be looked at and traded."""
        found = await services.market.instruments()
        return {
            "source": services.market.source_name,
            "timeframes": list(TIMEFRAMES),
            "instruments": [described(services, one) for one in found],
        }

    @router.get("/quote", summary="The market now", response_model=Quoted, responses=answers(404, 422, 502, 503))
    async def quote(
        request: Request,
        instrument: Annotated[str, Query(max_length=40, description=NAMED, examples=[EXAMPLE])],
    ) -> dict[str, Any]:
        """The market of an instrument now. Prices are decimal text; change is a fraction."""
        found = await services.market.instrument(instrument, venues.chosen(services, request.state.visitor.user.id))
        answer = await services.venues.answered(found, services.market.quote)
        return described(services, answer.instrument) | quote_figures(answer.value) | {"note": answer.note}

    @router.get(
        "/bars", summary="Bars with indicators", response_model=BarsAnswer, responses=answers(404, 422, 502, 503)
    )
    async def bars(
        request: Request,
        instrument: Annotated[str, Query(max_length=40, description=NAMED, examples=[EXAMPLE])],
        timeframe: Annotated[str, Query(max_length=6, examples=["1h"])] = "1h",
        limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
        indicators: Annotated[str, Query(max_length=200, examples=["ema:20,rsi:14"])] = "",
    ) -> dict[str, Any]:
        """The newest bars, oldest first, the last one still forming; `indicators=ema:20,bollinger:20,rsi:14`.

        times: UTC ms of the opens. An indicator's values are null where it has not seen enough bars.
        """
        found = await services.market.instrument(instrument, venues.chosen(services, request.state.visitor.user.id))
        wanted = research.parse_indicators(indicators)
        warmup = max((research.warmup(one) for one in wanted), default=0)
        got = await services.market.bars(found, timeframes.parse(timeframe), limit + warmup, forming=True)
        lines = await services.jobs.run(research.indicator_lines, wanted, got.close) if wanted else {}
        start = max(0, len(got) - limit)
        return described(services, found) | columns(got, start) | {"indicators": cut(lines, start)}

    @router.get(
        "/strategies", summary="Strategies and their parameters", response_model=Strategies, responses=answers()
    )
    async def strategies(request: Request) -> dict[str, Any]:
        """The strategies with their parameters and ranges; the caller's saved formulas among them."""
        visitor = research.person(services, request.state.visitor.user)
        return {"strategies": await asyncio.to_thread(research.strategies, visitor)}

    @router.post(
        "/backtests", summary="Backtest a strategy", response_model=BacktestAnswer,
        responses=answers(404, 409, 413, 422, 502, 503),
    )  # fmt: skip
    async def backtests(request: Request, asked: BacktestRequest) -> dict[str, Any]:
        """Backtests a strategy on the newest closed bars; the same engine as `orchestrator backtest`.

        It is kept among the caller's results; `result` is its number.
        """
        place = venues.chosen(services, request.state.visitor.user.id)
        found = await services.market.instrument(asked.instrument, place)
        visitor = research.person(services, request.state.visitor.user)
        strategy = research.load(visitor, asked.strategy, asked.parameters)
        got = await services.market.bars(found, timeframes.parse(asked.timeframe), asked.bars)
        if len(got) <= strategy.warmup() + 1:
            raise InvalidInput(
                f"{asked.strategy} needs {strategy.warmup()} bars before its first signal, and there are {len(got)}.",
                hint="Ask for more bars or a shorter timeframe.",
            )
        costs = Costs(taker_fee=asked.fee, maker_fee=asked.fee, slippage=asked.slippage)
        document: dict[str, Any] = await services.jobs.run(
            research.run, asked.strategy, strategy, got, asked.cash, costs, research.keep(visitor), long=True
        )
        return described(services, found) | {"timeframe": got.timeframe} | document

    return router


def described(services: "Services", instrument: "Instrument") -> dict[str, Any]:
    """Names of an instrument, and SIMULATED where its prices are made up."""
    return {
        "instrument": instrument.symbol,
        "venue": instrument.venue,
        "key": instrument.key,
        "quote_currency": instrument.quote,
        "label": services.market.label(instrument),
    }


def columns(bars: "Bars", start: int) -> dict[str, Any]:
    """The bars from `start` on, as one list per column."""
    names = ("open", "high", "low", "close", "volume")
    return {
        "timeframe": bars.timeframe,
        "times": bars.timestamp[start:].tolist(),
        **{name: numbers(getattr(bars, name)[start:]) for name in names},
    }


def cut(lines: Mapping[str, NDArray[np.float64]], start: int) -> dict[str, list[float | None]]:
    return {name: numbers(values[start:]) for name, values in lines.items()}


def numbers(values: Sequence[float] | NDArray[np.float64]) -> list[float | None]:
    """JSON numbers; NaN and infinities become null."""
    return [value if math.isfinite(value) else None for value in map(float, values)]

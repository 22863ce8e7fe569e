"""The HTTP API under /api/v1: instruments, quotes, bars with indicators, strategies and backtests."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidInput
from core.market import timeframes
from core.trading.costs import Costs
from dashboards.gateway import research

if TYPE_CHECKING:
    from core.commands.context import Services
    from core.market.bars import Bars
    from core.market.instrument import Instrument

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
LARGEST_BACKTEST = 20_000  # bars asked of a source for one backtest


class BacktestRequest(BaseModel):
    """What to test. cash: quote; fees and slippage: fractions, 0.001 is 0.1 %."""

    model_config = ConfigDict(extra="forbid")

    strategy: str = Field(max_length=60, pattern=r"^[a-z0-9_]+$")
    parameters: dict[str, float | int] = Field(default_factory=dict)
    instrument: str = Field(max_length=40)
    timeframe: str = Field(default="1h", max_length=6)
    bars: int = Field(default=2_000, ge=50, le=LARGEST_BACKTEST)
    cash: float = Field(default=10_000.0, gt=0, le=1e12)
    fee: float = Field(default=0.001, ge=0, le=0.2)
    slippage: float = Field(default=0.0005, ge=0, le=0.5)


def routes(services: "Services") -> APIRouter:
    """The routes of the market and of research."""
    router = APIRouter(prefix="/api/v1", tags=["market and research"])

    @router.get("/instruments")
    async def instruments() -> dict[str, Any]:
        """What can be looked at and traded."""
        found = await services.market.instruments()
        return {
            "source": services.market.source_name,
            "timeframes": list(TIMEFRAMES),
            "instruments": [described(services, one) for one in found],
        }

    @router.get("/quote")
    async def quote(instrument: Annotated[str, Query(max_length=40)]) -> dict[str, Any]:
        """The market of an instrument now. Prices are decimal text; change is a fraction."""
        found = await services.market.instrument(instrument)
        now = await services.market.quote(found)
        figures = {name: getattr(now, name) for name in ("bid", "ask", "last", "change", "high", "low", "volume")}
        return described(services, found) | {
            "time": now.time.isoformat(),
            **{name: None if value is None else str(value) for name, value in figures.items()},
        }

    @router.get("/bars")
    async def bars(
        instrument: Annotated[str, Query(max_length=40)],
        timeframe: Annotated[str, Query(max_length=6)] = "1h",
        limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
        indicators: Annotated[str, Query(max_length=200)] = "",
    ) -> dict[str, Any]:
        """The newest bars, oldest first, the last one still forming; `indicators=ema:20,bollinger:20,rsi:14`.

        times: UTC ms of the opens. An indicator's values are null where it has not seen enough bars.
        """
        found = await services.market.instrument(instrument)
        wanted = research.parse_indicators(indicators)
        warmup = max((research.warmup(one) for one in wanted), default=0)
        got = await services.market.bars(found, timeframes.parse(timeframe), limit + warmup, forming=True)
        lines = await services.jobs.run(research.indicator_lines, wanted, got.close) if wanted else {}
        start = max(0, len(got) - limit)
        return described(services, found) | columns(got, start) | {"indicators": cut(lines, start)}

    @router.get("/strategies")
    async def strategies() -> dict[str, Any]:
        """The strategies with their parameters and ranges."""
        return {"strategies": research.strategies()}

    @router.post("/backtests")
    async def backtests(asked: BacktestRequest) -> dict[str, Any]:
        """Backtests a strategy on the newest closed bars; the same engine as `orchestrator backtest`."""
        found = await services.market.instrument(asked.instrument)
        strategy = research.load(asked.strategy, asked.parameters)
        got = await services.market.bars(found, timeframes.parse(asked.timeframe), asked.bars)
        if len(got) <= strategy.warmup() + 1:
            raise InvalidInput(
                f"{asked.strategy} needs {strategy.warmup()} bars before its first signal, and there are {len(got)}.",
                hint="Ask for more bars or a shorter timeframe.",
            )
        costs = Costs(taker_fee=asked.fee, maker_fee=asked.fee, slippage=asked.slippage)
        document: dict[str, Any] = await services.jobs.run(
            research.run, asked.strategy, asked.parameters, got, asked.cash, costs
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

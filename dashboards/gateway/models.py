"""What the API takes and answers, as its description tells it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.trading.exchange import Quote

LARGEST_BACKTEST = 20_000  # bars asked of a source for one backtest
FIGURES = ("bid", "ask", "last", "change", "high", "low", "volume")
EXAMPLE = "BTC/USDT"


def quote_figures(quote: Quote) -> dict[str, str | None]:
    """A quote's time and figures as exact text."""
    figures = {name: getattr(quote, name) for name in FIGURES}
    return {"time": quote.time.isoformat()} | {
        name: None if value is None else str(value) for name, value in figures.items()
    }


class Problem(BaseModel):
    """Why a request was refused (RFC 9457). detail: one sentence for a person; code: a word for a program."""

    type: str = Field(examples=["urn:orchestrator:not_found"])
    title: str = Field(examples=["NotFound"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No instrument is called 'notacoin' here."])
    code: str = Field(examples=["not_found"])


class Person(BaseModel):
    """Who is signed in."""

    id: str = Field(examples=["owner"])
    name: str = Field(examples=["Owner"])
    role: str = Field(examples=["owner"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether the process can serve. dashboards is null where none are run, and does not keep it from being ready."""

    status: Literal["ready", "not ready"] = Field(examples=["ready"])
    dashboards: bool | None
    store: bool


class Named(BaseModel):
    """Names of an instrument. label: SIMULATED where its prices are made up."""

    instrument: str = Field(examples=[EXAMPLE])
    venue: str = Field(examples=["sandbox"])
    key: str = Field(description="venue and instrument, unique", examples=["sandbox:BTC/USDT"])
    quote_currency: str = Field(examples=["USDT"])
    label: str | None = Field(description="SIMULATED where the prices are made up", examples=["SIMULATED"])


class VenueAnswer(BaseModel):
    """How a venue does. Times in seconds; null where not known yet."""

    venue: str = Field(examples=["binance"])
    state: str = Field(
        description="healthy, degraded, stale, down, maintenance, closed or unknown", examples=["healthy"]
    )
    reason: str = Field(examples=["it answers"])
    hint: str | None = Field(description="what to do about it")
    simulated: bool = Field(description="whether its prices are made up")
    latency: dict[str, float | None] = Field(
        description="percentiles of the last five minutes", examples=[{"p50": 0.08, "p95": 0.21, "p99": 0.4}]
    )
    errors: float = Field(description="fraction of questions without an answer", examples=[0.0])
    price_age: float | None = Field(examples=[0.4])
    clock_skew: float | None = Field(description="how far its clock is ahead of ours", examples=[0.02])
    mode: str = Field(description="PAPER, or LIVE where your account is armed", examples=["PAPER"])


class VenuesAnswer(BaseModel):
    """Every venue, by preference. yours: where you look and trade."""

    yours: str = Field(examples=["binance"])
    venues: list[VenueAnswer]


class VenueChoice(BaseModel):
    """The venue to look and trade at from now on; null takes the choice back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"venue": "kucoin"}]})

    venue: str | None = Field(max_length=40)


class Instruments(BaseModel):
    """What can be looked at and traded."""

    source: str = Field(description="where the prices come from", examples=["sandbox"])
    timeframes: list[str] = Field(examples=[["1m", "1h", "1d"]])
    instruments: list[Named]


class Quoted(Named):
    """The market of an instrument at a moment. Prices and volume are exact decimal text, in quote and base currency."""

    time: str = Field(description="ISO 8601, UTC", examples=["2026-03-01T12:00:00+00:00"])
    bid: str | None = Field(examples=["64210.49"])
    ask: str | None = Field(examples=["64210.51"])
    last: str | None = Field(examples=["64210.50"])
    change: str | None = Field(description="of 24 hours, a fraction: 0.012 is 1.2 %", examples=["0.012"])
    high: str | None = Field(description="of 24 hours", examples=["64900.00"])
    low: str | None = Field(description="of 24 hours", examples=["63105.20"])
    volume: str | None = Field(description="of 24 hours, base currency", examples=["18421.77"])
    note: str | None = Field(default=None, description="why it comes from another venue than it was asked of")


class BarsAnswer(Named):
    """Bars, oldest first, one list per column. The last bar is still forming."""

    timeframe: str = Field(examples=["1h"])
    times: list[int] = Field(description="opens, UTC milliseconds", examples=[[1772359200000]])
    open: list[float | None] = Field(examples=[[64100.0]])
    high: list[float | None] = Field(examples=[[64300.5]])
    low: list[float | None] = Field(examples=[[64050.0]])
    close: list[float | None] = Field(examples=[[64210.5]])
    volume: list[float | None] = Field(description="base currency; null when unknown", examples=[[120.4]])
    indicators: dict[str, list[float | None]] = Field(
        description="as long as the bars; null where an indicator has not seen enough of them",
        examples=[{"ema_20": [64150.2]}],
    )


class Parameter(BaseModel):
    """A number of a strategy and the range it keeps to."""

    kind: str = Field(examples=["int"])
    default: float | int = Field(examples=[20])
    low: float | int = Field(examples=[2])
    high: float | int = Field(examples=[500])
    step: float | int = Field(examples=[1])
    help: str = Field(examples=["bars of the fast average"])


class StrategyAnswer(BaseModel):
    """A strategy that can be tested and run."""

    name: str = Field(examples=["sma_cross"])
    summary: str = Field(examples=["Long while the fast average is above the slow one."])
    parameters: dict[str, Parameter]


class Strategies(BaseModel):
    """Every strategy."""

    strategies: list[StrategyAnswer]


class BacktestRequest(BaseModel):
    """What to test. cash: quote; fee and slippage: fractions, 0.001 is 0.1 %."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"strategy": "sma_cross", "parameters": {"fast": 10, "slow": 30}, "instrument": EXAMPLE, "bars": 800}
            ]
        },
    )

    strategy: str = Field(max_length=60, pattern=r"^[a-z0-9_]+$")
    parameters: dict[str, float | int] = Field(default_factory=dict)
    instrument: str = Field(max_length=40)
    timeframe: str = Field(default="1h", max_length=6)
    bars: int = Field(default=2_000, ge=50, le=LARGEST_BACKTEST)
    cash: float = Field(default=10_000.0, gt=0, le=1e12)
    fee: float = Field(default=0.001, ge=0, le=0.2)
    slippage: float = Field(default=0.0005, ge=0, le=0.5)


class Trade(BaseModel):
    """A round trip; one that is still open has no exit."""

    entry_time: int = Field(description="UTC milliseconds", examples=[1772359200000])
    exit_time: int | None = Field(description="UTC milliseconds", examples=[1772445600000])
    side: str = Field(examples=["long"])
    entry_price: float | None = Field(examples=[64100.0])
    exit_price: float | None = Field(examples=[65310.0])
    profit: float | None = Field(description="quote currency, net of fees", examples=[172.4])
    return_: float | None = Field(alias="return", description="fraction of the entry's notional", examples=[0.0172])
    reason: str | None = Field(examples=["signal"])


class Markers(BaseModel):
    """Where the strategy bought and sold."""

    times: list[int] = Field(description="UTC milliseconds", examples=[[1772359200000]])
    prices: list[float] = Field(examples=[[64100.0]])
    sides: list[str] = Field(examples=[["buy"]])


class BacktestAnswer(Named):
    """A backtest, with buy-and-hold under the same costs beside it."""

    strategy: str = Field(examples=["sma_cross"])
    parameters: dict[str, Any] = Field(examples=[{"fast": 10, "slow": 30}])
    result: int | None = Field(
        description="its number among the kept results; null when the disk refused it", examples=[12]
    )
    timeframe: str = Field(examples=["1h"])
    bars: int = Field(examples=[800])
    from_: int = Field(alias="from", description="open of the first bar, UTC milliseconds", examples=[1769479200000])
    to: int = Field(description="open of the last bar, UTC milliseconds", examples=[1772359200000])
    cash: float = Field(description="quote currency", examples=[10_000.0])
    costs: dict[str, Any] = Field(description="what was assumed", examples=[{"taker_fee": 0.001, "slippage": 0.0005}])
    stats: dict[str, Any] = Field(
        description="losses and drawdowns are positive fractions", examples=[{"sharpe": 1.2, "max_drawdown": 0.11}]
    )
    baseline_stats: dict[str, Any] = Field(description="the same of buy-and-hold", examples=[{"sharpe": 0.7}])
    times: list[int] = Field(description="of equity and baseline; at most 2000 points", examples=[[1769479200000]])
    equity: list[float] = Field(examples=[[10_000.0]])
    baseline: list[float] = Field(description="equity of buy-and-hold", examples=[[10_000.0]])
    trades: list[Trade]
    markers: Markers
    seconds: float = Field(description="time the two backtests took", examples=[0.004])

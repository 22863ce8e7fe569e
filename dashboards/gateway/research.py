"""Indicators, strategies and backtests as the API answers them: arrays in, JSON values out. No waiting in here."""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.clock import to_ms
from core.commands.context import Caller, Context
from core.commands.families.research import Keep, test
from core.commands.loading import formulas_of, results_of
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.accounts import User
    from core.commands.context import Services
    from core.market.bars import Bars
    from core.research.backtest import Result
    from core.trading.costs import Costs
    from core.trading.strategy import Strategy

FloatArray = NDArray[np.float64]
DRAWN = 2_000  # points of an equity curve: more than a screen has
SETTLING = 6  # an exponential average has settled after so many lengths
KINDS = ("sma", "ema", "bollinger", "rsi")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One drawn indicator: ema over 20 bars."""

    kind: str
    length: int


def parse_indicators(text: str) -> list[Indicator]:
    """The indicators of 'ema:20,rsi:14'. Raises InvalidInput."""
    found = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"([a-z]+):(\d{1,3})", word)
        if match is None or match[1] not in KINDS or not 2 <= int(match[2]) <= 500:
            raise InvalidInput(
                f"'{word[:40]}' is not an indicator that can be drawn.",
                hint=f"Write kind:length with one of {', '.join(KINDS)} and 2 to 500 bars, e.g. ema:20.",
            )
        found.append(Indicator(match[1], int(match[2])))
    return found[:8]


def warmup(indicator: Indicator) -> int:
    """Bars before the drawn ones that the indicator needs."""
    return indicator.length * (SETTLING if indicator.kind in ("ema", "rsi") else 1)


def indicator_lines(wanted: Sequence[Indicator], close: FloatArray) -> dict[str, FloatArray]:
    """name_length: (n,) values, NaN in the warm-up."""
    from core import indicators

    lines: dict[str, FloatArray] = {}
    for one in wanted:
        match one.kind:
            case "sma":
                lines[f"sma_{one.length}"] = indicators.sma(close, one.length)
            case "ema":
                lines[f"ema_{one.length}"] = indicators.ema(close, one.length)
            case "rsi":
                lines[f"rsi_{one.length}"] = indicators.rsi(close, one.length)
            case _:
                bands = indicators.bollinger(close, one.length)
                for name, values in zip(("upper", "middle", "lower"), bands, strict=True):
                    lines[f"bollinger_{name}_{one.length}"] = values
    return lines


def person(services: "Services", user: "User") -> Context:
    """The visitor as the commands know people: the same formulas and the same kept results."""
    return Context(Caller(user, "web", user.id, "dashboard", True, user.name), services)


def strategies(ctx: Context) -> list[dict[str, Any]]:
    """Every strategy with its parameters and ranges: the shipped ones, and the visitor's own formulas."""
    from core.strategies import catalogue
    from core.strategies.loading import saved

    own, _ = saved(formulas_of(ctx))
    return [
        {
            "name": name,
            "summary": kind.summary,
            "parameters": {
                field: {
                    "kind": one.kind.__name__, "default": one.default, "low": one.low, "high": one.high,
                    "step": one.step, "help": one.help,
                }
                for field, one in kind.parameters.items()
            },
        }
        for name, kind in {**catalogue(), **own}.items()
    ]  # fmt: skip


def load(ctx: Context, name: str, parameters: Mapping[str, float]) -> "Strategy":
    """A shipped strategy or one of the visitor's formulas. Raises NotFound or InvalidInput; never loads a file."""
    from core.strategies import load as find

    return find(name, dict(parameters), paths=False, formulas=formulas_of(ctx))


def keep(ctx: Context) -> Keep:
    """Where the visitor's results are kept."""
    return Keep(results_of(ctx), ctx.user.id)


def run(name: str, strategy: "Strategy", bars: "Bars", cash: float, costs: "Costs", kept: Keep) -> dict[str, Any]:
    """A backtest, kept among the visitor's results, and buy-and-hold under the same costs, as the page shows them."""
    from core.research.backtest import backtest
    from core.strategies import BuyAndHold

    started = time.perf_counter()
    tested = test(strategy, bars, cash, costs, None, kept, progress=None)
    result = tested.result
    held = backtest(BuyAndHold(), bars, cash, costs)  # for its own drawdown and ratios
    chosen = thinned(len(result.equity))
    return {
        "strategy": name,
        "parameters": {field: getattr(strategy, field) for field in strategy.parameters},
        "result": None if tested.saved is None else tested.saved.number,
        "bars": len(bars),
        "from": int(bars.timestamp[0]),
        "to": int(bars.timestamp[-1]),
        "cash": cash,
        "costs": asdict(costs),
        "stats": result.stats,
        "baseline_stats": held.stats,
        "times": np.asarray(result.timestamps)[chosen].tolist(),
        "equity": [float(value) for value in np.asarray(result.equity)[chosen]],
        "baseline": [float(value) for value in np.asarray(held.equity)[chosen]],
        "trades": trades(result),
        "markers": markers(result),
        "seconds": time.perf_counter() - started,
    }


def thinned(count: int) -> NDArray[np.int64]:
    """At most DRAWN evenly spread places, the last one among them."""
    return np.unique(np.linspace(0, count - 1, min(count, DRAWN)).astype(np.int64))


def trades(result: "Result") -> list[dict[str, Any]]:
    """The round trips. times: UTC ms; profit: quote, net of fees; return: fraction of the entry's notional."""
    return [
        {
            "entry_time": to_ms(one.entry_time),
            "exit_time": None if one.exit_time is None else to_ms(one.exit_time),
            "side": one.side,
            "entry_price": finite(one.entry_price),
            "exit_price": None if one.open else finite(one.exit_price),
            "profit": finite(one.pnl),
            "return": finite(one.return_),
            "reason": one.exit_reason,
        }
        for one in result.round_trips
    ]


def markers(result: "Result") -> dict[str, Any]:
    """Where the strategy bought and sold."""
    fills = result.fills
    return {
        "times": [to_ms(moment) for moment in fills["time"].dt.to_pydatetime()],
        "prices": fills["price"].tolist(),
        "sides": fills["side"].tolist(),
    }


def finite(value: float) -> float | None:
    """The number, or None in place of a NaN or an infinity, which JSON cannot say."""
    return value if math.isfinite(value) else None

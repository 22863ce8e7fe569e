"""compare: results side by side: their statistics, equity on common times, correlation, and whether one is better."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analytics.measures import returns_of
from core.errors import InvalidInput
from core.market import timeframes
from core.research.archive import SavedRun
from core.research.result import Result
from core.trading.strategy import describe

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEAST = 20  # common periods below which nothing is compared
MOST = 12  # results in one comparison
YEAR = 365 * 86_400_000
ROWS = (
    "total_return", "cagr", "sharpe", "sharpe_low", "sharpe_high", "probabilistic_sharpe", "deflated_sharpe", "trials",
    "overfitting", "reality_check", "superior_ability", "sortino", "calmar", "max_drawdown", "volatility",
    "var_95", "trades", "win_rate", "profit_factor", "expectancy", "exposure",
    "fees_paid", "final_equity", "buy_and_hold",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One result to compare. times: (n,) UTC ms at which the bars close; equity: (n,) at those times."""

    name: str
    stats: dict[str, Any]
    parameters: dict[str, Any]
    costs: dict[str, Any]
    data: list[dict[str, Any]]
    times: Integers
    equity: Floats
    cash: float
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """The difference of two Sharpe ratios (annual) by the paired bootstrap; low and high hold it with 95 %."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def sentence(self) -> str:
        """Whether one is better, for a trader."""
        if not np.isfinite(self.difference):
            return f"{self.first} and {self.second}: too little happened to tell which is better."
        better, worse = (self.first, self.second) if self.difference >= 0 else (self.second, self.first)
        by = f"by {abs(self.difference):.2f}"
        if not np.isfinite(self.p_value):
            return f"{better} has the higher Sharpe ratio {by}; whether by luck cannot be said."
        told = f"{better} has a higher Sharpe ratio than {worse} {by}"
        if self.p_value < 0.05:
            return f"{told}, and luck alone seldom does that (p = {self.p_value:.3f})."
        return f"{told}, which luck alone may do as well (p = {self.p_value:.2f})."


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Results side by side.

    times: (n,) UTC ms that all have; growth: per side the equity at those times per its value at the first of them
    correlation: (sides, sides) of the returns between those times; NaN for an equity that does not move
    differing: what is not the same in all: (name, value per side); warnings: why they may not be comparable
    """

    sides: list[Side]
    times: Integers
    growth: list[Floats]
    correlation: Floats
    pairs: list[Pair]
    differing: list[tuple[str, list[str]]]
    warnings: list[str] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[str, list[Any]]]:
        """(statistic, value per side) of those that any side has."""
        found = [(name, [side.stats.get(name) for side in self.sides]) for name in ROWS]
        return [row for row in found if any(value is not None for value in row[1])]

    def document(self) -> dict[str, Any]:
        """Plain values."""
        names = [side.name for side in self.sides]
        return {
            "results": [
                {"name": side.name, "stats": side.stats, "parameters": side.parameters, "costs": side.costs}
                | {"data": side.data}
                for side in self.sides
            ],
            "common": {"periods": len(self.times), "start": _time(self.times, 0), "end": _time(self.times, -1)},
            "correlation": {
                name: dict(zip(names, [None if np.isnan(x) else float(x) for x in row], strict=True))
                for name, row in zip(names, self.correlation, strict=True)
            },
            "sharpe_differences": [
                {
                    "first": pair.first, "second": pair.second, "sentence": pair.sentence,
                    **{
                        name: value if np.isfinite(value := getattr(pair, name)) else None
                        for name in ("difference", "low", "high", "p_value")
                    },
                }
                for pair in self.pairs
            ],
            "differing": [{"name": name, "values": values} for name, values in self.differing],
            "warnings": self.warnings,
        }  # fmt: skip


def side_of(run: SavedRun | Result, name: str | None = None) -> Side:
    """A kept run or a fresh result as one side."""
    if isinstance(run, Result):
        told, documents = describe(run.strategy), run.document(trades=False)
        stats, costs, data = documents["stats"], documents["costs"], documents["data"]
        parameters, cash, label = told["parameters"], run.cash, name or run.strategy.name
        strategy = run.strategy.name
    else:
        stats, costs, data = run.stats, run.saved.costs, run.saved.data
        parameters, label = run.saved.parameters, name or f"{run.number} {run.saved.named}"
        cash, strategy = run.cash if len(run.equity) else 1.0, run.saved.strategy
    frame = str(data[0].get("timeframe") or "") if data else ""
    length = timeframes.milliseconds(frame) if frame else 0
    return Side(label, stats, parameters, costs, data, run.timestamps + length, run.equity, cash, strategy)


def compare(sides: Sequence[Side]) -> Comparison:
    """The sides beside each other. Raises InvalidInput for fewer than two, too many, or two of one name."""
    if not 2 <= len(sides) <= MOST:
        raise InvalidInput(f"A comparison takes 2 to {MOST} results, not {len(sides)}.")
    names = [side.name for side in sides]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{twice} is given twice.")
    warnings = _warnings(sides)
    drawn = [side for side in sides if len(side.times)]
    warnings += [f"{side.name} has no equity curve to compare." for side in sides if not len(side.times)]
    times = drawn[0].times if drawn else np.empty(0, np.int64)
    for side in drawn[1:]:
        times = np.intersect1d(times, side.times, assume_unique=True)
    correlation = np.full((len(sides), len(sides)), np.nan)
    growth = [np.empty(0) for _ in sides]
    pairs: list[Pair] = []
    if len(drawn) > 1 and len(times) <= LEAST:
        warnings.append(f"The results have only {len(times)} common times, too few to compare their returns.")
        times = times[:0]
    elif len(drawn) > 1:
        found: dict[int, Floats] = {}
        for i, side in enumerate(sides):
            if len(side.times):
                equity = side.equity[np.searchsorted(side.times, times)]
                growth[i] = equity / equity[0] if equity[0] else equity
                found[i] = returns_of(equity)[1:]
        year = YEAR / float(np.median(np.diff(times)))
        for i, j in combinations(found, 2):
            correlation[i, j] = correlation[j, i] = _correlation(found[i], found[j])
            pairs.append(_pair(names[i], names[j], found[i], found[j], year))
        for i in found:
            correlation[i, i] = 1.0
        longest = max(len(side.times) for side in drawn)
        if len(times) < longest:
            warnings.append(f"Equity, correlation and tests are of the {len(times):,} times that all results have.")
    return Comparison(list(sides), times, growth, correlation, pairs, _differing(sides), warnings)


def _pair(first: str, second: str, a: Floats, b: Floats, year: float) -> Pair:
    from core.analytics.significance import paired_bootstrap

    return Pair(first, second, *paired_bootstrap(a, b, periods_per_year=year))


def _correlation(a: Floats, b: Floats) -> float:
    if not np.ptp(a) > 0.0 or not np.ptp(b) > 0.0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _differing(sides: Sequence[Side]) -> list[tuple[str, list[str]]]:
    """Parameters, costs, cash and data that are not the same on all sides."""
    rows: list[tuple[str, list[str]]] = []
    for label, kind in (("parameter", "parameters"), ("cost", "costs")):
        names = list(dict.fromkeys(name for side in sides for name in getattr(side, kind)))
        rows += [
            (f"{label} {name.replace('_', ' ')}", [_text(getattr(side, kind).get(name)) for side in sides])
            for name in names
        ]
    rows.append(("cash", [f"{side.cash:,.2f}" for side in sides]))
    rows.append(("data", [_data(side) for side in sides]))
    return [row for row in rows if len(set(row[1])) > 1]


def _warnings(sides: Sequence[Side]) -> list[str]:
    told = []
    prints = {tuple(sorted(str(each.get("fingerprint")) for each in side.data)) for side in sides}
    if len(prints) > 1:
        told.append("The data differ, so the figures are not comparable one to one.")
    if len({tuple(sorted((name, str(value)) for name, value in side.costs.items())) for side in sides}) > 1:
        told.append("The costs differ, so that part of any difference is theirs.")
    if len({side.strategy for side in sides}) == 1 and len({str(side.parameters) for side in sides}) > 1:
        told.append("They are variants of one strategy: choosing the best of them after the fact flatters it.")
    return told


def _data(side: Side) -> str:
    told = []
    for each in side.data:
        span = f"{str(each.get('start', ''))[:10]} to {str(each.get('end', ''))[:10]}"
        told.append(f"{each.get('symbol')} {each.get('timeframe')} {span} ({str(each.get('fingerprint', ''))[:6]})")
    return "; ".join(told)


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _time(times: Integers, place: int) -> str | None:
    from core.clock import from_ms

    return from_ms(int(times[place])).isoformat() if len(times) else None

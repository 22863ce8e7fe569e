"""`python -m benchmarks.measures`: the measures beside empyrical-reloaded's, on a million returns.

Rounds are interleaved, so that whatever else the machine does falls on both; medians are printed. Exits 1 when a value
differs by more than 1e-12 or the five measures together are not faster.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable

import empyrical
import numpy as np

from core.analytics import measures
from core.analytics.summary import SUMMARY, summarise

PERIODS = 1_000_000
YEAR = 252
ROUNDS = 15
WINDOW = 1_000
WINDOWED = 20_000  # returns that the rolling measures run over; empyrical's calls its measure for every window

Work = Callable[[], object]


def compared() -> tuple[dict[str, tuple[Work, Work]], dict[str, tuple[Work, Work]], Work]:
    """(measures that both have, rolling ones, our summary of an equity curve)"""
    rng = np.random.default_rng(7)
    returns = rng.normal(2e-6, 5e-4, PERIODS)
    equity = measures.equity_of(returns)
    few = returns[:WINDOWED]
    single: dict[str, tuple[Work, Work]] = {
        "sharpe_ratio": (lambda: measures.sharpe_ratio(returns, YEAR), lambda: empyrical.sharpe_ratio(returns)),
        "sortino_ratio": (lambda: measures.sortino_ratio(returns, YEAR), lambda: empyrical.sortino_ratio(returns)),
        "max_drawdown": (lambda: measures.max_drawdown(equity), lambda: -empyrical.max_drawdown(returns)),
        "calmar_ratio": (lambda: measures.calmar_ratio(equity, YEAR), lambda: empyrical.calmar_ratio(returns)),
        "value_at_risk": (lambda: measures.value_at_risk(returns), lambda: -empyrical.value_at_risk(returns)),
    }
    rolling: dict[str, tuple[Work, Work]] = {
        "rolling sharpe": (
            lambda: measures.rolling_sharpe(few, WINDOW, YEAR)[WINDOW - 1 :],
            lambda: empyrical.roll_sharpe_ratio(few, window=WINDOW),
        ),
        "rolling drawdown": (
            lambda: -measures.rolling_max_drawdown(equity[: WINDOWED + 1], WINDOW + 1)[WINDOW:],
            lambda: empyrical.roll_max_drawdown(few, window=WINDOW),
        ),
    }
    return single, rolling, lambda: summarise(equity[1:], float(equity[0]), float(YEAR))


def milliseconds(work: Work) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def same(pair: tuple[Work, Work]) -> bool:
    ours, theirs = np.asarray(pair[0]()), np.asarray(pair[1]())
    return bool(np.allclose(ours, theirs, rtol=1e-12, atol=1e-12, equal_nan=True))


def medians(pairs: dict[str, tuple[Work, Work]], rounds: int) -> dict[str, tuple[float, float]]:
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in pairs}
    for _ in range(rounds):
        for name, (ours, theirs) in pairs.items():
            times[name][0].append(milliseconds(ours))
            times[name][1].append(milliseconds(theirs))
    return {name: (statistics.median(own), statistics.median(other)) for name, (own, other) in times.items()}


def table(pairs: dict[str, tuple[Work, Work]], rounds: int) -> tuple[bool, float, float]:
    """(whether all are equal, milliseconds of ours, of theirs)"""
    equal = {name: same(pair) for name, pair in pairs.items()}  # compiles as well
    spent = medians(pairs, rounds)
    for name, (own, other) in spent.items():
        print(f"{name:24}{own:>10.2f} ms{other:>12.2f} ms{other / own:>9.1f}x   {'yes' if equal[name] else 'NO'}")
    return all(equal.values()), sum(own for own, _ in spent.values()), sum(other for _, other in spent.values())


def main() -> int:
    single, rolling, summary = compared()
    print(f"Measures of {PERIODS:,} returns, medians of {ROUNDS} interleaved rounds")
    print(f"{'':24}{'ours':>13}{'empyrical':>15}{'faster':>10}   equal to 1e-12")
    equal, own, other = table(single, ROUNDS)
    print(f"{'the five together':24}{own:>10.2f} ms{other:>12.2f} ms{other / own:>9.1f}x")
    summary()
    spent = statistics.median(milliseconds(summary) for _ in range(ROUNDS))
    print(f"{f'summary ({len(SUMMARY)} statistics)':24}{spent:>10.2f} ms  {spent * 1e6 / PERIODS:.1f} ns per bar")
    print(f"Windows of {WINDOW:,} over {WINDOWED:,} returns, medians of 3 interleaved rounds")
    rolled, _, _ = table(rolling, 3)
    return 0 if equal and rolled and own < other and not math.isnan(own) else 1


if __name__ == "__main__":
    sys.exit(main())

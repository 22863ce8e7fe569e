"""The cases: their markets and numbers, which every engine reads from one file. Only numpy is needed here.

Prices have full precision. On a grid of 0.01 two right summations of an average differ in exact ties, and with them
every engine's trades: this product decides ties as exact arithmetic does, the others as rounding happens to.
"""

import os
from typing import Any

import numpy as np

CASH = 10_000.0
# The usual fees trade these strategies to dust within a million bars, and dust compares badly.
FEE, SLIPPAGE = 0.00001, 0.000005
PAIRS = int(os.environ.get("BENCHMARK_PAIRS", "500"))
FAST = range(5, 45, 2)  # 20 of them, every one below every slow one
SLOW = tuple(50 + 250 * i // (PAIRS // 20) for i in range(PAIRS // 20))
RSI = {"period": 14, "entry": 30.0, "below": 0.001, "stop": 0.01, "target": 0.02, "trail": 0.008}
APART = 4_000  # bars: at most one purchase in each such stretch, so that no signal comes while one is held
ROTATION = {"lookback": 1_440, "every": 1_440, "top": 10}
TITLES = {
    "sma": "SMA 20/50, {bars:,} bars, costs, equity and trades kept",
    "sweep": "SMA sweep, {pairs:,} pairs on {bars:,} bars, statistics of each",
    "rsi": "RSI limit entries with stop, target and trail inside the bar, {bars:,} bars",
    "rotation": "Top 10 of 50 instruments by momentum, {bars:,} bars each, rebalanced every 1,440",
}


def market(bars: int, seed: int = 7) -> dict[str, Any]:
    """One-minute bars of a random walk whose opens lie close to the last close."""
    rng = np.random.default_rng(seed)
    close = 30_000 * np.exp(np.cumsum(rng.normal(0, 0.0005, bars)))
    opened = np.r_[close[0], close[:-1]] * np.exp(rng.normal(0, 0.00001, bars))
    return {
        "timestamp": np.arange(bars, dtype=np.int64) * 60_000,
        "open": opened,
        "high": np.maximum(opened, close) * (1 + np.abs(rng.normal(0, 0.0002, bars))),
        "low": np.minimum(opened, close) * (1 - np.abs(rng.normal(0, 0.0002, bars))),
        "close": close,
        "volume": rng.uniform(50, 500, bars),
    }


def data_of(case: str, factor: float = 1.0) -> dict[str, Any]:
    """The arrays of a case. factor: of its bars, for the tables of growth."""
    if case == "rotation":
        bars = int(100_000 * factor)
        many = [market(bars, seed) for seed in range(50)]
        return {name: np.column_stack([each[name] for each in many]) for name in many[0]}
    return market(int((100_000 if case == "sweep" else 1_000_000) * factor))


def purchases(strength: Any) -> Any:
    """Rows at which the RSI falls below the entry: the first in the first half of each stretch of APART bars."""
    below = strength < RSI["entry"]
    rows = np.flatnonzero(below[1:] & (strength[:-1] >= RSI["entry"])) + 1
    rows = rows[rows % APART < APART // 2]
    return rows[np.r_[True, np.diff(rows // APART) > 0]]


def crossings(fast: Any, slow: Any) -> tuple[Any, Any]:
    """(entries, exits): where the fast average comes to lie above the slow one, and where it no longer does."""
    above = fast > slow
    known = ~np.isnan(slow[:-1])
    entries, exits = np.zeros(len(above), bool), np.zeros(len(above), bool)
    entries[1:] = above[1:] & ~above[:-1] & known
    exits[1:] = ~above[1:] & above[:-1] & known
    return entries, exits


def chosen(close: Any) -> tuple[Any, Any]:
    """(rows, weights (rows, instruments)): what the rotation wants at the closes of its rebalancing bars."""
    lookback, every, top = ROTATION["lookback"], ROTATION["every"], ROTATION["top"]
    rows = np.arange(0, len(close), every)
    rows = rows[rows >= lookback]
    rises = close[rows] / close[rows - lookback] - 1.0
    best = np.argsort(-rises, axis=1, kind="stable")[:, :top]
    weights = np.zeros(rises.shape)
    np.put_along_axis(weights, best, 1.0 / top, axis=1)
    return rows, weights

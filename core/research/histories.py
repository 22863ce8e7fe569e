"""Histories: other equity paths beside that of a result, each made from its number and a seed alone."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.analytics.bootstrap import aggregated, indices, optimal_block_length
from core.analytics.paths import ordered_path
from core.errors import InvalidInput
from core.market.timeframes import DAY
from core.research.backtest import backtest
from core.research.jitter import Jitter
from core.research.perturbation import noisy
from core.research.result import Result
from core.research.tape import Signalled, play

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MARKS = 200  # points of a path that are kept
FEWEST_TRADES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """How the paths are made. path: equity by the run's number; original: as it was, along the same periods

    marks: (points,) rows of a path that are kept; axis: their times in UTC ms, or numbers of trades
    year: periods of a path in a year; settings: what decides the paths, as documents tell it
    """

    path: Callable[[int], Floats]
    original: Floats
    marks: Integers
    axis: Integers
    year: float
    settings: dict[str, Any]


def trades(result: Result, seed: int, again: bool) -> Histories:
    """The trades' shares of the equity there was before each, put into another order or drawn with replacement."""
    columns = result.trade_columns
    profit = np.asarray(columns["pnl"], dtype=np.float64)
    count = len(profit)
    if count < FEWEST_TRADES:
        made = f"{count} trade{'' if count == 1 else 's'}"
        raise InvalidInput(f"{result.strategy.name} made {made}, and at least {FEWEST_TRADES} are needed.")
    ended = np.asarray(columns["exit_time"]).astype(np.float64)
    profit = profit[np.argsort(np.where(np.asarray(columns["open"], dtype=bool), np.inf, ended), kind="stable")]
    before = result.cash + np.append(0.0, np.cumsum(profit)[:-1])
    share = np.divide(profit, before, out=np.zeros(count), where=before > 0.0)  # of the equity there was
    marks = _marks(count)

    def path(run: int) -> Floats:
        rng = np.random.default_rng([seed, run])
        order = rng.integers(0, count, count) if again else rng.permutation(count)
        return _compounded(share, order, result.cash)

    years = max(1e-9, float(result.timestamps[-1] - result.timestamps[0]) / (365 * DAY))
    original = _compounded(share, np.arange(count), result.cash)
    return Histories(path, original, marks, marks + 1, count / years, {"replace": again, "trades": count})


def blocks(result: Result, seed: int, block: float | None) -> Histories:
    """Returns drawn in blocks by the stationary bootstrap; long histories in runs of bars."""
    returns, run_length = aggregated(result.returns)
    count = len(returns)
    if count < 2:
        raise InvalidInput(f"{len(result.returns)} bars are too few to draw blocks from.")
    chosen = max(1.0, optimal_block_length(returns), optimal_block_length(returns**2))
    if block is not None and not block >= 1.0:
        raise InvalidInput(f"A block length of {block:g} is below one bar.")
    length = chosen if block is None else max(1.0, block / run_length)
    marks = _marks(count)

    def path(run: int) -> Floats:
        return _compounded(returns, indices(count, length, run, seed), result.cash)

    ends = result.timestamps[len(result.returns) - 1 - run_length * np.arange(count - 1, -1, -1)]
    settings = {"block": length * run_length, "bars_per_run": run_length}
    original = _compounded(returns, np.arange(count), result.cash)
    return Histories(path, original, marks, ends[marks], result.periods_per_year / run_length, settings)


def prices(result: Result, seed: int, noise: float) -> Histories:
    """The strategy run again on bars with noise; finer bars that decided inside a bar are left out."""
    sizing, funding = result.sizing, result.funding
    marks = _marks(len(result.equity))

    def path(run: int) -> Floats:
        seeds = np.random.default_rng([seed, run]).integers(0, 2**63, len(result.bars))
        bars = {
            name: noisy(each, noise, int(key)) for (name, each), key in zip(result.bars.items(), seeds, strict=True)
        }
        return backtest(result.strategy, bars, result.cash, result.costs, sizing=sizing, funding=funding).equity

    settings = {"noise": noise}
    return Histories(path, result.equity, marks, result.timestamps[marks], result.periods_per_year, settings)


def costs(result: Result, seed: int, jitter: Jitter) -> Histories:
    """The signals carried out at other costs, some missed, some late."""
    marks = _marks(len(result.equity))

    def path(run: int) -> Floats:
        rng = np.random.default_rng([seed, run])
        costs = jitter.costs(result.costs, rng)
        plan = result._plan  # of a strategy that is asked bar by bar there are no signals, only costs to vary
        if isinstance(plan, Signalled):
            plan = replace(
                plan,
                asked=[
                    jitter.carried(each, len(bars), rng)
                    for each, bars in zip(plan.asked, result.bars.values(), strict=True)
                ],
            )
        return play(result._tape, plan, result.cash, costs).equity

    return Histories(path, result.equity, marks, result.timestamps[marks], result.periods_per_year, asdict(jitter))


def _compounded(returns: Floats, order: Integers, cash: float) -> Floats:
    equity = np.empty(len(order))
    ordered_path(returns, order, cash, equity)
    return equity


def _marks(count: int) -> Integers:
    return np.unique(np.linspace(0, count - 1, min(count, MARKS)).astype(np.int64))

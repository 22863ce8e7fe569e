"""backtest: a strategy on recorded bars under the fill model."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.clock import from_ms, to_ms
from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.funding import Funding
from core.market.instrument import Instrument
from core.research.asked import asked
from core.research.detail import by_symbol
from core.research.result import Result, Trade
from core.research.steps import Stepped
from core.research.tape import Plan, Signalled, play, record
from core.simulation.view import values_of
from core.trading.costs import Costs
from core.trading.sizing import Sizing
from core.trading.strategy import (
    METHODS,
    Context,
    PortfolioStrategy,
    Signals,
    SignalStrategy,
    Strategy,
    blame,
    is_shared,
    is_stepped,
)

__all__ = ["Moment", "Result", "Trade", "backtest", "moment", "strategy_signals"]

Moment = datetime | str | int | None
DECIDED = 0.4  # of the progress: the signals


def backtest(
    strategy: Strategy,
    bars: Bars | Mapping[str, Bars],
    cash: float = 10_000.0,
    costs: Costs | None = None,
    *,
    instruments: Mapping[str, Instrument] | None = None,
    detail: Bars | Mapping[str, Bars] | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
    sizing: Sizing | None = None,
    funding: Funding | Mapping[str, Funding] | None = None,
) -> Result:
    """The strategy's trades and equity on these bars: decided at each close, filled from the next open on.

    bars: one instrument's, or {symbol: bars} that share the cash; each then gets an equal share of a SignalStrategy's
        exposure, while a PortfolioStrategy's weights and a StepStrategy's orders are taken as they are
    instruments: other grids and minimums than those of the bars, by the same symbols
    detail: bars of a lower timeframe, by which orders are matched inside each bar in the true order of prices
    start, end: trading starts at the first bar at or after `start` (ISO date, datetime or ms; earlier bars only warm
        the strategy up) and stops before `end`
    progress: told the fraction done, 0 to 1; what it raises ends the backtest
    sizing: what an exposure becomes: an amount, a quantity, by volatility … (see core.trading.sizing)
    funding: histories of perpetuals; where none reaches, the rate of the costs holds
    Raises InvalidInput when the cash, the bars or what the strategy asks for cannot be used.
    """
    began = time.perf_counter()
    costs = Costs() if costs is None else costs
    _demand_strategy(strategy)
    if not _number(cash) or not 0.0 < cash < 1e15:
        raise InvalidInput(f"Starting cash must be above 0 and below 1e15, not {cash}.")
    held = shared_bars(bars, instruments)
    fine = {} if detail is None else by_symbol(detail if isinstance(detail, Bars) else dict(detail), held)
    first, last = moment(start), moment(end)
    known = {name: each.between(None, last) for name, each in held.items()}
    enough(strategy, known)
    if progress:
        progress(0.0)
    skip = {name: rows_before(name, each, first) for name, each in known.items()}
    plan = planned(strategy, known, skip, progress, sizing)
    traded = {name: each[skip[name] :] if skip[name] else each for name, each in known.items()}
    tape = record(traded, fine, funding)
    for name, each in fine.items():
        each.demand_possible(f"detail of {name}")
    told = None if progress is None else lambda done: progress(DECIDED + (1.0 - DECIDED) * done)
    result = Result(strategy, tape, plan, float(cash), costs, play(tape, plan, float(cash), costs, told))
    result.seconds = time.perf_counter() - began
    return result


def strategy_signals(strategy: SignalStrategy, bars: Bars, context: Context) -> Signals:
    """The strategy's signals; what goes wrong inside a user's own code is told in one sentence with its place."""
    try:
        return strategy.signals(bars, context)
    except Exception as broken:  # a user's strategy may fail in any way
        blame(strategy, broken)


def allocation(strategy: PortfolioStrategy, bars: Mapping[str, Bars]) -> dict[str, Signals]:
    """The strategy's signals of each instrument. Raises InvalidInput where it fails or names other instruments."""
    try:
        given = dict(strategy.allocate(bars, Context()))
    except Exception as broken:  # a user's strategy may fail in any way
        blame(strategy, broken)
    if given.keys() != bars.keys():
        told = ", ".join(map(str, given)) or "none"
        raise InvalidInput(f"{strategy.name} gave signals of {told}; it was asked about {', '.join(bars)}.")
    return given


def planned(
    strategy: Strategy,
    known: dict[str, Bars],
    skip: dict[str, int],
    progress: Callable[[float], None] | None,
    sizing: Sizing | None = None,
) -> Plan:
    """What is to be traded: signals that are known beforehand, or the strategy itself, asked bar by bar."""
    if is_stepped(strategy):
        values = {name: values_of(strategy, each) for name, each in known.items()}
        return Stepped(strategy, known, tuple(skip.values()), values, sizing)
    if is_shared(strategy):
        shares = allocation(strategy, known)
        every = [asked(strategy, shares[name], len(each)).since(skip[name]) for name, each in known.items()]
        if progress:
            progress(DECIDED)
        return Signalled(every, False, sizing, strategy.name)
    every = []
    for name, each in known.items():
        others = {key: other for key, other in known.items() if key != name}
        signals = strategy_signals(strategy, each, Context(others))
        every.append(asked(strategy, signals, len(each)).since(skip[name]))
        if progress:
            progress(DECIDED * len(every) / len(known))
    return Signalled(every, True, sizing, strategy.name)


def shared_bars(
    bars: Bars | Mapping[str, Bars], instruments: Mapping[str, Instrument] | None = None
) -> dict[str, Bars]:
    """The bars by symbol, on the grids of `instruments` where given.

    Raises InvalidInput when they share no cash, BadData when a row cannot be.
    """
    whole: Any = {bars.instrument.symbol: bars} if isinstance(bars, Bars) else bars
    held: dict[str, Bars] = dict(whole) if isinstance(whole, Mapping) else {}
    if not held or not all(isinstance(each, Bars) for each in held.values()):
        raise InvalidInput("A backtest needs the bars of at least one instrument: Bars, or {symbol: Bars}.")
    frames = {each.timeframe for each in held.values()}
    if len(frames) > 1:
        raise InvalidInput(f"All instruments must have one timeframe; these have {', '.join(sorted(frames))}.")
    quotes = sorted({each.instrument.quote for each in held.values()})
    if len(quotes) > 1:
        raise InvalidInput(
            f"{', '.join(each.instrument.symbol for each in held.values())} cannot share one cash, as they are quoted"
            f" in {' and '.join(quotes)}."
        )
    for name, each in held.items():
        each.demand_possible(name)
    given = instruments or {}
    return {name: replace(each, instrument=given[name]) if name in given else each for name, each in held.items()}


def enough(strategy: Strategy, known: Mapping[str, Bars]) -> None:
    """Raises InvalidInput where there are not more bars than the strategy needs before its first signal.

    Of a portfolio the longest must have them: what is listed later joins later.
    """
    needed = strategy.warmup()
    portfolio = is_shared(strategy)
    bars, name = sorted(((len(each), name) for name, each in known.items()), reverse=portfolio)[0]
    if bars <= needed:
        raise InvalidInput(
            f"{strategy.name} needs more than {needed} bars and {name} has {bars}.", needed=needed, bars=bars
        )


def rows_before(name: str, bars: Bars, first: int | None) -> int:
    """How many bars open before `first` (UTC ms). Raises InvalidInput when all do."""
    rows = 0 if first is None else int(np.searchsorted(bars.timestamp, first))
    if rows >= len(bars):
        raise InvalidInput(f"{name} has no bars from {from_ms(first or 0):%Y-%m-%d %H:%M} on.")
    return rows


def _demand_strategy(given: Any) -> None:
    """Raises InvalidInput for what a strategy is easily taken for: its name, its class, or something else."""
    if isinstance(given, str):
        raise InvalidInput(f"'{given[:60]}' is a strategy's name, not a strategy; give load(\"{given[:60]}\", {{}}).")
    if isinstance(given, type):
        raise InvalidInput(f"{given.__name__} is a class, not a strategy with its parameters; give {given.__name__}().")
    if not any(callable(getattr(given, name, None)) for name in METHODS):
        raise InvalidInput(
            f"{given!r:.60} is not a strategy: it has none of the methods {', '.join(METHODS.values())}.",
        )


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def moment(given: Moment) -> int | None:
    """UTC ms of a date, ISO time, datetime or ms. Raises InvalidInput."""
    if given is None or isinstance(given, int):
        return given
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise InvalidInput(f"'{given}' is not a date; write it like 2024-01-31 or 2024-01-31T12:00.") from None
    return to_ms(given if given.tzinfo else given.replace(tzinfo=UTC))

"""backtest: a strategy on recorded bars under the fill model."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from core.clock import from_ms, to_ms
from core.errors import AppError, InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.detail import by_symbol
from core.research.result import Result, Trade
from core.research.tape import SIGNALS, Rows, play, record
from core.simulation.kernel import extent
from core.trading.costs import Costs
from core.trading.strategy import Context, Signals, SignalStrategy

__all__ = ["Moment", "Result", "Trade", "backtest", "moment", "strategy_signals"]

Moment = datetime | str | int | None
DECIDED = 0.4  # of the progress: the signals


def backtest(
    strategy: SignalStrategy,
    bars: Bars | Mapping[str, Bars],
    cash: float = 10_000.0,
    costs: Costs | None = None,
    *,
    instruments: Mapping[str, Instrument] | None = None,
    detail: Bars | Mapping[str, Bars] | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
) -> Result:
    """The strategy's trades and equity on these bars: decided at each close, filled from the next open on.

    bars: one instrument's, or {symbol: bars} that share the cash; each then gets an equal share of the exposure
    instruments: other grids and minimums than those of the bars, by the same symbols
    detail: bars of a lower timeframe, by which orders are matched inside each bar in the true order of prices
    start, end: trading starts at the first bar at or after `start` (ISO date, datetime or ms; earlier bars only warm
        the strategy up) and stops before `end`
    progress: told the fraction done, 0 to 1
    Raises InvalidInput when the cash, the bars or the strategy's signals cannot be used.
    """
    began = time.perf_counter()
    costs = Costs() if costs is None else costs
    if not 0.0 < cash < 1e15:
        raise InvalidInput(f"Starting cash {cash} is not between 0 and 1e15.")
    held = shared_bars(bars, instruments)
    fine = {} if detail is None else by_symbol(detail if isinstance(detail, Bars) else dict(detail), held)
    first, last = moment(start), moment(end)
    known = {name: each.between(None, last) for name, each in held.items()}
    enough(strategy, known)
    if progress:
        progress(0.0)
    traded: dict[str, Bars] = {}
    signals: list[Rows] = []
    for name, each in known.items():
        others = {key: other for key, other in known.items() if key != name}
        found = checked(strategy, strategy_signals(strategy, each, Context(others)), len(each))
        skip = rows_before(name, each, first)
        traded[name] = each[skip:]
        signals.append({key: None if array is None else array[skip:] for key, array in found.items()})
        if progress:
            progress(DECIDED * len(traded) / len(known))
    tape = record(traded, fine)
    told = None if progress is None else lambda done: progress(DECIDED + (1.0 - DECIDED) * done)
    result = Result(strategy, tape, signals, cash, costs, play(tape, signals, cash, costs, told))
    result.seconds = time.perf_counter() - began
    return result


def shared_bars(
    bars: Bars | Mapping[str, Bars], instruments: Mapping[str, Instrument] | None = None
) -> dict[str, Bars]:
    """The bars by symbol, on the grids of `instruments` where given. Raises InvalidInput when they share no cash."""
    held = {bars.instrument.symbol: bars} if isinstance(bars, Bars) else dict(bars)
    if not held:
        raise InvalidInput("A backtest needs the bars of at least one instrument.")
    frames = {each.timeframe for each in held.values()}
    if len(frames) > 1:
        raise InvalidInput(f"All instruments must have one timeframe; these have {', '.join(sorted(frames))}.")
    quotes = sorted({each.instrument.quote for each in held.values()})
    if len(quotes) > 1:
        raise InvalidInput(
            f"{', '.join(each.instrument.symbol for each in held.values())} cannot share one cash, as they are quoted"
            f" in {' and '.join(quotes)}."
        )
    given = instruments or {}
    return {name: replace(each, instrument=given[name]) if name in given else each for name, each in held.items()}


def enough(strategy: SignalStrategy, known: Mapping[str, Bars]) -> None:
    """Raises InvalidInput where there are not more bars than the strategy needs before its first signal."""
    needed = strategy.warmup()
    for name, each in known.items():
        if len(each) <= needed:
            raise InvalidInput(
                f"{strategy.name} needs more than {needed} bars and {name} has {len(each)}.",
                needed=needed,
                bars=len(each),
            )


def rows_before(name: str, bars: Bars, first: int | None) -> int:
    """How many bars open before `first` (UTC ms). Raises InvalidInput when all do."""
    rows = 0 if first is None else int(np.searchsorted(bars.timestamp, first))
    if rows >= len(bars):
        raise InvalidInput(f"{name} has no bars from {from_ms(first or 0):%Y-%m-%d %H:%M} on.")
    return rows


def strategy_signals(strategy: SignalStrategy, bars: Bars, context: Context) -> Signals:
    """The strategy's signals; what goes wrong inside a user's own code is told in one sentence with its place."""
    try:
        return strategy.signals(bars, context)
    except AppError:
        raise
    except Exception as broken:  # a user's strategy may fail in any way
        import traceback

        place = traceback.extract_tb(broken.__traceback__)[-1]
        raise InvalidInput(
            f"{strategy.name} failed in {place.filename}, line {place.lineno}: {type(broken).__name__}: {broken}"
        ) from broken


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


def checked(strategy: SignalStrategy, signals: Signals, n: int) -> Rows:
    """The signal arrays by name. Raises InvalidInput for wrong lengths and values."""
    arrays: Rows = {}
    for name in SIGNALS:
        given = getattr(signals, name)
        array = None if given is None else np.ascontiguousarray(given, dtype=np.float64)
        if array is not None and array.shape != (n,):
            raise InvalidInput(f"{strategy.name} gave {array.shape} values of {name} for {n} bars.")
        if array is not None and not array.flags.writeable:
            array = array.copy()  # the kernel is compiled for one kind of array
        arrays[name] = array
    exposure = arrays["exposure"]
    if exposure is None:
        raise InvalidInput(f"{strategy.name} gave no exposure.")
    for name, array in arrays.items():
        if array is None:
            continue
        low, high = (-1.0, 1.0) if name == "exposure" else (0.0, 1.0 if name == "trail" else np.inf)
        least, most = extent(array)
        if least < low or most > high or (name != "exposure" and least <= 0.0) or most == np.inf:
            raise InvalidInput(f"{strategy.name} gave a {name} outside {low:g} to {high:g}: {least:g} to {most:g}.")
    return arrays

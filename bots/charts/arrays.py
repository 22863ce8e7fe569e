"""Arrays: a chart's series in order of time, and no more of each than a phone's pixels can show."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.reply import Pane, Series

Floats = npt.NDArray[np.float64]
Milliseconds = npt.NDArray[np.int64]

LONGEST: Final = 280  # bars drawn; more become thinner than a phone's pixel and are merged
POINTS: Final = 1500  # points of a line; of more, the extremes of each stretch are kept


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series as arrays in order of time; values (n,) or, for candles, (n, 4)."""

    series: Series
    times: Milliseconds
    values: Floats


@dataclass(frozen=True, slots=True)
class Prepared:
    pane: Pane
    series: tuple[Drawn, ...]


def prepare(pane: Pane) -> Prepared:
    return Prepared(pane, tuple(drawn for drawn in map(_arrays, pane.series) if np.isfinite(drawn.values).any()))


def _arrays(series: Series) -> Drawn:
    """Null and infinity become NaN, which is drawn as a gap; a candle with a gap in it is left out."""
    times = np.asarray(series.times, dtype=np.int64).reshape(-1)
    shape = (len(times), 4) if series.kind == "candles" else (len(times),)
    values = np.array(_numbers(series.values), dtype=np.float64).reshape(shape)
    values[~np.isfinite(values)] = np.nan
    return Drawn(series, times, values)


def _numbers(values: Any) -> Any:
    """None (NaN that travelled as JSON) as NaN, at any depth."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, list | tuple):
        return [_numbers(value) for value in values]
    return math.nan if values is None else values


def merge_candles(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most LONGEST bars: neighbours become one with their first open, extremes and last close."""
    whole = np.isfinite(values).all(axis=1)
    times, values = times[whole], values[whole]
    if len(times) <= LONGEST:
        return times, values
    starts = _starts(len(times))
    ends = np.append(starts[1:], len(times)) - 1
    merged = np.column_stack([
        values[starts, 0],
        np.maximum.reduceat(values[:, 1], starts),
        np.minimum.reduceat(values[:, 2], starts),
        values[ends, 3],
    ])  # fmt: skip
    return times[starts], merged


def merge_sums(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most LONGEST columns: volumes of neighbours add up, signed ones (a MACD histogram) are averaged."""
    known = np.isfinite(values)
    times, values = times[known], values[known]
    if len(times) <= LONGEST:
        return times, values
    starts = _starts(len(times))
    sums = np.add.reduceat(values, starts)
    counts = np.diff(np.append(starts, len(times)))
    return times[starts], sums if (values >= 0).all() else sums / counts


def _starts(count: int) -> npt.NDArray[np.int64]:
    """First index of each merged group; the same for candles and the volume under them."""
    size = math.ceil(count / LONGEST)
    return np.arange(0, count, size, dtype=np.int64)


def thin(times: Milliseconds, values: Floats) -> tuple[Milliseconds, Floats]:
    """At most about POINTS points of a line: the lowest and highest of each stretch stay, as do gaps and both ends."""
    if len(times) <= POINTS:
        return times, values
    kept = {0, len(times) - 1}
    for stretch in np.array_split(np.arange(len(times)), POINTS // 3):
        known = stretch[np.isfinite(values[stretch])]
        if len(known):
            kept.update((int(known[values[known].argmin()]), int(known[values[known].argmax()])))
        if len(known) < len(stretch):
            kept.add(int(stretch[~np.isfinite(values[stretch])][0]))
    order = np.array(sorted(kept))
    return times[order], values[order]

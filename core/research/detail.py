"""interleaved: bars of a lower timeframe in the place of the strategy's, so that orders meet prices in their order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import InvalidInput
from core.market import timeframes
from core.market.bars import COLUMNS, Bars

Integers = NDArray[np.int64]
APART = 0.05  # closes that differ more than this fraction are not of one market


def by_symbol(detail: Bars | dict[str, Bars], bars: dict[str, Bars]) -> dict[str, Bars]:
    """The detail of every instrument. Raises InvalidInput where one lacks it or the timeframes do not fit."""
    if isinstance(detail, Bars):
        if len(bars) > 1:
            raise InvalidInput("Detail for several instruments must be given by symbol, like the bars.")
        detail = {next(iter(bars)): detail}
    unknown, missing = [name for name in detail if name not in bars], [name for name in bars if name not in detail]
    if unknown or missing:
        told = f"there are no bars of {', '.join(unknown)}" if unknown else f"{', '.join(missing)} lacks it"
        raise InvalidInput(f"Detail must be given for the instruments that are traded, and {told}.")
    frames = sorted({each.timeframe for each in detail.values()})
    if len(frames) > 1:
        raise InvalidInput(f"The detail of all instruments must have one timeframe; these have {', '.join(frames)}.")
    whole = next(iter(bars.values())).timeframe
    if timeframes.milliseconds(whole) % timeframes.milliseconds(frames[0]):
        raise InvalidInput(f"Bars of {frames[0]} do not divide bars of {whole}, so that they cannot be their detail.")
    return {name: detail[name] for name in bars}


def interleaved(
    bars: dict[str, Bars], detail: dict[str, Bars], warnings: list[str]
) -> tuple[list[tuple[Any, ...]], list[Integers], Integers, Integers]:
    """(columns per instrument, rows in which its bars close, opens of all bars, opens of the rows they end in).

    A bar whose detail is not complete stays whole, for all instruments, as its close would tell what is yet to come.
    """
    complete = {name: _complete(name, each, detail[name]) for name, each in bars.items()}
    holes = np.concatenate([each.timestamp[~complete[name]] for name, each in bars.items()])
    columns, decisions, steps, closes = [], [], [], []
    for name, each in bars.items():
        fine = detail[name]
        length, part = timeframes.milliseconds(each.timeframe), timeframes.milliseconds(fine.timeframe)
        divided = ~np.isin(each.timestamp, holes)
        if not divided.all():
            warnings.append(
                f"{np.count_nonzero(~divided):,} of {len(each):,} bars of {name} were matched whole, because the"
                f" {fine.timeframe} detail has a hole there."
            )
        owner = np.searchsorted(each.timestamp, fine.timestamp, side="right") - 1
        used = (owner >= 0) & divided[owner] & (fine.timestamp < each.timestamp[owner] + length)
        order = np.argsort(np.concatenate([fine.timestamp[used], each.timestamp[~divided]]), kind="stable")
        merged = tuple(
            np.concatenate([getattr(fine, column)[used], getattr(each, column)[~divided]])[order] for column in COLUMNS
        )
        ends = np.where(divided, each.timestamp + length - part, each.timestamp)
        columns.append(merged)
        decisions.append(np.searchsorted(merged[0], ends))
        steps.append(each.timestamp)
        closes.append(ends)
    opens, place = np.unique(np.concatenate(steps), return_index=True)
    return columns, decisions, opens, np.concatenate(closes)[place]


def _complete(name: str, bars: Bars, detail: Bars) -> NDArray[np.bool_]:
    """(n,) whether the detail has every part of the bar. Raises InvalidInput when it does not cover, align or agree."""
    length, part = timeframes.milliseconds(bars.timeframe), timeframes.milliseconds(detail.timeframe)
    first, last = int(bars.timestamp[0]), int(bars.timestamp[-1]) + length
    if not len(detail) or detail.timestamp[0] > first or detail.timestamp[-1] + part < last:
        span = f"from {_when(detail.timestamp[0])} to {_when(detail.timestamp[-1] + part)}" if len(detail) else "empty"
        raise InvalidInput(
            f"The detail of {name} is {span} and does not cover its bars from {_when(first)} to {_when(last)}.",
            hint="Bars outside it can be left out with start and end (--from, --to).",
        )
    owner = np.maximum(np.searchsorted(bars.timestamp, detail.timestamp, side="right") - 1, 0)
    inside = (detail.timestamp >= first) & (detail.timestamp < bars.timestamp[owner] + length)
    astray = inside & ((detail.timestamp - bars.timestamp[owner]) % part != 0)
    if astray.any():
        at = from_ms(int(detail.timestamp[np.argmax(astray)])).isoformat()
        raise InvalidInput(
            f"The detail of {name} has a {detail.timeframe} bar at {at}, off the grid of its {bars.timeframe} bars."
        )
    complete = np.bincount(owner[inside], minlength=len(bars)) == length // part
    ends = np.searchsorted(detail.timestamp, bars.timestamp[complete] + length - part)
    apart = np.abs(detail.close[ends] / bars.close[complete] - 1.0) > APART
    if apart.any():
        worst = int(np.argmax(apart))
        raise InvalidInput(
            f"The detail of {name} is of another market: it closes at {detail.close[ends[worst]]:g} where the bar of"
            f" {_when(bars.timestamp[complete][worst])} closes at {bars.close[complete][worst]:g}."
        )
    return np.asarray(complete)


def _when(moment: int) -> str:
    return f"{from_ms(int(moment)):%Y-%m-%d %H:%M}"

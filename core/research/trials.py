"""trials: how often a strategy has been tried on data, which the deflated Sharpe ratio must know."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.errors import BadData
from core.research.archive import Saved, SavedRun
from core.research.result import Trials, tried_as

TRIED = ("backtest", "sweep", "optimize", "walk-forward")  # monte-carlo and compare try nothing new
MOST = 100_000  # combinations that are told apart
Key = tuple[Any, ...]


def trials(
    runs: Iterable[Saved],
    strategy: str,
    data: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any] | None = None,
) -> Trials:
    """Distinct parameter sets of the strategy among the runs whose data overlaps in instrument and time.

    A run with a frame "table" counts every row of it: a column named like a parameter is that parameter, "sharpe" is
    the row's annual Sharpe ratio. One without counts each combination of its `space` of value lists,
    else `document["trials"]`, or 1.
    """
    tried, others = _tried(runs, strategy, data)
    if parameters is not None:
        tried.setdefault(_named(data, parameters), None)
    known = tuple(sharpe for sharpe in tried.values() if sharpe is not None and sharpe == sharpe)
    return Trials(len(tried) + others, known)


def earlier(
    runs: Iterable[Saved], strategy: str, data: Sequence[Mapping[str, Any]], tries: Iterable[Mapping[str, Any]]
) -> int:
    """How many tries of the strategy the runs hold besides these (see `tried_as`), on overlapping data."""
    tried, others = _tried(runs, strategy, data)
    return len(tried.keys() - {_named(data, each) for each in tries}) + others


def _tried(
    runs: Iterable[Saved], strategy: str, data: Sequence[Mapping[str, Any]]
) -> tuple[dict[Key, float | None], int]:
    """The Sharpe ratio of each set of parameters, None where it is not known, and tries that cannot be told apart."""
    tried: dict[Key, float | None] = {}
    others = 0
    for saved in runs:
        if saved.kind not in TRIED or saved.strategy != strategy or not overlapping(saved.data, data):
            continue
        try:
            keys, sharpes = _rows(saved)
        except BadData:  # a file that is broken inside tells of no tries, and must not stop a new run
            continue
        others += max(0, int(saved.document.get("trials") or 0) - len(keys))
        for key, sharpe in zip(keys, sharpes, strict=True):
            name = (*_frames(saved.data), *key)
            if sharpe is not None or name not in tried:
                tried[name] = sharpe
    return tried, others


def _named(data: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> Key:
    """A try on these bars: the same parameters on other timeframes are another one."""
    return (*_frames(data), *_key(parameters))


def _frames(data: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({str(each.get("timeframe")) for each in data})


def overlapping(these: Sequence[Mapping[str, Any]], those: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any instrument is in both, in times that overlap (or are not told)."""
    for one in these:
        for other in those:
            if one.get("fingerprint") and one.get("fingerprint") == other.get("fingerprint"):
                return True
            if _market(one) == _market(other) and _meets(one, other):
                return True
    return False


def _market(data: Mapping[str, Any]) -> str:
    """BTC/USDT of 'binance:BTC/USDT': the same coin of two venues is nearly the same data."""
    return str(data.get("instrument") or data.get("symbol") or "").rpartition(":")[2]


def _meets(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        (a, b), (c, d) = (
            (datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])) for each in (one, other)
        )
    except (KeyError, TypeError, ValueError):
        return True
    return a <= d and c <= b


def _rows(saved: Saved) -> tuple[list[Key], list[float | None]]:
    """The parameter sets of a run and the Sharpe ratio of each, where known."""
    fixed = tried_as(saved.document.get("strategy") or {})
    table = SavedRun(saved).frame("table") if saved.kind != "backtest" else {}
    space = saved.document.get("space") or {}
    names = [name for name in table if name in fixed or name in space]
    if not names and space and saved.kind != "backtest":
        lists = [values if isinstance(values, list) else [] for values in space.values()]
        if math.prod(map(len, lists)) == int(saved.document.get("trials") or 0) <= MOST:
            keys = [_key(fixed | dict(zip(space, row, strict=True))) for row in itertools.product(*lists)]
            return keys, [None] * len(keys)
    if not names:
        sharpe = saved.stats.get("sharpe")
        return [_key(fixed)], [None if sharpe is None else float(sharpe)]
    columns = [table[name].tolist() for name in names]
    keys = [_key(fixed | dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    known: list[float | None] = [float(each) for each in table.get("sharpe", ())]
    return keys, known or [None] * len(keys)


def _key(parameters: Mapping[str, Any]) -> Key:
    return tuple((name, _number(value)) for name, value in sorted(parameters.items()))


def _number(value: Any) -> Any:
    """20 and 20.0 are one parameter."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

"""Returns compounded by calendar, in UTC."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.analytics.series import Floats, floats
from core.errors import InvalidInput

Unit = Literal["day", "week", "month", "quarter", "year"]
DAY = 86_400_000  # ms
MONDAY = 4  # days from the epoch, a Thursday


def aggregate(returns: ArrayLike, timestamps: ArrayLike, unit: Unit = "month") -> tuple[NDArray[np.int64], Floats]:
    """(the start of each unit that holds a period, UTC ms, (m,) the compounded return in it).

    returns: (n,) simple; NaN changes nothing, and a unit of nothing but NaN is NaN. timestamps: (n,) UTC ms of the
    periods' starts, ascending: a bar belongs to the day, week (from Monday), month, quarter or year in which it opens.
    """
    changes = floats(returns)
    starts = _starts(np.asarray(timestamps, dtype=np.int64), unit)
    if len(starts) != len(changes):
        raise InvalidInput(f"{len(changes)} returns need as many timestamps, not {len(starts)}.")
    if np.any(np.diff(starts) < 0):
        raise InvalidInput("The timestamps of the returns are not in ascending order.")
    if len(changes) == 0:
        return starts, changes
    firsts = np.flatnonzero(np.concatenate(([True], np.diff(starts) > 0)))
    missing = np.isnan(changes)
    growth = np.multiply.reduceat(np.where(missing, 1.0, 1.0 + changes), firsts) - 1.0
    unknown = np.logical_and.reduceat(missing, firsts)
    return starts[firsts], np.where(unknown, np.nan, growth)


def by_month(returns: ArrayLike, timestamps: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """((years,) from the first to the last, (years, 12) compounded returns), NaN where there is none: a heat map."""
    starts, values = aggregate(returns, timestamps, "month")
    if len(starts) == 0:
        return np.empty(0, dtype=np.int64), np.empty((0, 12))
    months = starts.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    years = np.arange(months[0] // 12, months[-1] // 12 + 1)
    table = np.full((len(years), 12), np.nan)
    table[months // 12 - years[0], months % 12] = values
    return years + 1970, table


def _starts(timestamps: NDArray[np.int64], unit: str) -> NDArray[np.int64]:
    if unit == "day":
        return timestamps // DAY * DAY
    if unit == "week":
        return (timestamps // DAY - MONDAY) // 7 * 7 * DAY + MONDAY * DAY
    months = {"month": 1, "quarter": 3, "year": 12}.get(unit)
    if months is None:
        raise InvalidInput(f"No calendar unit '{unit}'; there are day, week, month, quarter and year.")
    since = timestamps.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    return (since // months * months).astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)

"""Bars to and from pandas; imported only when a frame is asked for, because pandas is slow to load."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import BadData
from core.market.columns import TIME_NAMES, find_columns, milliseconds_of


def columns_of(frame: pd.DataFrame) -> dict[str, Any]:
    """The six arrays of a frame, by name. Raises BadData."""
    names = [str(name) for name in frame.columns]
    if isinstance(frame.index, pd.DatetimeIndex):
        found = find_columns([*names, "timestamp"] if not _has_time(names) else names, "The frame")
        time: pd.Index | pd.Series = frame.index
    else:
        found = find_columns(names, "The frame")
        time = frame.iloc[:, found["timestamp"]]
    arrays: dict[str, Any] = {"timestamp": _milliseconds(time)}
    for name, index in found.items():
        if name != "timestamp":
            try:
                arrays[name] = frame.iloc[:, index].to_numpy(dtype=np.float64, na_value=np.nan)
            except (ValueError, TypeError):
                raise BadData(f"The frame's column '{names[index]}' holds what is not a number.") from None
    return arrays


def frame_of(timestamp: NDArray[np.int64], columns: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """A frame with a UTC DatetimeIndex named timestamp."""
    index = pd.DatetimeIndex(timestamp.astype("datetime64[ms]"), name="timestamp").tz_localize("UTC")
    return pd.DataFrame({name: values.copy() for name, values in columns.items()}, index=index)


def _has_time(names: list[str]) -> bool:
    return any(name.strip().lower() in TIME_NAMES for name in names)


def _milliseconds(time: "pd.Index | pd.Series") -> NDArray[np.int64]:
    if isinstance(time.dtype, np.dtype) and time.dtype.kind in "iuf":
        return milliseconds_of(time.to_numpy(), lambda index: f"frame row {index} (counting from 0)")
    try:
        index = pd.DatetimeIndex(pd.to_datetime(time, utc=True))
    except (ValueError, TypeError) as wrong:
        raise BadData(f"The frame's times cannot be read: {str(wrong).splitlines()[0]}.") from None
    if index.hasnans:
        raise BadData(f"frame row {int(index.isna().argmax())} (counting from 0): the time is missing.")
    return np.asarray(index.as_unit("ms").asi8, dtype=np.int64)

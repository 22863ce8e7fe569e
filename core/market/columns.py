"""Columns of bars as they come in files and frames: what they are called, and times in whichever unit."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import to_ms
from core.errors import BadData
from core.market import timeframes

TIME_NAMES = (
    "timestamp",
    "open_time",
    "opentime",
    "open time",
    "datetime",
    "date",
    "time",
    "unix",
    "ts",
    "__index_level_0__",  # pandas' name for an index without one
)
ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": TIME_NAMES,
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol", "volume_base", "base_volume"),
}
# A number of this size or more is in the next finer unit: seconds end in the year 5138.
MILLISECOND_SIZE, MICROSECOND_SIZE, NANOSECOND_SIZE = 1e11, 1e14, 1e17


def find_columns(names: Sequence[str], place: str) -> dict[str, int]:
    """Position of each column of bars among `names`, in any case. Raises BadData that names the columns found."""
    plain = [name.strip().lstrip("\ufeff").lower() for name in names]
    found: dict[str, int] = {}
    for wanted, aliases in ALIASES.items():
        position = next((plain.index(alias) for alias in aliases if alias in plain), None)
        if position is None:
            told = ", ".join(names) or "none"
            raise BadData(f"{place} has no {wanted} column; the columns found are {told}.", missing=wanted)
        found[wanted] = position
    return found


def milliseconds_of(values: NDArray[Any], where: Callable[[int], str]) -> NDArray[np.int64]:
    """UTC ms of times given in s, ms, us or ns since 1970, as ISO text, or as datetime64; (n,) -> (n,)."""
    if values.dtype.kind == "M":
        if (missing := np.isnat(values)).any():
            raise BadData(f"{where(int(missing.argmax()))}: the time is missing.")
        return np.asarray(values.astype("datetime64[ms]").astype(np.int64))
    if values.dtype.kind in "iu":
        return _scaled_integers(values.astype(np.int64))
    if values.dtype.kind == "f":
        if not (finite := np.isfinite(values)).all():
            raise BadData(f"{where(int(finite.argmin()))}: the time is missing or not a number.")
        seconds = np.abs(values) < MILLISECOND_SIZE
        whole = np.where(seconds, values * 1000, values)
        return _scaled_integers(np.rint(whole).astype(np.int64), seconds=False)
    return np.fromiter(
        (_iso(text, index, where) for index, text in enumerate(values)), dtype=np.int64, count=len(values)
    )


def _scaled_integers(values: NDArray[np.int64], *, seconds: bool = True) -> NDArray[np.int64]:
    if not values.size:
        return values
    smallest, largest = float(values.min()), float(values.max())
    if smallest >= MILLISECOND_SIZE and largest < MICROSECOND_SIZE:
        return values
    if largest < MILLISECOND_SIZE and timeframes.named(int(np.median(np.diff(values))) if values.size > 1 else 0):
        return values  # spaced like bars in milliseconds: the first years after 1970, as in made-up bars
    size = np.abs(values)
    scaled = np.where(size >= NANOSECOND_SIZE, values // 1_000_000, values)
    scaled = np.where((size >= MICROSECOND_SIZE) & (size < NANOSECOND_SIZE), values // 1_000, scaled)
    return np.where(size < MILLISECOND_SIZE, values * 1_000, scaled) if seconds else scaled


def _iso(text: object, index: int, where: Callable[[int], str]) -> int:
    plain = str(text).strip().removesuffix(" UTC").strip()
    if plain.isdecimal():  # a number in a column that a single bad cell has made text
        return int(_scaled_integers(np.array([int(plain[:18])]))[0])
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        raise BadData(f"{where(index)}: the time '{text}' is neither UTC milliseconds nor an ISO date.") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

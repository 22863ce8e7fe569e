"""Bars: the open, high, low, close and volume of one instrument, as read-only arrays."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.clock import from_ms
from core.errors import BadData, InvalidInput
from core.market import timeframes
from core.market.instrument import Instrument, parse_key

if TYPE_CHECKING:
    import pandas

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Where = Callable[[int], str]  # index of a row -> how a person finds that row

PRICES = ("open", "high", "low", "close")
NAME_TELLS = "Or give the file a name that tells it, such as BTCUSDT-1h.csv."
COLUMNS = ("timestamp", *PRICES, "volume")


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are not there: from `start` (open of the first missing one) up to `end`, exclusive, UTC ms."""

    start: int
    end: int
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of an instrument. Build them with `checked`, `read` or `from_pandas`, which refuse impossible rows.

    timestamp: (n,) UTC ms of each bar's open, strictly increasing; holes are allowed (`gaps`)
    open, high, low, close: (n,) quote per base, > 0; volume: (n,) base, >= 0
    possible: every row has been looked at and is possible; what `replace` makes of it is looked at anew
    """

    instrument: Instrument
    timeframe: str
    timestamp: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    possible: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in COLUMNS:
            kind: Any = np.int64 if name == "timestamp" else np.float64
            array = np.ascontiguousarray(getattr(self, name), dtype=kind).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        lengths = {name: getattr(self, name).size for name in COLUMNS}
        if len(set(lengths.values())) > 1 or self.timestamp.ndim != 1:
            told = ", ".join(f"{name} {size}" for name, size in lengths.items())
            raise BadData(f"The columns of bars must be equally long, and these are not: {told}.")

    @classmethod
    def checked(
        cls,
        instrument: Instrument,
        timeframe: str,
        timestamp: ArrayLike,
        open: ArrayLike,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        *,
        where: Where | None = None,
    ) -> "Bars":
        """Bars whose every row is possible. Raises BadData that names the first bad row as `where` tells it."""
        arrays: Any = (timestamp, open, high, low, close, volume)
        return cls(instrument, timeframes.parse(timeframe), *arrays).demand_possible("bars", where)

    def demand_possible(self, name: str, where: Where | None = None) -> "Bars":
        """These bars, if every row is possible; looked at only once. Raises BadData with the first bad row."""
        if not self.possible:
            _check(self, where or partial(row_from_zero, name))
            object.__setattr__(self, "possible", True)
        return self

    @classmethod
    def read(cls, path: str | Path, instrument: Instrument | str | None = None, timeframe: str | None = None) -> "Bars":
        """Bars of a Parquet, Feather, Arrow, CSV, freqtrade JSON or Binance archive (.zip) file.

        instrument: `Instrument`, 'BTC/USDT' or 'binance:BTC/USDT'; by default read from the file's name
        timeframe: by default the commonest spacing of the rows
        Raises BadData with file and row, NotFound when there is no such file.
        """
        from core.market import files

        columns = files.read(Path(path))
        guessed, named = files.describe_name(Path(path))
        return cls.checked(
            _instrument(instrument) or guessed,
            timeframe or infer_timeframe(columns.timestamp, files.label(Path(path)), named, NAME_TELLS),
            columns.timestamp,
            columns.open,
            columns.high,
            columns.low,
            columns.close,
            columns.volume,
            where=columns.where,
        )

    @classmethod
    def from_pandas(
        cls, frame: "pandas.DataFrame", instrument: Instrument | str | None = None, timeframe: str | None = None
    ) -> "Bars":
        """Bars of a frame with a DatetimeIndex (naive is UTC) or a timestamp column; any case of column names."""
        from core.market import frames

        columns = frames.columns_of(frame)
        return cls.checked(
            _instrument(instrument) or Instrument("file", "ASSET", "USDT"),
            timeframe or infer_timeframe(columns["timestamp"], "The frame", None, "Or give the timeframe."),
            **columns,
            where=partial(row_from_zero, "frame"),
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """A frame with a UTC DatetimeIndex named timestamp; the arrays are copies."""
        from core.market import frames

        return frames.frame_of(self.timestamp, {name: getattr(self, name) for name in COLUMNS[1:]})

    def write(self, path: str | Path) -> Path:
        """Writes a .parquet, .feather, .arrow or .csv file that `read` takes back unchanged."""
        from core.market import files

        return files.write(Path(path), {name: getattr(self, name) for name in COLUMNS})

    def __len__(self) -> int:
        return int(self.timestamp.size)

    def __getitem__(self, rows: slice) -> "Bars":
        if rows.step not in (None, 1):
            raise InvalidInput(f"Bars are cut by bars[first:last], not by {rows!r}.")
        part = replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})
        object.__setattr__(part, "possible", self.possible)
        return part

    def __reduce__(self) -> tuple[Any, ...]:
        return Bars, (
            self.instrument,
            self.timeframe,
            *(getattr(self, name) for name in COLUMNS),
        )  # read-only there too

    def __repr__(self) -> str:
        span = f", {_told(int(self.timestamp[0]))} to {_told(int(self.timestamp[-1]))}" if len(self) else ""
        return f"<Bars {self.instrument.key} {self.timeframe}: {len(self):,}{span}>"

    def between(self, start_ms: int | None = None, end_ms: int | None = None) -> "Bars":
        """The bars that open at or after `start_ms` and before `end_ms`."""
        first = 0 if start_ms is None else int(np.searchsorted(self.timestamp, start_ms))
        last = len(self) if end_ms is None else int(np.searchsorted(self.timestamp, end_ms))
        return self[first : max(first, last)]

    def followed_by(self, later: "Bars") -> "Bars":
        """These bars and then those of `later`, which must be of the same timeframe and begin after the last."""
        if later.timeframe != self.timeframe or (len(self) and len(later) and later.timestamp[0] <= self.timestamp[-1]):
            raise InvalidInput(f"{later!r} cannot follow {self!r}.")
        joined: dict[str, Any] = {name: np.append(getattr(self, name), getattr(later, name)) for name in COLUMNS}
        return replace(self, **joined)

    def gaps(self) -> list[Gap]:
        """The holes between the first bar and the last, oldest first."""
        length = timeframes.milliseconds(self.timeframe)
        steps = np.diff(self.timestamp)
        holes = np.flatnonzero(steps != length)
        starts = self.timestamp[holes] + length
        ends = self.timestamp[holes + 1]
        return [Gap(int(a), int(b), int((b - a) // length)) for a, b in zip(starts, ends, strict=True)]

    def fingerprint(self) -> str:
        """32 hex digits that name exactly these bars: same instrument, timeframe and numbers, same fingerprint."""
        digest = hashlib.blake2b(f"{self.instrument.key} {self.timeframe} ".encode(), digest_size=16)
        for name in COLUMNS:
            digest.update(getattr(self, name).data)
        return digest.hexdigest()

    def resample(self, timeframe: str) -> "Bars":
        """Coarser bars: open first, high max, low min, close last, volume sum, aligned to UTC.

        A first bar whose beginning is missing is left out, and so is a last one whose end has not come: no bar tells
        of what was not yet known at its close. Raises InvalidInput for a finer timeframe or one that is no multiple.
        """
        target = timeframes.parse(timeframe)
        ours, theirs = timeframes.milliseconds(self.timeframe), timeframes.milliseconds(target)
        if theirs % ours:
            can = ", ".join(name for name, each in timeframes.TIMEFRAMES.items() if each > ours and each % ours == 0)
            raise InvalidInput(
                f"Bars of {self.timeframe} cannot become {target} bars; they can become {can or 'none'}."
            )
        if theirs == ours or not len(self):
            return replace(self, timeframe=target)
        groups = timeframes.floor(self.timestamp, target)
        first = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
        last = np.append(first[1:], len(self)) - 1
        begun = int(self.timestamp[0] != groups[0])
        ended = first.size - int(self.timestamp[-1] + ours != groups[-1] + theirs)
        kept = slice(begun, max(begun, ended))
        return Bars(
            self.instrument,
            target,
            groups[first][kept],
            self.open[first][kept],
            np.maximum.reduceat(self.high, first)[kept],
            np.minimum.reduceat(self.low, first)[kept],
            self.close[last][kept],
            np.add.reduceat(self.volume, first)[kept],
        )


def row_from_zero(name: str, index: int) -> str:
    """'BTC.parquet row 17 (counting from 0)'."""
    return f"{name} row {index} (counting from 0)"


def infer_timeframe(timestamp: IntArray, name: str, named: str | None, otherwise: str) -> str:
    """The timeframe of the commonest spacing; of fewer than two rows, the one in the file's name. Raises BadData.

    otherwise: what else tells it, a sentence
    """
    if timestamp.size < 2:
        if named is None:
            rows = "1 row" if timestamp.size else "no rows"
            raise BadData(f"{name} has {rows}, too few to tell its timeframe; two are the least.", hint=otherwise)
        return named
    spacings, counts = np.unique(np.diff(timestamp), return_counts=True)
    common = int(spacings[counts.argmax()])
    found = timeframes.named(common)
    if found is None and common > 0 and named is None:
        raise BadData(
            f"{name} has rows {common / 1000:g} s apart, which is no timeframe; accepted are {timeframes.ACCEPTED}."
        )
    return found or named or "1s"  # rows that do not increase are refused, with their number, by the check


def _instrument(given: Instrument | str | None) -> Instrument | None:
    if given is None or isinstance(given, Instrument):
        return given
    return Instrument(*parse_key(given if ":" in given else f"file:{given}"))


def _check(bars: Bars, where: Where) -> None:
    """Raises BadData for the first row that cannot be."""
    length = timeframes.milliseconds(bars.timeframe)
    possible = bars.low > 0  # comparisons with NaN are false, so one pass finds missing values too
    possible &= bars.high >= bars.open
    possible &= bars.high >= bars.close
    possible &= bars.high >= bars.low
    possible &= bars.low <= bars.open
    possible &= bars.low <= bars.close
    possible &= bars.high < np.inf
    possible &= bars.volume >= 0
    possible &= bars.volume < np.inf
    if bars.timestamp.size > 1:
        possible[1:] &= bars.timestamp[1:] > bars.timestamp[:-1]
    possible &= timeframes.floor(bars.timestamp, bars.timeframe) == bars.timestamp
    if possible.all():
        return
    index = int(possible.argmin())
    raise BadData(f"{where(index)}: {_fault(bars, index, length)}.", row=index)


def _fault(bars: Bars, index: int, length: int) -> str:
    """What is wrong with a row, as half a sentence."""
    row = {name: float(getattr(bars, name)[index]) for name in COLUMNS[1:]}
    now = int(bars.timestamp[index])
    before = int(bars.timestamp[index - 1]) if index else None
    missing = next((name for name, value in row.items() if np.isnan(value)), None)
    infinite = next((name for name, value in row.items() if np.isinf(value)), None)
    worthless = next((name for name in PRICES if row[name] <= 0), None)
    if missing:
        return f"{missing} is missing or not a number"
    if infinite:
        return f"{infinite} is infinite"
    if before is not None and now == before:
        return f"the time {_told(now)} stands there twice"
    if before is not None and now < before:
        return f"the time {_told(now)} is before {_told(before)} of the row above, and rows must be oldest first"
    if worthless:
        return f"{worthless} {row[worthless]:g} is not a price; prices are above 0"
    if row["volume"] < 0:
        return f"volume {row['volume']:g} is negative"
    for name in ("open", "close", "low"):
        if row["high"] < row[name]:
            return f"high {row['high']:.12g} is below {name} {row[name]:.12g}"
    for name in ("open", "close"):
        if row["low"] > row[name]:
            return f"low {row['low']:.12g} is above {name} {row[name]:.12g}"
    expected = timeframes.floor(now, bars.timeframe)
    return f"the time {_told(now)} is not the open of a {bars.timeframe} bar; the bar opens at {_told(expected)}"


def _told(milliseconds: int) -> str:
    try:
        return from_ms(milliseconds).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{milliseconds} ms"

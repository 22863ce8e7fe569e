"""Funding: what longs of a perpetual paid to shorts, and when."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadData, InvalidInput, NotFound
from core.market.columns import TIME_NAMES, milliseconds_of

INTERVAL = 8 * 3_600_000  # ms between the fundings of most venues, and the longest of any
HOLE = 3 * INTERVAL // 2  # ms; rates that lie so far apart lack one between them
RATE_NAMES = ("rate", "funding_rate", "fundingrate", "funding rate", "last_funding_rate")
KINDS = ".parquet, .feather, .arrow or .csv"
LARGEST = 0.5  # a rate beyond it is a percentage, or no rate


@dataclass(frozen=True, slots=True, eq=False)
class Funding:
    """A history of funding. timestamps: (n,) UTC ms, increasing; rates: (n,) fraction of the position's worth, paid by
    longs when above zero.
    """

    timestamps: NDArray[np.int64]
    rates: NDArray[np.float64]

    def __post_init__(self) -> None:
        times = np.ascontiguousarray(self.timestamps, dtype=np.int64)
        rates = np.ascontiguousarray(self.rates, dtype=np.float64)
        if times.ndim != 1 or times.shape != rates.shape or not len(times):
            raise InvalidInput(
                f"Funding needs as many times as rates, and at least one; it got {times.shape} and {rates.shape}."
            )
        if (ends := np.flatnonzero(np.diff(times) <= 0)).size:
            raise InvalidInput(f"Funding number {int(ends[0]) + 2} is not later than the one before it.")
        if (wrong := ~(np.abs(rates) <= LARGEST)).any():
            at = int(wrong.argmax())
            raise InvalidInput(
                f"Funding number {at + 1} has the rate {rates[at]}, which is no fraction from -0.5 to 0.5."
            )
        for name, array in (("timestamps", times), ("rates", rates)):
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @classmethod
    def read(cls, path: str | Path) -> "Funding":
        """From a file with a time and a rate column. Raises NotFound, BadData."""
        path = Path(path)
        if not path.is_file():
            raise NotFound(f"There is no file {path}.", path=str(path))
        times, rates = _columns(path)
        stamps = milliseconds_of(times, partial("{0} row {1}".format, path.name))
        try:
            return cls(stamps, rates)
        except InvalidInput as wrong:
            raise BadData(f"{path.name}: {wrong.message}", path=str(path)) from None

    def per_bar(self, timestamp: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) what is due at each bar's open: the rates since the last bar's open, up to and with this one.

        NaN where the history does not reach, at its ends or in a hole, so that the usual rate of the costs holds there.
        """
        if not len(timestamp):
            return np.empty(0)
        total = np.concatenate(([0.0], np.cumsum(self.rates)))
        paid = np.searchsorted(self.timestamps, timestamp, side="right")
        before = np.concatenate(([np.searchsorted(self.timestamps, timestamp[0])], paid[:-1]))
        due = np.where(
            paid == before,
            0.0,
            np.where(paid == before + 1, self.rates[np.maximum(paid - 1, 0)], total[paid] - total[before]),
        )
        latest = np.maximum(paid - 1, 0)
        gaps = np.append(np.diff(self.timestamps), HOLE)
        reaches = (timestamp - self.timestamps[latest] < INTERVAL) | (gaps[latest] < HOLE)
        known = (timestamp >= self.timestamps[0]) & reaches
        return np.asarray(np.where(known, due, np.nan))


def _columns(path: Path) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """The time and the rate column of a file."""
    import pyarrow as pa
    from pyarrow import csv, feather, parquet

    try:
        match path.suffix.lower():
            case ".parquet" | ".pq":
                table = parquet.read_table(path)
            case ".feather" | ".arrow":
                table = feather.read_table(str(path), memory_map=False)
            case ".csv":
                table = csv.read_csv(path)
            case _:
                raise InvalidInput(f"{path.name} is not a file of funding this program reads; it reads {KINDS}.")
    except (OSError, ValueError) as broken:
        raise BadData(f"{path.name} cannot be read: {str(broken).splitlines()[0].rstrip('.')}.") from broken
    names = [name.strip().lower() for name in table.column_names]
    found = []
    for wanted, aliases in (("time", TIME_NAMES), ("rate", RATE_NAMES)):
        position = next((names.index(alias) for alias in aliases if alias in names), None)
        if position is None:
            told = ", ".join(table.column_names) or "none"
            raise BadData(f"{path.name} has no {wanted} column; the columns found are {told}.", missing=wanted)
        found.append(table.column(position))
    try:
        rates = found[1].cast(pa.float64()).to_numpy(zero_copy_only=False)
        times = found[0].to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as broken:
        raise BadData(f"{path.name}: a rate is not a number: {str(broken).splitlines()[0].rstrip('.')}.") from None
    return times, np.asarray(rates, dtype=np.float64)

"""History: bars kept on this machine as uncompressed Arrow files that are read by mapping them into memory.

A dataset is a folder VENUE/BASE-QUOTE/TIMEFRAME of files by day (1s), month (under 1h) or year, so that an append
rewrites one small file. A file is replaced whole or not at all, and one writer at a time holds the dataset's lock.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import BadData, Conflict, InvalidInput, NotFound
from core.market import timeframes
from core.market.bars import COLUMNS, Bars, Gap
from core.market.instrument import Instrument, parse_key
from core.market.timeframes import HOUR, MINUTE

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:$]*")
LOCK = ".lock"
LOCK_SECONDS = 30.0  # how long a writer waits for another


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is kept of one instrument and timeframe. first, last: UTC ms of the opens of its first and last bar."""

    venue: str
    symbol: str
    timeframe: str
    bars: int
    first: int
    last: int
    size: int  # bytes

    @property
    def name(self) -> str:
        """binance:BTC/USDT:1h"""
        return f"{self.venue}:{self.symbol}:{self.timeframe}"


class History:
    """The store of bars under a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(
        self, venue: str, symbol: str, timeframe: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> Bars:
        """The kept bars that open at or after `start_ms` and before `end_ms`. Raises NotFound, BadData."""
        folder = self._dataset_folder(venue, symbol, timeframe)
        files = _files(folder)
        if not files:
            have = ", ".join(self._names()) or "nothing yet"
            raise NotFound(
                f"There is no history of {venue}:{symbol}:{timeframe}; kept is {have}.",
                hint=f"Get it with: orchestrator data download {venue} {symbol} {timeframe} --since 2023-01-01",
            )
        low = "" if start_ms is None else _part(timeframe, start_ms)
        high = "~" if end_ms is None else _part(timeframe, end_ms)
        wanted = [file for file in files if low <= file.stem <= high] or files[-1:]
        parts = [_read(file) for file in wanted]
        if len(parts) == 1:
            return parts[0].between(start_ms, end_ms)
        joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS}
        return replace(parts[-1], **joined).between(start_ms, end_ms)

    def append(self, bars: Bars) -> int:
        """Keeps the bars, on disk when this returns; a bar already there is replaced. Returns how many are new."""
        if not len(bars):
            return 0
        folder = self._dataset_folder(bars.instrument.venue, bars.instrument.symbol, bars.timeframe)
        folder.mkdir(parents=True, exist_ok=True)
        added = 0
        with _only_writer(folder):
            for name, part in _by_part(bars):
                file = folder / f"{name}.arrow"
                kept = _read(file) if file.is_file() else part[:0]
                merged = _merged(kept, part)
                _replace(file, merged)
                added += len(merged) - len(kept)
        return added

    def datasets(self) -> list[Dataset]:
        """Everything that is kept, by name."""
        found = []
        for folder in sorted(self.folder.glob("*/*/*")):
            files = _files(folder)
            if not files or folder.name not in timeframes.TIMEFRAMES:
                continue
            parts = [_read(file, check=False) for file in files]
            instrument = parts[-1].instrument
            found.append(
                Dataset(
                    instrument.venue,
                    instrument.symbol,
                    folder.name,
                    sum(len(part) for part in parts),
                    int(parts[0].timestamp[0]),
                    int(parts[-1].timestamp[-1]),
                    sum(file.stat().st_size for file in files),
                )
            )
        return found

    def gaps(self, venue: str, symbol: str, timeframe: str) -> list[Gap]:
        """The holes between the first kept bar and the last. Raises NotFound."""
        return self.load(venue, symbol, timeframe).gaps()

    def times(self, venue: str, symbol: str, timeframe: str) -> NDArray[np.int64]:
        """Opens (UTC ms) of the kept bars, none when nothing is kept."""
        files = _files(self._dataset_folder(venue, symbol, timeframe))
        parts = [_read(file).timestamp for file in files]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _names(self) -> list[str]:
        """Names of what is kept, without a look into the files."""
        folders = (folder for folder in sorted(self.folder.glob("*/*/*")) if _files(folder))
        return [f"{each.parts[-3]}:{each.parts[-2].replace('-', '/', 1)}:{each.name}" for each in folders]

    def _dataset_folder(self, venue: str, symbol: str, timeframe: str) -> Path:
        _, base, quote = parse_key(f"{venue}:{symbol}")
        name = timeframes.parse(timeframe)
        for part in (venue, base, quote):
            if not SAFE.fullmatch(part):
                raise InvalidInput(f"'{part}' cannot be part of a dataset's name.")
        return self.folder / venue.lower() / f"{base}-{quote}" / name


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.arrow"))


def _part(timeframe: str, ms: int) -> str:
    """Name of the file that holds the bar that opens at `ms`."""
    length = timeframes.milliseconds(timeframe)
    form = "%Y-%m-%d" if length < MINUTE else "%Y-%m" if length < HOUR else "%Y"
    try:
        return from_ms(ms).strftime(form)
    except OverflowError:
        return "" if ms < 0 else "9999"


def _by_part(bars: Bars) -> Iterator[tuple[str, Bars]]:
    start = 0
    while start < len(bars):
        name = _part(bars.timeframe, int(bars.timestamp[start]))
        low, high = start, len(bars)  # first bar of another part, by bisection
        while low < high:
            middle = (low + high) // 2
            if _part(bars.timeframe, int(bars.timestamp[middle])) == name:
                low = middle + 1
            else:
                high = middle
        yield name, bars[start:low]
        start = low


def _merged(kept: Bars, new: Bars) -> Bars:
    """Both, oldest first; where both have a bar, the new one."""
    if not len(kept) or new.timestamp[0] > kept.timestamp[-1]:
        return replace(new, **_joined(kept, new, np.arange(len(kept))))
    staying = np.flatnonzero(~np.isin(kept.timestamp, new.timestamp))
    joined = _joined(kept, new, staying)
    order = np.argsort(joined["timestamp"], kind="stable")
    return replace(new, **{name: column[order] for name, column in joined.items()})


def _joined(kept: Bars, new: Bars, staying: NDArray[np.int64]) -> dict[str, Any]:
    return {name: np.concatenate([getattr(kept, name)[staying], getattr(new, name)]) for name in COLUMNS}


def _read(file: Path, *, check: bool = True) -> Bars:
    """The bars of a file, mapped into memory. Raises BadData when the file is damaged."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            table = pa.ipc.open_file(source).read_all()
        notes = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        instrument = Instrument(
            *parse_key(notes["instrument"]),
            Decimal(notes["tick_size"]),
            Decimal(notes["lot_size"]),
            Decimal(notes["min_notional"]),
            "perpetual" if notes["kind"] == "perpetual" else "spot",
        )
        columns = [table.column(name).combine_chunks() for name in COLUMNS]
        arrays: Any = [_numpy(column) for column in columns]
        timeframe = notes["timeframe"]
        return (
            Bars.checked(instrument, timeframe, *arrays, where=_row(file))
            if check
            else Bars(instrument, timeframe, *arrays)
        )
    except (
        pa.ArrowException,
        OSError,
        KeyError,
        ArithmeticError,
        ValueError,
        UnicodeDecodeError,
        InvalidInput,
    ) as broken:
        reason = str(broken).splitlines()[0].rstrip(".") if str(broken) else type(broken).__name__
        raise BadData(
            f"The history file {file} is damaged ({reason}).",
            hint="Delete that file and download or import its bars again.",
            path=str(file),
        ) from broken


def _numpy(column: Any) -> Any:
    array = column.chunk(0) if hasattr(column, "chunk") and column.num_chunks == 1 else column
    return array.to_numpy(zero_copy_only=False)


def _row(file: Path) -> Callable[[int], str]:
    return partial(_told_row, file.name)


def _told_row(name: str, index: int) -> str:
    return f"{name} row {index} (counting from 0)"


def _replace(file: Path, bars: Bars) -> None:
    """Writes the bars beside the file and puts them in its place, durably."""
    import pyarrow as pa

    instrument = bars.instrument
    notes = {
        "instrument": instrument.key,
        "timeframe": bars.timeframe,
        "tick_size": str(instrument.tick_size),
        "lot_size": str(instrument.lot_size),
        "min_notional": str(instrument.min_notional),
        "kind": instrument.kind,
    }
    table = pa.table({name: getattr(bars, name) for name in COLUMNS}).replace_schema_metadata(notes)
    part = file.with_suffix(".part")  # one name is enough: the lock lets one writer in
    with part.open("wb") as sink:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        sink.flush()
        os.fsync(sink.fileno())
    os.replace(part, file)
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be synced there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Holds the dataset's lock, which the system gives back when a writer dies."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise Conflict(
            f"Another program has been writing {folder.parent.parent.name}:{folder.parent.name.replace('-', '/')}:"
            f"{folder.name} for {LOCK_SECONDS:g} s.",
            hint="Wait until it has finished, then try again.",
        ) from None

"""Files of bars: Parquet, Feather or Arrow, CSV, freqtrade JSON and Binance kline archives."""

import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadData, InvalidInput, NotFound
from core.market import timeframes
from core.market.columns import find_columns, milliseconds_of
from core.market.instrument import Instrument

KINDS = ".parquet, .feather, .arrow, .csv, .json (freqtrade) or .zip (Binance)"
QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "GBP", "TRY", "BRL", "DAI", "BTC", "ETH", "BNB")
NAMES = ("timestamp", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands in a file, unchecked. where: how a person finds the row of an index in that file."""

    timestamp: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    where: Callable[[int], str]


def label(path: Path) -> str:
    """What messages call a file."""
    return path.name


def read(path: Path) -> Columns:
    """The six columns of a file. Raises NotFound, BadData."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", path=str(path))
    readers = {
        ".parquet": _read_parquet,
        ".pq": _read_parquet,
        ".feather": _read_arrow,
        ".arrow": _read_arrow,
        ".csv": _read_csv,
        ".gz": _read_csv,
        ".json": _read_freqtrade,
        ".zip": _read_zip,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(f"{path.name} is not a file of bars this program reads; it reads {KINDS}.")
    try:
        return reader(path)
    except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as broken:
        reason = str(broken).splitlines()[0] if str(broken) else type(broken).__name__
        raise BadData(f"{path.name} cannot be read: {reason.rstrip('.')}.", path=str(path)) from broken


def write(path: Path, columns: dict[str, NDArray[Any]]) -> Path:
    """Writes the columns whole or not at all, in the format of the file's ending."""
    import pyarrow as pa
    from pyarrow import csv, feather, parquet

    table = pa.table(columns)
    part = path.with_name(path.name + ".part")
    match path.suffix.lower():
        case ".parquet" | ".pq":
            parquet.write_table(table, part)
        case ".feather" | ".arrow":
            feather.write_feather(table, str(part), compression="uncompressed")
        case ".csv":
            csv.write_csv(table, part)
        case _:
            raise InvalidInput(f"{path.name} is not a format bars are written in: .parquet, .feather, .arrow or .csv.")
    os.replace(part, path)
    return path


def describe_name(path: Path) -> tuple[Instrument, str | None]:
    """Instrument and timeframe that a file's name tells: BTCUSDT-1m-2022-01-01.zip, APE_USDT-1h.json, BTC-EUR.csv."""
    words = [word for word in re.split(r"[-_ .]+", path.name.split(".")[0].strip()) if word]
    timeframe = next((word for word in words if word in timeframes.TIMEFRAMES), None)
    first = words[0].upper() if words else ""
    if len(words) > 1 and words[1].upper() in QUOTES and first.isalnum():
        return Instrument("file", first, words[1].upper()), timeframe
    for quote in QUOTES:
        if first.endswith(quote) and len(first) > len(quote) + 1 and first.isalnum():
            return Instrument("file", first.removesuffix(quote), quote), timeframe
    ticker = bool(words) and words[0] == first and re.fullmatch(r"[A-Z][A-Z0-9]{1,9}", first) is not None
    return Instrument("file", first if ticker else "ASSET", "USDT"), timeframe


def _read_parquet(path: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import parquet

    with pa.OSFile(str(path)) as file:  # no file of Python's: a thread of Arrow's may outlive the interpreter with it
        source = parquet.ParquetFile(file, pre_buffer=False)
        names = source.schema_arrow.names

        def column(position: int) -> Any:
            return source.read(columns=[names[position]], use_threads=False).column(0)

        return _from_columns(names, column, partial(_counted_from_zero, path.name), path.name)


def _read_arrow(path: Path) -> Columns:
    from pyarrow import feather

    table = feather.read_table(str(path), memory_map=False)
    return _from_columns(table.column_names, table.column, partial(_counted_from_zero, path.name), path.name)


def _read_csv(path: Path) -> Columns:
    import gzip

    data = path.read_bytes()
    return _parse_csv(gzip.decompress(data) if path.suffix.lower() == ".gz" else data, path.name)


def _read_zip(path: Path) -> Columns:
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(members) != 1:
            raise BadData(f"{path.name} holds {len(members)} CSV files, and one is expected.")
        return _parse_csv(archive.read(members[0]), path.name)


def _read_freqtrade(path: Path) -> Columns:
    try:
        rows = json.loads(path.read_bytes())
    except ValueError as broken:
        raise BadData(f"{path.name} is not JSON: {broken}.") from None
    where = partial(_counted_from_zero, path.name)
    if not isinstance(rows, list):
        raise BadData(
            f"{path.name} is not a freqtrade file, which is a list of [time, open, high, low, close, volume]."
        )
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) < len(NAMES):
            raise BadData(f"{where(index)}: it is not [time, open, high, low, close, volume].")
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in row[: len(NAMES)]):
            raise BadData(f"{where(index)}: one of its values is missing or not a number.")
    table = np.array([row[: len(NAMES)] for row in rows], dtype=np.float64).reshape(-1, len(NAMES))
    times = milliseconds_of(np.array([row[0] for row in rows]).reshape(-1), where) if rows else np.empty(0, np.int64)
    numbers = [np.ascontiguousarray(table[:, column]) for column in range(1, len(NAMES))]
    return _columns(times, numbers, where)


def _parse_csv(data: bytes, name: str) -> Columns:
    import pyarrow as pa
    from pyarrow import csv

    start = len(data) - len(data.lstrip(b"\xef\xbb\xbf \t\r\n"))
    first = data[start:].split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    delimiter = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
    headless = len(cells) >= len(NAMES) and re.fullmatch(r"-?[\d.]+", cells[0]) is not None
    where = partial(_line, data, name, 0 if headless else 1)
    names = [*NAMES, *(f"column {n}" for n in range(len(NAMES), len(cells)))] if headless else cells
    found = find_columns(names, name)
    uneven: list[Any] = []

    def refuse(row: Any) -> str:
        uneven.append(row)
        return "error"

    try:
        table = csv.read_csv(
            _native(data),
            read_options=csv.ReadOptions(
                use_threads=False,  # after a refused row others would still call `refuse` while Python shuts down
                column_names=[str(position) for position in range(len(cells))],
                skip_rows=data[:start].count(b"\n") + (0 if headless else 1),
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=refuse),
            convert_options=csv.ConvertOptions(
                include_columns=[str(position) for position in found.values()], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as broken:
        if uneven:
            row = uneven[0]
            lines = enumerate(data.decode("utf-8", "replace").splitlines(), start=1)
            number = next((number for number, line in lines if line == row.text), "?")
            raise BadData(
                f"{name} row {number}: it has {row.actual_columns} columns, and {row.expected_columns} are expected."
            ) from None
        raise BadData(f"{name} is not a CSV file of bars: {str(broken).splitlines()[0].rstrip('.')}.") from None
    return _from_columns(list(found), table.column, where, name)


def _native(data: bytes) -> Any:
    """The bytes in Arrow's own memory: its readahead thread then touches nothing of Python, whatever ends first.

    A thread that asks for Python while the interpreter shuts down is ended by force, and the process with it.
    """
    import pyarrow as pa

    copy = pa.BufferOutputStream()
    copy.write(data)
    return pa.BufferReader(copy.getvalue())


def _from_columns(
    names: Sequence[str], column: Callable[[int], Any], where: Callable[[int], str], file: str
) -> Columns:
    """The six columns among those of these names. column: gives one by its position, which is then no longer held."""
    import pyarrow as pa

    found = find_columns(names, file)
    numbers = [_numbers(column(found[name]), name, where) for name in NAMES[1:]]
    times = _times(column(found["timestamp"]), where)
    pa.default_memory_pool().release_unused()  # Arrow would keep what it has used
    return _columns(times, numbers, where)


def _columns(timestamp: NDArray[np.int64], numbers: list[NDArray[np.float64]], where: Callable[[int], str]) -> Columns:
    opens, highs, lows, closes, volumes = numbers
    return Columns(timestamp, opens, highs, lows, closes, volumes, where)


def _numbers(column: Any, name: str, where: Callable[[int], str]) -> NDArray[np.float64]:
    """The column as float64, missing values as NaN, which the check of the bars refuses by row."""
    import pyarrow as pa

    if pa.types.is_float64(column.type) and not column.null_count:
        return _values(column)
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    for index, value in enumerate(column.to_pylist()):
        try:
            float(value if value is not None else "nan")
        except (TypeError, ValueError):
            raise BadData(f"{where(index)}: {name} '{value}' is not a number.", row=index) from None
    return np.array([float(value) if value is not None else np.nan for value in column.to_pylist()])


def _values(column: Any) -> NDArray[Any]:
    """A copy, so that Arrow's memory is free for the next column.

    (`to_numpy` would import pandas, as `cast` pyarrow.compute: longer than reading.)
    """
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])


def _times(column: Any, where: Callable[[int], str]) -> NDArray[np.int64]:
    import pyarrow as pa

    if column.null_count:
        missing = next(index for index, value in enumerate(column.is_null().to_pylist()) if value)
        raise BadData(f"{where(missing)}: the time is missing.", row=missing)
    if pa.types.is_int64(column.type):
        return milliseconds_of(_values(column), where)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return np.asarray(column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).to_numpy())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return milliseconds_of(column.to_numpy(), where)
    return milliseconds_of(np.array(column.to_pylist(), dtype=object), where)


def _counted_from_zero(name: str, index: int) -> str:
    return f"{name} row {index} (counting from 0)"


def _line(data: bytes, name: str, headers: int, index: int) -> str:
    """Line of the file that holds the row: blank lines are no rows but count as lines."""
    seen = -headers
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        if seen == index:
            return f"{name} row {number}"
        seen += 1
    return f"{name} row {index + headers + 1}"

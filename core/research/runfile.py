"""A kept run's file: Arrow IPC with zstd, one row whose columns are whole arrays, its document in the schema."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadData, InvalidInput, NotFound

DOCUMENT = b"orchestrator"
DELTA = b"delta"
EVEN = b"even"  # first, step and count of what goes in equal steps

Array = NDArray[Any]
Frame = dict[str, Array]
Frames = Mapping[str, Mapping[str, Any]]


def write(path: Path, document: Mapping[str, Any], frames: Frames) -> None:
    """One row group of one row, each column a list that holds a whole array."""
    import pyarrow as pa

    fields, columns = [], []
    for name, frame in frames.items():
        if len({len(values) for values in frame.values()}) > 1:
            told = ", ".join(f"{key} {len(values)}" for key, values in frame.items())
            raise InvalidInput(f"The columns of {name} must be equally long, and these are not: {told}.")
        for key, values in frame.items():
            array, metadata = _encoded(values)
            column = pa.LargeListArray.from_arrays(_arrow(np.array([0, len(array)])), array)
            fields.append(pa.field(f"{name}/{key}", column.type, metadata=metadata))
            columns.append(column)
    text = json.dumps(plain(document), allow_nan=False, separators=(",", ":"))
    schema = pa.schema(fields, metadata={DOCUMENT: text.encode()})
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)
    with path.open("wb") as file, pa.ipc.new_file(file, schema, options=options) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))


def _encoded(values: Any) -> tuple[Any, dict[bytes, bytes] | None]:
    """The values for Arrow. Whole numbers are kept as differences: times at even steps then take no room."""
    import pyarrow as pa

    array = np.asarray(values)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ms]").astype(np.int64)
    if array.dtype.kind in "iu":
        whole = array.astype(np.int64)
        steps = np.empty_like(whole)
        steps[:1] = whole[:1]
        np.subtract(whole[1:], whole[:-1], out=steps[1:])
        if len(steps) > 2 and steps[1:].min() == steps[1:].max():
            return _arrow(np.array([whole[0], steps[1], len(steps)], dtype=np.int64)), {b"encoding": EVEN}
        return _arrow(steps), {b"encoding": DELTA}
    if array.dtype.kind == "f":
        return _arrow(array.astype(np.float64, copy=False)), None
    if array.dtype.kind == "b":
        bits = np.packbits(array, bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(array), [None, pa.py_buffer(bits)]), None
    texts = [None if value is None else str(value) for value in array.tolist()]
    return _texts(texts), None


def _arrow(values: Array) -> Any:
    """As Arrow, without a copy. (`pa.array` would import pandas, which takes longer than all of this.)"""
    import pyarrow as pa

    kind = pa.float64() if values.dtype.kind == "f" else pa.int32() if values.itemsize == 4 else pa.int64()
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _texts(texts: list[str | None]) -> Any:
    """Texts as numbers into the list of those that differ; None where there is none."""
    import pyarrow as pa

    places: dict[str, int] = {}
    numbers = np.array([-1 if text is None else places.setdefault(text, len(places)) for text in texts], dtype=np.int32)
    words = [text.encode() for text in places]
    ends = np.cumsum([0, *map(len, words)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(words))]
    known = numbers >= 0
    mask = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    indices = pa.Array.from_buffers(pa.int32(), len(numbers), [mask, pa.py_buffer(np.maximum(numbers, 0))])
    return pa.DictionaryArray.from_arrays(indices, pa.Array.from_buffers(pa.string(), len(words), buffers))


def plain(value: Any) -> Any:
    """As JSON takes it: numpy scalars as numbers, NaN and infinities as null, times as ISO texts."""
    match value:
        case None | bool() | str() | int():
            return value
        case float() | np.floating():
            return float(value) if np.isfinite(value) else None
        case np.integer():
            return int(value)
        case np.bool_():
            return bool(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case np.ndarray():
            return plain(value.tolist())
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in value]
    return str(value)


def _opened(path: Path) -> Any:
    import pyarrow as pa

    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (pa.ArrowInvalid, OSError) as broken:
        raise BadData(f"{path.name} is not a kept result: {str(broken).splitlines()[0].rstrip('.')}.") from None


def header(path: Path) -> dict[str, Any]:
    metadata = _opened(path).schema.metadata or {}
    try:
        document = json.loads(metadata[DOCUMENT])
    except (KeyError, ValueError):
        raise BadData(f"{path.name} is not a kept result.") from None
    if not isinstance(document, dict):
        raise BadData(f"{path.name} is not a kept result.")
    return document


def _kind(values: Any) -> type:
    return np.float64 if str(values.type) == "double" else np.int64


def columns_of(path: Path) -> list[str]:
    return [str(name) for name in _opened(path).schema.names]


def read(path: Path, frame: str) -> Frame:
    import pyarrow as pa

    schema = _opened(path).schema
    chosen = [place for place, name in enumerate(schema.names) if name.split("/")[0] == frame]
    if not chosen:
        return {}
    options = pa.ipc.IpcReadOptions(included_fields=chosen)
    try:
        with pa.memory_map(str(path)) as source:
            batch = pa.ipc.open_file(source, options=options).get_batch(0)
            found: Frame = {}
            for place, column in zip(chosen, batch.columns, strict=True):
                field = schema.field(place)
                values = column.flatten()
                if pa.types.is_dictionary(values.type) or pa.types.is_boolean(values.type):
                    array = np.array(values.to_pylist(), dtype=object if pa.types.is_dictionary(values.type) else bool)
                else:
                    array = np.array(np.from_dlpack(values)) if len(values) else np.empty(0, _kind(values))
                if (field.metadata or {}).get(b"encoding") == DELTA:
                    array = np.cumsum(array, dtype=np.int64)
                elif (field.metadata or {}).get(b"encoding") == EVEN:
                    array = array[0] + array[1] * np.arange(array[2], dtype=np.int64)
                found[field.name.split("/", 1)[1]] = array
    except (pa.ArrowException, OSError, ValueError) as broken:
        raise BadData(f"{path.name} is damaged: {str(broken).splitlines()[0].rstrip('.')}.") from None
    return found

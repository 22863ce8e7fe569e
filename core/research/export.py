"""export: a kept run as HTML, JSON, Parquet or CSV."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InvalidInput
from core.research.archive import SavedRun
from core.research.result import TIMES
from core.research.runfile import Frame
from core.research.trades import NEVER

FORMS = ("html", "json", "parquet", "csv")
ENDINGS = {".html": "html", ".htm": "html", ".json": "json", ".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}
MAIN = {"sweep": "table", "optimize": "table", "walk-forward": "windows", "monte-carlo": "bands"}
FIRST = ("equity", "table", "windows", "bands", "trades")  # which frame stands for a run that has no such one
STAMPS = (*TIMES, "train_start", "test_start", "test_end")


def export(run: SavedRun, path: str | Path, form: str | None = None) -> Path:
    """Writes the run and returns the path. Raises InvalidInput for an unknown format or a place that cannot be written.

    parquet, csv: one file of the run's main frame (equity; of searches the trials, windows or bands), or into a folder
    (a path without an ending) one file of each frame and the document as run.json
    """
    target = Path(path)
    chosen = (form or ENDINGS.get(target.suffix.lower(), "")).lower()
    if chosen not in FORMS:
        given = f"'{form}'" if form else f"The ending of '{target.name}'"
        raise InvalidInput(f"{given} is not a format of results; accepted are {', '.join(FORMS)}.")
    try:
        if chosen == "html":
            from core.research.saved_report import render_saved

            target.write_text(render_saved(run), encoding="utf-8")
        elif chosen == "json":
            target.write_text(to_json(run), encoding="utf-8")
        elif target.suffix:
            _write(main_frame(run), target, chosen)
        else:
            target.mkdir(parents=True, exist_ok=True)
            for name in run.frames:
                _write(run.frame(name), target / f"{name}.{chosen}", chosen)
            (target / "run.json").write_text(json.dumps(run.saved.summary(), indent=1), encoding="utf-8")
    except OSError as refused:
        raise InvalidInput(f"The result cannot be written to {target}: {refused.strerror}.") from None
    return target


def to_json(run: SavedRun) -> str:
    """The run's document with its frames as lists, without NaN or infinity."""
    frames = {name: {key: _listed(values) for key, values in run.frame(name).items()} for name in run.frames}
    return json.dumps(run.saved.summary() | {"frames": frames}, allow_nan=False)


def main_frame(run: SavedRun) -> Frame:
    """The frame that stands for the run. Raises InvalidInput when it has none."""
    names = run.frames
    name = next((each for each in (MAIN.get(run.kind), *FIRST) if each in names), names[0] if names else None)
    if name is None:
        raise InvalidInput(f"Result {run.number} has no tables; it can be exported as html or json.")
    return run.frame(name)


def _write(frame: Frame, path: Path, form: str) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    columns: dict[str, Any] = {}
    for name, values in frame.items():
        array = pa.array(values.tolist(), pa.string()) if values.dtype == object else pa.array(values)
        if name in STAMPS and pa.types.is_integer(array.type):
            array = pa.array(values, mask=values == NEVER).cast(pa.timestamp("ms", tz="UTC"))
        columns[name] = array
    table = pa.table(columns)
    if form == "parquet":
        parquet.write_table(table, path, compression="zstd")
    else:
        csv.write_csv(table, path)


def _listed(values: Any) -> list[Any]:
    if values.dtype.kind == "f":
        return [None if bad else value for value, bad in zip(values.tolist(), ~np.isfinite(values), strict=True)]
    return list(values.tolist())

"""Archive: every run is kept, one file each, and can be listed, reopened and removed.

A list of runs reads no array (see core.research.runfile). Files are named OWNER.NUMBER.arrow; a number is taken by
creating its file, which only one process can, and is never given twice.
"""

import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.clock import SystemClock
from core.errors import AppError, BadData, InvalidInput, NotFound
from core.research import provenance
from core.research.runfile import Frame, Frames, columns_of, header, plain, read, write

if TYPE_CHECKING:
    import pandas

    from core.market.bars import Bars
    from core.research.again import Rerun
    from core.research.result import Trials

KINDS = ("backtest", "sweep", "optimize", "walk-forward", "monte-carlo", "compare")
LUCK = (
    "probabilistic_sharpe", "deflated_sharpe", "trials", "sharpe_low", "sharpe_high", "minimum_track_record",
    "overfitting", "reality_check", "superior_ability",
)  # fmt: skip
FORMULA = 40  # letters of a formula in a title
OWNER = "owner"
PATTERN = re.compile(r"(?P<owner>[A-Za-z0-9_-]{1,64})\.(?P<number>\d{1,9})\.arrow")


class NotKept(AppError):
    """A run could not be saved: the disk is full, or the folder cannot be written."""

    code = "not_kept"


@dataclass(frozen=True, slots=True)
class Saved:
    """A kept run as lists show it. number: short, per owner; id: unique everywhere.

    document: what was saved with it: strategy, data, costs, stats, warnings, partial, seconds, code …
    """

    number: int
    id: str
    owner: str
    kind: str
    created: datetime
    document: dict[str, Any]
    path: Path

    @property
    def strategy(self) -> str:
        return str(self.document.get("strategy", {}).get("name", ""))

    @property
    def named(self) -> str:
        """The strategy's name; of a formula without a name of its own its text as well, shortened."""
        text = " ".join(self.formula.split()) if self.strategy == "formula" else ""
        return f"{self.strategy} {text if len(text) <= FORMULA else text[: FORMULA - 1] + '…'}".strip()

    @property
    def formula(self) -> str:
        """The text of the formula that was run, and nothing that would steer a terminal; empty for other strategies."""
        try:
            told = json.loads(self.document.get("strategy", {}).get("formula") or "{}")
            text = str(told.get("text", ""))
        except (AttributeError, TypeError, ValueError):
            return ""
        return "".join(each if each.isprintable() or each == "\n" else " " for each in text)

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.document.get("strategy", {}).get("parameters") or {})

    @property
    def data(self) -> list[dict[str, Any]]:
        return [dict(each) for each in self.document.get("data") or []]

    @property
    def stats(self) -> dict[str, Any]:
        """The statistics; of a search with what tells skill from luck, judged by all of its trials."""
        found = dict(self.document.get("stats") or {})
        judged = self.document.get("overfitting") or {}
        return found | {
            name: judged[name] for name in LUCK if name in judged and (name in found or judged[name] is not None)
        }

    @property
    def costs(self) -> dict[str, Any]:
        return dict(self.document.get("costs") or {})

    @property
    def warnings(self) -> list[str]:
        return [str(each) for each in self.document.get("warnings") or self.stats.get("warnings") or []]

    @property
    def partial(self) -> bool:
        return bool(self.document.get("partial"))

    @property
    def title(self) -> str:
        """'sma_cross on BTC/USDT 1h'; a formula without a name of its own by its text, shortened."""
        symbols = [str(each.get("symbol", "?")) for each in self.data]
        named = ", ".join(symbols[:3]) + (f" and {len(symbols) - 3} more" if len(symbols) > 3 else "")
        frame = str(self.data[0].get("timeframe", "")) if self.data else ""
        return f"{self.named or self.kind} on {named} {frame}".strip() if named else self.named or self.kind

    def summary(self) -> dict[str, Any]:
        """The run in plain values, without its arrays."""
        head = {"number": self.number, "id": self.id, "kind": self.kind, "owner": self.owner}
        told = head | {"created": self.created.isoformat(), "title": self.title} | self.document
        return told | {"stats": self.stats} if self.stats else told


Runs = list[Saved]


class Archive:
    """The runs kept in one folder. Several processes may use it at once."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def save(
        self, *, kind: str, document: Mapping[str, Any], frames: Frames | None = None, owner: str = OWNER
    ) -> Saved:
        """Keeps a run and returns it with its number. Raises NotKept with a sentence when the disk refuses.

        document: plain values; frames: {"equity": {"time": (n,) ms, "equity": (n,)}, "table": {…}}, columns of a frame
            equally long: numbers, booleans or texts
        """
        if kind not in KINDS:
            raise InvalidInput(f"'{kind}' is not a kind of run; accepted are {', '.join(KINDS)}.")
        now = SystemClock().now()
        whole = {
            "id": uuid.uuid4().hex,
            "kind": kind,
            "owner": _owner(owner),
            "created": now.isoformat(timespec="milliseconds"),
            "code": provenance.code(),
            **{name: value for name, value in document.items() if name not in ("id", "kind", "owner", "created")},
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path, number = self._reserved(whole["owner"])
        except OSError as refused:
            raise NotKept(f"The result was not kept: {_why(refused)} ({self.folder}).") from None
        part = path.with_name(f".{path.name}.{whole['id']}.part")
        try:
            write(part, whole | {"number": number}, frames or {})
            os.replace(part, path)
        except BaseException as broken:
            for each in (part, path):
                each.unlink(missing_ok=True)
            if isinstance(broken, OSError):
                raise NotKept(f"The result was not kept: {_why(broken)} ({self.folder}).") from None
            raise
        return _saved(whole | {"number": number}, path)

    def list(self, owner: str = OWNER, kind: str | None = None, last: int | None = None) -> Runs:
        """An owner's runs, the newest first. last: at most so many. A file that cannot be read is left out."""
        if kind is not None and kind not in KINDS:
            raise InvalidInput(f"'{kind[:40]}' is not a kind of run; accepted are {', '.join(KINDS)}.")
        if last is not None and last < 1:
            raise InvalidInput(f"At least 1 run can be listed, not {last}.")
        found: Runs = []
        for _, path in sorted(self._files(owner), reverse=True):
            try:
                saved = _saved(header(path), path)
            except BadData:
                continue
            if kind is None or saved.kind == kind:
                found.append(saved)
            if last is not None and len(found) >= last:
                break
        return found

    def find(self, which: int | str, owner: str = OWNER) -> Saved:
        """The run of a number, or of an id or its first letters (six at least). Raises NotFound, BadData."""
        text = str(which).strip().removeprefix("#")
        if text.isdigit() and len(text) < 10:
            path = self._path(owner, int(text))
            if _filled(path):
                return _saved(header(path), path)
        if len(text) >= 6:  # an id may begin with digits alone
            for saved in self.list(owner):
                if saved.id.startswith(text.lower()):
                    return saved
        if text.isdigit() and len(text) < 10:
            numbers = sorted((number for number, _ in self._files(owner)), reverse=True)
            hint = f"The latest is {numbers[0]}." if numbers else "No result has been kept yet."
            raise NotFound(f"There is no result {text}.", hint=hint)
        raise NotFound(f"There is no result '{text[:40]}'.", hint="`results` lists the numbers.")

    def open(self, which: int | str, owner: str = OWNER) -> "SavedRun":
        """The run with its arrays, which are read when first used. Raises NotFound, BadData."""
        return SavedRun(self.find(which, owner))

    def export(self, which: int | str, path: str | Path, form: str | None = None, owner: str = OWNER) -> Path:
        """Writes a run as html, json, parquet or csv (by the path's ending unless `form` is given) and says where."""
        from core.research.export import export

        return export(self.open(which, owner), path, form)

    def remove(self, which: int | str, owner: str = OWNER) -> Saved:
        """Deletes a run. Its number is not given again. Raises NotFound."""
        saved = self.find(which, owner)
        self._drop(saved)
        return saved

    def discard(self, number: int | str, owner: str = OWNER) -> Path:
        """Deletes the file of a number though it cannot be read, and says which it was. Raises NotFound."""
        text = str(number).strip().removeprefix("#")
        path = self._path(owner, int(text)) if text.isdigit() and len(text) < 10 else None
        if path is None or not _filled(path):
            raise NotFound(f"There is no result '{text[:40]}'.")
        try:
            path.write_bytes(b"")  # an empty file keeps the number
        except OSError as refused:
            raise NotKept(f"Result {text} cannot be removed: {_why(refused)}.") from None
        return path

    def prune(self, keep: int, owner: str = OWNER) -> Runs:
        """Deletes all of an owner's runs but the newest `keep`, and returns those deleted."""
        if keep < 0:
            raise InvalidInput(f"keep {keep} is below 0.")
        gone = self.list(owner)[keep:]
        for saved in gone:
            self._drop(saved)
        return gone

    def trials(
        self,
        strategy: str,
        data: Sequence[Mapping[str, Any]],
        owner: str = OWNER,
        parameters: Mapping[str, Any] | None = None,
    ) -> "Trials":
        """What this owner has tried of the strategy on overlapping data: distinct parameter sets, sweeps' included.

        parameters: of a run that is not kept yet, which counts as well
        """
        from core.research.trials import trials

        return trials(self.list(owner), strategy, data, parameters)

    def earlier(
        self,
        strategy: str,
        data: Sequence[Mapping[str, Any]],
        tries: Iterable[Mapping[str, Any]],
        owner: str = OWNER,
    ) -> int:
        """How many other tries of the strategy on overlapping data are kept, beside those given."""
        from core.research.trials import earlier

        return earlier(self.list(owner), strategy, data, tries)

    def _drop(self, saved: Saved) -> None:
        highest = max((number for number, _ in self._files(saved.owner)), default=0)
        try:
            if saved.number == highest:
                saved.path.write_bytes(b"")  # an empty file keeps the number, so that it is not given again
            else:
                saved.path.unlink(missing_ok=True)
        except OSError as refused:
            raise NotKept(f"Result {saved.number} cannot be removed: {_why(refused)}.") from None

    def _reserved(self, owner: str) -> tuple[Path, int]:
        """The next free number's file, created empty; whoever creates it owns the number."""
        number = max((number for number, _ in self._files(owner, empty=True)), default=0) + 1
        while True:
            path = self._path(owner, number)
            try:
                path.open("xb").close()
            except FileExistsError:
                number += 1
                continue
            return path, number

    def _files(self, owner: str, empty: bool = False) -> Iterator[tuple[int, Path]]:
        try:
            entries = [*os.scandir(self.folder)]
        except OSError:
            return
        for entry in entries:
            match = PATTERN.fullmatch(entry.name)
            if match and match["owner"] == owner and (empty or entry.stat().st_size):
                yield int(match["number"]), Path(entry.path)

    def _path(self, owner: str, number: int) -> Path:
        return self.folder / f"{_owner(owner)}.{number:06d}.arrow"


class SavedRun:
    """A run read back: what `saved` tells of it, and its arrays, which are read when first used."""

    def __init__(self, saved: Saved) -> None:
        self.saved = saved
        self._frames: dict[str, Frame] = {}
        self._given: dict[str, Frame] | None = None  # the frames of a run without a file

    @property
    def number(self) -> int:
        return self.saved.number

    @property
    def kind(self) -> str:
        return self.saved.kind

    @property
    def document(self) -> dict[str, Any]:
        return self.saved.document

    @property
    def stats(self) -> dict[str, Any]:
        return self.saved.stats

    @property
    def frames(self) -> list[str]:
        """The names of its frames."""
        if self._given is not None:
            return list(self._given)
        return list(dict.fromkeys(name.split("/")[0] for name in columns_of(self.saved.path)))

    def frame(self, name: str) -> Frame:
        """A frame's columns by name; empty when the run has none of that name."""
        if self._given is not None:
            return self._given.get(name, {})
        if name not in self._frames:
            self._frames[name] = read(self.saved.path, name)
        return self._frames[name]

    @property
    def equity(self) -> NDArray[np.float64]:
        """(n,) quote, at each close; empty for a kind of run that has none."""
        return np.asarray(self.frame("equity").get("equity", ()), dtype=np.float64)

    @property
    def timestamps(self) -> NDArray[np.int64]:
        """(n,) UTC ms of the bars' opens."""
        return np.asarray(self.frame("equity").get("time", ()), dtype=np.int64)

    @property
    def cash(self) -> float:
        """What the equity began with."""
        return float(self.saved.stats.get("initial_cash") or self.saved.document.get("cash") or self.equity[0])

    @property
    def returns(self) -> NDArray[np.float64]:
        """(n,) simple returns per bar; the first is measured from the starting cash."""
        from core.analytics.measures import returns_of

        return returns_of(np.concatenate(([self.cash], self.equity)))[1:]

    @property
    def fills(self) -> "pandas.DataFrame":
        """Every fill as a pandas frame, as `Result.fills`."""
        return self.table("fills")

    @property
    def trades(self) -> "pandas.DataFrame":
        """The round trips as a pandas frame, as `Result.trades`."""
        return self.table("trades")

    def table(self, name: str) -> "pandas.DataFrame":
        """A frame as pandas, times as UTC datetimes."""
        from core.research.result import framed

        return framed(self.frame(name))

    def rerun(self, data: "Bars | Mapping[str, Bars]", detail: "Bars | Mapping[str, Bars] | None" = None) -> "Rerun":
        """The same backtest again on these bars, and whether the same came out, bit for bit, or what differs.

        detail: the finer bars that decided inside a bar, where the run had them
        """
        from core.research.again import again

        return again(self, data, detail)


def unkept(kind: str, document: Mapping[str, Any], frames: Frames | None = None) -> SavedRun:
    """A run that has no number, in the form of one that was kept, so that the same reports can be made of it."""
    now = SystemClock().now()
    run = SavedRun(Saved(0, "", OWNER, kind, now, plain({"code": provenance.code(), **document}), Path()))
    run._given = {
        name: {key: np.asarray(values) for key, values in frame.items()} for name, frame in (frames or {}).items()
    }
    return run


def _owner(owner: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", owner):
        raise InvalidInput(f"'{owner[:40]}' is not the id of a person.")
    return owner


def _filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _why(refused: OSError) -> str:
    return (refused.strerror or type(refused).__name__).lower() if not refused.errno else os.strerror(refused.errno)


def _saved(document: Mapping[str, Any], path: Path) -> Saved:
    match = PATTERN.fullmatch(path.name)
    try:
        rest = {
            key: value for key, value in document.items() if key not in ("number", "id", "owner", "kind", "created")
        }
        number = int(match["number"]) if match else int(document["number"])
        created = datetime.fromisoformat(document["created"])
        return Saved(number, document["id"], document["owner"], document["kind"], created, plain(rest), path)
    except (KeyError, TypeError, ValueError):
        raise BadData(f"{path.name} is not a kept result.") from None

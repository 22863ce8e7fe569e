"""again: a kept backtest run once more, and whether it came out the same, bit for bit."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.funding import Funding
from core.research import provenance
from core.research.archive import SavedRun
from core.research.backtest import backtest
from core.research.result import Result
from core.research.sizes import sizing_of
from core.trading.costs import Costs


@dataclass(frozen=True, slots=True)
class Rerun:
    """A backtest repeated. same: its equity equals the kept one bit for bit; differences: what may have changed it."""

    result: Result
    same: bool
    differences: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What came out, in one sentence."""
        if self.same:
            return "The same equity came out, bit for bit."
        why = "; ".join(self.differences) or "data, costs and code are those of then, so earlier bars must have changed"
        return f"Another equity came out: {why}."


def again(run: SavedRun, data: Bars | Mapping[str, Bars], detail: Bars | Mapping[str, Bars] | None = None) -> Rerun:
    """The run's strategy with its parameters, costs, sizes, funding and cash, on these bars of the same time.

    Raises InvalidInput for a run that is no backtest or bars of other instruments.
    """
    from core.strategies import load

    if run.kind != "backtest":
        raise InvalidInput(f"Result {run.number} is a {run.kind}; only a backtest can be run again.")
    held = {data.instrument.symbol: data} if isinstance(data, Bars) else dict(data)
    kept = {str(each["symbol"]): each for each in run.saved.data}
    if set(held) != set(kept):
        raise InvalidInput(f"Result {run.number} is of {', '.join(kept)}, and these bars are of {', '.join(held)}.")
    held = {name: _of_kind(each, str(kept[name].get("kind", "spot"))) for name, each in held.items()}
    described = run.document["strategy"]
    if described.get("formula"):
        from core.strategies.formula import strategy_of

        kind: Any = strategy_of(str(described["formula"]))
        strategy = kind(**described["parameters"])
    else:
        strategy = load(str(described.get("source") or described["name"]), described["parameters"])
    known = {field.name for field in fields(Costs)}
    costs = Costs(**{name: value for name, value in run.saved.costs.items() if name in known})
    first, last = int(run.timestamps[0]), int(run.timestamps[-1])
    early = any(int(each.timestamp[0]) < first for each in held.values() if len(each))
    result = backtest(
        strategy, held, run.cash, costs, start=first if early else None, end=last + 1, detail=detail,
        sizing=sizing_of(run.document.get("sizing")), funding=_funding(run),
    )  # fmt: skip
    same = result.equity.tobytes() == run.equity.tobytes() and np.array_equal(result.timestamps, run.timestamps)
    return Rerun(result, same, () if same else tuple(_differences(run, result)))


def _of_kind(bars: Bars, kind: str) -> Bars:
    """The bars as those of the kind of instrument that was traded then: a file does not say it."""
    if bars.instrument.kind == kind or kind != "perpetual":
        return bars
    return replace(bars, instrument=replace(bars.instrument, kind="perpetual"))


def _funding(run: SavedRun) -> dict[str, Funding] | None:
    """The histories of funding that were kept with the run, by symbol."""
    frame = run.frame("funding")
    symbols = [str(each) for each in frame.get("symbol", ())]
    rows = {name: np.array([each == name for each in symbols]) for name in dict.fromkeys(symbols)}
    return {name: Funding(frame["time"][mine], frame["rate"][mine]) for name, mine in rows.items()} or None


def _differences(run: SavedRun, result: Result) -> list[str]:
    told = []
    kept = {str(each["symbol"]): each for each in run.saved.data}
    for name, each in result.bars.items():
        if each.fingerprint() != kept[name].get("fingerprint"):
            told.append(f"the bars of {name} are not those of then ({len(each):,} now, {kept[name].get('bars')} then)")
    then: dict[str, Any] = run.document.get("code") or {}
    now = provenance.code()
    for name, label in (("version", "the program's version"), ("commit", "the commit"), ("kernels", "the kernels")):
        if then.get(name) != now[name]:
            told.append(f"{label} changed from {_short(then.get(name))} to {_short(now[name])}")
    costs = {field.name: getattr(result.costs, field.name) for field in fields(Costs)}
    if changed := [name for name, value in costs.items() if name in run.saved.costs and run.saved.costs[name] != value]:
        told.append(f"the costs differ in {', '.join(changed)}")
    if run.document.get("detail") and not result.detail:
        told.append("its orders were matched with finer bars, which were not given now")
    return told


def _short(value: object) -> str:
    return str(value)[:12]

"""Stitched strategies: other parameters in each window, traded as one continuous run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from core.errors import InvalidInput
from core.market.bars import Bars
from core.simulation.view import values_of
from core.trading.intents import CancelAll, Close, Intent, View
from core.trading.strategy import Context, FloatArray, Parameter, Signals

LEG = "leg of the walk"  # in the memory of a strategy that steps
COLUMNS = ("exposure", "limit", "stop", "take_profit", "trail")


@dataclass(frozen=True, slots=True)
class Leg:
    """A strategy and when it trades: what it decides at the closes of bars from `start` to before `end` (opens, ms)."""

    strategy: Any
    start: int
    end: int


@dataclass(frozen=True)
class Stitched:
    """The legs of a walk forward. Each leg's signals are computed from bars before its own end only.

    At the first bar of a leg the position becomes what the leg's strategy last asked for, nothing if it asked for
    nothing yet. Strategies that protect positions or enter by limits begin flat instead: whether they would still hold
    one cannot be read from their signals.
    """

    legs: tuple[Leg, ...]
    name: ClassVar[str] = "stitched"
    summary: ClassVar[str] = "Other parameters in each window."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def signals(self, bars: Bars, context: Context) -> Signals:
        return joined(
            bars,
            [(leg, leg.strategy.signals(bars.between(None, leg.end), cut(context, leg.end))) for leg in self.legs],
        )


@dataclass(frozen=True)
class StitchedPortfolio:
    """As `Stitched`, of strategies that divide the equity among several instruments."""

    legs: tuple[Leg, ...]
    name: ClassVar[str] = "stitched"
    summary: ClassVar[str] = "Other parameters in each window."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def allocate(self, bars: Mapping[str, Bars], context: Context) -> Mapping[str, Signals]:
        parts: dict[str, list[tuple[Leg, Signals]]] = {name: [] for name in bars}
        for leg in self.legs:
            known = {name: each.between(None, leg.end) for name, each in bars.items()}
            for name, signals in leg.strategy.allocate(known, cut(context, leg.end)).items():
                parts[name].append((leg, signals))
        return {name: joined(each, parts[name]) for name, each in bars.items()}


@dataclass(frozen=True)
class StitchedSteps:
    """As `Stitched`, of strategies that see their position: each leg begins flat, without orders and memory."""

    legs: tuple[Leg, ...]
    name: ClassVar[str] = "stitched"
    summary: ClassVar[str] = "Other parameters in each window."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 0

    def indicators(self, bars: Bars) -> dict[str, FloatArray]:
        """Those of each leg in its own rows."""
        found: dict[str, FloatArray] = {}
        for leg in self.legs:
            first, end = (int(np.searchsorted(bars.timestamp, moment)) for moment in (leg.start, leg.end))
            for name, values in values_of(leg.strategy, bars.between(None, leg.end)).items():
                found.setdefault(name, np.full(len(bars), np.nan))[first:end] = values[first:end]
        return found

    def on_bar(self, view: View) -> Iterable[Intent] | None:
        now = view.time
        number = next((i for i, each in enumerate(self.legs) if each.start <= now < each.end), None)
        if number is None:
            return ()
        before = view.memory.get(LEG)
        if before != number:
            view.memory.clear()
            view.memory[LEG] = number
            if before is not None:
                return (CancelAll(), Close())
        asked: Iterable[Intent] | None = self.legs[number].strategy.on_bar(view)
        return asked


def stitched(legs: Sequence[Leg]) -> Stitched | StitchedPortfolio | StitchedSteps:
    """One strategy of all legs, of the kind that they are."""
    first = legs[0].strategy
    if hasattr(first, "on_bar"):
        return StitchedSteps(tuple(legs))
    return StitchedPortfolio(tuple(legs)) if hasattr(first, "allocate") else Stitched(tuple(legs))


def joined(bars: Bars, parts: Sequence[tuple[Leg, Signals]]) -> Signals:
    """The signals of each leg in its own rows, with the position of the first row that the leg would have."""
    columns: dict[str, FloatArray] = {"exposure": np.full(len(bars), np.nan)}
    for leg, signals in parts:
        first, end = (int(np.searchsorted(bars.timestamp, moment)) for moment in (leg.start, leg.end))
        if first >= end:
            continue
        for name in COLUMNS:
            values = getattr(signals, name)
            if values is None:
                continue
            if len(values) < end:
                raise InvalidInput(f"{leg.strategy.name} gave {len(values)} values of {name} for {end} bars.")
            columns.setdefault(name, np.full(len(bars), np.nan))[first:end] = values[first:end]
        exposure = columns["exposure"]
        if np.isnan(exposure[first]):
            exposure[first] = held(signals, first)
    return Signals(**columns)


def held(signals: Signals, row: int) -> float:
    """The exposure that was last asked for before a row; 0 for none, and for protected positions or limit entries."""
    if any(getattr(signals, name) is not None for name in COLUMNS[1:]):
        return 0.0
    asked = np.flatnonzero(~np.isnan(signals.exposure[:row]))
    return float(signals.exposure[asked[-1]]) if len(asked) else 0.0


def cut(context: Context, end: int) -> Context:
    """What the context shows of other instruments before a moment."""
    return Context({name: each.between(None, end) for name, each in context.others.items()})

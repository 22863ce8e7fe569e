"""The graph of a formula: every distinct step once, in an order in which it can be computed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import InvalidInput
from core.indicators.formula.functions import FUNCTIONS, OPERATORS, column
from core.market import timeframes

if TYPE_CHECKING:
    from core.market.bars import Bars

MOST_STEPS = 400
MOST_WORK = 5_000_000_000  # bars times weights
MOST_HELD = 2**30  # bytes of arrays at a time
MOST_SECONDS = 60.0  # an indicator may be slow in ways that no table of weights foresees
INDICATOR_WEIGHT = 10
AT_ONCE = 8  # bytes of a number

Kind = Literal["number", "truth", "lines", "word"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. frame: the timeframe of its bars, "" for the formula's own.

    value: of a constant; name: of a column, function, sign or indicator; settings: what does not change from bar to bar
    """

    work: Literal["constant", "column", "function", "operator", "indicator", "output", "expand"]
    kind: Kind
    name: str = ""
    frame: str = ""
    inputs: tuple[int, ...] = ()
    settings: tuple[tuple[str, float | int], ...] = ()
    value: float | bool | None = None


@dataclass(slots=True)
class Graph:
    """Steps by number; what is asked for twice is there once."""

    steps: list[Step] = field(default_factory=list)
    _numbers: dict[Any, int] = field(default_factory=dict)

    def add(self, step: Step) -> int:
        """The number of the step."""
        key = (step, repr(step.value))  # nan is nan, 1 is not True
        if key not in self._numbers:
            self._numbers[key] = len(self.steps)
            self.steps.append(step)
        return self._numbers[key]

    def constant(self, number: int) -> float | bool | None:
        """The value of a constant step, else None."""
        return self.steps[number].value

    def leading(self, roots: Sequence[int], timeframe: str | None) -> list[int]:
        """For each step that these need, how many bars at the beginning are unknown; of its own timeframe.

        timeframe: of the formula's own bars; None counts a bar of a higher timeframe as one
        """
        needed = self._needed(roots)
        found: list[int] = []
        for number, step in enumerate(self.steps):
            before = max((found[each] for each in step.inputs), default=0) if needed[number] else 0
            found.append(before + self._reach(step) if step.work != "expand" else _expanded(before, step, timeframe))
        return found

    def _reach(self, step: Step) -> int:
        if step.work == "function":
            return FUNCTIONS[step.name].reach(*(value for _, value in step.settings))
        if step.work == "indicator":
            from core.indicators.listing import catalogue

            return catalogue()[step.name].warmup(**dict(step.settings))
        return 0

    def _needed(self, roots: Sequence[int]) -> list[bool]:
        needed = [False] * len(self.steps)
        for root in roots:
            needed[root] = True
        for number in range(len(self.steps) - 1, -1, -1):  # inputs stand before what takes them
            if needed[number]:
                for each in self.steps[number].inputs:
                    needed[each] = True
        return needed

    def run(self, bars: "Bars", roots: Sequence[int]) -> list[Any]:
        """The values of these steps: arrays over the bars, or constants. Each step is computed once."""
        if not len(bars):
            return [np.zeros(0, bool if self.steps[root].kind == "truth" else float) for root in roots]
        needed = self._needed(roots)
        last = list(range(len(self.steps)))
        for number, step in enumerate(self.steps):
            if needed[number]:
                for each in step.inputs:
                    last[each] = number
        for root in roots:
            last[root] = len(self.steps)
        self._affordable(len(bars), needed, last)
        views = _Views(bars)
        began = time.perf_counter()
        values: list[Any] = [None] * len(self.steps)
        ending: dict[int, list[int]] = {}
        for number, end in enumerate(last):
            ending.setdefault(end, []).append(number)
        with np.errstate(all="ignore"):
            for number, step in enumerate(self.steps):
                if needed[number] and time.perf_counter() - began > MOST_SECONDS:
                    raise _too_much(sum(needed), len(bars))
                if needed[number]:
                    values[number] = self._computed(step, [values[each] for each in step.inputs], views)
                for each in ending.get(number, ()):
                    values[each] = None  # nobody asks for it again
        return [values[root] for root in roots]

    def _computed(self, step: Step, given: list[Any], views: "_Views") -> Any:
        settings = dict(step.settings)
        match step.work:
            case "constant":
                return step.value
            case "column":
                return column(views.bars(step.frame), step.name)
            case "operator":
                return applied(step.name, given)
            case "output":
                return given[0][int(settings["number"])]
            case "expand":
                return views.expanded(step.frame, given[0], step.kind)
            case "function":
                function = FUNCTIONS[step.name]
                if not function.each:
                    size = len(views.bars(step.frame))
                    given = [each if isinstance(each, np.ndarray) else np.full(size, each) for each in given]
                return function.run(*given, *settings.values())
            case "indicator":
                from core.indicators.listing import catalogue

                size = len(views.bars(step.frame))
                given = [each if isinstance(each, np.ndarray) else np.full(size, each) for each in given]
                found = catalogue()[step.name].function(*given, **settings)
                return found if step.kind == "lines" or not isinstance(found, tuple) else found[0]

    def _affordable(self, bars: int, needed: list[bool], last: list[int]) -> None:
        """Raises InvalidInput where the formula is too much work for so many bars."""
        work = held = most = 0
        ends: dict[int, int] = {}
        for number, step in enumerate(self.steps):
            if not needed[number] or step.work == "constant":
                continue
            work += FUNCTIONS[step.name].weight if step.work == "function" else 1
            work += INDICATOR_WEIGHT if step.work == "indicator" else 0
            if step.work not in ("column", "output"):
                lines = 3 if step.kind == "lines" else 1
                held += lines
                ends[last[number]] = ends.get(last[number], 0) + lines
            most = max(most, held)
            held -= ends.pop(number, 0)
        if bars * work > MOST_WORK or bars * most * AT_ONCE > MOST_HELD:
            raise _too_much(sum(needed), bars)


def _too_much(steps: int, bars: int) -> InvalidInput:
    return InvalidInput(
        f"This formula has {steps} steps, which is too much for {bars:,} bars.",
        hint="Take fewer bars, or a shorter formula.",
    )


def applied(sign: str, given: Sequence[Any]) -> Any:
    """An operator on arrays or constants."""
    if len(given) == 1:
        return np.logical_not(given[0]) if sign == "not" else np.negative(given[0])
    return OPERATORS[sign][2](*given)


def folded(function: Callable[..., Any], given: Sequence[Any]) -> float | bool:
    """What an operation makes of constants."""
    with np.errstate(all="ignore"):
        value = function(*(np.float64(each) if not isinstance(each, bool) else each for each in given))
    return bool(value) if isinstance(value, bool | np.bool_) else float(value)


def _expanded(leading: int, step: Step, timeframe: str | None) -> int:
    """Bars at the beginning for which no value of a higher timeframe is known, at most."""
    if timeframe is None:
        return leading + 1
    times = max(1, timeframes.milliseconds(step.frame) // timeframes.milliseconds(timeframe))
    return leading if times == 1 else (leading + 2) * times - 2


class _Views:
    """The bars in each timeframe that the formula looks at."""

    def __init__(self, bars: "Bars") -> None:
        self._own = bars
        self._higher: dict[str, Any] = {}

    def _view(self, frame: str) -> Any:
        if frame not in self._higher:
            from core.market.higher import higher

            self._higher[frame] = higher(self._own, frame)
        return self._higher[frame]

    def bars(self, frame: str) -> "Bars":
        same = not frame or frame == self._own.timeframe
        return self._own if same else self._view(frame).bars

    def expanded(self, frame: str, values: Any, kind: Kind) -> Any:
        """What was known of a higher timeframe at the close of each bar."""
        if frame == self._own.timeframe or not isinstance(values, np.ndarray):
            return values
        found = self._view(frame).expand(values.astype(np.float64))
        return found == 1.0 if kind == "truth" else found


Settings = Mapping[str, float | int]

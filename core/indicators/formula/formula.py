"""`parse(text) -> Formula`: a formula that is checked, and can be computed on bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.indicators.formula.errors import FormulaError
from core.indicators.formula.lowering import MOST_UNKNOWN, Lowering
from core.indicators.formula.names import Saved, none_saved
from core.indicators.formula.parser import parsed
from core.indicators.formula.syntax import RULES, Binary, Call, Expression, Program, Range, start

if TYPE_CHECKING:
    from core.indicators.formula.graph import Graph
    from core.market.bars import Bars

Array = NDArray[np.float64] | NDArray[np.bool_]
# What a strategy of the formula has already.
FORBIDDEN = ("name", "summary", "parameters", "warmup", "signals", "formula", "document")
TRUTHS = ("entry", "exit", "short", "cover")
Kind = Literal["number", "truth", "rules"]


@dataclass(frozen=True)
class Formula:
    """A formula without mistakes. Build one with `parse`.

    kind: number (an indicator), truth (a rule: an indicator of 0 and 1, and a strategy), rules (a strategy)
    uses: the texts of the saved formulas that it is made of, by name; with them the formula is complete
    """

    text: str
    kind: Kind
    uses: Mapping[str, str]
    program: Program

    @property
    def parameters(self) -> Mapping[str, Range]:
        """What can be varied, by name."""
        return {each.name: each for each in self.program.ranges}

    def evaluate(self, bars: "Bars", **parameters: float) -> Array:
        """The value at the close of each bar, from that bar and earlier ones.

        Returns (n,) float64, NaN where unknown, or (n,) bool, false in the warm-up. Raises InvalidInput for a
        parameter out of its range, for rules, and where it is too much work.
        """
        if self.kind == "rules":
            raise InvalidInput("Rules make a strategy and have no value of their own.", hint="Backtest it.")
        return self._arrays(bars, parameters)[""]

    def rules(self, bars: "Bars", **parameters: float) -> dict[str, Array | float]:
        """Every rule by its label, the value of a single rule under ""; constants other than truths as floats."""
        return self._arrays(bars, parameters, constants=True)

    def _arrays(self, bars: "Bars", parameters: Mapping[str, float], constants: bool = False) -> dict[str, Any]:
        graph, roots = self._lowered(parameters)
        leading = graph.leading(list(roots.values()), bars.timeframe)
        found = {}
        for (label, root), values in zip(roots.items(), graph.run(bars, list(roots.values())), strict=True):
            truth = graph.steps[root].kind == "truth"
            if not isinstance(values, np.ndarray):
                if constants and not truth:
                    found[label] = float(values)
                    continue
                values = np.full(len(bars), values)
            if truth:
                values = values.copy()
                values[: leading[root]] = False
            elif not values.flags.owndata or not values.flags.writeable:
                values = values.copy()
            found[label] = values
        return found

    def warmup(self, timeframe: str | None = None, **parameters: float) -> int:
        """How many bars at the beginning are unknown.

        timeframe: of the bars; without it a bar of a higher timeframe is counted as one
        """
        graph, roots = self._lowered(parameters)
        leading = graph.leading(list(roots.values()), timeframe)
        return max(leading[root] for root in roots.values())

    @property
    def momentary(self) -> bool:
        """Whether it is true for single bars only, as crossings are: as a strategy it would hold one bar at a time."""
        return self.program.value is not None and _momentary(self.program.value)

    def frames(self) -> tuple[str, ...]:
        """The higher timeframes it looks at."""
        graph, _ = self._lowered({})
        return tuple(dict.fromkeys(step.frame for step in graph.steps if step.work == "expand"))

    def checked(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """All parameters, defaults filled in. Raises InvalidInput for an unknown one or one out of its range."""
        ranges = self.parameters
        for name, value in parameters.items():
            if name not in ranges:
                known = ", ".join(ranges) or "none"
                raise InvalidInput(f"The formula has no parameter '{name[:40]}'; it has {known}.")
            each = ranges[name]
            if not each.low <= value <= each.high or (each.whole and value != int(value)):
                kind = "a whole number" if each.whole else "a number"
                raise InvalidInput(
                    f"{name} takes {kind} from {each.told(each.low)} to {each.told(each.high)}, not {value}."
                )
        return {name: float(parameters.get(name, each.default)) for name, each in ranges.items()}

    def _lowered(self, parameters: Mapping[str, float]) -> "tuple[Graph, dict[str, int]]":
        values = self.checked(parameters)
        return _graph_of(self.text, tuple(sorted(self.uses.items())), tuple(values.items()))


def parse(text: str, saved: Mapping[str, str] | None = None, name: str = "") -> Formula:
    """The formula of a text. Raises FormulaError, which names the first wrong character and what would do.

    saved: texts of the formulas it may use, by name; name: its own, so that it cannot use itself
    """
    program = parsed(text)
    for each in program.ranges:
        if each.name in FORBIDDEN or each.name.startswith("_") or iskeyword(each.name):
            raise FormulaError(f"'{each.name}' cannot name a parameter", text, each.at)
    lowering = Lowering(
        text, program, {each.name: each.default for each in program.ranges}, _shelf(saved or {}), within=(name,)
    )
    roots = lowering.roots()
    kind = lowering.graph.steps[roots[""]].kind if "" in roots else "rules"
    _check_rules(text, program, lowering, roots)
    leading = lowering.graph.leading(list(roots.values()), None)
    most = max(leading[root] for root in roots.values())
    if most > MOST_UNKNOWN:
        raise FormulaError(
            f"The formula needs {most:,} bars before its first value, at most {MOST_UNKNOWN:,} may be needed", text, 0
        )
    told: Kind = "rules" if kind == "rules" else "truth" if kind == "truth" else "number"
    return Formula(text, told, lowering.used, program)


def _check_rules(text: str, program: Program, lowering: Lowering, roots: Mapping[str, int]) -> None:
    """Holds every rule to its kind, and constants to fractions."""
    for rule in program.rules:
        step = lowering.graph.steps[roots[rule.label]]
        wanted = "truth" if rule.label in TRUTHS else "number"
        if step.kind != wanted:
            told = "true or false" if wanted == "truth" else "a number"
            raise FormulaError(f"'{rule.label}' takes {told}: {RULES[rule.label]}", text, start(rule.value))
        if wanted == "number" and step.value is not None:
            most = 1.0 if rule.label == "exposure" else 10.0 if rule.label == "target" else 0.999
            if not 0.0 < step.value <= most:
                raise FormulaError(
                    f"{step.value:g} is no fraction for '{rule.label}'", text, start(rule.value),
                    hint=f"{RULES[rule.label].capitalize()}.",
                )  # fmt: skip


def _momentary(node: Expression) -> bool:
    match node:
        case Call(_, "cross" | "crossunder"):
            return True
        case Binary(_, "and", left, right):
            return _momentary(left) or _momentary(right)
        case Binary(_, "or", left, right):
            return _momentary(left) and _momentary(right)
    return False


def _shelf(saved: Mapping[str, str]) -> Saved:
    def found(name: str) -> tuple[str, Program] | None:
        return (saved[name], _tree(saved[name])) if name in saved else None

    return found if saved else none_saved


@lru_cache(maxsize=256)
def _tree(text: str) -> Program:
    return parsed(text)


@lru_cache(maxsize=256)
def _graph_of(
    text: str, uses: tuple[tuple[str, str], ...], values: tuple[tuple[str, float], ...]
) -> "tuple[Graph, dict[str, int]]":
    lowering = Lowering(text, _tree(text), dict(values), _shelf(dict(uses)))
    return lowering.graph, lowering.roots()

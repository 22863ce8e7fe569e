"""Strategies made of formulas: a rule that is true or false, or entry, exit, short and cover with their protection."""

import copyreg
import json
from collections.abc import Iterable, Mapping
from dataclasses import field, make_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.indicators.formula import Formula, parse
from core.indicators.formula.shelf import Shelf
from core.indicators.formula.syntax import Range
from core.market import timeframes
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check

PREFIX = "formula:"  # before a formula that is written where a strategy's name may stand
# Words by which the shipped strategies are called in a chat.
SPOKEN = ("sma", "ema", "rsi", "bb", "turtle", "turtles", "hold", "hodl", "holding", "golden")
PROTECTION = ("stop", "target", "trail")
INSIDE = 4  # bars that a higher timeframe is taken to hold where nobody has said which bars are traded

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]
Ruled = Mapping[str, Any]


class FormulaType(type):
    """The class of these classes: they are made while running, and pickled by what they are made of."""

    document: str


def _reduced(kind: FormulaType) -> Any:
    return (strategy_of, (kind.document,)) if kind.document else kind.__qualname__


copyreg.pickle(FormulaType, _reduced)


class FormulaStrategy(metaclass=FormulaType):
    """A strategy of a formula. Its subclasses are made by `formula_strategy`; parameters are those of the formula."""

    name: ClassVar[str] = "formula"
    summary: ClassVar[str] = "A formula."
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    formula: ClassVar[Formula]
    document: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check(self)
        self.warmup()  # an indicator may refuse what the parameter's range allows

    def warmup(self) -> int:
        """One bar more than the formula needs; a higher timeframe is taken to hold four of the bars at least."""
        return self.formula.warmup(_usual(self.formula.frames()), **self._values()) + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        """Signals at each close, from the rules at that close and the one before."""
        ruled = self.formula.rules(bars, **self._values())
        protected = any(name in ruled for name in PROTECTION)
        entry, leave = _pair(ruled, "entry", "exit", protected, alone="short" not in ruled)
        short, cover = _pair(ruled, "short", "cover", protected, alone="entry" not in ruled)
        n = len(bars)
        side = np.zeros(n)
        for on, off, sign in ((entry, leave, 1.0), (short, cover, -1.0)):
            if on is not None:
                wanted = on & ~(off if off is not None else np.zeros(n, bool))
                side[_becomes(wanted)] += sign  # both at once change nothing
        prices = {
            name: _price(ruled[name], name, side, bars.close) for name in ("limit", "stop", "target") if name in ruled
        }
        trail = np.broadcast_to(ruled.get("trail", np.nan), n)
        size = np.broadcast_to(ruled.get("exposure", 1.0), n)
        able = (size > 0.0) & (size <= 1.0)
        for values in prices.values():
            able &= ~np.isnan(values)  # no entry without its protection
        if "trail" in ruled:
            able &= (trail > 0.0) & (trail < 1.0)
        side[~able] = 0.0
        exposure = np.where(side != 0.0, side * size, np.nan)
        held = _last(side)  # the side that was entered last, before this bar
        for off, sign in ((leave, 1.0), (cover, -1.0)):
            if off is not None:
                exposure[off & (held == sign) & (side == 0.0)] = 0.0
        _drop_repeated(exposure, entries=not protected)
        entered = side != 0.0

        def at_entries(values: Any) -> Any:
            return None if values is None else np.where(entered & ~np.isnan(exposure), values, np.nan)

        return Signals(
            exposure,
            limit=at_entries(prices.get("limit")),
            stop=at_entries(prices.get("stop")),
            take_profit=at_entries(prices.get("target")),
            trail=at_entries(trail if "trail" in ruled else None),
        )

    def _values(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.parameters}


def formula_strategy(formula: Formula | str, name: str = "formula") -> type[FormulaStrategy]:
    """The strategy of a formula. Raises FormulaError, and InvalidInput for a number, which is no rule."""
    formula = parse(formula) if isinstance(formula, str) else formula
    if formula.kind == "number":
        hint = "Compare it with something, such as rsi(close, 14) < 30."
        raise InvalidInput(f"'{name}' gives a number, and a strategy needs a rule that is true or false.", hint=hint)
    return strategy_of(json.dumps({"name": name, "text": formula.text, "uses": dict(sorted(formula.uses.items()))}))


@lru_cache(maxsize=256)
def strategy_of(document: str) -> type[FormulaStrategy]:
    """The class that a document describes: {"name", "text", "uses": texts of the saved formulas in it by name}."""
    try:
        read = json.loads(document)
        name, text, uses = str(read["name"]), str(read["text"]), dict(read["uses"])
    except (ValueError, KeyError, TypeError):
        raise InvalidInput("That is no formula.") from None
    formula = parse(text, uses, name)
    parameters = {key: _parameter(each) for key, each in formula.parameters.items()}
    return make_dataclass(
        "".join(part.capitalize() for part in name.split("_")) or "Formula",
        [(key, each.kind, field(default=each.default)) for key, each in parameters.items()],
        bases=(FormulaStrategy,),
        frozen=True,
        namespace={
            "__module__": __name__,
            "__doc__": f"Made of the formula {text}",
            "name": name,
            "summary": summary_of(formula),
            "parameters": parameters,
            "formula": formula,
            "document": document,
        },
    )


def _parameter(written: Range) -> Parameter:
    """As strategies declare them."""

    def number(value: float) -> float | int:
        return int(value) if written.whole else value

    return Parameter(number(written.default), number(written.low), number(written.high), number(written.step))


def summary_of(formula: Formula) -> str:
    """One line that says what it does."""
    text = " ".join(formula.text.split())
    shown = text if len(text) <= 100 else f"{text[:99]}…"
    return f"Long while {shown}" if formula.kind == "truth" and ";" not in text else shown


def shelf_in(folder: Path) -> Shelf:
    """The saved formulas of a folder; the names of the shipped strategies are taken."""
    from core.strategies.loading import SHIPPED

    return Shelf(folder, (*SHIPPED, *SPOKEN))


def inline(text: str, shelf: Shelf) -> type[FormulaStrategy]:
    """The strategy of `formula: TEXT`, or of the document that `source_of` gives."""
    written = text.strip()[len(PREFIX) :].strip()
    return strategy_of(written) if written.startswith("{") else formula_strategy(shelf.check(written))


def source_of(kind: type[FormulaStrategy]) -> str:
    """What a restart makes the same strategy of, whatever became of the saved formula meanwhile."""
    return f"{PREFIX}{kind.document}"


def _usual(frames: Iterable[str]) -> str | None:
    """The timeframe of bars that a strategy of these higher ones is likely to trade."""
    lengths = [timeframes.milliseconds(frame) for frame in frames]
    if not lengths:
        return None
    fitting = [
        name
        for name, length in timeframes.TIMEFRAMES.items()
        if length * INSIDE <= min(lengths) and not any(each % length for each in lengths)
    ]
    return fitting[-1] if fitting else "1s"


def _pair(ruled: Ruled, on: str, off: str, protected: bool, alone: bool) -> tuple[Truths | None, Truths | None]:
    """When to enter and when to leave; without a rule to leave, a position that nothing else ends lasts while true."""
    if "" in ruled and on == "entry":
        return ruled[""], ~ruled[""]
    enter, leave = ruled.get(on), ruled.get(off)
    if enter is not None and leave is None and alone and not protected:
        leave = ~enter
    return enter, leave


def _becomes(truths: Truths) -> Truths:
    """True where it is true and was not on the bar before."""
    result = truths.copy()
    result[1:] &= ~truths[:-1]
    return result


def _price(rule: Any, name: str, side: Floats, close: Floats) -> Floats:
    """Prices for each entry, NaN where there is none that could be; a price is mirrored at the close for shorts."""
    above = name == "target"
    if isinstance(rule, float):
        away = rule if above else -rule
        found = close * (1.0 + np.where(side < 0.0, -away, away))
    else:
        found = np.where(side < 0.0, 2.0 * close - rule, rule)
    possible = found > 0.0
    if name != "limit":
        right = (found > close) == (above ^ (side < 0.0))
        possible &= right & (found != close)
    return np.where(possible, found, np.nan)


def _last(side: Floats) -> Floats:
    """The last side entered before each bar, 0 before the first."""
    at = np.maximum.accumulate(np.where(side != 0.0, np.arange(len(side)), -1))
    result = np.where(at >= 0, side[at], 0.0)
    return np.concatenate([[0.0], result[:-1]])[: len(side)]


def _drop_repeated(exposure: Floats, entries: bool) -> None:
    """Takes away what asks for the side that was asked for last.

    entries: also of entries; where protection may have ended a position, one that comes again enters again
    """
    at = np.flatnonzero(~np.isnan(exposure))
    sides = np.sign(exposure[at])
    again = np.zeros(len(at), bool)
    again[1:] = sides[1:] == sides[:-1]
    exposure[at[again & (entries | (sides == 0.0))]] = np.nan

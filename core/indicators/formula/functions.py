"""The functions of formulas as data: what each is called, takes, gives and says of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.indicators.formula import arrays

LARGEST = 10_000  # bars that a window reaches back at most

Takes = Literal["number", "truth", "any", "same", "size", "constant"]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument. takes: a kind of series, or `size` and `constant` for what does not change from bar to bar.

    `any` is either kind, `same` is the kind of the argument `any` before it.
    """

    name: str
    takes: Takes
    default: float | None = None
    low: float = 0.0
    high: float = float(LARGEST)


@dataclass(frozen=True, slots=True)
class Function:
    """gives: `same` is the kind of its argument `any`. reach: bars before this one that it needs, from its sizes.

    each: whether a value comes from its own bar alone, so that constants give a constant
    """

    name: str
    summary: str
    arguments: tuple[Argument, ...]
    gives: Literal["number", "truth", "same"]
    run: Callable[..., Any]
    reach: Callable[..., int]
    each: bool = False
    many: bool = False  # the last argument may be repeated
    weight: int = 1  # work for each bar, against an addition

    @property
    def call(self) -> str:
        """How it is called: highest(x, period)."""
        told = [each.name if each.default is None else f"{each.name} = {each.default:g}" for each in self.arguments]
        return f"{self.name}({', '.join(told)}{', …' if self.many else ''})"


X, Y = Argument("x", "number"), Argument("y", "number")
CONDITION = Argument("condition", "truth")
WINDOW = Argument("period", "size", low=1.0)


def _window(n: int) -> int:
    return n - 1


def _none(*_: float) -> int:
    return 0


def _plain(name: str, summary: str, run: Callable[..., Any], *arguments: Argument, **more: Any) -> Function:
    return Function(name, summary, arguments, more.pop("gives", "number"), run, _none, each=True, **more)


def _rolling(name: str, summary: str, run: Callable[..., Any], first: Argument = X, **more: Any) -> Function:
    return Function(name, summary, (first, WINDOW), "number", run, _window, weight=more.pop("weight", 4), **more)


def _under(line: Any, other: Any) -> Any:
    return arrays.cross(other, line)


FUNCTIONS: Mapping[str, Function] = {
    each.name: each
    for each in (
        Function("cross", "True where x comes to lie above y; equal is not above.", (X, Y), "truth", arrays.cross,
                 lambda: 1, weight=4),
        Function("crossunder", "True where x comes to lie below y; equal is not below.", (X, Y), "truth", _under,
                 lambda: 1, weight=4),
        Function("previous", "x as it was n bars before; x[n] is the same.",
                 (Argument("x", "any"), Argument("n", "size", 1.0)), "same", arrays.previous, lambda n: n),
        Function("change", "x less x of n bars before.", (X, Argument("n", "size", 1.0, 1.0)), "number",
                 lambda x, n: x - arrays.previous(x, n), lambda n: n),
        _rolling("highest", "The highest of the last period values, this one included.", arrays.highest),
        _rolling("lowest", "The lowest of the last period values, this one included.", arrays.lowest),
        _rolling("sum", "The sum of the last period values.", arrays.total),
        _rolling("mean", "The mean of the last period values.", arrays.mean),
        _rolling("stdev", "The population standard deviation of the last period values.", arrays.stdev, weight=10),
        _rolling("since_highest", "Bars since the highest of the last period values; the latest one of equals.",
                 arrays.since_highest, weight=90),
        _rolling("since_lowest", "Bars since the lowest of the last period values; the latest one of equals.",
                 arrays.since_lowest, weight=90),
        _rolling("count", "How many of the last period values are true.", arrays.count, CONDITION),
        Function("rising", "Whether each of the last period values is above the one before it.",
                 (X, Argument("period", "size", 1.0, 1.0)), "truth", arrays.rising, lambda n: n, weight=6),
        Function("falling", "Whether each of the last period values is below the one before it.",
                 (X, Argument("period", "size", 1.0, 1.0)), "truth", arrays.falling, lambda n: n, weight=6),
        Function("barssince", "Bars since the condition was last true, 0 where it is; unknown before the first time.",
                 (CONDITION,), "number", arrays.bars_since, _none, weight=4),
        Function("fill", "x, or its last known value where it is unknown.", (X,), "number", arrays.fill, _none,
                 weight=4),
        _plain("nz", "x, or the other value where it is unknown.", lambda x, value: np.where(np.isnan(x), value, x), X,
               Argument("value", "number", 0.0)),
        _plain("known", "Whether x is known.", lambda x: ~np.isnan(x), X, gives="truth"),
        _plain("if", "a where the condition is true, else b.", arrays.choose, CONDITION, Argument("a", "any"),
               Argument("b", "same"), gives="same"),
        _plain("abs", "x without its sign.", np.abs, X),
        _plain("sqrt", "The square root; unknown below 0.", lambda x: arrays.finite(np.sqrt(x)), X, weight=2),
        _plain("log", "The natural logarithm; unknown at 0 and below.", lambda x: arrays.finite(np.log(x)), X,
               weight=4),
        _plain("exp", "e to the power of x.", lambda x: arrays.finite(np.exp(x)), X, weight=4),
        _plain("sign", "1 above 0, -1 below it, 0 at it.", np.sign, X),
        _plain("floor", "The whole number at or below x.", np.floor, X),
        _plain("ceil", "The whole number at or above x.", np.ceil, X),
        _plain("round", "x with so many digits behind the point.", arrays.rounded, X,
               Argument("digits", "size", 0.0, 0.0, 15.0), weight=3),
        _plain("mod", "What x / y leaves, with the sign of y.", arrays.remainder, X, Y, weight=4),
        _plain("min", "The least of its values; unknown where one is.",
               lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)), X, Y, many=True),
        _plain("max", "The greatest of its values; unknown where one is.",
               lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)), X, Y, many=True),
    )
}  # fmt: skip

COLUMNS: Mapping[str, str] = {
    "open": "first price of the bar", "high": "highest price", "low": "lowest price",
    "close": "last price", "volume": "what was traded, in the base currency",
    "hl2": "(high + low) / 2", "hlc3": "(high + low + close) / 3", "ohlc4": "(open + high + low + close) / 4",
    "minute": "minute of the hour at which the bar opens, 0 to 59", "hour": "hour of the day (UTC), 0 to 23",
    "weekday": "day of the week (UTC), Monday is 1, Sunday 7", "day": "day of the month (UTC), 1 to 31",
    "month": "month of the year (UTC), 1 to 12",
}  # fmt: skip

OPERATORS: Mapping[str, tuple[Literal["number", "truth"], Literal["number", "truth"], Callable[..., Any]]] = {
    "+": ("number", "number", lambda a, b: arrays.finite(a + b)),
    "-": ("number", "number", lambda a, b: arrays.finite(a - b)),
    "*": ("number", "number", lambda a, b: arrays.finite(a * b)),
    "/": ("number", "number", lambda a, b: arrays.finite(np.true_divide(a, b))),
    "^": ("number", "number", lambda a, b: arrays.finite(np.power(a, b))),
    "<": ("number", "truth", lambda a, b: a < b),
    "<=": ("number", "truth", lambda a, b: a <= b),
    ">": ("number", "truth", lambda a, b: a > b),
    ">=": ("number", "truth", lambda a, b: a >= b),
    "==": ("number", "truth", lambda a, b: a == b),
    "!=": ("number", "truth", arrays.unequal),
    "and": ("truth", "truth", lambda a, b: np.logical_and(a, b)),
    "or": ("truth", "truth", lambda a, b: np.logical_or(a, b)),
}


AT = 'at("4h", x)', "x on bars of a higher timeframe, as it was known at this bar's close."


def reference() -> list[tuple[str, str]]:
    """Everything but the indicators that may stand in a formula: (how it is written, what it is)."""
    columns = [(name, f"{told[0].upper()}{told[1:]}.") for name, told in COLUMNS.items()]
    return [*columns, *((each.call, each.summary) for each in FUNCTIONS.values()), AT]


def column(bars: Any, name: str) -> Any:
    """A column of bars, (n,) float64."""
    match name:
        case "hl2":
            return (bars.high + bars.low) / 2.0
        case "hlc3":
            return (bars.high + bars.low + bars.close) / 3.0
        case "ohlc4":
            return (bars.open + bars.high + bars.low + bars.close) / 4.0
        case "minute" | "hour":
            divided = bars.timestamp // (60_000 if name == "minute" else 3_600_000)
            return (divided % (60 if name == "minute" else 24)).astype(np.float64)
        case "weekday":
            return ((bars.timestamp // 86_400_000 + 3) % 7 + 1).astype(np.float64)  # 1970-01-01 was a Thursday
        case "day" | "month":
            when = bars.timestamp.astype("datetime64[ms]")
            months = when.astype("datetime64[M]")
            if name == "month":
                return (months.astype(np.int64) % 12 + 1).astype(np.float64)
            return ((when.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1.0).astype(
                np.float64
            )
        case _:
            return getattr(bars, name)

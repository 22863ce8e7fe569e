"""`Indicator`: an indicator as data, and the decorator that makes one of a function.

    @indicator("momentum", outputs={"rsi": "0 to 100"}, warmup=lambda period: period, period=(2, 100_000, "bars"))
    def rsi(close: ArrayLike, period: int = 14) -> Floats:

Arguments without a default are inputs, the others parameters. What reaches the function is checked: equally long,
contiguous float64 arrays of at least one bar without NaN, and parameters within their ranges. Around it, leading NaNs
lengthen the warm-up and a NaN further on makes the rest NaN; fewer bars than the warm-up give all NaN.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput
from core.indicators.shared import once

if TYPE_CHECKING:
    from core.market.bars import Bars

Floats = NDArray[np.float64]
Lines = tuple[Floats, ...]  # several outputs, each (n,)
Number = int | float
P = ParamSpec("P")
R = TypeVar("R")

CATEGORIES: Mapping[str, str] = {
    "trend": "Averages, bands and stops that follow the price",
    "momentum": "How fast and how far the price moves",
    "volatility": "How widely the price moves",
    "volume": "What was traded, and where",
    "price": "Prices of a bar, and levels of sessions before",
    "statistics": "Rolling statistics of one series or two",
    "cycle": "Cycles, by the Hilbert transform",
    "pattern": "Candlestick patterns",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with its range, both ends included; a whole number where the default is one."""

    default: Number
    low: Number
    high: Number
    help: str = ""

    @property
    def kind(self) -> type:
        """int or float."""
        return type(self.default)

    def checked(self, name: str, value: Any) -> Number:
        """The value in this parameter's kind. Raises InvalidInput naming it and the range."""
        whole = self.kind is int
        try:
            number = math.nan if isinstance(value, bool | np.bool_ | str | bytes) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not self.low <= number <= self.high or (whole and number != int(number)):
            kind = "whole number" if whole else "number"
            told = str(value)[:40]
            raise InvalidInput(
                f"{name} {told} is not a {kind} from {self.low} to {self.high}.", parameter=name, value=told
            )
        return int(number) if whole else number


@dataclass(frozen=True, slots=True)
class Output:
    """One of the arrays an indicator gives. unit: what its values are, e.g. 'price' or '0 to 100'."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator.

    inputs: columns of bars; where it is `close` alone any series will do; `other` is a second series
    waits: what its first value waits for besides the warm-up, where the bars' times decide that
    overlay: drawn over prices rather than below them
    function: the same that `core.indicators` gives under this name
    """

    name: str
    summary: str
    category: str
    inputs: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    outputs: tuple[Output, ...]
    overlay: bool
    waits: str
    function: Callable[..., Any]
    leading: Callable[..., int]
    fading: Callable[..., int | None]

    def checked(self, parameters: Mapping[str, Any]) -> dict[str, Number]:
        """All parameters, defaults filled in. Raises InvalidInput for an unknown one or one out of its range."""
        for name in parameters:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise InvalidInput(f"{self.name} has no parameter '{str(name)[:40]}'; it has {known}.")
        return {
            name: each.checked(name, parameters[name]) if name in parameters else each.default
            for name, each in self.parameters.items()
        }

    def warmup(self, **parameters: Number) -> int:
        """How many bars at the beginning are NaN; more where it `waits`."""
        return self.leading(**self.checked(parameters))

    def settles(self, **parameters: Number) -> int | None:
        """After how many bars it no longer matters, to about a millionth, where the data began; None is never."""
        return self.fading(**self.checked(parameters))

    def compute(self, data: "Bars | Mapping[str, ArrayLike]", **parameters: Number) -> Lines:
        """The outputs, each (n,), from bars or from columns by name (`other` only from those)."""
        found = self.function(*(self._column(data, name) for name in self.inputs), **self.checked(parameters))
        return found if isinstance(found, tuple) else (found,)

    def _column(self, data: Any, name: str) -> ArrayLike:
        column: ArrayLike | None = data.get(name) if isinstance(data, Mapping) else getattr(data, name, None)
        if column is None:
            raise InvalidInput(f"{self.name} needs {', '.join(self.inputs)}, and '{name}' is not given.")
        return column

    def __reduce__(self) -> tuple[Any, ...]:
        from core.indicators.listing import named

        return named, (self.name,)  # another process finds it in its own catalogue

    @property
    def call(self) -> str:
        """How it is called, e.g. rsi(close, period=14)."""
        told = [*self.inputs, *(f"{name}={each.default}" for name, each in self.parameters.items())]
        return f"{self.name}({', '.join(told)})"


def indicator(
    category: str,
    *,
    outputs: Mapping[str, str],
    warmup: Callable[..., int],
    settles: Callable[..., int | None] | None = None,
    overlay: bool = False,
    waits: str = "",
    check: Callable[..., None] | None = None,
    **ranges: tuple[Number, Number, str],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Describes the function beneath it.

    outputs: units by name; ranges: (low, high, help) by parameter
    warmup: from the parameters, by name: leading NaN bars; settles: as `Indicator.settles`, the warm-up when not given
    check: takes the parameters by name and raises InvalidInput where they do not go together
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        given = signature.parameters.values()
        parameters = {
            each.name: Parameter(each.default, *ranges[each.name]) for each in given if each.default is not each.empty
        }

        def checking(rule: Callable[..., Any]) -> Callable[..., Any]:
            def ruled(**values: Number) -> Any:
                if check is not None:
                    check(**values)
                return rule(**values)

            return ruled

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as wrong:
                raise InvalidInput(f"{told.call}: {wrong}.") from None
            values = bound.arguments
            chosen = told.checked({name: value for name, value in values.items() if name in parameters})
            if check is not None:
                check(**chosen)
            inputs = tuple(values[name] for name in told.inputs)
            return once(told.name, inputs, tuple(chosen.values()), lambda: _computed(function, told, inputs, chosen))

        told = Indicator(
            name=function.__name__,
            summary=(inspect.getdoc(function) or "").splitlines()[0],
            category=category,
            inputs=tuple(each.name for each in given if each.default is each.empty),
            parameters=parameters,
            outputs=tuple(Output(name, unit) for name, unit in outputs.items()),
            overlay=overlay,
            waits=waits,
            function=call,
            leading=checking(warmup),
            fading=checking(settles or warmup),
        )
        setattr(call, "indicator", told)  # noqa: B010 - a function's type has no such attribute
        return call

    return wrap


def _computed(function: Callable[..., Any], told: Indicator, given: tuple[Any, ...], chosen: dict[str, Number]) -> Any:
    arrays = [_array(told.name, column, values) for column, values in zip(told.inputs, given, strict=True)]
    n = len(arrays[0])
    if any(len(array) != n for array in arrays):
        lengths = ", ".join(str(len(array)) for array in arrays)
        raise InvalidInput(f"The inputs of {told.name} have different lengths: {lengths}.")
    first, last = _clean(arrays)
    several = len(told.outputs) > 1
    if first == 0 and last == n > 0:
        return function(*arrays, **chosen)
    results = tuple(np.full(n, np.nan) for _ in told.outputs)
    if last > first:
        found = function(*(array[first:last] for array in arrays), **chosen)
        for result, values in zip(results, found if several else (found,), strict=True):
            result[first:last] = values
    return results if several else results[0]


def _array(name: str, column: str, values: Any) -> NDArray[Any]:
    kind: Any = np.int64 if column == "timestamp" else np.float64
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
        if array.dtype.kind not in "fiu":
            array = np.asarray(array.tolist() if array.dtype.kind == "O" else None, dtype=kind)
        array = np.ascontiguousarray(array, dtype=kind) if array.ndim == 1 else array
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} takes arrays of numbers, and {column} is not one.") from None
    if array.ndim != 1:
        raise InvalidInput(f"{name} takes one-dimensional arrays, and {column} has {array.ndim} dimensions.")
    return array


def _clean(arrays: list[NDArray[Any]]) -> tuple[int, int]:
    """From where to where all inputs are finite: behind what is unknown at the head, up to the next unknown."""
    n = len(arrays[0])
    unknown = None
    with np.errstate(all="ignore"):
        for array in arrays:
            if array.dtype.kind == "f" and not math.isfinite(array.sum()):  # one sum is quicker than n tests
                bad = ~np.isfinite(array)
                unknown = bad if unknown is None else unknown | bad
    if unknown is None:
        return 0, n
    if unknown.all():
        return n, n
    first = int(np.argmin(unknown))
    rest = unknown[first:]
    return first, first + int(np.argmax(rest)) if rest.any() else n


def faded(alpha: float) -> int:
    """Bars after which an average with this weight of the newest bar has forgotten its start to 1e-8."""
    return math.ceil(math.log(1e-8) / math.log1p(-alpha)) if alpha < 1.0 else 0


def ema_faded(period: float) -> int:
    """As `faded`, of an exponential average over `period` bars."""
    return faded(2.0 / (period + 1.0))


def wilder_faded(period: float) -> int:
    """As `faded`, of Wilder's average over `period` bars."""
    return faded(1.0 / period)

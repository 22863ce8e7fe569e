"""The strategy port: a strategy is a frozen dataclass of parameters with two methods.

A SignalStrategy computes signals for all bars at once, a StepStrategy is asked bar by bar and sees its own position
and orders, a PortfolioStrategy weighs many instruments against each other.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import TypeIs

from core.errors import AppError, InvalidInput
from core.market.bars import Bars
from core.trading.intents import Intent, View

FloatArray = NDArray[np.float64]
# whose code is not a user's own
LIBRARIES = (
    str(Path(__file__).parents[1]) + os.sep,
    sys.prefix + os.sep,
    sys.base_prefix + os.sep,
    "<string>",
    "<frozen",
)
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A typed parameter with its range, so that every surface can list, check and vary it.

    kind: int or float; low and high are inclusive; step is the grid a search would walk
    """

    default: float | int
    low: float | int
    high: float | int
    step: float | int = 1
    help: str = ""

    @property
    def kind(self) -> type:
        return type(self.default)

    def checked(self, name: str, value: object) -> float | int:
        """The value as this parameter's kind, from a number or a text. Raises InvalidInput with the range."""
        wanted = "a whole number" if self.kind is int else "a number"
        expected = f"{name} takes {wanted} from {self.low} to {self.high}"
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else np.nan
        except ValueError:
            number = np.nan
        if not np.isfinite(number) or (self.kind is int and number != int(number)):
            raise InvalidInput(f"{expected}, not '{value}'.", parameter=name, value=str(value))
        if not self.low <= number <= self.high:
            raise InvalidInput(f"{expected}, not {value}.", parameter=name, value=str(value))
        return int(number) if self.kind is int else number


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Signals of some of the `bars`. rows: (k,) ascending; columns: (k,) values by name, None where it is not given."""

    bars: int
    rows: NDArray[np.int64]
    columns: Mapping[str, FloatArray | None]


class _Kept:
    """What Signals.at was given, as long as no array per bar was made of it."""

    __slots__ = ("sparse",)
    sparse: Sparse | None


@dataclass(frozen=True, slots=True)
class Signals(_Kept):
    """Per bar, decided at its close: target exposure in [-1, 1] (NaN = no change), and optional (n,) arrays.

    limit: enter by a limit order at this price (NaN: market); stop, take_profit: prices that protect the position
    from its fill on (NaN = none / unchanged); trail: trailing distance as a fraction of the best price since entry

    A strategy that asks for something in few bars is quicker with `Signals.at`.
    """

    exposure: FloatArray
    limit: FloatArray | None = None
    stop: FloatArray | None = None
    take_profit: FloatArray | None = None
    trail: FloatArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sparse", None)

    @classmethod
    def at(
        cls,
        bars: int,
        rows: ArrayLike,
        exposure: ArrayLike,
        limit: ArrayLike | None = None,
        stop: ArrayLike | None = None,
        take_profit: ArrayLike | None = None,
        trail: ArrayLike | None = None,
    ) -> "Signals":
        """Signals of some rows only, NaN in all others. The (bars,) arrays are made when one of them is first read, and
        are what counts from then on; a copy has them too.

        rows: (k,) ascending, from 0 to bars - 1; the rest: one value for each of the rows, or one for all
        Raises InvalidInput for other rows or values.
        """
        places = _rows(bars, rows)
        given = {"exposure": exposure, "limit": limit, "stop": stop, "take_profit": take_profit, "trail": trail}
        if exposure is None:
            raise InvalidInput("Signals need an exposure; NaN is one that changes nothing.")
        columns = {name: None if each is None else _values(name, each, len(places)) for name, each in given.items()}
        made = object.__new__(cls)
        object.__setattr__(made, "sparse", Sparse(bars, places, columns))
        return made

    if not TYPE_CHECKING:  # a name that is wrong stays wrong there

        def __getattr__(self, name: str) -> Any:
            """Of `at`: an array that is read for the first time."""
            sparse = self.sparse if name in self.__dataclass_fields__ else None
            if sparse is None:
                raise AttributeError(f"Signals have no {name}.")
            for each, values in sparse.columns.items():
                whole = None if values is None else np.full(sparse.bars, np.nan)
                if whole is not None:
                    whole[sparse.rows] = values
                object.__setattr__(self, each, whole)
            object.__setattr__(self, "sparse", None)
            return getattr(self, name)


def _rows(bars: Any, given: ArrayLike) -> NDArray[np.int64]:
    """The rows, if signals may be of them."""
    if isinstance(bars, bool) or not isinstance(bars, int | np.integer) or bars < 0:
        raise InvalidInput(f"Signals are of a whole number of bars from 0 on, not of {bars!r}.")
    try:
        rows = np.asarray(given)
    except ValueError:  # lists of unequal lengths
        rows = np.empty((0, 0))
    whole = rows.ndim == 1 and (rows.dtype.kind in "iu" or not len(rows))
    if not whole or (rows[1:] <= rows[:-1]).any() or (len(rows) and not 0 <= rows[0] <= rows[-1] < bars):
        hint = "np.flatnonzero(mask) gives those of a mask." if rows.dtype.kind == "b" else ""
        end = f"from 0 to at most {bars - 1}" if bars else "and of no bars there are none"
        raise InvalidInput(f"The rows of signals must be whole numbers that ascend, {end}.", hint=hint or None)
    return np.array(rows, dtype=np.int64)


def _values(name: str, given: ArrayLike, rows: int) -> FloatArray:
    """One value for each of the rows."""
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"The values of {name} must be numbers, one for each of the {rows} rows.") from None
    if values.shape not in ((), (rows,)):
        raise InvalidInput(f"There are {values.shape} values of {name} for {rows} rows of signals.")
    return np.array(np.broadcast_to(values, rows))


@dataclass(frozen=True, slots=True)
class Context:
    """What a strategy may know besides its bars: the other instruments' bars, aligned to its own (portfolio runs)."""

    others: Mapping[str, Bars] = field(default_factory=dict)


@runtime_checkable
class SignalStrategy(Protocol):
    """A strategy that never needs to see its own position. `name` is its registry name, e.g. sma_cross.

    parameters: description of each field of the frozen dataclass, by field name
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]]

    def warmup(self) -> int:
        """Bars needed before the first signal can be given."""
        ...

    def signals(self, bars: Bars, context: Context) -> Signals:
        """Signals for each bar, from that bar and earlier ones only."""
        ...


@runtime_checkable
class StepStrategy(Protocol):
    """A strategy that decides bar by bar and sees its position, orders and fills: grid, DCA.

    It may also have `indicators(bars) -> {name: (n,) array}`, of which `view.value(name)` tells the present value;
    they are computed once for all bars, each value from its bar and earlier ones only.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]]

    def warmup(self) -> int:
        """Bars needed before it is first asked."""
        ...

    def on_bar(self, view: View) -> Iterable[Intent] | None:
        """What it asks for at the close of a bar: for each instrument of a run that has one."""
        ...


@runtime_checkable
class PortfolioStrategy(Protocol):
    """A strategy that shares the whole equity between many instruments."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]]

    def warmup(self) -> int:
        """Bars needed before the first weights can be given."""
        ...

    def allocate(self, bars: Mapping[str, Bars], context: Context) -> Mapping[str, Signals]:
        """Signals of each instrument, at each of its bars from what was known at that bar's close.

        Exposures are shares of the whole equity. Instruments may begin at different times and have holes.
        """
        ...


Strategy = SignalStrategy | StepStrategy | PortfolioStrategy


def is_stepped(strategy: Strategy) -> TypeIs[StepStrategy]:
    """Whether it decides bar by bar. (isinstance of a protocol looks at every attribute, which a sweep would feel.)"""
    return hasattr(type(strategy), "on_bar")


def is_shared(strategy: Strategy) -> TypeIs[PortfolioStrategy]:
    """Whether it decides for all instruments together."""
    return hasattr(type(strategy), "allocate")


METHODS = {
    "signals": "signals(self, bars, context)",
    "on_bar": "on_bar(self, view)",
    "allocate": "allocate(self, bars, context)",
}  # one of them makes a class a strategy


def describe(strategy: Strategy) -> dict[str, Any]:
    """Name and parameter values, as stored beside results."""
    return {"name": strategy.name, "parameters": {name: getattr(strategy, name) for name in strategy.parameters}}


def check(strategy: Strategy) -> None:
    """Holds every parameter of a strategy to its kind and range; for `__post_init__`. Raises InvalidInput."""
    for name, parameter in strategy.parameters.items():
        object.__setattr__(strategy, name, parameter.checked(name, getattr(strategy, name)))


def check_below(strategy: Strategy, lower: str, upper: str) -> None:
    """Refuses a strategy whose parameter `lower` is not below its parameter `upper`."""
    low, high = getattr(strategy, lower), getattr(strategy, upper)
    if low >= high:
        raise InvalidInput(f"{lower} {low} must be below {upper} {high}.", **{lower: low, upper: high})


def demand_startable(strategy: Strategy) -> None:
    """Raises InvalidInput for a strategy that cannot trade on paper, where a run has one instrument."""
    if is_shared(strategy):
        raise InvalidInput(
            f"{strategy.name} weighs several instruments against each other and cannot trade on paper.",
            hint="It can be backtested.",
        )


def blame(strategy: Strategy, broken: Exception) -> NoReturn:
    """Raises what went wrong inside a strategy's code as InvalidInput, in one sentence with its place.

    A refusal of this product's that no code of a user's own led to is raised as it is.
    """
    import traceback

    frames = traceback.extract_tb(broken.__traceback__)
    own = [each for each in frames if not each.filename.startswith(LIBRARIES)]
    place = own[-1] if own else frames[-1]
    said = " ".join(str(broken).split()) or "no reason given"
    told = f"{strategy.name} failed in {place.filename}, line {place.lineno}"
    if isinstance(broken, AppError):
        raise InvalidInput(f"{told}: {said}", hint=broken.hint, **broken.details) if own else broken
    raise InvalidInput(f"{told}: {type(broken).__name__}: {said}") from broken


def strategy(kind: type[Kind]) -> type[Kind]:
    """Makes a strategy of a class that has `Parameter` attributes and one of METHODS; a decorator.

    What is not written gets its usual value: `name` is the class name in snake case, `summary` the first line of the
    docstring, `warmup()` one bar more than the largest whole-number parameter. Values are checked on construction;
    attributes that are no Parameter are constants of the class. (The shipped strategies write all of it out: a type
    checker does not see what a decorator adds.)
    """
    inherited: Mapping[str, Parameter] = getattr(kind, "parameters", {})
    parameters = {**inherited, **{name: value for name, value in vars(kind).items() if isinstance(value, Parameter)}}
    found = [name for name in METHODS if callable(getattr(kind, name, None))]
    if len(found) != 1:
        told = (
            f"needs one of {' and '.join(found)}, not both"
            if found
            else f"has no method {' or '.join(METHODS.values())}"
        )
        raise InvalidInput(f"The strategy {kind.__name__} {told}.")
    whole = [name for name, parameter in parameters.items() if parameter.kind is int]
    summary = next(iter((kind.__doc__ or "").strip().splitlines()), "")
    usual: dict[str, Any] = {
        "name": re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower(),
        "summary": summary,
        "warmup": lambda self: 1 + max((int(getattr(self, name)) for name in whole), default=0),
        "__post_init__": check,
    }
    for name, value in usual.items():
        if name not in vars(kind):
            setattr(kind, name, value)
    kind.__annotations__ = {name: parameter.kind for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        setattr(kind, name, parameter.default)
    kind.parameters = parameters  # type: ignore[attr-defined]
    return dataclass(frozen=True)(kind)

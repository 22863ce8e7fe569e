"""Space: the parameter values that a search walks, read from texts or sequences and held to the strategy's ranges."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from core.errors import AppError, InvalidInput
from core.trading.strategy import Parameter

Number = int | float
Grid = dict[str, tuple[Number, ...]]
Given = Mapping[str, Sequence[Number] | Number | str]

MOST_TRIALS = 200_000  # combinations of one sweep
USUAL = 400  # combinations of a grid that nobody has written
FEWEST, FULLEST = 3, 20  # values of one parameter in such a grid


@dataclass(frozen=True, slots=True)
class Combinations:
    """The valid combinations of a grid in order. skipped: how many the strategy refuses; reason: its first refusal."""

    strategies: tuple[Any, ...]
    skipped: int
    reason: str | None


def pairs_of(given: Iterable[str]) -> dict[str, str]:
    """{'fast': '5:50:5'} of ['fast=5:50:5']. Raises InvalidInput."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not (name.strip() and equals and values.strip()):
            raise InvalidInput(f"'{text}' is not name=values, such as fast=5:50:5 or fast=5,10,20.")
        if name.strip() in found:
            raise InvalidInput(f"The values of {name.strip()} are given twice.")
        found[name.strip()] = values.strip()
    return found


def searched(kind: type[Any], given: Mapping[str, str], fixed: Mapping[str, str]) -> dict[str, str] | None:
    """What to search where some parameters stay as they are: without values given, the others around their defaults.

    None for everything around its default. Raises InvalidInput for a parameter that is both.
    """
    if both := sorted(fixed.keys() & given.keys()):
        raise InvalidInput(f"{', '.join(both)} cannot stay as it is and be searched.")
    if not fixed:
        return dict(given) or None
    for name in fixed:
        parameter_of(kind, name)
    if not given:
        around = {name: values for name, values in usual(kind).items() if name not in fixed}
        given = {name: ",".join(f"{value:g}" for value in values) for name, values in around.items()}
    return {**given, **fixed}


def grid_of(kind: type[Any], given: Given | None = None) -> Grid:
    """The values to try of each parameter, ascending as given, without repetitions; `usual(kind)` when none is given.

    given: by name a sequence, one number, or a text: '5:50:5' or '5..50/5' (first, last, step), '5:50', '5,10,20'.
    Raises InvalidInput for unknown names, values outside the parameter's range and empty grids.
    """
    if not given:
        return usual(kind)
    grid: Grid = {}
    for name, wanted in given.items():
        parameter = parameter_of(kind, name)
        values = list(_read(name, wanted, parameter))
        if not values:
            raise InvalidInput(f"The grid gives {name} no values.", parameter=name)
        grid[name] = tuple(dict.fromkeys(parameter.checked(name, value) for value in values))
    return grid


def parameter_of(kind: type[Any], name: str) -> Parameter:
    """The description of a parameter. Raises InvalidInput that lists those there are."""
    found = kind.parameters.get(name)
    if found is None:
        there = ", ".join(kind.parameters) or "none"
        raise InvalidInput(f"{kind.name} has no parameter '{name}'.", hint=f"Its parameters: {there}.", parameter=name)
    described: Parameter = found
    return described


def usual(kind: type[Any]) -> Grid:
    """A grid of some hundred combinations around the defaults: from a quarter to four times each, within its range."""
    if not kind.parameters:
        raise InvalidInput(f"{kind.name} has no parameters to search.", strategy=kind.name)
    names = list(kind.parameters)[: int(math.log(USUAL, FEWEST))]
    count = max(FEWEST, min(FULLEST, int(USUAL ** (1.0 / len(names)))))
    return {name: _around(name, kind.parameters[name], count) for name in names}


def combinations(kind: type[Any], grid: Mapping[str, Sequence[Number]], most: int = MOST_TRIALS) -> Combinations:
    """Every combination that the strategy accepts, the last parameter changing fastest.

    Raises InvalidInput when there are more than `most`, or when it accepts none.
    """
    size = math.prod(len(values) for values in grid.values())
    if size > most:
        told = " x ".join(f"{len(values):,} of {name}" for name, values in grid.items())
        raise InvalidInput(
            f"The grid has {size:,} combinations ({told}), more than the {most:,} that are run at once.",
            hint="Give fewer values, or search by optimize.",
            combinations=size,
            most=most,
        )
    strategies, skipped, reason = [], 0, None
    for values in product(*grid.values()):
        try:
            strategies.append(kind(**dict(zip(grid, values, strict=True))))
        except AppError as refused:
            skipped, reason = skipped + 1, reason or refused.message
    if not strategies:
        raise InvalidInput(f"{kind.name} accepts none of the {size:,} combinations: {reason}", combinations=size)
    return Combinations(tuple(strategies), skipped, reason)


def values_of(strategy: Any) -> dict[str, Number]:
    """The parameters of a strategy by name."""
    return {name: getattr(strategy, name) for name in strategy.parameters}


def _around(name: str, parameter: Parameter, count: int) -> tuple[Number, ...]:
    """`count` values from a quarter to four times the default, on the parameter's steps, the default among them."""
    default, low, high = float(parameter.default), float(parameter.low), float(parameter.high)
    if default > 0.0:
        first, last = max(low, default / 4.0), min(high, default * 4.0)
        ratio = (last / first) ** (1.0 / (count - 1)) if first > 0.0 else 0.0
        wanted = [first * ratio**k for k in range(count)] if ratio else _even(first, last, count)
    else:
        wanted = _even(low, high, count)
    step = Decimal(str(parameter.step))
    found = {parameter.default}
    for value in wanted:
        steps = round((Decimal(str(value)) - Decimal(str(parameter.low))) / step)
        number = float(Decimal(str(parameter.low)) + steps * step)
        found.add(parameter.checked(name, min(max(number, low), high)))
    kept = sorted(found)
    return tuple(kept)


def _even(first: float, last: float, count: int) -> list[float]:
    return [first + (last - first) * k / (count - 1) for k in range(count)]


def _read(name: str, wanted: Sequence[Number] | Number | str, parameter: Parameter) -> Iterator[Number | str]:
    if isinstance(wanted, int | float):
        yield wanted
        return
    if not isinstance(wanted, str):
        if len(wanted) > MOST_TRIALS:
            raise InvalidInput(f"{name} has {len(wanted):,} values; the most is {MOST_TRIALS:,}.")
        for value in wanted:
            yield value.item() if hasattr(value, "item") else value
        return
    for part in wanted.split(","):
        text = part.strip()
        if not text:
            raise InvalidInput(f"'{wanted}' has an empty value for {name}; write it like {name}=5,10,20.")
        yield from _range(name, text, parameter) if ":" in text or ".." in text else (text,)


def _range(name: str, text: str, parameter: Parameter) -> Iterator[Number]:
    """first:last[:step] or first..last[/step], both ends included, in decimal steps."""
    pieces = text.replace("..", ":").replace("/", ":").split(":")
    try:
        numbers = [Decimal(piece.strip()) for piece in pieces]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise InvalidInput(f"'{text}' is no range for {name}; write first:last:step, such as 5:50:5.")
    first, last = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Decimal(str(parameter.step))
    if step <= 0 or last < first:
        raise InvalidInput(f"The range {text} of {name} must go up, by a step above 0.")
    count = int((last - first) / step) + 1
    if count > MOST_TRIALS:
        raise InvalidInput(f"The range {text} of {name} has {count:,} values; the most is {MOST_TRIALS:,}.")
    for k in range(count):
        yield float(first + k * step)

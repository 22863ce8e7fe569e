"""Dimensions: the ranges and choices of parameters that a sampler draws from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.errors import InvalidInput
from core.research.space import Given, Number, grid_of, parameter_of
from core.trading.strategy import Parameter


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from low to high, both included, in steps."""

    low: Number
    high: Number
    step: Number

    def document(self) -> list[Number]:
        return [self.low, self.high, self.step]

    def values(self) -> tuple[Number, ...]:
        """All of them. Raises InvalidInput when they are too many for a grid."""
        low, high, step = (Decimal(str(each)) for each in (self.low, self.high, self.step))
        count = int((high - low) / step) + 1
        if count > 100_000:
            raise InvalidInput(f"The range {self.low} to {self.high} has {count:,} values, too many for a grid.")
        kind = type(self.low)
        return tuple(kind(low + k * step) for k in range(count))


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some values."""

    choices: tuple[Number, ...]

    def document(self) -> list[Number]:
        return list(self.choices)

    def values(self) -> tuple[Number, ...]:
        return self.choices


Dimension = Range | OneOf


def dimensions_of(kind: type[Any], given: Given | None = None) -> dict[str, Dimension]:
    """What a search may vary: by parameter a range ('5:50', '0.5..3/0.25') or values; else around the defaults.

    Raises InvalidInput for unknown names, values outside a parameter's range, and a strategy without parameters.
    """
    if not given:
        if not kind.parameters:
            raise InvalidInput(f"{kind.name} has no parameters to search.", strategy=kind.name)
        return {name: _around(parameter) for name, parameter in kind.parameters.items()}
    found: dict[str, Dimension] = {}
    for name, wanted in given.items():
        parameter = parameter_of(kind, name)
        if isinstance(wanted, str) and "," not in wanted and (":" in wanted or ".." in wanted):
            found[name] = _range(name, wanted, parameter)
        else:
            found[name] = OneOf(grid_of(kind, {name: wanted})[name])
    return found


def single(dimension: Dimension) -> Number | None:
    """The value of a dimension that has no other; None for one that can vary."""
    match dimension:
        case OneOf(choices):
            return choices[0] if len(choices) == 1 else None
        case Range(low, high, step):
            return low if low + step > high else None


def suggested(trial: Any, name: str, dimension: Dimension) -> Number:
    """What Optuna's trial draws."""
    match dimension:
        case OneOf(choices):
            chosen: Number = choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)
            return chosen
        case Range(low, high, step) if isinstance(low, int):
            return int(trial.suggest_int(name, low, high, step=step))
        case Range(low, high, step):
            return _on_steps(trial.suggest_float(name, low, high, step=step), dimension)


def chosen(drawn: Mapping[str, Number], name: str, dimension: Dimension) -> Number:
    """What `suggested` gave for what Optuna has kept, which is nothing where there was one choice only."""
    if (only := single(dimension)) is not None:
        return only
    match dimension:
        case OneOf():
            return drawn[name]
        case Range(low) if isinstance(low, int):
            return int(drawn[name])
        case Range():
            return _on_steps(drawn[name], dimension)


def written(document: Sequence[Number]) -> str:
    """A dimension's document as a person gives it: 5:50, 5:50:5, or 5,10,20."""
    if len(document) == 3 and document[2] > 0 and document[0] <= document[1]:
        low, high, step = (Decimal(str(each)) for each in document)
        if low == high or (step <= high - low and (high - low) % step == 0):
            return f"{low}:{high}" + (f":{step}" if step != 1 else "")
    return ",".join(f"{each:g}" for each in document)


def _on_steps(drawn: Number, dimension: Range) -> float:
    """The step that was drawn, without the rounding of sums of steps."""
    low, step = Decimal(str(dimension.low)), Decimal(str(dimension.step))
    return float(low + round((Decimal(str(drawn)) - low) / step) * step)


def _around(parameter: Parameter) -> Range:
    """From a quarter of the default to four times it, within the parameter's range."""
    default = float(parameter.default)
    low, high = float(parameter.low), float(parameter.high)
    if default > 0.0:
        low, high = max(low, default / 4.0), min(high, default * 4.0)
    return _stepped(Decimal(str(low)), Decimal(str(high)), Decimal(str(parameter.step)), parameter)


def _range(name: str, text: str, parameter: Parameter) -> Range:
    pieces = text.replace("..", ":").replace("/", ":").split(":")
    try:
        numbers = [Decimal(piece.strip()) for piece in pieces]
    except ArithmeticError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise InvalidInput(f"'{text}' is no range for {name}; write first:last or first:last:step, such as 5:50.")
    for number in numbers[:2]:
        parameter.checked(name, float(number))
    step = numbers[2] if len(numbers) == 3 else Decimal(str(parameter.step))
    if step <= 0 or numbers[1] < numbers[0]:
        raise InvalidInput(f"The range {text} of {name} must go up, by a step above 0.")
    if parameter.kind is int and step != int(step):
        raise InvalidInput(f"{name} takes whole numbers, so its step cannot be {step}.")
    return _stepped(numbers[0], numbers[1], step, parameter)


def _stepped(low: Decimal, high: Decimal, step: Decimal, parameter: Parameter) -> Range:
    """The range whose ends lie on steps from its low end; whole where the parameter is."""
    if parameter.kind is int:
        low = Decimal(int(-(-low // 1)))
    steps = int((high - low) / step)
    last = low + steps * step
    if parameter.kind is int:
        return Range(int(low), int(last), int(step))
    return Range(float(low), float(last), float(step))

"""Sizing: how large a position a signal becomes, decided inside the loop from what is known at that close."""

import math
from dataclasses import dataclass

from core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class FixedCash:
    """An exposure x is a position worth x times `amount` (quote) at the fill's price; the fee comes on top."""

    amount: float

    def __post_init__(self) -> None:
        _within("amount", self.amount, 0.0, math.inf)


@dataclass(frozen=True, slots=True)
class FixedQuantity:
    """An exposure x is a position of x times `quantity` (base)."""

    quantity: float

    def __post_init__(self) -> None:
        _within("quantity", self.quantity, 0.0, math.inf)


@dataclass(frozen=True, slots=True)
class Fraction:
    """An exposure x is x times this fraction of equity (times leverage on a perpetual)."""

    fraction: float

    def __post_init__(self) -> None:
        _within("fraction", self.fraction, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class VolatilityTarget:
    """A position whose expected volatility is x times `annual`: equity * annual / volatility, at most `most` * equity.

    annual: fraction per year, 0.2 is 20 %
    lookback: bars; the volatility is the root of the mean squared return from close to close, a plain mean over the
        first `lookback` returns and an exponential one of span `lookback` from then on. With fewer than two returns
        nothing is bought.
    most: multiple of equity; more than 1 needs a perpetual's leverage
    """

    annual: float
    lookback: int = 30
    most: float = 1.0

    def __post_init__(self) -> None:
        _within("annual", self.annual, 0.0, 10.0)
        _whole("lookback", self.lookback, 2, 1_000_000)
        _within("most", self.most, 0.0, 200.0)


@dataclass(frozen=True, slots=True)
class Kelly:
    """A fraction of the Kelly stake mean / variance of the account's own closed trades, at most `most` * equity.

    A trade's return is its profit after fees, funding and interest per quote of its entries. Before `least_trades` have
    closed, `fraction` itself is the share of equity; without an edge (mean not above zero) nothing is bought.
    fraction: of the full Kelly stake, 0.5 is half Kelly
    """

    fraction: float = 0.5
    least_trades: int = 20
    most: float = 1.0

    def __post_init__(self) -> None:
        _within("fraction", self.fraction, 0.0, 1.0)
        _whole("least_trades", self.least_trades, 2, 1_000_000)
        _within("most", self.most, 0.0, 200.0)


Sizing = FixedCash | FixedQuantity | Fraction | VolatilityTarget | Kelly


def _within(name: str, value: float, low: float, high: float) -> None:
    """Refuses what is not above low and at most high."""
    if not (low < value <= high and value < math.inf):
        allowed = f"above {low:g}" if high == math.inf else f"above {low:g} and at most {high:g}"
        raise InvalidInput(f"The {name} {value} of the position size is not {allowed}.")


def _whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or value != int(value) or not low <= value <= high:
        raise InvalidInput(f"The {name} {value} of the position size is not a whole number from {low} to {high}.")

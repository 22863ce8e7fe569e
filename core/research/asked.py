"""Asked: what a strategy asks for of one instrument, in the rows where it asks for something."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.trading.strategy import Signals, Strategy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SIGNALS = ("exposure", "limit", "stop", "take_profit", "trail")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """rows: (k,) ascending; columns: (k,) values of each of SIGNALS, NaN for none, None where not given at all."""

    rows: Integers
    columns: tuple[Floats | None, ...]

    def __getitem__(self, name: str) -> Floats | None:
        return self.columns[SIGNALS.index(name)]

    def taken(self, places: Integers, rows: Integers | None = None) -> "Asked":
        """Some of the rows, perhaps under other numbers."""
        columns = tuple(None if values is None else values[places] for values in self.columns)
        return Asked(self.rows[places] if rows is None else rows, columns)

    def since(self, skip: int) -> "Asked":
        """Without what is asked before a row, which becomes row 0."""
        first = int(np.searchsorted(self.rows, skip))
        columns = tuple(None if values is None else values[first:] for values in self.columns)
        return Asked(self.rows[first:] - skip, columns) if skip else self


def asked(strategy: Strategy, signals: Signals, bars: int) -> Asked:
    """The signals as the kernel reads them.

    Raises InvalidInput for wrong lengths; wrong values are refused where they are used.
    """
    name = strategy.name
    if not isinstance(signals, Signals):
        raise InvalidInput(f"{name} gave {type(signals).__name__} in the place of Signals.")
    if (sparse := signals.sparse) is not None:
        if sparse.bars != bars:
            raise InvalidInput(f"{name} gave signals for {sparse.bars} bars, and there are {bars}.")
        return Asked(sparse.rows, tuple(sparse.columns[each] for each in SIGNALS))
    columns = tuple(_column(name, each, getattr(signals, each), bars) for each in SIGNALS)
    if columns[0] is None:
        raise InvalidInput(f"{name} gave no exposure.")
    said = ~np.isnan(columns[0])
    for each, values in zip(SIGNALS, columns, strict=True):
        if values is not None and each != "limit":  # which alone asks for nothing
            said |= ~np.isnan(values)
    whole = Asked(np.arange(bars), columns)
    return whole if said.all() else whole.taken(np.flatnonzero(said))


def _column(strategy: str, name: str, given: object, bars: int) -> Floats | None:
    try:
        array = None if given is None else np.ascontiguousarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{strategy} gave values of {name} that are not all numbers.") from None
    if array is not None and array.shape != (bars,):
        raise InvalidInput(f"{strategy} gave {array.shape} values of {name} for {bars} bars.")
    return array

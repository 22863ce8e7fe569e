"""Jitter: the same signals as a worse day would have carried them out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.research.tape import Rows
from core.trading.costs import Costs

DEAREST_FEE, DEAREST_SLIPPAGE = 0.2, 0.5  # what Costs takes at most


@dataclass(frozen=True, slots=True)
class Jitter:
    """How much worse or better each run may be carried out.

    slippage, fees: factors (least, most) on the costs' own, drawn once per run
    missed: share of the decisions that are not carried out at all; late: share of those that come one bar late
    """

    slippage: tuple[float, float] = (0.5, 3.0)
    fees: tuple[float, float] = (1.0, 1.25)
    missed: float = 0.01
    late: float = 0.1

    def __post_init__(self) -> None:
        for name, (low, high) in (("slippage", self.slippage), ("fees", self.fees)):
            if not 0.0 <= low <= high <= 1_000.0:
                raise InvalidInput(f"{name} is varied by factors from 0 on, least first, not by {low:g} to {high:g}.")
        for name, share in (("missed", self.missed), ("late", self.late)):
            if not 0.0 <= share <= 1.0:
                raise InvalidInput(f"{name} {share:g} is not a share between 0 and 1.")

    def costs(self, costs: Costs, rng: np.random.Generator) -> Costs:
        """The costs of one run."""
        slippage, fees = rng.uniform(*self.slippage), rng.uniform(*self.fees)
        return replace(
            costs,
            slippage=min(DEAREST_SLIPPAGE, costs.slippage * slippage),
            taker_fee=min(DEAREST_FEE, costs.taker_fee * fees),
            maker_fee=min(DEAREST_FEE, costs.maker_fee * (fees if costs.maker_fee > 0.0 else 1.0)),
        )

    def signals(self, rows: list[Rows], rng: np.random.Generator) -> list[Rows]:
        """The signals as they were carried out: some decisions missing, others one bar later."""
        return [self._carried(each, rng) for each in rows]

    def _carried(self, rows: Rows, rng: np.random.Generator) -> Rows:
        exposure = rows["exposure"]
        if exposure is None:
            return rows
        decided = np.flatnonzero(~np.isnan(exposure))
        luck = rng.random(len(decided))
        missed = decided[luck < self.missed]
        late = decided[(luck >= self.missed) & (luck < self.missed + self.late)]
        late = late[late + 1 < len(exposure)]
        late = late[np.isnan(exposure[late + 1])]  # where the next bar decides anew, that decision stands
        return {name: _moved(values, missed, late) for name, values in rows.items()}


def _moved(
    values: NDArray[np.float64] | None, missed: NDArray[np.int64], late: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    if values is None:
        return None
    moved = values.copy()
    moved[missed] = np.nan
    moved[late + 1] = values[late]
    moved[late] = np.nan
    return moved

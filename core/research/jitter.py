"""Jitter: the same signals as a worse day would have carried them out."""

from dataclasses import dataclass, replace

import numpy as np

from core.errors import InvalidInput
from core.research.asked import Asked
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

    def carried(self, asked: Asked, bars: int, rng: np.random.Generator) -> Asked:
        """What is asked for in so many bars as it was carried out: some decisions missing, others one bar later."""
        exposure = asked["exposure"]
        if exposure is None:
            return asked
        rows, last = asked.rows, len(asked.rows) - 1
        decided = np.flatnonzero(~np.isnan(exposure))
        luck = rng.random(len(decided))
        late = decided[(luck >= self.missed) & (luck < self.missed + self.late)]
        late = late[rows[late] + 1 < bars]
        after = np.minimum(late + 1, last)
        follows = (after > late) & (rows[after] == rows[late] + 1)  # something is asked for in the next bar
        stands = follows & ~np.isnan(exposure[after])  # and where it is a decision, that one stands
        late, after = late[~stands], after[follows & ~stands]
        stays = np.ones(len(rows), dtype=bool)
        stays[decided[luck < self.missed]] = False
        stays[after] = False
        moved = rows.copy()
        moved[late] += 1
        places = np.flatnonzero(stays)
        return asked.taken(places, moved[places])

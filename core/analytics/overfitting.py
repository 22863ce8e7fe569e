"""Overfitting of a search: how often what was best on one half of the history is worse than the middle on the other.

Combinatorially symmetric cross-validation: the history is cut into an even number of blocks, every choice of half of
them is once the past on which the best trial is chosen and its complement the future on which it is judged.
Source: Bailey, Borwein, López de Prado and Zhu (2017), The Probability of Backtest Overfitting.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import InvalidInput

Floats = NDArray[np.float64]
CHUNK = 256  # combinations that are looked at together
MOST_BLOCKS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What cross-validation says of choosing the best of many trials by its Sharpe ratio.

    probability: share of the combinations in which the chosen trial is not above the median out of sample
    slope: of the chosen trial's Sharpe ratio out of sample over that in sample, by least squares; NaN when undefined
    probability_of_loss: share of the combinations in which the chosen trial loses out of sample
    logits: (combinations,) log odds of the chosen trial's rank out of sample
    in_sample, out_of_sample: (combinations,) its Sharpe ratios per period
    """

    probability: float
    slope: float
    probability_of_loss: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    trials: int
    blocks: int
    rows: int

    @property
    def combinations(self) -> int:
        return len(self.logits)

    @property
    def sentence(self) -> str:
        """What it means, for a trader."""
        chosen = f"Of {self.trials:,} trials the best in sample fell to the lower half out of sample in"
        share = f"{self.probability:.0%} of {self.combinations:,} divisions of the history"
        if self.probability >= 0.5:
            return f"{chosen} {share}: choosing the best was no better than drawing one."
        if self.probability >= 0.1:
            return f"{chosen} {share}: the choice is partly luck."
        return f"{chosen} {share}: the choice holds."

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "probability": self.probability,
            "slope": None if np.isnan(self.slope) else self.slope,
            "probability_of_loss": self.probability_of_loss,
            "trials": self.trials,
            "blocks": self.blocks,
            "rows": self.rows,
            "combinations": self.combinations,
            "sentence": self.sentence,
        }


def probability_of_overfitting(returns: ArrayLike, blocks: int = 16) -> Overfitting:
    """Cross-validates the choice of the best of several trials.

    returns: (n, trials), simple, per period, of the same periods; a trial that does not vary counts as Sharpe ratio 0
    blocks: an even number; 16 give 12,870 combinations. The oldest periods that fill no block are left out.
    Raises InvalidInput for a single trial, missing values, or fewer than two periods per block.
    """
    table = np.asarray(returns, dtype=np.float64)
    if table.ndim != 2:
        raise InvalidInput("The probability of overfitting needs a table of returns, one column for each trial.")
    if np.isnan(table).any():
        raise InvalidInput("The probability of overfitting needs every trial's return in every period; some are NaN.")
    return overfitting_from_blocks(*block_sums(table, blocks), len(table) // blocks * blocks)


def block_sums(returns: ArrayLike, blocks: int = 16) -> tuple[Floats, Floats]:
    """Sums and sums of squares of the returns in each block: for (n, trials) each (blocks, trials), for (n,) (blocks,).

    All that cross-validation needs of a trial, so that a search need not keep its returns. Raises InvalidInput.
    """
    values = np.asarray(returns, dtype=np.float64)
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise InvalidInput(f"{blocks} blocks are not an even number from 2 to {MOST_BLOCKS}.")
    size = len(values) // blocks
    if size < 2:
        raise InvalidInput(f"{blocks} blocks need at least {2 * blocks} periods, and there are {len(values)}.")
    edges = np.arange(len(values) - size * blocks, len(values), size)
    return np.add.reduceat(values, edges, axis=0), np.add.reduceat(values**2, edges, axis=0)


def overfitting_from_blocks(sums: Floats, squares: Floats, rows: int) -> Overfitting:
    """Cross-validation from the (blocks, trials) results of `block_sums`. rows: periods in all blocks together."""
    blocks, trials = sums.shape
    if trials < 2:
        raise InvalidInput(f"The probability of overfitting compares trials, and there is {trials}; give at least two.")
    half = rows // 2
    chosen = np.zeros((comb(blocks, blocks // 2), blocks))
    for row, members in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, list(members)] = 1.0
    chosen = chosen[: len(chosen) // 2]  # the second half are the complements of the first, in reverse order
    count = len(chosen)
    logits, inside, outside = np.empty(2 * count), np.empty(2 * count), np.empty(2 * count)
    total, total_squares = sums.sum(axis=0), squares.sum(axis=0)
    for first in range(0, count, CHUNK):
        part = chosen[first : first + CHUNK]
        sum_, square = part @ sums, part @ squares
        one = _sharpes(sum_, square, half)
        other = _sharpes(total - sum_, total_squares - square, half)
        for ours, theirs, shift in ((one, other, 0), (other, one, count)):
            every = np.arange(len(ours))
            best = ours.argmax(axis=1)
            judged = theirs[every, best]
            below = np.count_nonzero(theirs < judged[:, None], axis=1)
            level = np.count_nonzero(theirs == judged[:, None], axis=1)
            rank = (below + (level + 1) / 2.0) / (trials + 1)  # ties share their ranks
            place = slice(shift + first, shift + first + len(ours))
            logits[place] = np.log(rank / (1.0 - rank))
            inside[place], outside[place] = ours[every, best], judged
    return Overfitting(
        probability=float(np.mean(logits <= 1e-12)),
        slope=_slope(inside, outside),
        probability_of_loss=float(np.mean(outside < 0.0)),
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        trials=trials,
        blocks=blocks,
        rows=rows,
    )


def _sharpes(sums: Floats, squares: Floats, n: int) -> Floats:
    """(combinations, trials) mean per standard deviation; 0 without variation."""
    mean = sums / n
    variance = (squares / n - mean**2) * (n / (n - 1.0))
    moves = variance > 1e-13 * (squares / n)
    return np.divide(mean, np.sqrt(variance, where=moves, out=np.ones_like(mean)), where=moves, out=np.zeros_like(mean))


def _slope(x: Floats, y: Floats) -> float:
    centred = x - x.mean()
    spread = float(centred @ centred)
    return float(centred @ y) / spread if spread > 1e-24 * len(x) else float("nan")

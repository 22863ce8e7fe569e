"""MomentumRotation: holds the instruments that have risen most, chosen anew every so many bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.market import timeframes
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class MomentumRotation:
    """Holds the `top` instruments that rose most over `lookback` bars, in equal parts, chosen anew every `every` bars.

    It rebalances at bars that open on multiples of `every` bars since 1970 (a day of minutes: at 00:00 UTC). An
    instrument without a bar there is judged by its last close, unless that is older than `every` bars, and traded at
    its next bar; one that is not yet listed for `lookback` bars is not held.
    """

    name: ClassVar[str] = "momentum_rotation"
    summary: ClassVar[str] = "Holds the instruments that rose most, chosen anew at fixed times."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "lookback": Parameter(48, 1, 100_000, 1, "bars over which the rise is measured"),
        "every": Parameter(24, 1, 100_000, 1, "bars between two choices"),
        "top": Parameter(3, 1, 500, 1, "instruments held"),
        "least": Parameter(-1.0, -1.0, 10.0, 0.01, "rise below which an instrument is not held, -1 for any"),
        "invested": Parameter(1.0, 0.01, 1.0, 0.05, "share of the equity that is invested"),
    }

    lookback: int = 48
    every: int = 24
    top: int = 3
    least: float = -1.0
    invested: float = 1.0

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return self.lookback + 1

    def allocate(self, bars: Mapping[str, Bars], context: Context) -> Mapping[str, Signals]:
        frame = next(iter(bars.values())).timeframe
        length = timeframes.milliseconds(frame)
        present = [each.timestamp for each in bars.values() if len(each)]
        stride = self.every * length
        first = min((int(each[0]) for each in present), default=0)
        last = max((int(each[-1]) for each in present), default=-1)
        times = np.arange(-(-first // stride) * stride, last + 1, stride, dtype=np.int64)
        rises = np.column_stack([self._rises(each, times, length) for each in bars.values()])
        weights = self._weights(rises)
        shares = {}
        for i, (name, each) in enumerate(bars.items()):
            rows = np.searchsorted(each.timestamp, times)
            near = np.flatnonzero(rows < len(each))
            near = near[each.timestamp[rows[near]] < times[near] + stride]
            shares[name] = Signals.at(len(each), rows[near], weights[near, i])
        return shares

    def _rises(self, bars: Bars, times: Integers, length: int) -> Floats:
        """(times,) the rise over the lookback, NaN where it is not known."""
        now = np.searchsorted(bars.timestamp, times, side="right") - 1
        then = np.searchsorted(bars.timestamp, times - self.lookback * length, side="right") - 1
        rises = np.full(len(times), np.nan)
        known = np.flatnonzero(then >= 0)
        known = known[bars.timestamp[now[known]] > times[known] - self.every * length]
        rises[known] = bars.close[now[known]] / bars.close[then[known]] - 1.0
        return rises

    def _weights(self, rises: Floats) -> Floats:
        """(times, instruments) shares of the equity; NaN, no change, at a time when nothing is known of any."""
        best = np.argsort(-rises, axis=1, kind="stable")[:, : self.top]  # NaN comes last; of equals the first
        chosen = np.zeros(rises.shape, dtype=bool)
        np.put_along_axis(chosen, best, True, axis=1)
        chosen &= rises >= self.least
        weights = np.where(chosen, self.invested / self.top, 0.0)
        weights[np.isnan(rises).all(axis=1)] = np.nan
        return weights

"""RsiLimit: a limit purchase below the close when the RSI is oversold, protected by stop, target and trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.indicators import rsi
from core.indicators.crossing import latched
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class RsiLimit:
    """Bids `below` the close when the RSI falls under `entry`; the bid stands, and what it bought is held, until the
    RSI is above `exit` or stop, target or trail end it.
    """

    name: ClassVar[str] = "rsi_limit"
    summary: ClassVar[str] = "Bids below an oversold close, with stop, target and trailing stop."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "period": Parameter(14, 2, 1000, 1, "bars of the RSI"),
        "entry": Parameter(30.0, 1.0, 99.0, 1.0, "bid below this RSI"),
        "exit": Parameter(55.0, 1.0, 99.0, 1.0, "withdraw the bid or sell above this RSI"),
        "below": Parameter(0.002, 0.0, 0.5, 0.001, "how far below the close to bid, a fraction of it"),
        "stop": Parameter(0.03, 0.0, 0.9, 0.005, "stop below the bid, a fraction of it, 0 for none"),
        "take_profit": Parameter(0.06, 0.0, 10.0, 0.005, "target above the bid, a fraction of it, 0 for none"),
        "trail": Parameter(0.04, 0.0, 0.9, 0.005, "trailing distance, a fraction of the best price, 0 for none"),
    }

    period: int = 14
    entry: float = 30.0
    exit: float = 55.0
    below: float = 0.002
    stop: float = 0.03
    take_profit: float = 0.06
    trail: float = 0.04

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "entry", "exit")

    def warmup(self) -> int:
        return self.period + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        strength = rsi(bars.close, self.period)
        rows, exposure = latched(strength < self.entry, strength > self.exit)
        bid = np.where(exposure == 1.0, bars.close[rows] * (1.0 - self.below), np.nan)
        return Signals.at(
            len(bars),
            rows,
            exposure,
            limit=bid,
            stop=bid * (1.0 - self.stop) if self.stop else None,
            take_profit=bid * (1.0 + self.take_profit) if self.take_profit else None,
            trail=np.where(exposure == 1.0, self.trail, np.nan) if self.trail else None,
        )

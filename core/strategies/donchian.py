"""Donchian: the turtles' breakout of earlier highs and lows, with a protective stop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.indicators import atr, donchian
from core.indicators.crossing import latched
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check


@dataclass(frozen=True)
class Donchian:
    """Long when the close passes the highest high of the `entry` bars before, flat below the lowest low of `exit` bars.

    Entries carry a protective stop of `stop` average true ranges below the close that gave the signal.
    """

    name: ClassVar[str] = "donchian"
    summary: ClassVar[str] = "The turtles' breakout: buys new highs, sells new lows, stops at a multiple of the range."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "entry": Parameter(20, 2, 5000, 1, "bars whose highest high must be passed"),
        "exit": Parameter(10, 2, 5000, 1, "bars whose lowest low ends it"),
        "stop": Parameter(2.0, 0.0, 50.0, 0.5, "protective stop in average true ranges below the close, 0 for none"),
        "period": Parameter(20, 1, 1000, 1, "bars of the average true range"),
    }

    entry: int = 20
    exit: int = 10
    stop: float = 2.0
    period: int = 20

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return max(self.entry, self.exit, self.period) + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        before = slice(None, -1)
        upper, lower = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
        upper[1:] = donchian(bars.high, bars.low, self.entry)[0][before]
        lower[1:] = donchian(bars.high, bars.low, self.exit)[2][before]
        rows, exposure = latched(bars.close > upper, bars.close < lower)
        if self.stop == 0.0:
            return Signals.at(len(bars), rows, exposure)
        stop = (bars.close - self.stop * atr(bars.high, bars.low, bars.close, self.period))[rows]
        return Signals.at(len(bars), rows, exposure, stop=np.where((exposure > 0.0) & (stop > 0.0), stop, np.nan))

"""BollingerBreakout: long when the close breaks above the upper band, flat when it falls below the middle one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators import bollinger
from core.indicators.crossing import latched
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check


@dataclass(frozen=True)
class BollingerBreakout:
    """Long when the close breaks above the upper Bollinger band, flat when it falls below the middle one."""

    name: ClassVar[str] = "bollinger_breakout"
    summary: ClassVar[str] = "Buys a close above the upper band, sells below the middle."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "period": Parameter(20, 2, 5000, 1, "bars of the bands"),
        "width": Parameter(2.0, 0.1, 10.0, 0.1, "standard deviations"),
    }

    period: int = 20
    width: float = 2.0

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return self.period

    def signals(self, bars: Bars, context: Context) -> Signals:
        upper, middle, _ = bollinger(bars.close, self.period, self.width)
        return Signals.at(len(bars), *latched(bars.close > upper, bars.close < middle))

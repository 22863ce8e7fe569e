"""TrendPullback: buys weakness on its own bars while the trend of a higher timeframe is up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators import ema, rsi
from core.indicators.crossing import latched
from core.market.bars import Bars
from core.market.higher import at_least, higher
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class TrendPullback:
    """Long when the RSI is weak while the trend of a higher timeframe is up; flat when the RSI is strong or it is not.

    The trend is up while the fast exponential average of the higher bars lies above the slow one. The higher timeframe
    is the shortest that is at least `ratio` times as long: 4h for 1h, 1h for 15m; its bars count once they have closed.
    """

    name: ClassVar[str] = "trend_pullback"
    summary: ClassVar[str] = "Buys weakness while the trend of a higher timeframe is up."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "ratio": Parameter(4, 2, 1000, 1, "how many times longer the higher timeframe is, at least"),
        "fast": Parameter(5, 2, 1000, 1, "higher bars of the fast average"),
        "slow": Parameter(12, 3, 5000, 1, "higher bars of the slow average"),
        "period": Parameter(14, 2, 1000, 1, "bars of the RSI"),
        "entry": Parameter(40.0, 1.0, 99.0, 1.0, "buy below this RSI"),
        "exit": Parameter(65.0, 1.0, 99.0, 1.0, "sell above this RSI"),
    }

    ratio: int = 4
    fast: int = 5
    slow: int = 12
    period: int = 14
    entry: float = 40.0
    exit: float = 65.0

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "fast", "slow")
        check_below(self, "entry", "exit")

    def warmup(self) -> int:
        return max(self.slow * self.ratio, self.period + 1)

    def signals(self, bars: Bars, context: Context) -> Signals:
        longer = higher(bars, at_least(bars.timeframe, self.ratio))
        closes = longer.bars.close
        trend = longer.expand(ema(closes, self.fast) - ema(closes, self.slow))
        strength = rsi(bars.close, self.period)
        on, off = (trend > 0.0) & (strength < self.entry), (trend <= 0.0) | (strength > self.exit)
        return Signals.at(len(bars), *latched(on, off))

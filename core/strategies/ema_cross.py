"""EmaCross: long when the fast exponential average crosses above the slow one, flat when it crosses below."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators import ema
from core.indicators.crossing import crossed
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class EmaCross:
    """Long when the fast exponential average crosses above the slow one, flat when it crosses below."""

    name: ClassVar[str] = "ema_cross"
    summary: ClassVar[str] = "Long while the fast exponential average lies above the slow one."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "fast": Parameter(12, 2, 5000, 1, "bars of the fast average"),
        "slow": Parameter(26, 3, 10000, 1, "bars of the slow average"),
    }

    fast: int = 12
    slow: int = 26

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "fast", "slow")

    def warmup(self) -> int:
        return self.slow + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        fast, slow = ema(bars.close, self.fast), ema(bars.close, self.slow)
        return Signals.at(len(bars), *crossed(fast, slow))

"""Macd: long when the MACD line crosses above its signal line, flat when it crosses below."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators import macd
from core.indicators.crossing import crossed
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class Macd:
    """Long when the MACD line crosses above its signal line, flat when it crosses below."""

    name: ClassVar[str] = "macd"
    summary: ClassVar[str] = "Long while the MACD line lies above its signal line."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "fast": Parameter(12, 2, 1000, 1, "bars of the fast average"),
        "slow": Parameter(26, 3, 5000, 1, "bars of the slow average"),
        "signal": Parameter(9, 1, 1000, 1, "bars of the signal line"),
    }

    fast: int = 12
    slow: int = 26
    signal: int = 9

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "fast", "slow")

    def warmup(self) -> int:
        return self.slow + self.signal

    def signals(self, bars: Bars, context: Context) -> Signals:
        line, signal, _ = macd(bars.close, self.fast, self.slow, self.signal)
        return Signals.at(len(bars), *crossed(line, signal))

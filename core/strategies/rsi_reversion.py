"""RsiReversion: long when the RSI falls below `entry`, flat when it rises above `exit`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators import rsi
from core.indicators.crossing import latched
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class RsiReversion:
    """Long when the RSI falls below `entry`, flat when it rises above `exit`."""

    name: ClassVar[str] = "rsi_reversion"
    summary: ClassVar[str] = "Buys when the RSI is oversold, sells when it has recovered."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "period": Parameter(14, 2, 1000, 1, "bars of the RSI"),
        "entry": Parameter(30.0, 1.0, 99.0, 1.0, "buy below this RSI"),
        "exit": Parameter(55.0, 1.0, 99.0, 1.0, "sell above this RSI"),
    }

    period: int = 14
    entry: float = 30.0
    exit: float = 55.0

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "entry", "exit")

    def warmup(self) -> int:
        return self.period + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        strength = rsi(bars.close, self.period)
        return Signals.at(len(bars), *latched(strength < self.entry, strength > self.exit))

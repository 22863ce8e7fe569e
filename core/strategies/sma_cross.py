"""SmaCross: long when the fast simple average crosses above the slow one, flat when it crosses below; all equity in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.indicators.crossing import sma_crossed
from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals, check, check_below


@dataclass(frozen=True)
class SmaCross:
    """Long when the fast simple average crosses above the slow one, flat when it crosses below; all equity in.

    Above is decided as exact arithmetic on the given decimals would (equal is not above), on the last bar as on the
    first. The first bar that has both averages is no crossing: what was before it is not known.
    """

    name: ClassVar[str] = "sma_cross"
    summary: ClassVar[str] = "Long while the fast simple average lies above the slow one."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "fast": Parameter(20, 1, 5000, 1, "bars of the fast average"),
        "slow": Parameter(50, 2, 10000, 1, "bars of the slow average"),
    }

    fast: int = 20
    slow: int = 50

    def __post_init__(self) -> None:
        check(self)
        check_below(self, "fast", "slow")

    def warmup(self) -> int:
        return self.slow + 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals.at(len(bars), *sma_crossed(bars.close, self.fast, self.slow))

"""BuyAndHold: buys at the first bar with all equity and never sells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from core.market.bars import Bars
from core.trading.strategy import Context, Parameter, Signals


@dataclass(frozen=True)
class BuyAndHold:
    """Buys at the first bar with all equity and never sells."""

    name: ClassVar[str] = "buy_and_hold"
    summary: ClassVar[str] = "Buys once with everything and holds: the baseline."
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def warmup(self) -> int:
        return 1

    def signals(self, bars: Bars, context: Context) -> Signals:
        return Signals.at(len(bars), np.arange(min(1, len(bars))), 1.0)

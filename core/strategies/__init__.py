"""The strategies: one file each, loaded when used. `load` also takes a user's own file."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.strategies.bollinger_breakout import BollingerBreakout
    from core.strategies.buy_and_hold import BuyAndHold
    from core.strategies.dca import Dca
    from core.strategies.donchian import Donchian
    from core.strategies.ema_cross import EmaCross
    from core.strategies.grid import Grid
    from core.strategies.loading import catalogue, load
    from core.strategies.macd import Macd
    from core.strategies.momentum_rotation import MomentumRotation
    from core.strategies.rsi_limit import RsiLimit
    from core.strategies.rsi_reversion import RsiReversion
    from core.strategies.sma_cross import SmaCross
    from core.strategies.trend_pullback import TrendPullback

__all__ = [
    "BollingerBreakout", "BuyAndHold", "Dca", "Donchian", "EmaCross", "Grid", "Macd", "MomentumRotation", "RsiLimit",
    "RsiReversion", "SmaCross", "TrendPullback", "catalogue", "load",
]  # fmt: skip

_MODULES = {
    "SmaCross": "sma_cross",
    "EmaCross": "ema_cross",
    "RsiReversion": "rsi_reversion",
    "Macd": "macd",
    "BollingerBreakout": "bollinger_breakout",
    "Donchian": "donchian",
    "BuyAndHold": "buy_and_hold",
    "RsiLimit": "rsi_limit",
    "TrendPullback": "trend_pullback",
    "Grid": "grid",
    "Dca": "dca",
    "MomentumRotation": "momentum_rotation",
    "catalogue": "loading",
    "load": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'core.strategies' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"core.strategies.{_MODULES[name]}"), name)
    globals()[name] = value
    return value

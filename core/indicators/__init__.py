"""Causal indicators: `rsi(close, 14) -> (n,)`, NaN in the warm-up. TA-Lib loads when the first one is used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.indicators.library import (
        adx,
        atr,
        bollinger,
        donchian,
        ema,
        macd,
        obv,
        roc,
        rsi,
        sma,
        stochastic,
        wma,
    )
    from core.indicators.listing import Indicator, catalogue

__all__ = [
    "Indicator", "adx", "atr", "bollinger", "catalogue", "donchian", "ema", "macd", "obv", "roc", "rsi", "sma",
    "stochastic", "wma",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'core.indicators' has no attribute '{name}'")
    module = "listing" if name in {"catalogue", "Indicator"} else "library"
    value = getattr(importlib.import_module(f"core.indicators.{module}"), name)
    globals()[name] = value
    return value

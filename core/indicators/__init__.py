"""Causal indicators: `rsi(close, 14) -> (n,)`, NaN in the warm-up. TA-Lib loads when the first one is computed.

`catalogue()` describes them all; every name in it is a function of this package.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.indicators.cycle import *  # noqa: F403 - what a reader of this package may import by name
    from core.indicators.described import Indicator as Indicator
    from core.indicators.directional import *  # noqa: F403 - as above
    from core.indicators.listing import catalogue as catalogue
    from core.indicators.listing import named as named
    from core.indicators.momentum import *  # noqa: F403 - as above
    from core.indicators.oscillators import *  # noqa: F403 - as above
    from core.indicators.price import *  # noqa: F403 - as above
    from core.indicators.sessions import *  # noqa: F403 - as above
    from core.indicators.statistics import *  # noqa: F403 - as above
    from core.indicators.trend import *  # noqa: F403 - as above
    from core.indicators.volatility import *  # noqa: F403 - as above
    from core.indicators.volume import *  # noqa: F403 - as above


def __getattr__(name: str) -> Any:
    if name == "Indicator":
        return importlib.import_module("core.indicators.described").Indicator
    listing = importlib.import_module("core.indicators.listing")
    if name in {"catalogue", "named"}:
        return getattr(listing, name)
    if name.startswith("_") or name not in listing.catalogue():
        raise AttributeError(f"module 'core.indicators' has no attribute '{name}'")
    value = globals()[name] = listing.catalogue()[name].function
    return value

"""What was traded, and where."""

from numpy.typing import ArrayLike

from core.indicators.described import Floats, indicator
from core.indicators.ta import one
from core.indicators.terms import VOLUME


@indicator("volume", outputs={"obv": VOLUME}, warmup=lambda: 0, settles=lambda: None)
def obv(close: ArrayLike, volume: ArrayLike) -> Floats:
    """On-balance volume: volume summed with the sign of the close's change."""
    return one("OBV", close, volume)

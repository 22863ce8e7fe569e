"""The bar source port: where bars come from, be it a venue or the sandbox."""

from collections.abc import Sequence
from typing import Protocol

from core.market.bars import Bars
from core.market.instrument import Instrument


class BarSource(Protocol):
    """Bars of a venue. `name` is the venue's, `simulated` says that its prices are made up.

    page: how many bars it gives at once; an empty answer tells nothing about the time after that many
    """

    name: str
    simulated: bool
    page: int

    async def instruments(self) -> Sequence[Instrument]:
        """Every pair that can be asked for. Raises Unavailable."""
        ...

    async def bars(self, instrument: Instrument, timeframe: str, *, since: int | None = None, limit: int = 500) -> Bars:
        """Up to `limit` bars: the newest, or the first that open at or after `since` (UTC ms).

        As at a real venue, the last bar may still be forming: its close time lies ahead. Raises NotFound, Unavailable.
        """
        ...

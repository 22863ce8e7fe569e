"""Which market the product trades: a venue's live public prices where they can be reached, else the sandbox."""

import asyncio
from collections.abc import Sequence

import structlog

from core.clock import Clock
from core.errors import AppError
from core.settings import Settings
from core.trading.exchange import MarketData

PREFERRED = "binance"
REACHABLE_SECONDS = 2.5


async def choose_sources(settings: Settings, clock: Clock) -> Sequence[MarketData]:
    """The sources by preference. With `auto` both are kept: orders of the other market stay matched."""
    from core.exchanges.sandbox import SandboxData

    sandbox = SandboxData(clock, settings.market.seed)
    wanted = settings.market.source.strip().lower()
    if wanted == "sandbox":
        return [sandbox]
    venue = venue_data(settings, PREFERRED if wanted == "auto" else wanted, clock)
    if wanted != "auto":
        return [venue, sandbox]
    if await reachable(venue):
        return [venue, sandbox]
    structlog.get_logger("market").info("no live prices can be reached: the sandbox market is traded", venue=venue.name)
    await venue.close()
    return [sandbox]


def venue_data(settings: Settings, name: str, clock: Clock) -> MarketData:
    """Public data of a venue, with the addresses its settings give."""
    from core.exchanges.ccxt import CcxtData

    keys = settings.exchanges.get(name)
    return CcxtData(name, keys.endpoint_base if keys else None, keys.sandbox if keys else False, clock=clock)


async def reachable(source: MarketData, seconds: float = REACHABLE_SECONDS) -> bool:
    """Whether the source answers in time."""
    try:
        await asyncio.wait_for(source.ping(), seconds)
    except (AppError, OSError, TimeoutError):
        return False
    return True

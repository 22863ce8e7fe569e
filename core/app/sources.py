"""Which market the product trades: a venue's live public prices where they can be reached, else the sandbox."""

from collections.abc import Sequence

from core.clock import Clock
from core.settings import Settings
from core.trading.exchange import MarketData

PREFERRED = "binance"


def chosen_sources(settings: Settings, clock: Clock) -> Sequence[MarketData]:
    """The sources by preference; the feed settles on the first that answers when it starts.

    The sandbox is always there, so that positions opened in it keep their prices.
    """
    from core.exchanges.sandbox import SandboxData

    sandbox = SandboxData(clock, settings.market.seed)
    wanted = settings.market.source.strip().lower()
    if wanted == "sandbox":
        return [sandbox]
    return [venue_data(settings, PREFERRED if wanted == "auto" else wanted, clock), sandbox]


def venue_data(settings: Settings, name: str, clock: Clock) -> MarketData:
    """Public data of a venue, with the addresses its settings give."""
    from core.exchanges.ccxt import CcxtData

    keys = settings.exchanges.get(name)
    return CcxtData(name, keys.endpoint_base if keys else None, keys.sandbox if keys else False, clock=clock)

"""Which venues there are: the one the settings prefer, every one they give keys or addresses for, and the sandbox."""

from collections.abc import Sequence

from core.clock import Clock
from core.exchanges.pace import Pace
from core.exchanges.router import Policy
from core.settings import Settings
from core.trading.exchange import MarketData

PREFERRED = "binance"
SANDBOX = "sandbox"


def configured(settings: Settings) -> tuple[str, ...]:
    """Names of all venues by preference: the market's source, every entry of `exchanges`, the sandbox."""
    wanted = settings.market.source.strip().lower()
    first = PREFERRED if wanted == "auto" else wanted
    return tuple(dict.fromkeys([first, *(name.lower() for name in settings.exchanges), SANDBOX]))


def chosen_sources(settings: Settings, clock: Clock, pace: Pace | None = None) -> Sequence[MarketData]:
    """The sources by preference; the feed settles on the first that answers when it starts.

    The sandbox is always there, so that positions opened in it keep their prices.
    """
    from core.exchanges.sandbox import SandboxData

    return [
        SandboxData(clock, settings.market.seed) if name == SANDBOX else venue_data(settings, name, clock, pace)
        for name in configured(settings)
    ]


def venue_data(settings: Settings, name: str, clock: Clock, pace: Pace | None = None) -> MarketData:
    """Public data of a venue, with the addresses its settings give."""
    from core.exchanges.ccxt import CcxtData

    keys = next((keys for each, keys in settings.exchanges.items() if each.lower() == name), None)
    return CcxtData(name, keys.endpoint_base if keys else None, keys.sandbox if keys else False, clock=clock, pace=pace)


def policy_of(settings: Settings) -> Policy:
    """What happens while a venue is out, as the settings have it."""
    given = settings.venues
    return Policy(data=given.data, orders=given.orders, look=given.look)

"""Where accounts trade live: at venues through ccxt, with the keys in the settings, which are the owner's."""

from collections.abc import Callable

from core.accounts.people import OWNER_ID
from core.clock import Clock
from core.engine.live import LiveVenues
from core.exchanges.known import OrderRecord
from core.exchanges.pace import Pace
from core.exchanges.vault import ExchangeSecrets, SettingsVault
from core.settings import Settings
from core.trading.exchange import Exchange


def live_venues(
    settings: Settings,
    clock: Clock,
    record: OrderRecord,
    pace: Pace | None = None,
    observed: Callable[[str, Exchange], Exchange] | None = None,
) -> LiveVenues:
    """The live accounts that these settings have keys for.

    pace: keeps the venues' rate limits; observed: wraps an exchange so that its venue's health hears of every call
    """

    def make(account: str, venue: str, keys: ExchangeSecrets) -> Exchange:
        from core.exchanges.ccxt import CcxtData
        from core.exchanges.private import CcxtExchange

        given = settings.exchanges.get(venue)
        data = CcxtData(
            venue, given.endpoint_base if given else None, bool(given and given.sandbox), clock=clock, pace=pace
        )
        exchange = CcxtExchange(account, keys, data, record=record)
        return observed(venue, exchange) if observed is not None else exchange

    return LiveVenues(SettingsVault(settings, OWNER_ID), make)

"""Where accounts trade live: at venues through ccxt, with the keys in the settings, which are the owner's."""

from core.accounts.people import OWNER_ID
from core.clock import Clock
from core.engine.live import LiveVenues
from core.exchanges.known import OrderRecord
from core.exchanges.vault import ExchangeSecrets, SettingsVault
from core.settings import Settings
from core.trading.exchange import Exchange


def live_venues(settings: Settings, clock: Clock, record: OrderRecord) -> LiveVenues:
    """The live accounts that these settings have keys for."""

    def make(account: str, venue: str, keys: ExchangeSecrets) -> Exchange:
        from core.exchanges.ccxt import CcxtData
        from core.exchanges.private import CcxtExchange

        given = settings.exchanges.get(venue)
        data = CcxtData(venue, given.endpoint_base if given else None, bool(given and given.sandbox), clock=clock)
        return CcxtExchange(account, keys, data, record=record)

    return LiveVenues(SettingsVault(settings, OWNER_ID), make)

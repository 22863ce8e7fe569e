"""What is particular about single venues, as data: one file each; any other venue of ccxt's gets careful defaults."""

from collections.abc import Mapping

from core.exchanges.venues import binance, bybit, coinbase, kraken, kucoin, okx
from core.exchanges.venues.profile import Discount, FeeTier, Profile

PROFILES: Mapping[str, Profile] = {
    module.PROFILE.name: module.PROFILE for module in (binance, coinbase, kucoin, kraken, bybit, okx)
}
ALTERNATIVES = ("kraken", "coinbase", "binanceus")  # for those whom a venue refuses by country

__all__ = ["ALTERNATIVES", "PROFILES", "Discount", "FeeTier", "Profile", "profile_of"]


def profile_of(venue: str) -> Profile:
    """The venue's profile; that of an unknown one places market and limit orders and looks orders up in lists."""
    name = venue.lower()
    found = PROFILES.get(name)
    return found if found is not None else Profile(name, name, options={"defaultType": "spot"}, first_class=False)

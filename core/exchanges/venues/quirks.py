"""Options that ccxt needs for single venues, and what to try where a venue is closed."""

from collections.abc import Mapping
from typing import Any

# Without it Binance asks for the futures' markets as well, which are closed to many and slow for all.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}},
    "bybit": {"fetchMarkets": {"types": ["spot"]}},
    "okx": {"fetchMarkets": {"types": ["spot"]}},
}
ALTERNATIVES = ("kraken", "coinbase", "binanceus")  # for those whom a venue refuses by country

"""Unmodified ccxt and ccxt.pro, led to the loopback venues as the product leads them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.async_support
import ccxt.pro

from core.exchanges.endpoints import led_through
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User


@asynccontextmanager
async def client(
    venues: Loopback, name: str, user: User | None = None, *, pro: bool = False, **config: Any
) -> AsyncIterator[Any]:
    """A client of the venue, with the user's keys; `config` is ccxt's own."""
    keys = {"apiKey": user.key, "secret": user.secret, "password": user.passphrase} if user else {}
    library = ccxt.pro if pro else ccxt.async_support
    exchange = getattr(library, name)({**keys, "enableRateLimit": False, "timeout": 5_000, **config})
    exchange.urls["api"] = led_through(exchange.urls["api"], venues.base, getattr(exchange, "hostname", None))
    try:
        yield exchange
    finally:
        await exchange.close()

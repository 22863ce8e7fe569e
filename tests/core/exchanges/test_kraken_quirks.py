"""What is particular about Kraken: secrets in base64, checksums for sequence numbers, volumes in quote."""

import asyncio
from decimal import Decimal

import pytest
from ccxt.base.errors import ChecksumError

from core.clock import SystemClock
from core.errors import OrderRefused
from core.exchanges.ccxt import CcxtData
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.trading.orders import Market, OrderRequest, OrderStatus, Side
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import Venue

PAIR = "BTC/USDT"
SECRET = "dGhlLXNlY3JldA=="


def opened(venues: Loopback) -> Venue:
    venue = venues["kraken"]
    venue.list(PAIR)
    venue.trade_through(PAIR, 30_000)
    venue.user("the-key", SECRET, None, {"USDT": 100_000, "BTC": 1})
    return venue


async def test_a_secret_that_is_no_base64_refuses_the_order_and_nothing_is_sent() -> None:
    async with Loopback() as venues:
        venue, data = opened(venues), CcxtData("kraken", venues.base)
        exchange = CcxtExchange("user@kraken", ExchangeSecrets("the-key", "not-base64"), data)
        request = OrderRequest(
            "one", "user@kraken", await data.instrument(PAIR), Side.BUY, Market(), quantity=Decimal("0.1")
        )
        with pytest.raises(OrderRefused, match="does not accept the API key"):
            await exchange.place(request)
        assert not venue.asked("/0/private/AddOrder")
        await exchange.close()
        await data.close()


async def test_an_order_sized_in_quote_tells_what_it_bought() -> None:
    async with Loopback() as venues:
        venue, data = opened(venues), CcxtData("kraken", venues.base)
        exchange = CcxtExchange("user@kraken", ExchangeSecrets("the-key", SECRET), data)
        request = OrderRequest(
            "one",
            "user@kraken",
            await data.instrument(PAIR),
            Side.BUY,
            Market(),
            spend=Decimal(1000),
            created=SystemClock().now(),
        )
        await exchange.place(request)
        order = await exchange.find("one")
        assert order is not None
        assert (order.status, order.filled) == (OrderStatus.FILLED, sum(fill.quantity for fill in venue.fills))
        await exchange.close()
        await data.close()


async def test_a_change_that_is_missing_shows_in_the_checksum() -> None:
    async with Loopback() as venues:
        venue, data = opened(venues), CcxtData("kraken", venues.base)
        client = await data.loaded()
        await client.watch_order_book(PAIR)
        venue.trade_through(PAIR, 30_100)
        await client.watch_order_book(PAIR)
        venue.misbehave("gap", "book:")
        venue.trade_through(PAIR, 30_200)
        watch = asyncio.ensure_future(client.watch_order_book(PAIR))
        await asyncio.sleep(0)
        venue.trade_through(PAIR, 30_300)
        with pytest.raises(ChecksumError, match="left out a change"):
            await watch
        assert (await client.watch_order_book(PAIR))["bids"][0][0] == 30_299.99
        await data.close()

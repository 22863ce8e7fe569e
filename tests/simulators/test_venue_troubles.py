"""A loopback venue misbehaves exactly as it was told to, and not a request more."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import pytest

from tests.simulators.test_venue_clients import BALANCES, PAIR, watching, when
from tests.simulators.venues.clients import client
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.values import Ticket
from tests.simulators.venues.venue import User, Venue


@pytest.fixture
async def venues() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        venue = loopback["binance"]
        venue.list(PAIR, "0.1", "0.00001", "5")
        venue.trade_through(PAIR, "60000")
        yield loopback


@pytest.fixture
def venue(venues: Loopback) -> Venue:
    return venues["binance"]


@pytest.fixture
def ann(venue: Venue) -> User:
    return venue.user("key-of-ann", "secret-of-ann", None, BALANCES)


@pytest.fixture
async def exchange(venues: Loopback, ann: User) -> AsyncIterator[Any]:
    async with client(venues, "binance", ann, pro=True) as ready:
        await ready.load_markets()
        yield ready


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("429", ccxt.DDoSProtection),
        ("418", ccxt.DDoSProtection),
        ("451", ccxt.ExchangeNotAvailable),
        ("500", ccxt.OperationFailed),
        ("503", ccxt.BaseError),
        ("maintenance", ccxt.OnMaintenance),
        ("lost_request", ccxt.NetworkError),
    ],
)
async def test_a_request_fails_once_and_nothing_is_done(venue: Venue, exchange: Any, kind: Any, error: Any) -> None:
    venue.misbehave(kind, "POST /api/v3/order")
    with pytest.raises(error):
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
    assert not venue.orders
    assert (await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000))["status"] == "open"


async def test_a_lost_answer_leaves_the_order_at_the_venue(venue: Venue, exchange: Any) -> None:
    venue.misbehave("lost_answer", "POST /api/v3/order")
    with pytest.raises(ccxt.NetworkError):
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000, {"newClientOrderId": "once"})
    assert [order.ticket.client_id for order in venue.orders] == ["once"]
    assert (await exchange.fetch_order(None, PAIR, {"origClientOrderId": "once"}))["status"] == "open"


async def test_an_internal_error_may_hide_that_the_order_was_placed(venue: Venue, exchange: Any) -> None:
    venue.misbehave("500", "POST /api/v3/order", done=True)
    with pytest.raises(ccxt.OperationFailed):
        await exchange.create_order(PAIR, "limit", "buy", 0.1, 59000)
    assert [order.status for order in venue.orders] == ["open"]


async def test_a_stalled_answer_comes_when_all_is_calm(venue: Venue, exchange: Any) -> None:
    venue.misbehave("stall", "POST /api/v3/order")
    placing = asyncio.ensure_future(exchange.create_order(PAIR, "limit", "buy", 0.1, 59000))
    await when(lambda: venue.orders)
    assert not placing.done()
    venue.calm()
    assert (await placing)["status"] == "open"


async def test_a_partial_fill_leaves_the_rest_in_the_book(venue: Venue, exchange: Any) -> None:
    venue.misbehave("partial", share="0.25")
    order = await exchange.create_order(PAIR, "limit", "buy", 0.1, 60100)
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.025, 0.075)
    venue.trade_through(PAIR, "60000")
    assert (await exchange.fetch_order(order["id"], PAIR))["status"] == "closed"


async def test_a_gap_in_the_sequence_is_noticed_by_the_client(venue: Venue, exchange: Any) -> None:
    await exchange.watch_order_book(PAIR)
    venue.misbehave("gap", "btcusdt@depth")
    venue.trade_through(PAIR, "60100")
    watch = asyncio.ensure_future(exchange.watch_order_book(PAIR))
    await asyncio.sleep(0)
    venue.trade_through(PAIR, "60200")
    with pytest.raises(ccxt.ChecksumError):
        await watch


async def test_a_dropped_socket_is_noticed_by_the_client(venue: Venue, exchange: Any) -> None:
    await exchange.watch_order_book(PAIR)
    watch = asyncio.ensure_future(exchange.watch_order_book(PAIR))
    await asyncio.sleep(0)
    venue.misbehave("drop_socket")
    with pytest.raises(ccxt.NetworkError):
        await watch
    await when(lambda: not venue.sockets)
    assert (await exchange.watch_order_book(PAIR))["bids"]


async def test_messages_come_twice_and_out_of_order_when_told_so(venues: Loopback, venue: Venue) -> None:
    address = venues.base.replace("http", "ws") + "/stream.binance.com/ws/btcusdt@trade"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as wire:
        await when(lambda: any(socket.subscriptions for socket in venue.sockets))
        venue.misbehave("duplicate", "@trade")
        venue.trade_through(PAIR, "60001")
        venue.misbehave("reorder", "@trade")
        venue.trade_through(PAIR, "60002")
        venue.trade_through(PAIR, "60003")
        prices = [float((await wire.receive_json())["p"]) for _ in range(4)]
    assert prices == [60001, 60001, 60003, 60002]


async def test_what_is_done_by_hand_is_told_to_the_client(venue: Venue, exchange: Any, ann: User) -> None:
    watch = await watching(venue, exchange.watch_orders(), 1)
    order = venue.place(ann, Ticket(PAIR, "buy", "limit", Decimal("0.1"), price=Decimal(59000)))
    (told,) = await watch
    assert (told["id"], told["status"]) == (str(order.id), "open")
    venue.cancel(ann, order.id)
    assert not await exchange.fetch_open_orders(PAIR)


async def test_a_host_that_no_venue_has_is_not_answered(venues: Loopback) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{venues.base}/api.nowhere.com/") as answer:
        assert answer.status == 404

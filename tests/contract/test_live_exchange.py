"""What every Exchange promises, shown on real venues' adapters against loopback venues that speak their formats."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import OrderRefused, OutcomeUnknown, Unavailable
from core.exchanges.ccxt import CcxtData
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.market.instrument import Instrument
from core.trading.exchange import ELSEWHERE
from core.trading.orders import (
    Limit,
    Market,
    OneCancelsOther,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    StopLimit,
    TimeInForce,
    TrailingStop,
)  # fmt: skip
from core.trading.portfolio import fold
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.values import Ticket
from tests.simulators.venues.venue import User, Venue

ONE = Decimal("0.1")
FUNDS = {"USDT": 100_000, "BTC": 1}
PLACING = {
    "binance": "POST /api/v3/order",
    "kucoin": "POST /api/v1/orders",
    "kraken": "POST /0/private/AddOrder",
    "coinbase": "POST /api/v3/brokerage/orders",
}
SECRETS = {"kraken": "dGhlLXNlY3JldA=="}  # base64 there
WRONG = {"kraken": "d3Jvbmctb25l"}
NO_PASSPHRASE = ("binance", "kraken", "coinbase")
count = iter(range(10**6))


@dataclass
class Place:
    """A venue with a market at 29,990 to 30,010, an account there, and its adapter."""

    venue: Venue
    user: User
    exchange: CcxtExchange
    instrument: Instrument

    def request(self, kind: OrderType, side: Side = Side.BUY, **changes: Any) -> OrderRequest:
        made = OrderRequest(
            f"order-{next(count)}",
            self.exchange.account,
            self.instrument,
            side,
            kind,
            quantity=ONE,
            created=SystemClock().now(),
        )
        return replace(made, **changes)

    async def placed(self, kind: OrderType, side: Side = Side.BUY, **changes: Any) -> OrderRequest:
        made = self.request(kind, side, **changes)
        await self.exchange.place(made)
        return made

    async def found(self, request: OrderRequest) -> Order:
        order = await self.exchange.find(request.id)
        assert order is not None
        return order


@pytest.fixture(params=list(PLACING))
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with Loopback() as venues:
        venue = venues[request.param]
        venue.list("BTC/USDT")
        user = venue.user("the-key", SECRETS.get(request.param, "the-secret"), "the-phrase", FUNDS)
        venue.quote("BTC/USDT", 29_990, 30_010)
        data = CcxtData(request.param, venues.base)
        keys = ExchangeSecrets("the-key", user.secret, "the-phrase")
        exchange = CcxtExchange(f"user@{request.param}", keys, data)
        for connection in (data.connection, exchange._connection):
            (await connection.open()).enableRateLimit = False  # ccxt lets one request a second out to Kraken
        yield Place(venue, user, exchange, await data.instrument("BTC/USDT"))
        await exchange.close()
        await data.close()


async def test_a_market_order_fills_and_the_journal_equals_the_venue(place: Place) -> None:
    asked = await place.placed(Market())
    order = await place.found(asked)
    assert order.status is OrderStatus.FILLED
    fills = await place.exchange.fills_of(asked.id)
    assert sum(fill.quantity for fill in fills) == order.filled
    assert order.average_price == 30_010
    portfolio = fold(fills).balances
    now = await place.exchange.balances()
    assert now == {asset: amount for asset, amount in place.venue.balances(place.user).items() if amount}
    assert {asset: now[asset] - FUNDS[asset] for asset in FUNDS} == portfolio  # exactly, fees and all


async def test_a_sale_equals_the_venue_too(place: Place) -> None:
    asked = await place.placed(Market(), Side.SELL)
    fills = await place.exchange.fills_of(asked.id)
    now = await place.exchange.balances()
    assert {asset: now[asset] - FUNDS[asset] for asset in FUNDS} == fold(fills).balances


async def test_a_resting_order_is_open_until_cancelled_once(place: Place) -> None:
    asked = await place.placed(Limit(Decimal(29_000)))
    assert (await place.found(asked)).status is OrderStatus.OPEN
    assert [order.id for order in await place.exchange.open_orders()] == [asked.id]
    assert await place.exchange.cancel(asked.id) is True
    assert (await place.found(asked)).status is OrderStatus.CANCELLED
    assert await place.exchange.cancel(asked.id) is False
    assert await place.exchange.open_orders() == []
    assert (await place.exchange.balances())["USDT"] == FUNDS["USDT"]


async def test_a_resting_order_fills_when_the_market_comes(place: Place) -> None:
    asked = await place.placed(Limit(Decimal(29_000)))
    place.venue.trade_through("BTC/USDT", 28_900)
    order = await place.found(asked)
    assert (order.status, order.average_price) == (OrderStatus.FILLED, 29_000)
    assert await place.exchange.cancel(asked.id) is False


async def test_an_order_that_is_filled_in_part_says_so(place: Place) -> None:
    place.venue.quote("BTC/USDT", 29_990, 30_010, size="0.04", levels=1)
    asked = await place.placed(Limit(Decimal(30_010)))
    order = await place.found(asked)
    assert order.status is OrderStatus.PARTIAL
    assert Decimal("0.0399") < order.filled <= Decimal("0.04")
    assert await place.exchange.cancel(asked.id) is True
    assert (await place.found(asked)).filled == order.filled


@pytest.mark.parametrize(
    ("kind", "price", "expected"),
    [
        (Stop(Decimal(29_000)), 28_900, OrderStatus.FILLED),
        (StopLimit(Decimal(29_000), Decimal(28_800)), 28_900, OrderStatus.FILLED),
        (StopLimit(Decimal(29_000), Decimal(28_950)), 28_900, OrderStatus.OPEN),
    ],
)
async def test_native_stops_wait_for_their_price(
    place: Place, kind: OrderType, price: int, expected: OrderStatus
) -> None:
    if not place.exchange.capabilities.places(kind):
        with pytest.raises(OrderRefused, match="does not keep orders of the type Stop"):
            await place.placed(kind, Side.SELL)
        return
    asked = await place.placed(kind, Side.SELL)
    assert (await place.found(asked)).status is OrderStatus.OPEN
    assert [order.id for order in await place.exchange.open_orders()] == [asked.id]
    place.venue.trade_through("BTC/USDT", price)
    assert (await place.found(asked)).status is expected


async def test_a_trailing_stop_lies_at_the_venue_where_it_knows_that_form(place: Place) -> None:
    trailing = TrailingStop(fraction=Decimal("0.05"))
    assert not place.exchange.capabilities.works(TrailingStop(fraction=Decimal("0.05"), activation=Decimal(31_000)))
    if not place.exchange.capabilities.works(trailing):
        with pytest.raises(OrderRefused, match="does not keep orders of the type TrailingStop"):
            await place.placed(trailing, Side.SELL)
        return
    asked = await place.placed(trailing, Side.SELL)
    place.venue.trade_through("BTC/USDT", 31_000)
    assert (await place.found(asked)).status is OrderStatus.OPEN
    place.venue.trade_through("BTC/USDT", 29_400)
    assert (await place.found(asked)).status is OrderStatus.FILLED


async def test_a_waiting_stop_can_be_cancelled(place: Place) -> None:
    asked = await place.placed(StopLimit(Decimal(29_000), Decimal(28_800)), Side.SELL)
    assert await place.exchange.cancel(asked.id) is True
    assert await place.exchange.cancel(asked.id) is False
    place.venue.trade_through("BTC/USDT", 28_900)
    assert place.venue.balances(place.user)["BTC"] == 1


async def test_a_pair_of_which_one_leg_fills_is_filled(place: Place) -> None:
    pair = OneCancelsOther(Decimal(31_000), Decimal(29_000))
    if not place.exchange.capabilities.places(pair):
        with pytest.raises(OrderRefused, match="does not keep orders of the type OneCancelsOther"):
            await place.placed(pair, Side.SELL)
        return
    asked = await place.placed(pair, Side.SELL)
    assert [order.id for order in await place.exchange.open_orders()] == [asked.id]
    place.venue.trade_through("BTC/USDT", 31_100)
    order = await place.found(asked)
    assert (order.status, order.average_price) == (OrderStatus.FILLED, 31_000)
    assert await place.exchange.open_orders() == []


async def test_an_immediate_order_that_cannot_fill_ends(place: Place) -> None:
    asked = await place.placed(Limit(Decimal(29_000)), time_in_force=TimeInForce.IOC)
    order = await place.found(asked)
    assert order.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
    assert order.filled == 0


async def test_an_order_whose_answer_is_lost_is_found_and_there_once(place: Place) -> None:
    place.venue.misbehave("lost_answer", PLACING[place.venue.name])
    asked = place.request(Limit(Decimal(29_000)))
    with pytest.raises(OutcomeUnknown):
        await place.exchange.place(asked)
    assert (await place.found(asked)).status is OrderStatus.OPEN
    assert len(place.venue.orders) == 1


@pytest.mark.parametrize(
    ("trouble", "error"), [("500", OutcomeUnknown), ("503", OutcomeUnknown), ("429", OrderRefused)]
)
async def test_troubles_while_placing_are_sorted_by_what_is_certain(
    place: Place, trouble: Any, error: type[Exception]
) -> None:
    await place.exchange.balances()
    place.venue.misbehave(trouble, PLACING[place.venue.name])
    asked = place.request(Limit(Decimal(29_000)))
    with pytest.raises(error):
        await place.exchange.place(asked)
    assert await place.exchange.find(asked.id) is None  # it never arrived


def halted(place: Place) -> Any:
    place.venue.halt("BTC/USDT")
    return {}


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda place: {"quantity": Decimal(50)}, "too little"),
        (lambda place: {"quantity": Decimal("0.0001")}, "below 5 USDT"),
        (halted, "does not trade this now"),
    ],
)
async def test_refusals_say_what_to_do(place: Place, prepare: Callable[[Place], Any], told: str) -> None:
    asked = place.request(Limit(Decimal(29_000)), **prepare(place))
    with pytest.raises(OrderRefused) as refused:
        await place.exchange.place(asked)
    assert told in refused.value.sentence()
    assert refused.value.hint
    assert "127.0.0.1" not in refused.value.sentence()
    assert place.venue.orders == []


@pytest.mark.parametrize("wrong", ["key", "secret", "passphrase"])
async def test_wrong_keys_are_told_as_such(place: Place, wrong: str) -> None:
    if wrong == "passphrase" and place.venue.name in NO_PASSPHRASE:
        return  # has none
    given = {"key": "the-key", "secret": place.user.secret, "passphrase": "the-phrase"}
    given[wrong] = WRONG.get(place.venue.name, "wrong-one")
    keys = ExchangeSecrets(given["key"], given["secret"], given["passphrase"])
    exchange = CcxtExchange(place.exchange.account, keys, place.exchange.data)
    with pytest.raises(OrderRefused, match="does not accept the API key") as refused:
        await exchange.place(place.request(Limit(Decimal(29_000))))
    assert given["secret"] not in refused.value.sentence()
    await exchange.close()


async def test_what_is_done_by_hand_is_seen(place: Place) -> None:
    mine = await place.placed(Limit(Decimal(29_000)))
    place.venue.place(
        place.user, Ticket("BTC/USDT", "buy", "limit", Decimal("0.2"), price=Decimal(29_100), client_id="by-hand")
    )
    orders = {order.id: order for order in await place.exchange.open_orders()}
    theirs = orders.pop(next(each for each in orders if each != mine.id))
    assert list(orders) == [mine.id]
    assert (theirs.request.ledger, theirs.request.quantity) == (ELSEWHERE, Decimal("0.2"))
    assert theirs.id.startswith(f"{place.venue.name}:")
    place.venue.trade_through("BTC/USDT", 28_900)
    fills = await place.exchange.recent_fills(SystemClock().now_ms() - 60_000)
    assert {(fill.order, fill.ledger) for fill in fills} == {(mine.id, "manual"), (theirs.id, ELSEWHERE)}
    assert await place.exchange.cancel(theirs.id) is False


async def test_fills_are_told_as_they_happen(place: Place) -> None:
    stream = place.exchange.fills()
    waiting = asyncio.ensure_future(asyncio.wait_for(anext(stream), 25))
    asked = await place.placed(Limit(Decimal(29_000)))
    place.venue.trade_through("BTC/USDT", 28_900)
    fill = await waiting
    assert (fill.order, fill.price) == (asked.id, 29_000)
    await stream.aclose()  # type: ignore[attr-defined]


async def test_the_private_stream_tells_of_fills_at_once(place: Place) -> None:
    stream = place.exchange.fills()
    first = await place.placed(Market())
    assert (await asyncio.wait_for(anext(stream), 25)).order == first.id
    looked = len(place.venue.questions)
    for number in range(3):
        asked = await place.placed(Market(), Side.SELL if number % 2 else Side.BUY)
        assert (await asyncio.wait_for(anext(stream), 25)).order == asked.id
    assert len(place.venue.questions) - looked < 30
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_clock_that_is_wrong_is_allowed_for(place: Place) -> None:
    place.venue.misbehave("skew", ms=120_000)
    asked = await place.placed(Limit(Decimal(29_000)))
    assert (await place.found(asked)).status is OrderStatus.OPEN


async def test_costs_are_told(place: Place) -> None:
    costs = await place.exchange.costs(place.instrument)
    assert 0 < costs.maker_fee <= costs.taker_fee <= 0.01


async def test_what_was_never_placed_is_not_found(place: Place) -> None:
    assert await place.exchange.find("never") is None
    assert await place.exchange.find(place.request(Market()).id) is None
    assert await place.exchange.cancel("never") is False


async def test_a_venue_under_maintenance_is_told(place: Place) -> None:
    await place.exchange.balances()
    place.venue.misbehave("503", count=None)
    with pytest.raises(Unavailable):
        await place.exchange.balances()

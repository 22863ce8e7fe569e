"""Trading through ccxt: what is sent, what is looked up, and what becomes of it, at a scripted Binance."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import InvalidInput, OrderRefused, OutcomeUnknown, RiskRefused, Unavailable
from core.exchanges.ccxt import CcxtData
from core.exchanges.identity import client_id
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.trading.exchange import ELSEWHERE
from core.trading.orders import (
    Iceberg,
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
    Twap,
)  # fmt: skip
from tests.core.exchanges.binance_account import BTC, Account, order, trade
from tests.core.exchanges.scripted import NOW, Raw, Scripted

ACCOUNT = "user-1@binance"
KEYS = ExchangeSecrets("the-api-key", "the-secret")


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
async def venue(account: Account) -> AsyncIterator[Scripted]:
    async with Scripted(account.script) as server:
        yield server


@pytest.fixture
async def exchange(venue: Scripted) -> AsyncIterator[CcxtExchange]:
    data = CcxtData("binance", venue.base, clock=SimulatedClock(from_ms(NOW)))
    made = CcxtExchange(ACCOUNT, KEYS, data)
    yield made
    await made.close()
    await data.close()


count = iter(range(10**6))


def request(kind: OrderType | None = None, side: Side = Side.BUY, **changes: Any) -> OrderRequest:
    made = OrderRequest(
        f"order-{next(count)}",
        ACCOUNT,
        BTC,
        side,
        kind or Limit(Decimal(30_000)),
        quantity=Decimal("0.5"),
        created=from_ms(NOW),
    )
    return replace(made, **changes)


async def test_a_limit_order_goes_out_once_under_its_client_id(
    exchange: CcxtExchange, venue: Scripted, account: Account
) -> None:
    asked = request()
    assert (await exchange.place(asked)).order == asked.id
    (sent,) = venue.to("POST /api/v3/order")
    assert sent["newClientOrderId"] == client_id(asked.id, "binance")
    assert (sent["type"], sent["side"], sent["quantity"], sent["price"], sent["timeInForce"]) == (
        "LIMIT", "BUY", "0.5", "30000", "GTC",
    )  # fmt: skip
    found = await exchange.find(asked.id)
    assert found is not None
    assert (found.request, found.status, found.filled) == (asked, OrderStatus.OPEN, 0)


async def test_quantities_are_rounded_down_and_prices_away_from_the_market(
    exchange: CcxtExchange, venue: Scripted
) -> None:
    await exchange.place(request(Limit(Decimal("30000.009")), quantity=Decimal("0.123459999")))
    await exchange.place(request(Limit(Decimal("30000.001")), Side.SELL, quantity=Decimal("0.123459999")))
    bought, sold = venue.to("POST /api/v3/order")
    assert (bought["price"], bought["quantity"]) == ("30000", "0.12345")
    assert (sold["price"], sold["quantity"]) == ("30000.01", "0.12345")


@pytest.mark.parametrize(
    ("kind", "side", "expected"),
    [
        (Market(), Side.BUY, {"type": "MARKET", "quantity": "0.5"}),
        (Stop(Decimal(29_000)), Side.SELL, {"type": "STOP_LOSS", "stopPrice": "29000", "quantity": "0.5"}),
        (
            StopLimit(Decimal(29_000), Decimal(28_900)),
            Side.SELL,
            {"type": "STOP_LOSS_LIMIT", "stopPrice": "29000", "price": "28900", "timeInForce": "GTC"},
        ),
        (TrailingStop(fraction=Decimal("0.05")), Side.SELL, {"type": "STOP_LOSS", "trailingDelta": "500"}),
        (Iceberg(Decimal(30_000), Decimal("0.1")), Side.BUY, {"type": "LIMIT", "icebergQty": "0.1"}),
    ],
)
async def test_native_types_are_sent_as_the_venue_names_them(
    exchange: CcxtExchange, venue: Scripted, kind: OrderType, side: Side, expected: dict[str, str]
) -> None:
    await exchange.place(request(kind, side))
    (sent,) = venue.to("POST /api/v3/order")
    assert {name: sent.get(name) for name in expected} == expected


async def test_a_spend_leaves_room_for_the_fee(exchange: CcxtExchange, venue: Scripted) -> None:
    await exchange.place(request(Market(), quantity=None, spend=Decimal("1000.9")))
    (sent,) = venue.to("POST /api/v3/order")
    assert sent["quoteOrderQty"] == "1000"  # 1000.9 / (1 + 0.0009), the account's own taker fee
    assert "quantity" not in sent


async def test_times_in_force_are_told_and_those_the_venue_lacks_are_refused(
    exchange: CcxtExchange, venue: Scripted
) -> None:
    await exchange.place(request(time_in_force=TimeInForce.FOK))
    assert venue.to("POST /api/v3/order")[0]["timeInForce"] == "FOK"
    with pytest.raises(OrderRefused, match="Binance knows no 'gtd'"):
        await exchange.place(request(time_in_force=TimeInForce.GTD, expires=from_ms(NOW) + timedelta(hours=1)))
    assert len(venue.to("POST /api/v3/order")) == 1


async def test_what_cannot_be_sent_is_refused_before_anything_is(exchange: CcxtExchange, venue: Scripted) -> None:
    with pytest.raises(OrderRefused, match="worth 3 USDT, and Binance takes none below 5 USDT"):
        await exchange.place(request(quantity=Decimal("0.0001")))
    with pytest.raises(InvalidInput, match="below the lot size"):
        await exchange.place(request(quantity=Decimal("0.000001")))
    with pytest.raises(OrderRefused, match="does not keep orders of the type Twap"):
        await exchange.place(request(Twap(60, 3)))
    with pytest.raises(OrderRefused, match="somebody"):
        await exchange.place(request(account="somebody"))
    assert venue.to("POST /api/v3/order") == []


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}', "holds too little"),
        (400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}', "too small"),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', "does not know"),
        (400, '{"code":-1013,"msg":"Market is closed."}', "does not trade this now"),
        (401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}', "does not accept the API key"),
        (400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', "clock differs"),
        (429, '{"code":-1003,"msg":"Too many requests."}', "did not take the order"),
        (418, '{"code":-1003,"msg":"Way too many requests; IP banned until 1700000000000."}', "shut out"),
        (451, '{"code":0,"msg":"Service unavailable from a restricted location"}', "from your country"),
    ],
)
async def test_a_refusal_is_one_sentence_with_what_to_do(
    exchange: CcxtExchange, account: Account, venue: Scripted, status: int, body: str, told: str
) -> None:
    account.refusing = Raw(status, body)
    with pytest.raises(OrderRefused) as refused:
        await exchange.place(request())
    sentence = refused.value.sentence()
    assert told in sentence
    assert refused.value.hint
    assert "\n" not in sentence
    assert "127.0.0.1" not in sentence
    assert "the-api-key" not in sentence
    assert "the-secret" not in sentence
    assert len(venue.to("POST /api/v3/order")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Raw(500, "Internal Server Error"),
        Raw(503, '{"code":-1000,"msg":"Service Unavailable"}'),
        Raw(504, "Gateway Timeout"),
        Raw(400, '{"code":-1007,"msg":"Timeout waiting for response from backend server. Send status unknown."}'),
        Raw(200, "<html>not JSON</html>"),
        Raw(200, "{}"),
        Raw(drop=True),
        Raw(400, '{"code":-2010,"msg":"Duplicate order sent."}'),
    ],
)
async def test_an_order_whose_answer_is_lost_is_unknown_and_not_sent_again(
    exchange: CcxtExchange, account: Account, venue: Scripted, answer: Raw
) -> None:
    account.placing = answer
    asked = request()
    with pytest.raises(OutcomeUnknown, match="binance") as unknown:
        await exchange.place(asked)
    assert "looked up" in (unknown.value.hint or "")
    assert len(venue.to("POST /api/v3/order")) == 1
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.OPEN


async def test_an_order_that_is_answered_too_late_is_unknown(
    exchange: CcxtExchange, account: Account, venue: Scripted
) -> None:
    await exchange.balances()
    account.placing = Raw(stall=True)
    (await exchange._connection.open()).timeout = 100
    with pytest.raises(OutcomeUnknown):
        await exchange.place(request())
    venue.stalled.set()


async def test_an_order_that_never_left_is_refused(exchange: CcxtExchange) -> None:
    await exchange.balances()
    client = await exchange._connection.open()
    client.urls["api"]["private"] = "http://127.0.0.1:9/api.binance.com/api/v3"
    with pytest.raises(OrderRefused, match="cannot be reached, so the order was not sent"):
        await exchange.place(request())


async def test_what_was_never_placed_is_not_found(exchange: CcxtExchange) -> None:
    assert await exchange.find("never") is None
    assert await exchange.cancel("never") is False
    assert await exchange.fills_of("never") == ()


async def test_cancelling_is_true_once(exchange: CcxtExchange) -> None:
    asked = request()
    await exchange.place(asked)
    assert await exchange.cancel(asked.id) is True
    assert await exchange.cancel(asked.id) is False
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.CANCELLED


async def test_a_fee_in_base_is_told_at_its_worth_beside_what_it_took(exchange: CcxtExchange, account: Account) -> None:
    asked = request()
    await exchange.place(asked)
    (made,) = account.orders.values()
    made |= {"status": "FILLED", "executedQty": "0.50000000", "cummulativeQuoteQty": "15000.00"}
    account.trades = [trade(1), trade(2)]
    fills = await exchange.fills_of(asked.id)
    assert [(fill.order, fill.ledger, fill.price, fill.quantity, fill.fee) for fill in fills] == [
        (asked.id, "manual", 30_000, Decimal("0.25"), Decimal("7.5"))
    ] * 2
    assert {(fill.fee_asset, fill.fee_amount) for fill in fills} == {("BTC", Decimal("0.00025"))}
    assert sum(fill.notional for fill in fills) == 15_000  # exactly what was paid: the fee left in coins
    found = await exchange.find(asked.id)
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.FILLED, Decimal("0.5"))


async def test_a_fee_in_a_token_is_told_at_its_worth(exchange: CcxtExchange, account: Account) -> None:
    asked = request()
    await exchange.place(asked)
    account.trades = [trade(1, commission="0.00937500", commissionAsset="BNB")]
    (fill,) = await exchange.fills_of(asked.id)
    assert (fill.quantity, fill.fee) == (Decimal("0.25"), Decimal("5.625"))  # 0.009375 BNB at 600


async def test_a_partial_fill_is_partial(exchange: CcxtExchange, account: Account) -> None:
    asked = request()
    await exchange.place(asked)
    (made,) = account.orders.values()
    made |= {"status": "PARTIALLY_FILLED", "executedQty": "0.25000000", "cummulativeQuoteQty": "7500.00"}
    account.trades = [trade(1)]
    found = await exchange.find(asked.id)
    assert found is not None
    assert (found.status, found.filled) == (OrderStatus.PARTIAL, Decimal("0.25"))


async def test_orders_placed_by_hand_are_seen_as_made_elsewhere(exchange: CcxtExchange, account: Account) -> None:
    asked = request()
    await exchange.place(asked)
    account.orders["hand"] = order({}, 99, side="SELL")
    mine, theirs = sorted(await exchange.open_orders(), key=lambda each: each.request.ledger, reverse=True)
    assert (mine.id, mine.request.ledger) == (asked.id, "manual")
    assert (theirs.id, theirs.request.ledger, theirs.request.side) == ("binance:BTC/USDT:99", ELSEWHERE, Side.SELL)
    assert theirs.request.type == Limit(Decimal(30_000))
    assert await exchange.cancel("binance:BTC/USDT:99") is True


async def test_fills_of_all_orders_are_told_with_their_owners(exchange: CcxtExchange, account: Account) -> None:
    asked = request()
    await exchange.place(asked)
    account.orders["hand"] = order({}, 99, side="SELL")
    account.trades = [trade(1), trade(2, 99, isBuyer=False, commission="1.5", commissionAsset="USDT")]
    fills = await exchange.recent_fills(NOW)
    assert [(fill.order, fill.ledger, fill.side) for fill in fills] == [
        (asked.id, "manual", Side.BUY),
        ("binance:BTC/USDT:99", ELSEWHERE, Side.SELL),
    ]
    assert await exchange.recent_fills(NOW + 2) == fills[1:]


async def test_after_a_restart_orders_are_recognised_from_the_record(
    exchange: CcxtExchange, venue: Scripted, account: Account
) -> None:
    asked = request()
    await exchange.place(asked)

    class Record:
        async def order(self, order_id: str) -> Order | None:
            return Order(asked) if order_id == asked.id else None

        async def orders(self, account: str | None = None, **_: object) -> list[Order]:
            return [Order(asked)]

    data = CcxtData("binance", venue.base, clock=SimulatedClock(from_ms(NOW)))
    again = CcxtExchange(ACCOUNT, KEYS, data, record=Record())
    assert [each.request for each in await again.open_orders()] == [asked]
    account.trades = [trade(1)]
    assert [fill.order for fill in await again.recent_fills(NOW)] == [asked.id]
    assert await again.cancel(asked.id) is True
    await again.close()
    await data.close()


async def test_a_pair_is_one_order_here_and_two_at_the_venue(
    exchange: CcxtExchange, venue: Scripted, account: Account
) -> None:
    pair = request(OneCancelsOther(Decimal(31_000), Decimal(29_000), Decimal(28_900)), Side.SELL)
    await exchange.place(pair)
    (sent,) = venue.to("POST /api/v3/orderList/oco")
    assert (sent["aboveType"], sent["abovePrice"], sent["belowType"], sent["belowStopPrice"], sent["belowPrice"]) == (
        "LIMIT_MAKER", "31000", "STOP_LOSS_LIMIT", "29000", "28900",
    )  # fmt: skip
    assert [(each.id, each.status) for each in await exchange.open_orders()] == [(pair.id, OrderStatus.OPEN)]
    above, below = (account.orders[sent[f"{leg}ClientOrderId"]] for leg in ("above", "below"))
    above |= {"status": "FILLED", "executedQty": "0.5", "cummulativeQuoteQty": "15500"}
    below |= {"status": "EXPIRED"}
    account.trades = [
        trade(1, above["orderId"], isBuyer=False, qty="0.5", price="31000", commission="15.5", commissionAsset="USDT")
    ]
    found = await exchange.find(pair.id)
    assert found is not None
    assert (found.status, found.filled, found.average_price) == (OrderStatus.FILLED, Decimal("0.5"), 31_000)
    assert await exchange.cancel(pair.id) is False


async def test_cancelling_a_pair_cancels_both_legs(exchange: CcxtExchange, account: Account) -> None:
    pair = request(OneCancelsOther(Decimal(31_000), Decimal(29_000)), Side.SELL)
    await exchange.place(pair)
    assert await exchange.cancel(pair.id) is True
    assert {each["status"] for each in account.orders.values()} == {"CANCELED"}


async def test_balances_count_what_orders_bind(exchange: CcxtExchange) -> None:
    assert await exchange.balances() == {"BTC": Decimal("0.75"), "USDT": Decimal(1000)}


async def test_costs_are_the_accounts_own_and_asked_once(
    exchange: CcxtExchange, venue: Scripted, account: Account
) -> None:
    costs = await exchange.costs(BTC)
    assert (costs.taker_fee, costs.maker_fee) == (0.0009, 0.0008)
    assert await exchange.costs(BTC) == costs
    assert len(venue.to("GET /sapi/v1/asset/tradeFee")) == 1


async def test_fees_paid_with_the_venues_token_are_cheaper(exchange: CcxtExchange, venue: Scripted) -> None:
    venue.script["GET /sapi/v1/bnbBurn"] = {"spotBNBBurn": True}
    told: dict[str, Any] = dict(venue.script["GET /api/v3/account"](None))
    told["balances"] = [{"asset": "BNB", "free": "1", "locked": "0"}]
    venue.script["GET /api/v3/account"] = told
    costs = await exchange.costs(BTC)
    assert costs.taker_fee == pytest.approx(0.000675)


async def test_costs_fall_back_on_the_schedule(exchange: CcxtExchange, venue: Scripted) -> None:
    venue.script["GET /sapi/v1/asset/tradeFee"] = Raw(500, "no")
    assert (await exchange.costs(BTC)).taker_fee == 0.001


async def test_an_unreadable_account_is_told_not_guessed(exchange: CcxtExchange, venue: Scripted) -> None:
    venue.script["GET /api/v3/account"] = Raw(500, "Internal Server Error")
    with pytest.raises(Unavailable, match="binance cannot be reached for the balances"):
        await exchange.balances()


async def test_fills_are_found_by_asking_where_the_stream_is_broken(
    exchange: CcxtExchange, venue: Scripted, account: Account
) -> None:
    venue.wire.refusing = True
    asked = request()
    await exchange.place(asked)
    account.trades = [trade(1)]
    stream = exchange.fills()
    first = await asyncio.wait_for(anext(stream), 20)
    assert (first.order, first.quantity) == (asked.id, Decimal("0.25"))
    await stream.aclose()  # type: ignore[attr-defined]


# -- the last look ------------------------------------------------------------------------------------------------


class Queue:
    """A pace at which an order waits until it is let go."""

    def __init__(self) -> None:
        self.waiting, self.go = asyncio.Event(), asyncio.Event()

    async def take(self, venue: str, weight: float = 1.0, *, pool: str = "", urgent: bool = False) -> None:
        if pool:
            self.waiting.set()
            await self.go.wait()


async def test_what_speaks_against_an_order_after_it_waited_for_its_turn_keeps_it_from_leaving(
    exchange: CcxtExchange, venue: Scripted
) -> None:
    queue, stopped = Queue(), list[str]()

    def last() -> None:
        if stopped:
            raise RiskRefused("kill switch", allowed="no new exposure", asked="buy BTC/USDT")

    await exchange.place(request(), last)
    exchange._connection.pace = queue
    sending = asyncio.ensure_future(exchange.place(request(), last))
    await queue.waiting.wait()
    stopped.append("panic")
    queue.go.set()
    with pytest.raises(OrderRefused, match="kill switch"):
        await sending
    assert len(venue.to("POST /api/v3/order")) == 1


async def test_the_last_look_is_taken_when_the_request_leaves_after_the_librarys_own_waiting(
    exchange: CcxtExchange, venue: Scripted
) -> None:
    client, looks = await exchange._connection.open(), list[int]()
    throttled, stopped = asyncio.Event(), list[str]()

    async def throttle(*_: Any) -> None:
        stopped.append("panic")
        throttled.set()

    def last() -> None:
        looks.append(len(stopped))
        if stopped:
            raise RiskRefused("kill switch", allowed="no new exposure", asked="buy BTC/USDT")

    await exchange.place(request())
    client.enableRateLimit, client.throttle = True, throttle
    with pytest.raises(OrderRefused, match="kill switch"):
        await exchange.place(request(), last)
    assert throttled.is_set()
    assert looks == [0, 1]
    assert len(venue.to("POST /api/v3/order")) == 1

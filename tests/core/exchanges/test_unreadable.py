"""What cannot be read is told, and nothing is concluded from it: not that an order is gone, not that coins are."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import AppError, ExchangeError, OrderRefused, OutcomeUnknown
from core.exchanges.ccxt import CcxtData
from core.exchanges.forms import readable
from core.exchanges.private import CcxtExchange
from core.exchanges.vault import ExchangeSecrets
from core.trading.orders import Limit, OrderRequest, OrderStatus, Side
from tests.core.exchanges.binance_account import BTC, Account, order, trade
from tests.core.exchanges.scripted import NOW, Raw, Scripted

PAGE = Raw(200, "<html><body>Please sign in to this network</body></html>")
RUBBISH = [PAGE, Raw(200, ""), Raw(200, "null"), Raw(200, '{"hello": "you"}'), Raw(200, '[1, "two"]'), Raw(200, "[{")]


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
    made = CcxtExchange("user-1@binance", ExchangeSecrets("the-api-key", "the-secret"), data)
    yield made
    await made.close()
    await data.close()


def request() -> OrderRequest:
    return OrderRequest(
        "order-1", "user-1@binance", BTC, Side.BUY, Limit(Decimal(30_000)), quantity=Decimal("0.5"),
        created=from_ms(NOW),
    )  # fmt: skip


@pytest.mark.parametrize("answer", RUBBISH)
@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("GET /api/v3/order", "find"),
        ("GET /api/v3/openOrders", "open_orders"),
        ("GET /api/v3/myTrades", "fills_of"),
        ("GET /api/v3/account", "balances"),
        ("DELETE /api/v3/order", "cancel"),
    ],
)
async def test_an_answer_that_nobody_can_read_is_no_answer(
    exchange: CcxtExchange, venue: Scripted, path: str, question: str, answer: Raw
) -> None:
    asked = request()
    await exchange.place(asked)
    whole, venue.script[path] = venue.script[path], answer
    call = getattr(exchange, question)
    with pytest.raises(AppError) as told:
        await (call() if question in ("open_orders", "balances") else call(asked.id))
    assert isinstance(told.value, ExchangeError), told.value
    assert "binance" in told.value.sentence()
    venue.script[path] = whole
    found = await exchange.find(asked.id)
    assert found is not None
    assert found.status is OrderStatus.OPEN


@pytest.mark.parametrize("answer", RUBBISH)
async def test_an_order_with_such_an_answer_is_unknown(exchange: CcxtExchange, account: Account, answer: Raw) -> None:
    account.placing = answer
    with pytest.raises(OutcomeUnknown):
        await exchange.place(request())
    found = await exchange.find("order-1")
    assert found is not None
    assert found.status is OrderStatus.OPEN


@pytest.mark.parametrize("answer", RUBBISH)
async def test_a_book_of_rubbish_is_not_an_empty_book(exchange: CcxtExchange, venue: Scripted, answer: Raw) -> None:
    venue.script["GET /api/v3/depth"] = answer
    with pytest.raises(AppError, match=r"binance .*BTC/USDT"):
        await exchange.data.book(BTC)


@pytest.mark.parametrize(
    ("answer", "sure"),
    [
        (Raw(400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'), True),
        (Raw(400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'), True),
        (Raw(400, '{"code":-9999,"msg":"Something that is not in any list."}'), False),
        (Raw(403, "<html>Forbidden by a wall between</html>"), False),
        (Raw(418, '{"code":-1003,"msg":"Way too many requests"}'), True),
    ],
)
async def test_only_known_refusals_are_refusals(
    exchange: CcxtExchange, account: Account, answer: Raw, sure: bool
) -> None:
    account.refusing = answer
    with pytest.raises(OrderRefused if sure else OutcomeUnknown):
        await exchange.place(request())


async def test_the_same_number_in_two_pairs_is_two_orders_and_two_fills(
    exchange: CcxtExchange, account: Account
) -> None:
    asked = request()
    await exchange.place(asked)  # number 28 in BTC/USDT
    account.orders["hand"] = order({"newClientOrderId": "hand"}, 28, symbol="BNBUSDT", price="600.00", side="SELL")
    found = await exchange.open_orders()
    assert {each.id for each in found} == {asked.id, "binance:BNB/USDT:28"}
    account.trades = [trade(1, 28), trade(1, 28, symbol="BNBUSDT", price="600.00", isBuyer=False)]
    fills = await exchange.recent_fills(NOW)
    assert {(each.order, each.instrument) for each in fills} == {
        (asked.id, "binance:BTC/USDT"),
        ("binance:BNB/USDT:28", "binance:BNB/USDT"),
    }
    assert len({each.id for each in fills}) == 2


KUCOIN = '{"code":"200000","data":{}}'
READABLE: list[tuple[str, str, str, bool]] = [
    ("binance", "/api/v3/account", '{"balances":[]}', True),
    ("binance", "/api/v3/account", "{}", False),
    ("binance", "/api/v3/openOrders", "[]", True),
    ("binance", "/api/v3/order", '{"code":-2013,"msg":"Order does not exist."}', True),
    ("kucoin", "/api/v1/orders", KUCOIN, True),
    ("kucoin", "/api/v1/orders", '{"code":"200000"}', False),
    ("kraken", "/0/private/OpenOrders", '{"error":[],"result":{"open":{}}}', True),
    ("kraken", "/0/private/OpenOrders", '{"error":[]}', False),
    ("coinbase", "/api/v3/brokerage/accounts", '{"accounts":[]}', True),
    ("coinbase", "/api/v3/brokerage/accounts", "{}", False),
    ("bybit", "/v5/order/realtime", '{"retCode":0,"result":{"list":[]}}', True),
    ("bybit", "/v5/order/realtime", '{"retCode":0}', False),
    ("okx", "/api/v5/trade/order", '{"code":"0","data":[]}', True),
    ("okx", "/api/v5/trade/order", '{"code":"0"}', False),
    ("bitstamp", "/api/v2/anything", "whatever it speaks", True),
    ("bitstamp", "/api/v2/anything", "<html>a page</html>", False),
]


@pytest.mark.parametrize(("venue", "path", "text", "fine"), READABLE)
def test_each_venue_has_its_form(venue: Any, path: str, text: str, fine: bool) -> None:
    assert readable(venue, f"https://venue.test{path}?symbol=X", text) is fine

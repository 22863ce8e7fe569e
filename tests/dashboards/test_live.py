"""The live socket: who may open it, what it tells, and to whom."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.clock import EPOCH
from core.events import AccountNotice, AlertFired, FillRecorded, OrderChanged
from core.trading.orders import OrderStatus, Side
from core.trading.portfolio import Fill
from dashboards.gateway import live
from dashboards.gateway.access import COOKIE, Visitor
from tests.dashboards.conftest import LOCAL_TOKEN


def opened(served: str, session: str, origin: str | None = None) -> Any:
    address, here = f"ws://{served}/api/v1/live", origin or f"http://{served}"
    return connect(address, additional_headers={"cookie": f"{COOKIE}={session}"}, origin=here)  # type: ignore[arg-type]


async def heard(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return message


async def asked(socket: ClientConnection, verb: str, *topics: str) -> dict[str, Any]:
    await socket.send(json.dumps({verb: topics}))
    return await heard(socket)


def order(ident: str, account: str) -> OrderChanged:
    return OrderChanged(ident, account, EPOCH, "o", 7, "manual", "sandbox:BTC/USDT", OrderStatus.FILLED)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lowers the limits of the gateway that is served next."""

    def lower(**given: float) -> None:
        monkeypatch.setattr(live, "Limits", lambda: replace(_usual(), **given))

    return lower


_usual = live.Limits


@pytest.fixture(autouse=True)
def quick(limits: Callable[..., None]) -> None:
    limits(bars_every=0.05)


# -- who may come in


async def test_a_browser_is_known_by_its_cookie(served: str, session: str) -> None:
    async with opened(served, session) as socket:
        assert await asked(socket, "subscribe", "orders") == {"subscribed": ["orders"]}


async def test_a_program_is_known_by_the_machines_token(served: str) -> None:
    headers = {"authorization": f"Bearer {LOCAL_TOKEN}"}
    async with connect(f"ws://{served}/api/v1/live", additional_headers=headers) as socket:
        assert await asked(socket, "subscribe", "notices") == {"subscribed": ["notices"]}


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1"])
async def test_another_sites_page_cannot_open_it(served: str, session: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(served, session, origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_stranger_cannot_open_it(served: str) -> None:
    with pytest.raises(InvalidStatus):
        async with opened(served, "guess"):
            pass


# -- what is told


async def test_a_quote_comes_at_once_and_again_when_it_changes(served: str, session: str, services: Any) -> None:
    async with opened(served, session) as socket:
        assert await asked(socket, "subscribe", "quotes:btc") == {"subscribed": ["quotes:BTC/USDT"]}
        first = await heard(socket)
        assert first["topic"] == "quotes:BTC/USDT"
        assert first["data"]["label"] == "SIMULATED"
        assert Decimal(first["data"]["bid"]) < Decimal(first["data"]["ask"])
        await services.market.poke(await services.market.instrument("btc"))
        assert (await heard(socket))["topic"] == "quotes:BTC/USDT"


async def test_the_feed_keeps_what_is_read_fresh_and_no_longer(served: str, session: str, services: Any) -> None:
    async with opened(served, session) as socket:
        await asked(socket, "subscribe", "quotes:sol")
        services.market._interest.clear()
        assert [one.symbol for one in services.market.watched()] == ["SOL/USDT"]
        await heard(socket)
        await asked(socket, "unsubscribe", "quotes:sol")
        services.market._interest.clear()
        assert services.market.watched() == []


async def test_a_bar_forms_and_is_told_once_more_when_it_has_closed(
    served: str, session: str, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = timedelta()
    now = services.clock.now_ms
    async with opened(served, session) as socket:
        assert await asked(socket, "subscribe", "bars:btc:1m") == {"subscribed": ["bars:BTC/USDT:1m"]}
        forming = (await heard(socket))["data"]
        assert forming["closed"] is False
        assert forming["low"] <= forming["close"] <= forming["high"]
        ahead = timedelta(minutes=1)
        monkeypatch.setattr(
            type(services.clock), "now_ms", lambda clock: now() + int(ahead.total_seconds() * 1000), raising=True
        )
        seen: list[dict[str, Any]] = [forming]
        while seen[-1]["time"] == forming["time"]:
            seen.append((await heard(socket))["data"])
        assert [one["time"] for one in seen if one["closed"]] == [forming["time"]]
        assert seen[-1]["time"] == forming["time"] + 60_000


async def test_orders_and_notices_are_ones_own(served: str, session: str, services: Any) -> None:
    async with opened(served, session) as socket:
        await asked(socket, "subscribe", "orders", "notices")
        await services.bus.publish(order("e1", "somebody"))
        await services.bus.publish(AccountNotice("e2", "somebody", EPOCH, "Not yours."))
        alert = AlertFired("e3", "somebody", EPOCH, 3, "sandbox:BTC/USDT", "above", Decimal(1), Decimal(2), True)
        await services.bus.publish(alert)
        await services.bus.publish(order("e4", "owner"))
        told = await heard(socket)
        assert told["topic"] == "orders"
        assert (told["data"]["order"], told["data"]["status"]) == (7, "filled")
        await services.bus.publish(replace(alert, id="e5", user="owner"))
        told = await heard(socket)
        assert told["topic"] == "notices"
        assert told["data"][0]["text"].startswith("Alert 3: BTC/USDT is above")


async def test_a_fill_tells_its_exact_price(served: str, session: str, services: Any) -> None:
    fill = Fill(
        "f", "o", "owner", "manual", "sandbox:BTC/USDT", Side.BUY, Decimal("64210.50"), Decimal("0.01"), Decimal("0.6"),
        EPOCH,
    )  # fmt: skip
    async with opened(served, session) as socket:
        await asked(socket, "subscribe", "orders")
        await services.bus.publish(FillRecorded("e1", "owner", EPOCH, fill, 7))
        data = (await heard(socket))["data"]
    assert (data["kind"], data["side"], data["price"], data["quantity"]) == ("fill", "buy", "64210.50", "0.01")


async def test_what_was_left_is_told_no_more(served: str, session: str, services: Any) -> None:
    async with opened(served, session) as socket:
        await asked(socket, "subscribe", "orders", "notices")
        assert await asked(socket, "unsubscribe", "orders") == {"unsubscribed": ["orders"]}
        await services.bus.publish(order("e1", "owner"))
        alert = AlertFired("e2", "owner", EPOCH, 3, "sandbox:BTC/USDT", "above", Decimal(1), Decimal(2), True)
        await services.bus.publish(alert)
        assert (await heard(socket))["topic"] == "notices"


# -- what is refused


@pytest.mark.parametrize(
    ("topic", "word"),
    [
        ("weather", "weather"),
        ("quotes:", "quotes:"),
        ("quotes:notacoin", "notacoin"),
        ("bars:btc", "bars:btc"),
        ("bars:btc:7x", "7x"),
        ("orders:somebody", "orders:somebody"),
        ("x" * 500, "not a topic"),
    ],
)
async def test_an_unknown_topic_is_one_sentence(served: str, session: str, topic: str, word: str) -> None:
    async with opened(served, session) as socket:
        told = await asked(socket, "subscribe", topic)
        assert word in told["error"]
        assert told["topic"] == topic[:100]
        assert await asked(socket, "subscribe", "orders") == {"subscribed": ["orders"]}


@pytest.mark.parametrize(
    "sent",
    ["orders", "[]", "{}", '{"subscribe": "orders"}', '{"subscribe": []}', '{"subscribe": [5]}', '{"publish": ["x"]}',
     '{"subscribe": ["' + "x" * 9_000 + '"]}', "[" * 5_000],
)  # fmt: skip
async def test_nonsense_is_answered_with_a_sentence(served: str, session: str, sent: str) -> None:
    async with opened(served, session) as socket:
        await socket.send(sent)
        assert (await heard(socket))["error"].startswith("A message ")
        assert await asked(socket, "subscribe", "orders") == {"subscribed": ["orders"]}


async def test_leaving_what_was_never_subscribed_is_said(served: str, session: str) -> None:
    async with opened(served, session) as socket:
        assert "not subscribed" in (await asked(socket, "unsubscribe", "quotes:btc"))["error"]


# -- limits


@pytest.fixture
def narrow(limits: Callable[..., None]) -> None:
    limits(of_one_person=2, connections=3, topics=2, charts=1, bars_every=60.0)


async def test_one_person_may_not_take_all_connections(narrow: None, served: str, session: str, services: Any) -> None:
    async with opened(served, session) as one, opened(served, session):
        async with opened(served, session) as third:
            assert "2 live connections" in (await heard(third))["error"]
            with pytest.raises(ConnectionClosed) as closed:
                await third.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        await one.close()
        for _ in range(50):  # the closing is noticed on the other side a moment later
            async with opened(served, session) as fourth:
                if "subscribed" in await asked(fourth, "subscribe", "orders"):
                    return
        raise AssertionError("the place of a closed connection was not given back")


async def test_all_connections_together_are_limited(services: Any) -> None:
    sockets = live.Live(services, replace(_usual(), connections=1, of_one_person=1))
    visitors = [Visitor(SimpleNamespace(id=name), by="local") for name in ("one", "other")]  # type: ignore[arg-type]
    first, second = Stuck(), Stuck()
    task = asyncio.create_task(sockets.serve(first, visitors[0]))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await sockets.serve(second, visitors[1])  # type: ignore[arg-type]
    assert second.closed == 1013
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_connection_may_not_take_all_topics(narrow: None, served: str, session: str) -> None:
    async with opened(served, session) as socket:
        await asked(socket, "subscribe", "orders", "notices")
        assert "2 topics" in (await asked(socket, "subscribe", "quotes:btc"))["error"]
        await asked(socket, "unsubscribe", "orders", "notices")
        assert "subscribed" in await asked(socket, "subscribe", "bars:btc:1m")
        while "error" not in (told := await asked(socket, "subscribe", "bars:btc:5m")):
            pass  # the first bar came in between
        assert "live charts" in told["error"]


class Stuck:
    """A connection whose other side neither speaks nor reads."""

    def __init__(self) -> None:
        self.closed = 0

    async def receive_text(self) -> str:
        await asyncio.Event().wait()
        return ""

    async def send_text(self, text: str) -> None:
        if self.closed == 0 and '"error"' not in text:
            await asyncio.Event().wait()

    async def close(self, code: int, reason: str) -> None:
        self.closed = code


@pytest.mark.parametrize("given", [{"waiting": 5, "patience": 60.0}, {"patience": 0.01}])
async def test_a_slow_reader_is_dropped(services: Any, given: dict[str, Any]) -> None:
    sockets = live.Live(services, replace(_usual(), **given))
    await sockets.start()
    stuck = Stuck()
    visitor = Visitor(await services.users.owner(), by="local")
    task = asyncio.create_task(sockets.serve(stuck, visitor))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    sockets._readers[0].topics["orders"] = live.Topic("orders")
    for number in range(20):
        await services.bus.publish(order(f"e{number}", "owner"))  # never waits for the reader
    await asyncio.wait_for(task, 10)
    assert stuck.closed == 1013
    assert sockets._readers == []
    await sockets.stop()


async def test_the_line_tells_that_it_is_alive_until_the_session_ends(
    limits: Callable[..., None], services: Any, conversation: Any, session: str
) -> None:
    limits(heartbeat=0.05)
    sockets = live.Live(services)
    stuck = Stuck()
    task = asyncio.create_task(sockets.serve(stuck, Visitor(await services.users.owner(), session)))  # type: ignore[arg-type]
    told: asyncio.Queue[str] = asyncio.Queue()
    stuck.send_text = told.put  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        assert "heartbeat" in await told.get()
        assert "heartbeat" in await told.get()
        await services.users.close_session(session)
        await task
    assert stuck.closed == 1008

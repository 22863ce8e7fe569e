"""The chat socket: who may open it, and in which order it answers."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.clock import SystemClock
from core.events import AlertFired
from dashboards.gateway.access import COOKIE
from tests.dashboards.conftest import LOCAL_TOKEN


def opened(served: str, session: str, origin: str | None = None, **more: Any) -> Any:
    headers = {"cookie": f"{COOKIE}={session}", **more}
    return connect(f"ws://{served}/api/v1/chat", additional_headers=headers, origin=origin or f"http://{served}")  # type: ignore[arg-type]


async def heard(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return message


async def said(socket: ClientConnection, line: str, ident: int | None = None) -> None:
    await socket.send(json.dumps({"line": line} | ({} if ident is None else {"id": ident})))


async def test_a_line_is_answered_in_blocks(served: str, session: str, conversation: Any) -> None:
    async with opened(served, session) as socket:
        await said(socket, "price btc", 7)
        answer = await heard(socket)
    assert answer["id"] == 7
    assert answer["reply"][0]["type"] == "Facts"
    caller = conversation.heard[0][1]
    assert (caller.surface, caller.user.id, caller.private) == ("web", "owner", True)


async def test_the_console_joins_by_the_machines_token(served: str, conversation: Any) -> None:
    url = f"ws://{served}/api/v1/chat"
    async with connect(url, additional_headers={"authorization": f"Bearer {LOCAL_TOKEN}"}) as socket:
        await said(socket, "price btc")
        assert (await heard(socket))["reply"]
    assert conversation.heard[0][1].surface == "console"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1"])
async def test_another_sites_page_cannot_open_it(served: str, session: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with opened(served, session, origin):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_without_an_origin_cannot_open_it_with_a_cookie(served: str, session: str) -> None:
    with pytest.raises(InvalidStatus):
        async with connect(f"ws://{served}/api/v1/chat", additional_headers={"cookie": f"{COOKIE}={session}"}):
            pass


async def test_a_stranger_cannot_open_it(served: str) -> None:
    with pytest.raises(InvalidStatus):
        async with opened(served, "guess"):
            pass


async def test_lines_are_answered_in_their_order(served: str, session: str, conversation: Any) -> None:
    async with opened(served, session) as socket:
        await said(socket, "hold", 1)
        await said(socket, "price btc", 2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.2)
        conversation.release.set()
        assert [(await heard(socket))["id"], (await heard(socket))["id"]] == [1, 2]


async def test_long_work_does_not_hold_up_cancel(served: str, session: str, conversation: Any) -> None:
    async with opened(served, session) as socket:
        await said(socket, "slow", 1)
        await said(socket, "cancel", 2)
        first = await heard(socket)
        assert first["progress"] == {"type": "Progress", "text": "Backtesting", "fraction": 0.25, "eta": 12.0}
        assert (await heard(socket))["id"] == 2
        conversation.release.set()
        assert (await heard(socket))["id"] == 1


@pytest.mark.parametrize(
    "sent", ["price btc", "[]", "{}", '{"line": 5}', '{"line": "  "}', '{"line": "' + "x" * 2001 + '"}']
)
async def test_nonsense_is_answered_with_a_sentence(served: str, session: str, sent: str) -> None:
    async with opened(served, session) as socket:
        await socket.send(sent)
        assert (await heard(socket))["reply"][0]["tone"] == "warning"
        await said(socket, "price btc")
        assert (await heard(socket))["reply"][0]["type"] == "Facts"


async def test_a_fault_tells_nothing_of_itself(served: str, session: str) -> None:
    async with opened(served, session) as socket:
        await said(socket, "break")
        assert "secret" not in json.dumps(await heard(socket))


def fired(ident: str) -> AlertFired:
    return AlertFired(ident, "owner", SystemClock().now(), 3, "sandbox:BTC/USDT", "above", Decimal(1), Decimal(2), True)


async def test_what_happens_is_told_once_to_every_open_chat(served: str, session: str, services: Any) -> None:
    async with opened(served, session) as one, opened(served, session) as other:
        for socket in (one, other):
            await said(socket, "price btc")
            await heard(socket)
        await services.bus.publish(fired("e1"))
        await services.bus.publish(fired("e1"))
        assert (await heard(one))["notice"][0]["text"].startswith("Alert 3: BTC/USDT is above 1")
        assert (await heard(other))["notice"]
        await said(one, "price btc", 9)
        assert (await heard(one))["id"] == 9


async def test_what_was_missed_is_told_once_when_a_chat_opens(served: str, session: str, services: Any) -> None:
    await services.bus.publish(fired("e2"))
    await services.bus.publish(fired("e3"))
    async with opened(served, session) as socket:
        away, *told = (await heard(socket))["notice"]
    assert away["text"] == "While you were away:"
    assert [block["text"][:8] for block in told] == ["Alert 3:", "Alert 3:"]
    async with opened(served, session) as socket:
        await said(socket, "price btc", 5)
        assert (await heard(socket))["id"] == 5


async def test_a_program_that_only_asks_takes_no_notices(served: str, session: str, services: Any) -> None:
    await services.bus.publish(fired("e4"))
    headers = {"authorization": f"Bearer {LOCAL_TOKEN}"}
    async with connect(f"ws://{served}/api/v1/chat?quiet=1", additional_headers=headers) as socket:
        await said(socket, "price btc", 5)
        assert (await heard(socket))["id"] == 5
    async with opened(served, session) as socket:
        assert (await heard(socket))["notice"][0]["text"] == "While you were away:"


async def test_a_session_that_ended_closes_the_open_socket(
    served: str, session: str, conversation: Any, services: Any
) -> None:
    async with opened(served, session) as socket:
        await said(socket, "price btc")
        await heard(socket)
        await services.users.close_session(session)
        await said(socket, "buy 0.01 btc")
        with pytest.raises(ConnectionClosed) as closed:
            await heard(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert [line for line, _ in conversation.heard] == ["price btc"]


async def test_each_page_is_a_chat_of_its_own_and_keeps_it_over_a_reconnect(
    served: str, session: str, conversation: Any
) -> None:
    for chat in ("first-page-1", "second-page", "first-page-1", "<evil>", ""):
        headers = {"cookie": f"{COOKIE}={session}"}
        url = f"ws://{served}/api/v1/chat?chat={chat}"
        async with connect(url, additional_headers=headers, origin=f"http://{served}") as socket:  # type: ignore[arg-type]
            await said(socket, "price btc")
            await heard(socket)
    chats = [caller.chat for _, caller in conversation.heard]
    assert chats[0] == chats[2] != chats[1]
    assert len(set(chats)) == 4
    assert "evil" not in chats[3]


async def test_a_deeply_nested_message_gets_a_sentence(served: str, session: str) -> None:
    async with opened(served, session) as socket:
        await socket.send("[" * 100_000)
        assert "JSON object" in (await heard(socket))["reply"][0]["text"]
        await said(socket, "price btc")
        assert (await heard(socket))["reply"]

"""Which preview a yes may confirm, and what a preview of a sale tells."""

import asyncio

from core.commands.context import Caller
from tests.dialog.conftest import Room
from tests.dialog.test_safety import holding_strategy


async def test_keeping_the_coins_withdraws_the_sale_that_was_offered(room: Room) -> None:
    await holding_strategy(room)
    token = await room.token("stop 1")
    assert "1 open preview withdrawn" in await room.says("stop 1 and keep the coins")
    assert "withdrawn" in await room.says(f"yes {token}")
    assert "Stopped" not in await room.says("yes")
    assert "BTC/USDT" in await room.says("positions")


async def test_a_sale_is_refused_when_the_strategy_was_stopped_elsewhere_and_keeps_its_coins(room: Room) -> None:
    await holding_strategy(room)
    await room.says("stop 1")
    owner = await room.app.services.users.owner()
    await room.app.services.strategies.stop(owner.id, "1", keep=True)
    assert "was stopped since the preview and keeps its coins: none were sold" in await room.says("yes")
    assert "BTC/USDT" in await room.says("positions")


async def test_of_two_confirmations_to_stop_at_once_the_second_is_told_that_it_is_done(room: Room) -> None:
    await holding_strategy(room)
    owner = await room.caller()
    tabs = [owner, Caller(owner.user, "web", "local", "tab")]
    tokens = [await room.token("stop 1", tab) for tab in tabs]
    answers = await asyncio.gather(*(room.says(f"yes {token}", tab) for token, tab in zip(tokens, tabs, strict=True)))
    assert sum("Stopped strategy 1" in answer for answer in answers) == 1
    assert sum("Strategy 1 is already stopped." in answer for answer in answers) == 1
    assert not any("could not be sold" in answer for answer in answers)
    assert "You hold no coins" in await room.says("positions")


async def test_resuming_withdraws_the_sale_that_panic_offered(room: Room) -> None:
    await room.says("buy 0.01 btc")
    await room.says("yes")
    await room.says("panic")
    assert "1 open preview withdrawn" in await room.says("resume")
    assert "Sold" not in await room.says("buy 5 btc")
    assert "Sold" not in await room.says("yes")
    assert "BTC/USDT" in await room.says("positions")

"""Which preview a yes may confirm, and what a preview of a sale tells."""

import asyncio
import re
from dataclasses import replace
from decimal import Decimal

from core.commands.context import Caller
from core.commands.families.stopping import kept
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
    assert "Trading is allowed again" in await room.says("yes")
    assert "Sold" not in await room.says("buy 5 btc")
    assert "Sold" not in await room.says("yes")
    assert "BTC/USDT" in await room.says("positions")


async def test_a_bare_yes_after_a_refused_order_does_not_confirm_the_one_before(room: Room) -> None:
    token = await room.token("buy 0.02 btc")
    assert "Buy 5 BTC" not in await room.says("buy 5 btc")
    asked = await room.says("yes")
    assert "Do you confirm this, asked earlier?" in asked
    assert f"yes {token}" in asked
    assert "Bought" not in asked
    assert "You hold no coins" in await room.says("positions")
    assert "Bought 0.02 BTC" in await room.says(f"yes {token}")


async def test_a_bare_yes_after_an_open_question_does_not_confirm_what_was_asked_before(room: Room) -> None:
    await room.says("buy 0.02 btc")
    await room.says("yes")
    assert "Protect your BTC?" in await room.says("put a stop at 20k on my btc")
    for line in ("take profit at", "buy eth", "xyzzy"):
        await room.says(line)
        assert "Do you confirm this, asked earlier?" in await room.says("yes"), line
        await room.says("put a stop at 20k on my btc")
        assert "Stop: sells" not in await room.says("my stops"), line


async def test_looking_at_something_in_between_leaves_a_bare_yes_as_it_was(room: Room) -> None:
    await room.says("buy 0.02 btc")
    await room.says("price btc")
    await room.says("balance")
    assert "Bought 0.02 BTC" in await room.says("yes")


async def test_a_preview_that_follows_a_refused_order_is_confirmed_by_a_bare_yes(room: Room) -> None:
    await room.says("buy 5 btc")
    await room.says("buy 0.02 btc")
    assert "Bought 0.02 BTC" in await room.says("yes")


async def test_previews_of_protection_name_coin_and_price_and_the_newest_of_a_coin_counts(room: Room) -> None:
    for line in ("buy 0.02 btc", "yes", "buy 0.1 eth", "yes"):
        await room.says(line)
    first = await room.token("protect btc stop 20k")
    await room.says("protect btc stop 21k target 200k")
    await room.says("protect eth stop 100")
    asked = await room.says("yes")
    assert "(stop 21,000.00, target 200,000.00 on BTC)" in asked
    assert "(stop 100.00 on ETH)" in asked
    assert "20,000.00 on" not in asked
    assert "A newer preview took its place" in await room.says(f"yes {first}")
    assert "falls to 21,000.00" in await room.says("yes all")


async def test_a_strategy_that_keeps_its_coins_says_that_its_stop_stays_in_force(room: Room) -> None:
    await holding_strategy(room)
    owner = await room.app.services.users.owner()
    view = await room.app.services.desk.portfolio(owner.id)
    run = (await room.app.services.strategies.runs(owner.id))[0]
    guarded = replace(view, positions=tuple(replace(each, stop=Decimal(20000)) for each in view.positions))
    assert "Its stop 20,000.00 on BTC stays in force until stop 1 sells." in kept(run, guarded)
    assert "in force" not in kept(run, view)


def number(pattern: str, said: str) -> Decimal:
    """The number that the pattern's group finds."""
    found = re.search(pattern, said)
    assert found, said
    return Decimal(found[1].replace(",", ""))


async def test_the_preview_of_a_stop_tells_what_selling_costs_and_what_comes_back(room: Room) -> None:
    await holding_strategy(room)
    asked = await room.says("stop 1")
    assert re.search(r"come back after costs: slippage 0\.05 %, fee [\d.]+ USDT", asked)
    assert "Market: SIMULATED prices" in asked
    told = number(r"about ([\d,.]+) USDT come back", asked)
    assert abs(number(r"([\d,.]+) USDT came back", await room.says("yes")) - told) < 1


async def test_previews_of_selling_everything_tell_price_fee_and_the_cash_afterwards(room: Room) -> None:
    for line in ("buy 0.02 btc", "yes"):
        await room.says(line)
    for line in ("sell everything", "panic"):
        asked = await room.says(line)
        assert re.search(r"0\.02 BTC: at about [\d,.]+, slippage 0\.05 %, fee [\d.]+ USDT, brings about", asked), line
        assert "Market: SIMULATED prices" in asked
        cash = number(r"Cash afterwards: about ([\d,.]+) USDT, after costs", asked)
    worth = number(r"account is worth ([\d,.]+) USDT", await room.says("yes"))
    assert abs(worth - cash) < 1

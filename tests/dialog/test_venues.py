"""Talking about venues: their health, switching, and what happens to questions and orders while one is out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.app import build
from core.clock import SimulatedClock
from core.errors import Unavailable
from core.exchanges.sandbox import SandboxData
from core.reply import Choices, Confirm
from core.settings import Settings, Venues
from core.trading.purses import live_account
from tests.dialog.conftest import START, Room, flat
from tests.made_venues import BTC, MadeVenue, geo_block


class Hall(Room):
    """A room with two real venues and the sandbox."""

    binance: MadeVenue
    kucoin: MadeVenue

    async def out(self, venue: MadeVenue, error: Exception | None = None) -> None:
        """The venue fails until it is left alone."""
        venue.failing = error or Unavailable(f"{venue.name} cannot be reached for prices.", kind="network")
        for _ in range(4):
            await self.app.services.venues.look()


async def opened(folder: Path, **given: Any) -> Hall:
    clock = SimulatedClock(START)
    binance, kucoin = MadeVenue("binance", clock), MadeVenue("kucoin", clock, price="60100", listed=(BTC,))
    settings = Settings(data_dir=folder, **given)
    app = build(settings, clock=clock, roles=("trader",), sources=[binance, kucoin, SandboxData(clock, 1)])
    await app.start()
    hall = Hall(app, clock)
    hall.binance, hall.kucoin = binance, kucoin
    return hall


async def closed(hall: Hall) -> None:
    stopping = asyncio.ensure_future(hall.app.stop())
    while not stopping.done():
        await hall.clock.advance(1.0)
        await asyncio.sleep(0.005)
    await stopping


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    hall = await opened(tmp_path)
    yield hall
    await closed(hall)


@pytest.fixture
async def offering(tmp_path: Path) -> AsyncIterator[Hall]:
    hall = await opened(tmp_path, venues=Venues(orders="offer"))
    yield hall
    await closed(hall)


async def test_every_venue_is_shown_with_its_health(hall: Hall) -> None:
    await hall.says("price btc")
    answer = await hall.says("venues")
    assert "binance (yours) | healthy" in answer
    assert "kucoin | healthy" in answer
    assert "sandbox | healthy, SIMULATED" in answer
    assert "PAPER" in answer
    assert "(Switch to kucoin) venue kucoin" in answer
    hall.kucoin.failing = geo_block("kucoin")
    await hall.app.services.venues.look()
    answer = await hall.says("how are the exchanges doing")
    assert "kucoin | closed" in answer
    assert "refuses connections from this country (HTTP 451)" in answer
    assert "Choose a venue that serves your country" in answer


@pytest.mark.parametrize(
    "line", ["venue kucoin", "switch to kucoin", "use kucoin", "change my exchange to KuCoin", "/venue KUCOIN"]
)
async def test_switching_says_what_it_means(hall: Hall, line: str) -> None:
    answer = await hall.says(line)
    assert "Switched from binance to kucoin, which trades 1 pair." in answer
    assert "PAPER: orders fill in your paper account at the prices of kucoin; nothing is sent there" in answer
    assert "stay where they are" in answer


async def test_names_mean_the_pair_at_the_caller_s_venue_and_a_named_venue_still_counts(hall: Hall) -> None:
    assert "60,000.00 USDT" in await hall.says("price btc")
    await hall.says("venue kucoin")
    answer = await hall.says("price btc")
    assert "60,100.00 USDT" in answer
    assert "From kucoin" in answer
    assert "From binance" in await hall.says("price binance:btc")
    assert "From binance" in await hall.says("price binance:BTC/USDT")
    assert "Markets at kucoin" in await hall.says("markets")
    assert "No instrument here is called 'ETH/USDT'" in await hall.says("price eth")  # it does not trade there
    assert "Venue: kucoin" in await hall.says("buy 0.01 btc")


async def test_a_choice_is_each_person_s_own_and_can_be_taken_back(hall: Hall) -> None:
    other = await hall.trader("7")
    await hall.says("venue kucoin", other)
    assert "Your venue: kucoin" in await hall.says("venue", other)
    assert "Your venue: binance" in await hall.says("which venue am i on")
    assert "already" in await hall.says("venue kucoin", other)
    assert "Switched from kucoin to binance" in await hall.says("venue default", other)


async def test_a_choice_survives_a_restart(tmp_path: Path) -> None:
    hall = await opened(tmp_path)
    await hall.says("venue kucoin")
    await closed(hall)
    hall = await opened(tmp_path)
    assert "Your venue: kucoin" in await hall.says("venue")
    await closed(hall)


async def test_an_unknown_venue_is_refused_with_those_there_are(hall: Hall) -> None:
    answer = await hall.says("venue moon")
    assert "No venue is called 'moon' here" in answer
    assert "binance, kucoin, sandbox" in answer
    assert "Your venue: binance" in await hall.says("venue")


async def test_switching_withdraws_what_was_previewed_at_the_old_venue(hall: Hall) -> None:
    await hall.says("buy 0.01 btc")
    assert "1 open preview withdrawn" in await hall.says("venue kucoin")
    assert "nothing to confirm" in await hall.says("yes")


async def test_the_sandbox_is_labelled_when_it_is_chosen(hall: Hall) -> None:
    answer = await hall.says("venue sandbox")
    assert "SIMULATED: made up by the built-in sandbox" in answer
    assert "PAPER: orders fill in your paper account at made-up prices" in answer


async def test_an_armed_account_is_told_as_live(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = type(hall.app.services.desk)
    monkeypatch.setattr(
        desk, "account_for", lambda self, user, venue: live_account(user, venue) if venue == "kucoin" else user
    )
    assert "PAPER" in await hall.says("venue")
    answer = await hall.says("venue kucoin")
    assert "LIVE: every order you confirm is sent to kucoin and trades real money" in answer
    assert "LIVE, armed" in await hall.says("venues")


async def test_while_a_venue_is_out_questions_are_answered_elsewhere_and_say_so(hall: Hall) -> None:
    await hall.says("price btc")
    await hall.out(hall.binance)
    await hall.clock.advance(1)
    answer = await hall.says("price btc")
    assert "60,100.00 USDT" in answer
    assert "From kucoin" in answer
    assert "Binance does not answer" in answer
    assert "so this comes from kucoin" in answer
    assert "so this comes from kucoin" in await hall.says("chart btc 1h")
    answer = await hall.says("markets")
    assert "Markets at kucoin" in answer
    assert "so this comes from kucoin" in answer


async def test_a_question_at_a_venue_that_never_answered_goes_elsewhere_too(tmp_path: Path) -> None:
    hall = await opened(tmp_path)
    hall.kucoin.failing = geo_block("kucoin")
    hall.app.services.market._sources["kucoin"]._instruments = ()
    hall.kucoin.asked.clear()
    assert "Switched from binance to kucoin, but:" in await hall.says("venue kucoin")
    answer = await hall.says("price btc")
    assert "From binance" in answer
    assert "(HTTP 451), so this comes from binance" in answer
    assert "kucoin" in await hall.says("buy 0.01 btc")  # but nothing is bought anywhere else
    assert "nothing to confirm" in await hall.says("yes")
    await closed(hall)


async def test_without_another_venue_the_last_price_is_shown_with_its_time(hall: Hall) -> None:
    await hall.says("price eth")
    await hall.out(hall.binance)
    await hall.clock.advance(600)
    assert "2026-03-02 12:00 UTC" in await hall.says("price eth")


async def test_an_order_never_moves_to_another_venue(hall: Hall) -> None:
    await hall.says("price btc")
    await hall.out(hall.binance)
    answer = await hall.says("buy 0.01 btc")
    assert "binance takes no new orders from us now" in answer
    assert "kucoin does and trades BTC/USDT" in answer
    assert "nothing to confirm" in await hall.says("yes")
    assert "Venue: kucoin" in await hall.says("buy 0.01 kucoin:btc")


async def test_an_order_elsewhere_is_offered_by_name_where_the_policy_says_so(offering: Hall) -> None:
    await offering.says("price btc")
    await offering.out(offering.binance)
    reply = await offering.reply("buy 0.01 btc")
    [preview] = [block for block in reply if isinstance(block, Confirm)]
    assert preview.question == "Buy 0.01 BTC at the market on kucoin?"
    assert preview.mode == "PAPER"
    assert ("Venue", "kucoin") in preview.facts
    assert "binance takes no new orders" in preview.warnings[0]
    assert "an order at kucoin instead" in preview.warnings[0]
    assert "Bought 0.01 BTC" in await offering.says("yes")


async def test_a_stop_at_one_venue_never_sees_the_prices_of_another(hall: Hall) -> None:
    await hall.says("buy 0.01 btc stop 59k")
    assert "Bought" in await hall.says("yes")
    await hall.out(hall.binance)
    hall.kucoin.price /= 2  # far below the stop
    assert "30,050.00" in await hall.says("price btc")
    await hall.clock.advance(5)
    assert "stop 59,000.00" in await hall.says("positions")


async def test_what_can_be_chosen_is_offered(hall: Hall) -> None:
    reply = await hall.reply("venue")
    [choices] = [block for block in reply if isinstance(block, Choices)]
    assert [choice.line for choice in choices.choices] == ["venue kucoin", "venue sandbox"]
    assert "Your venue: binance" in flat(reply)

"""Talking about limits and mandates, and panic over several accounts."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyotp
import pytest

from core.app import build
from core.clock import SimulatedClock
from core.engine.live import LiveVenues
from core.errors import RiskRefused
from core.exchanges.sandbox import SandboxData
from core.settings import Settings
from core.trading.orders import Limit, OrderRequest, OrderStatus, Side
from tests.core.engine.test_emergency import Moody
from tests.dialog.conftest import START, Room
from tests.made_venues import BTC, ETH, MadeVenue

D = Decimal


class Keyring:
    """A vault with the owner's keys at two venues."""

    async def keys(self, user: str, venue: str) -> str | None:
        return "keys" if user == "owner" and venue in ("binance", "kucoin") else None

    async def venues(self, user: str) -> list[str]:
        return ["binance", "kucoin"] if user == "owner" else []


class Hall(Room):
    """A room whose owner has live accounts at two venues, and a second factor."""

    exchanges: dict[str, Moody]
    secret: str

    async def code(self) -> str:
        """A code that was not used yet."""
        for _ in range(31):  # the engine keeps its lease meanwhile
            await self.clock.advance(1)
            await asyncio.sleep(0.003)
        return pyotp.TOTP(self.secret).at(self.clock.now())

    async def arm(self, *venues: str) -> None:
        for venue in venues:
            assert "Arm your account" in await self.says(f"arm {venue} cap=9000 hours=8 code={await self.code()}")
            assert "Armed until" in await self.says("yes")

    async def slowly(self, line: str) -> str:
        """The answer, while time passes."""
        task = asyncio.ensure_future(self.says(line))
        for _ in range(120):
            for _ in range(20):
                await asyncio.sleep(0.001)
                if task.done():
                    return await task
            await self.clock.advance(0.5)
        raise AssertionError("there was no answer")


@pytest.fixture
async def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    clock = SimulatedClock(START)
    exchanges = {name: Moody(clock, {"USDT": D(20_000), "BTC": D("0.1")}, D(60_000)) for name in ("binance", "kucoin")}
    exchanges["kucoin"].trades = "k"
    monkeypatch.setattr(
        "core.app.live_venues", lambda *given: LiveVenues(Keyring(), lambda account, venue, keys: exchanges[venue])
    )
    sources: list[Any] = [
        MadeVenue("binance", clock, listed=(BTC, ETH, replace(ETH, base="BNB"))),
        MadeVenue("kucoin", clock),
        SandboxData(clock, 1),
    ]
    app = build(Settings(data_dir=tmp_path), clock=clock, roles=("trader",), sources=sources)
    await app.start()
    hall = Hall(app, clock)
    hall.exchanges = exchanges
    owner = await app.services.users.owner()
    uri = await app.services.users.enrol_totp(owner)
    hall.secret = re.search(r"secret=(\w+)", uri)[1]  # type: ignore[index]
    yield hall
    stopping = asyncio.ensure_future(app.stop())
    while not stopping.done():
        await clock.advance(1.0)
        await asyncio.sleep(0.005)
    await stopping


async def test_limits_show_settings_and_use(room: Room) -> None:
    await room.says("buy 0.01 btc")
    await room.says("yes")
    shown = await room.says("limits")
    assert "Limits, PAPER" in shown
    assert "LIVE" not in shown
    assert re.search(r"position \| 5,000,000\.00 USDT \| [\d,.]+ USDT in BTC", shown)
    assert "per-minute | 120 | 1" in shown
    assert "daily-loss | none | 0." in shown


async def test_a_tighter_limit_counts_at_once_and_a_looser_one_after_a_yes(room: Room) -> None:
    assert "order 1,000,000.00 USDT → 500.00 USDT" in await room.says("limits order 500")
    assert "allows 500.00 USDT" in await room.says("buy 0.02 btc")
    assert "Loosen your limits?" in await room.says("limits order 5000")
    assert "allows 500.00 USDT" in await room.says("buy 0.02 btc")
    await room.says("limits order 5000")
    assert "It counts from now on" in await room.says("yes")
    assert "Buy 0.02 BTC" in await room.says("buy 0.02 btc")
    assert "nothing changes" in await room.says("limits order 5000")


async def test_instruments_shares_and_a_reset(room: Room) -> None:
    await room.says("limits instruments btc, eth")
    assert "not among the instruments you allow: BTC and ETH" in await room.says("buy 100 doge")
    assert "Loosen" in await room.says("limits instruments btc,eth,doge")
    assert "daily-loss none → 5 %" in await room.says("limits daily-loss 5 %")
    assert "daily-loss: lost since 00:00 UTC. PAPER: 5 %" in await room.says("limits daily-loss")
    asked = await room.says("limits reset")
    assert "instruments: BTC and ETH → every instrument" in asked
    assert "daily-loss: 5 % → none" in asked
    await room.says("yes")
    assert "Buy 100 DOGE" in await room.says("buy 100 doge")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("limits daily-loss 5", "'5' is not a share for daily-loss. Write it like 5% or 0.05"),
        ("limits order 0", "not above zero"),
        ("limits order lots", "'lots' is not an amount"),
        ("limits speed 5", "No limit is called 'speed'. There are order, position"),
        ("limits instruments !!", "'!!' is not a coin or a pair"),
        ("limits per-minute 0", "not a number of orders"),
        ("limits live order 5", "You have no live account"),
    ],
)
async def test_what_is_no_limit_is_refused_with_what_would_be(room: Room, line: str, told: str) -> None:
    assert told in await room.says(line)


async def test_a_preview_of_a_looser_limit_does_not_undo_a_tighter_one(room: Room) -> None:
    await room.says("limits order 500")
    token = await room.token("limits order 5000")
    await room.says("limits order 100")
    assert "changed meanwhile" in await room.says(f"yes {token}")
    assert "100.00 USDT" in await room.says("limits order")


async def test_loosening_live_limits_needs_the_second_factor(hall: Hall) -> None:
    assert "Limits, LIVE" in await hall.says("limits")
    assert "It counts from now on" in await hall.says("limits live order 500")
    assert "needs your second factor. Write limits live order 900 code=…" in await hall.says("limits live order 900")
    assert "is not right" in await hall.says("limits live order 900 code=000000")
    assert "Loosen your limits?" in await hall.says(f"limits live order 900 code={await hall.code()}")
    assert "order 500.00 USDT → 900.00 USDT" in await hall.says("yes")


async def test_panic_names_the_venue_that_does_not_answer_and_resume_asks_for_the_factor(hall: Hall) -> None:
    await hall.arm("binance", "kucoin")
    for venue in ("binance", "kucoin"):
        await hall.says(f"venue {venue}")
        assert "Buy 0.01 BTC" in await hall.says("buy 0.01 btc at 40k")
        assert "placed" in await hall.says("yes")
    kucoin = hall.exchanges["kucoin"]
    kucoin.silent = asyncio.Event()
    answer = await hall.slowly("panic")
    assert "Stopped on 2 accounts: 1 order cancelled" in answer
    assert "LIVE kucoin: There was no answer within 6 seconds. Order 1 may still be open there" in answer
    assert "LIVE binance: 0.1 BTC: at about 60" in answer
    assert "Sell everything you hold at the market, too? [LIVE]" in answer
    assert [each.status for each in hall.exchanges["binance"].orders.values()] == [OrderStatus.CANCELLED]
    kucoin.silent.set()
    assert "Everything is sold" in await hall.slowly("yes")
    assert hall.exchanges["binance"].held["BTC"] == 0
    assert hall.exchanges["kucoin"].held["BTC"] == 0
    assert all(each.status.final for each in kucoin.orders.values())
    again = await hall.slowly("panic")
    assert "0 orders cancelled" in again
    assert "kill switch" in await hall.says("buy 0.01 btc")
    assert "needs your second factor" in await hall.says("resume")
    assert "Allow trading again? [LIVE]" in await hall.says(f"resume code={await hall.code()}")
    assert "kill switch" in await hall.says("buy 0.01 btc")
    await hall.says(f"resume code={await hall.code()}")
    assert "Trading is allowed again" in await hall.says("yes")
    assert "Buy 0.01 BTC" in await hall.says("buy 0.01 btc")


async def test_a_mandate_is_given_after_the_factor_and_revoking_it_cancels_its_orders(hall: Hall) -> None:
    assert "No mandate was given" in await hall.says("mandates")
    assert "needs your second factor" in await hall.says("mandate binance instruments=btc cap=1000 days=7")
    code = await hall.code()
    asked = await hall.says(f"mandate binance instruments=btc cap=1000 days=7 code={code}")
    assert "For: BTC" in asked
    assert "At stake at a time: at most 1,000.00 USDT" in asked
    assert "is not armed" in asked
    assert "Mandate 1 is given until 2026-03-09" in await hall.says("yes")
    assert "1 | LIVE binance | BTC | 1,000.00 | 0.00" in await hall.says("mandates")
    await hall.arm("binance")
    await ordered(hall)
    assert "1 | LIVE binance | BTC | 1,000.00 | 400.4" in await hall.says("mandates")
    answer = await hall.says("mandate revoke 1")
    assert "Mandate 1 is revoked" in answer
    assert "Cancelled 1 order made under it" in answer
    assert [each.status for each in hall.exchanges["binance"].orders.values()] == [OrderStatus.CANCELLED]
    assert "revoked 2026-03-02" in await hall.says("mandates")
    assert "No mandate 1 stands" in await hall.says("mandate revoke 1")


async def ordered(hall: Hall) -> None:
    """A strategy's order that rests at binance."""
    desk, market = hall.app.services.desk, hall.app.services.market
    btc = await market.instrument("BTC/USDT", "binance")
    request = OrderRequest(
        "0f3a-1", "owner@binance", btc, Side.BUY, Limit(D(40_000)), quantity=D("0.01"), ledger="0f3a",
        created=hall.clock.now(),
    )  # fmt: skip
    await market.quote(btc)
    order = await desk._execution.submit(request, lambda: D("400.4"))
    assert order.status is OrderStatus.OPEN


async def test_without_a_mandate_nobody_but_a_person_buys_live(hall: Hall) -> None:
    await hall.arm("binance")
    desk, market = hall.app.services.desk, hall.app.services.market
    btc = await market.instrument("BTC/USDT", "binance")
    by_hand = await desk.draft("owner@binance", "buy", btc, quantity=D("0.01"), limit=D(59_000))
    assert all(check.passed for check in (await desk.preview(by_hand)).checks)
    with pytest.raises(RiskRefused, match="there is none for this strategy on binance"):
        await desk.preview(replace(by_hand, ledger="0f3a"))


async def test_live_limits_show_what_was_agreed_when_it_was_armed(hall: Hall) -> None:
    assert "armed, binance" not in await hall.says("limits live")
    await hall.arm("binance")
    shown = await hall.says("limits live")
    assert shown.count("armed, binance | 9,000.00 USDT") == 2  # one order, and all in all
    assert "armed, binance | 900.00 USDT" in shown


async def test_arming_where_there_are_no_keys_does_not_use_up_the_code(hall: Hall) -> None:
    code = await hall.code()
    told = await hall.says(f"arm bitmex cap=100 code={code}")
    assert "bitmex" in told
    assert "Arm your account" not in told
    assert "Arm your account" in await hall.says(f"arm binance cap=100 code={code}")


async def test_the_token_that_pays_fees_is_sold_last_and_dust_is_told_as_dust(hall: Hall) -> None:
    binance = hall.exchanges["binance"]
    binance.held = {"BNB": D("0.4"), "ETH": D("0.00000001"), **binance.held}
    await hall.arm("binance")
    await hall.slowly("panic")
    told = await hall.slowly("yes")
    assert [each.instrument.base for each in binance.received] == ["BTC", "BNB"]
    assert "Everything that the venue takes is sold. Of 0.00000001 ETH there is too little for an order." in told
    assert "Not everything is sold" not in told


async def test_panic_at_a_venue_that_does_not_answer_does_not_say_that_nothing_is_held(hall: Hall) -> None:
    await hall.arm("binance", "kucoin")
    for each in hall.exchanges.values():
        each.silent = asyncio.Event()
        each.failing = True
    told = await hall.slowly("panic")
    assert "You hold no coins" not in told
    for each in hall.exchanges.values():
        each.failing = False
        each.silent.set()

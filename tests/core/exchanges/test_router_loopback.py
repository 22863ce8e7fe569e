"""The router over the real adapter and venues on loopback that misbehave on order."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.bus import Bus
from core.clock import SystemClock
from core.errors import Unavailable
from core.exchanges.ccxt import CcxtData
from core.exchanges.pace import Pace
from core.exchanges.router import Router
from core.market.instrument import Instrument
from core.trading.exchange import Quote
from tests.simulators.venues.server import Loopback


class Hall:
    """Loopback Binance and KuCoin behind a router."""

    def __init__(self, venues: Any) -> None:
        clock = SystemClock()
        self.venues, self.pace = venues, Pace(clock)
        for name in ("binance", "kucoin"):
            venues[name].list("BTC/USDT", "0.01", "0.00001", "5")
        venues["binance"].quote("BTC/USDT", "60000", "60010", "3")
        venues["kucoin"].quote("BTC/USDT", "60100", "60110", "3")
        datas = [CcxtData(name, venues.base, clock=clock, pace=self.pace) for name in ("binance", "kucoin")]
        self.router = Router(datas, clock, Bus())

    async def ask(self, instrument: Instrument) -> Quote:
        return await self.router.venue(instrument.venue).quote(instrument)

    async def btc(self) -> Instrument:
        listed = await self.router.venue("binance").instruments()
        return next(each for each in listed if each.symbol == "BTC/USDT")


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    async with Loopback() as venues:
        hall = Hall(venues)
        yield hall
        for each in hall.router.sources:
            await each.close()


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [("451", "closed", "country"), ("418", "closed", "shut this address out"), ("maintenance", "maintenance", "")],
)
async def test_a_venue_that_shuts_us_out_is_told_apart_and_another_one_answers(
    hall: Hall, kind: str, state: str, reason: str
) -> None:
    btc = await hall.btc()
    await hall.ask(btc)
    hall.venues["binance"].misbehave(kind, count=1)
    answer = await hall.router.answered(btc, hall.ask)
    health = hall.router.health("binance")
    assert health.state == state
    assert reason in health.reason
    assert answer.instrument.venue == "kucoin"
    assert answer.value.bid == 60_100
    assert "so this comes from kucoin" in str(answer.note)
    with pytest.raises(Unavailable, match="takes no new orders") as refused:
        await hall.router.demand(btc)
    assert refused.value.details["other"] == "kucoin:BTC/USDT"


async def test_a_429_pauses_the_venue_for_everybody(hall: Hall) -> None:
    btc = await hall.btc()
    hall.venues["binance"].misbehave("429", count=1)
    with pytest.raises(Unavailable):
        await hall.ask(btc)
    assert await hall.pace.paused("binance") > 0
    assert await hall.pace.paused("kucoin") == 0
    assert hall.router.health("binance").trouble == "rate"


async def test_the_clock_of_a_venue_is_measured(hall: Hall) -> None:
    await hall.btc()
    await hall.router.look()
    skew = hall.router.health("binance").skew
    assert skew is not None
    assert abs(skew) < 1
    hall.venues["binance"].misbehave("skew", count=1)
    await hall.router.look()
    assert hall.router.health("binance").state == "degraded"
    assert abs(hall.router.health("binance").skew or 0) > 1

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import NotFound
from core.exchanges.sandbox import SandboxData
from core.market.bars import COLUMNS, Bars
from core.market.download import download
from core.market.history import History
from core.market.instrument import Instrument
from core.market.timeframes import DAY, HOUR, MINUTE

NOW = 1_700_000_012_345
BTC = Instrument("sandbox", "BTC", "USDT")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(from_ms(NOW))


@pytest.fixture
def data(clock: SimulatedClock) -> SandboxData:
    return SandboxData(clock, seed=4)


async def test_every_pair_is_quoted_on_its_grid_with_a_narrow_spread(data: SandboxData) -> None:
    instruments = await data.instruments()
    assert len(instruments) >= 8
    for instrument in instruments:
        quote = await data.quote(instrument)
        tick = instrument.tick_size
        assert quote.bid < quote.ask
        assert quote.bid <= quote.last <= quote.ask
        assert all(price % tick == 0 for price in (quote.bid, quote.ask, quote.last))
        spread = (quote.ask - quote.bid - 2 * tick) / quote.last
        assert spread <= Decimal("0.0002")
        assert quote.low is not None
        assert quote.high is not None
        assert quote.low <= quote.last <= quote.high
        assert quote.simulated
        assert quote.instrument == instrument


async def test_the_day_of_a_quote_is_that_of_its_minutes(data: SandboxData) -> None:
    quote = await data.quote(BTC)
    minutes = data.market.bars("BTC/USDT", "1m", NOW - DAY, NOW)
    now, before = (data.market.price("BTC/USDT", at) for at in (NOW, NOW - DAY))
    assert float(quote.change or 0) == pytest.approx(now / before - 1, abs=1e-6)
    assert float(quote.high or 0) >= minutes.high.max()
    assert float(quote.volume or 0) == pytest.approx(minutes.volume.sum(), rel=0.01)
    assert quote.time == datetime(2023, 11, 14, 22, 13, 32, 345_000, tzinfo=UTC)


async def test_two_processes_quote_the_same(data: SandboxData) -> None:
    assert await SandboxData(SimulatedClock(from_ms(NOW)), seed=4).quote(BTC) == await data.quote(BTC)
    assert await SandboxData(SimulatedClock(from_ms(NOW)), seed=5).quote(BTC) != await data.quote(BTC)


@pytest.mark.parametrize("timeframe", ["1s", "1m", "1h", "1d", "1w"])
async def test_the_newest_bars_end_with_the_forming_one(data: SandboxData, timeframe: str) -> None:
    bars = await data.bars(BTC, timeframe, limit=30)
    assert len(bars) == 30
    assert bars.gaps() == []
    assert bars.timestamp[-1] <= NOW
    assert bars.close[-1] == data.market.price("BTC/USDT", NOW)
    Bars.checked(BTC, timeframe, *(getattr(bars, name) for name in COLUMNS))


async def test_bars_from_a_time_on_are_limited_and_never_of_the_future(data: SandboxData) -> None:
    since = NOW - 10 * HOUR
    assert len(await data.bars(BTC, "1h", since=since, limit=4)) == 4
    bars = await data.bars(BTC, "1h", since=since)
    assert len(bars) == 10
    assert bars.timestamp[0] >= since
    assert len(await data.bars(BTC, "1h", since=NOW + HOUR)) == 0


async def test_a_closed_bar_stays_as_it_was(data: SandboxData, clock: SimulatedClock) -> None:
    before = (await data.bars(BTC, "1m", limit=10))[:9]
    await clock.advance(60)
    after = (await data.bars(BTC, "1m", since=int(before.timestamp[0])))[:9]
    assert before.fingerprint() == after.fingerprint()


async def test_an_unknown_pair_is_refused(data: SandboxData) -> None:
    with pytest.raises(NotFound, match="The sandbox has no XMR/USDT"):
        await data.quote(Instrument("sandbox", "XMR", "USDT"))


async def test_the_sandbox_can_be_downloaded(
    data: SandboxData, clock: SimulatedClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = History(tmp_path_factory.mktemp("history"))
    instrument = data.market.instrument("BTC/USDT")
    done = await download(data, kept, instrument, "1m", NOW - NOW % MINUTE - 2 * DAY, clock=clock)
    assert done.bars == 2 * 1440
    assert done.gaps == ()
    loaded = kept.load("sandbox", "BTC/USDT", "1m")
    start = int(loaded.timestamp[0])
    direct = data.market.bars("BTC/USDT", "1m", start, start + 2880 * MINUTE)
    assert loaded.fingerprint() == direct.fingerprint()

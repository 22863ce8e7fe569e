from collections.abc import AsyncIterator
from decimal import Decimal

import numpy as np
import pytest

from core.clock import from_ms
from core.errors import ExchangeError, InvalidInput, NotFound, Unavailable
from core.exchanges.ccxt import CcxtData
from core.exchanges.endpoints import led_through
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.market.synthetic import SandboxMarket
from core.market.timeframes import DAY, HOUR, MINUTE
from tests.simulators.binance_public import BinancePublic

NOW = 1_700_000_000_000  # 2023-11-14 22:13:20, in the middle of a minute and an hour
BTC = Instrument("binance", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))


def recorded(symbol: str = "BTC/USDT", hours: int = 60) -> Bars:
    end = NOW - NOW % MINUTE + MINUTE
    return SandboxMarket(7).bars(symbol, "1m", end - hours * HOUR, end)


@pytest.fixture
async def venue() -> AsyncIterator[BinancePublic]:
    async with BinancePublic(recorded(), recorded("ETH/USDT"), now=lambda: NOW) as server:
        yield server


@pytest.fixture
async def data(venue: BinancePublic) -> AsyncIterator[CcxtData]:
    source = CcxtData("binance", venue.base)
    yield source
    await source.close()


async def test_instruments_carry_the_venues_grids_exactly(data: CcxtData) -> None:
    instruments = {each.symbol: each for each in await data.instruments()}
    assert list(instruments) == ["BTC/USDT", "ETH/USDT"]
    assert instruments["BTC/USDT"] == BTC
    assert str(instruments["BTC/USDT"].lot_size) == "0.00001"


async def test_public_data_is_asked_of_the_spot_market_alone(data: CcxtData, venue: BinancePublic) -> None:
    await data.instruments()
    await data.quote(BTC)
    assert [path for path, _ in venue.questions] == ["/api/v3/exchangeInfo", "/api/v3/ticker/24hr"]


async def test_a_quote_has_fractions_and_exact_prices(data: CcxtData) -> None:
    quote = await data.quote(BTC)
    minutes = recorded().between(NOW - DAY, NOW + 1)
    assert quote.last == Decimal(repr(float(minutes.close[-1])))
    assert (quote.bid, quote.ask) == (quote.last - Decimal("0.01"), quote.last + Decimal("0.01"))
    assert float(quote.change or 0) == pytest.approx(minutes.close[-1] / minutes.open[0] - 1, abs=1e-5)
    assert quote.high == Decimal(repr(float(minutes.high.max())))
    assert quote.time == from_ms(NOW)
    assert not quote.simulated


async def test_bars_from_a_time_on_come_whole_and_the_last_may_be_forming(data: CcxtData) -> None:
    since = NOW - NOW % HOUR - 5 * HOUR
    bars = await data.bars(BTC, "1h", since=since)
    assert bars.timestamp.tolist() == [since + n * HOUR for n in range(6)]
    closed = recorded().resample("1h").between(since)
    assert np.allclose(bars.close[:5], closed.close, rtol=0, atol=1e-9)
    assert (bars.timestamp[-1] + HOUR) > NOW
    assert len(await data.bars(BTC, "1h", limit=3)) == 3


async def test_an_unknown_pair_is_refused_with_what_comes_close(data: CcxtData) -> None:
    with pytest.raises(NotFound, match=r"binance has no spot pair BTC/USDC") as refused:
        await data.quote(Instrument("binance", "BTC", "USDC"))
    assert (refused.value.hint or "").startswith("Did you mean BTC/USDT")


async def test_a_timeframe_the_venue_lacks_is_refused_with_what_it_has() -> None:
    source = CcxtData("coinbase")
    source._instruments = {"BTC/USD": Instrument("coinbase", "BTC", "USD")}
    with pytest.raises(InvalidInput, match=r"coinbase has no 3m bars; it has 1m, 5m, 15m, 30m, 1h"):
        await source.bars(Instrument("coinbase", "BTC", "USD"), "3m")
    await source.close()


async def test_weeks_that_start_on_another_day_are_refused(
    data: CcxtData, venue: BinancePublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await data.instruments()

    async def thursdays(*_: object) -> list[list[float]]:
        return [[1_699_488_000_000, 1.0, 1.0, 1.0, 1.0, 1.0]]

    monkeypatch.setattr(data.connection.opened, "fetch_ohlcv", thursdays)
    with pytest.raises(InvalidInput, match="The 1w bars of binance open at other times than ours"):
        await data.bars(BTC, "1w")


async def test_an_unknown_venue_is_refused_with_what_comes_close() -> None:
    with pytest.raises(NotFound, match="'binanse' is no venue this program knows") as refused:
        await CcxtData("binanse").instruments()
    assert "binance" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("trouble", "told", "lasting"),
    [
        ("429", "binance asks for a pause: too many requests came from here", False),
        ("418", "binance asks for a pause", False),
        ("451", "binance refuses connections from this country (HTTP 451)", True),
        ("500", "binance cannot be reached for prices of BTC/USDT (HTTP 500)", False),
        ("503", "binance cannot be reached", False),
    ],
)
async def test_a_refusing_venue_is_told_in_one_sentence(
    data: CcxtData, venue: BinancePublic, trouble: str, told: str, lasting: bool
) -> None:
    await data.instruments()
    venue.fail(trouble)  # type: ignore[arg-type]
    with pytest.raises(Unavailable) as refused:
        await data.quote(BTC)
    assert told in refused.value.message
    assert bool(refused.value.details.get("lasting")) is lasting
    assert "http" not in refused.value.message.replace("HTTP", "")
    assert "\n" not in refused.value.sentence()


async def test_a_venue_that_is_not_there_is_told_in_one_sentence(data: CcxtData, venue: BinancePublic) -> None:
    await data.instruments()
    venue.fail("drop", "drop")  # a dropped question is repeated once by the HTTP library
    with pytest.raises(Unavailable, match="binance cannot be reached for prices of BTC/USDT"):
        await data.quote(BTC)
    nowhere = CcxtData("binance", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="binance cannot be reached for instruments"):
        await nowhere.instruments()
    await nowhere.close()


async def test_a_venue_that_answers_too_late_is_told(
    data: CcxtData, venue: BinancePublic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await data.instruments()
    data.connection.opened.timeout = 50
    venue.fail("stall")
    with pytest.raises(Unavailable, match="binance did not answer in time when asked for prices of BTC/USDT"):
        await data.quote(BTC)


async def test_an_answer_that_is_no_answer_is_told(data: CcxtData, venue: BinancePublic) -> None:
    await data.instruments()
    venue.fail("garbage")
    with pytest.raises((Unavailable, ExchangeError)) as refused:
        await data.quote(BTC)
    assert refused.value.message.startswith("binance ")
    assert "\n" not in refused.value.message


async def test_a_ping_takes_time(data: CcxtData, venue: BinancePublic) -> None:
    assert 0 < await data.ping() < 15
    assert venue.asked("/api/v3/time")


async def test_closed_data_opens_again(data: CcxtData) -> None:
    await data.quote(BTC)
    await data.close()
    assert (await data.quote(BTC)).last > 0


async def test_the_test_environment_is_led_through_too() -> None:
    source = CcxtData("binance", "http://127.0.0.1:1/mirror", sandbox=True)
    exchange = await source.connection.open()
    assert exchange.urls["api"]["public"] == "http://127.0.0.1:1/mirror/testnet.binance.vision/api/v3"
    assert source.simulated
    await source.close()


@pytest.mark.parametrize("venue_name", ["binance", "kraken", "coinbase", "kucoin", "bybit", "okx", "bitvavo"])
async def test_no_address_of_a_venue_escapes_the_base(venue_name: str) -> None:
    source = CcxtData(venue_name, "http://127.0.0.1:1")
    exchange = await source.connection.open()

    def addresses(nest: object) -> list[str]:
        if isinstance(nest, dict):
            return [found for each in nest.values() for found in addresses(each)]
        return [nest] if isinstance(nest, str) else []

    found = addresses(exchange.urls["api"])
    assert found
    assert all(address.split("://")[1].startswith("127.0.0.1:1/") and "{" not in address for address in found)
    await source.close()


def test_websocket_addresses_keep_their_scheme_and_host() -> None:
    nest = {
        "ws": {"spot": "wss://stream.binance.com:9443/ws", "v2": ["wss://ws.kraken.com/v2"]},
        "rest": "https://{hostname}/x?a=1",
    }
    assert led_through(nest, "http://127.0.0.1:8/", "okx.com") == {
        "ws": {
            "spot": "ws://127.0.0.1:8/stream.binance.com/ws",
            "v2": ["ws://127.0.0.1:8/ws.kraken.com/v2"],
        },
        "rest": "http://127.0.0.1:8/okx.com/x?a=1",
    }
    assert led_through("wss://a.b/c", "https://mirror") == "wss://mirror/a.b/c"

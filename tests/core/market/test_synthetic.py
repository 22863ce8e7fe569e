from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput, NotFound
from core.market.bars import COLUMNS, Bars
from core.market.synthetic import CLOSES, OPENS, SYMBOLS, SandboxMarket
from core.market.timeframes import DAY, HOUR, MINUTE, floor, milliseconds

YEAR = 1_640_995_200_000  # 2022-01-01
MARKET = SandboxMarket(1)
moments = st.integers(OPENS * DAY + 40 * DAY, CLOSES * DAY - 40 * DAY)
symbols = st.sampled_from(SYMBOLS)


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


@settings(max_examples=30)
@given(symbol=symbols, at=moments, timeframe=st.sampled_from(["1s", "1m", "15m", "1h", "1d"]), order=st.booleans())
def test_another_process_sees_the_same_bars_whatever_it_asked_before(
    symbol: str, at: int, timeframe: str, order: bool
) -> None:
    other = SandboxMarket(1)
    if order:
        other.price(symbol, at - 3 * DAY)
        other.bars("LTC/USDT", "1h", at, at + DAY)
    end = at + 20 * milliseconds(timeframe)
    assert same(other.bars(symbol, timeframe, at, end), MARKET.bars(symbol, timeframe, at, end))
    assert other.price(symbol, at) == MARKET.price(symbol, at)


@settings(max_examples=30)
@given(
    symbol=symbols, at=moments, fine=st.sampled_from(["1m", "5m", "1h"]), coarse=st.sampled_from(["4h", "12h", "1d"])
)
def test_coarse_bars_are_the_exact_sums_of_fine_ones(symbol: str, at: int, fine: str, coarse: str) -> None:
    start = floor(at, coarse)
    end = start + 3 * milliseconds(coarse)
    made = MARKET.bars(symbol, fine, start, end).resample(coarse)
    direct = MARKET.bars(symbol, coarse, start, end)
    for name in ("timestamp", "open", "high", "low", "close"):
        assert np.array_equal(getattr(made, name), getattr(direct, name)), name
    assert made.volume == pytest.approx(direct.volume)


@settings(max_examples=50)
@given(symbol=symbols, at=moments)
def test_the_seconds_of_a_minute_run_through_its_open_high_low_and_close(symbol: str, at: int) -> None:
    start = floor(at, "1m")
    minute = MARKET.bars(symbol, "1m", start, start + MINUTE)
    seconds = [MARKET.price(symbol, start + 1000 * n) for n in range(60)]
    assert seconds[0] == minute.open[0]
    assert max([*seconds, minute.close[0]]) == minute.high[0]
    assert min([*seconds, minute.close[0]]) == minute.low[0]
    made = MARKET.bars(symbol, "1s", start, start + MINUTE).resample("1m")
    for name in ("open", "high", "low", "close"):
        assert getattr(made, name)[0] == getattr(minute, name)[0]


@settings(max_examples=30)
@given(symbol=symbols, at=moments)
def test_prices_stay_inside_their_minute_and_on_the_grid(symbol: str, at: int) -> None:
    minute = MARKET.bars(symbol, "1m", floor(at, "1m"), floor(at, "1m") + MINUTE)
    price = MARKET.price(symbol, at)
    assert minute.low[0] <= price <= minute.high[0]
    assert Decimal(repr(price)) % MARKET.instrument(symbol).tick_size == 0


@settings(max_examples=30)
@given(symbol=symbols, at=moments, timeframe=st.sampled_from(["1s", "1m", "1h", "1d"]))
def test_a_forming_bar_knows_nothing_of_what_comes_after(symbol: str, at: int, timeframe: str) -> None:
    start = floor(at, timeframe)
    forming = MARKET.forming(symbol, timeframe, at)
    closed = MARKET.bars(symbol, timeframe, start, start + milliseconds(timeframe))
    assert forming.timestamp.tolist() == [start]
    assert forming.open[0] == closed.open[0]
    assert forming.close[0] == MARKET.price(symbol, at)
    assert closed.low[0] <= forming.low[0] <= forming.high[0] <= closed.high[0]
    assert 0 <= forming.volume[0] <= closed.volume[0] * (1 + 1e-9)
    Bars.checked(forming.instrument, timeframe, *(getattr(forming, name) for name in COLUMNS))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol_has_possible_bars_without_holes_that_open_at_the_last_close(symbol: str) -> None:
    bars = MARKET.bars(symbol, "1m", YEAR, YEAR + 20 * DAY)
    Bars.checked(bars.instrument, "1m", *(getattr(bars, name) for name in COLUMNS))
    assert len(bars) == 20 * 1440
    assert bars.gaps() == []
    assert np.array_equal(bars.open[1:], bars.close[:-1])
    assert bars.instrument.venue == "sandbox"


def test_only_closed_bars_inside_the_span_are_told() -> None:
    bars = MARKET.bars("BTC/USDT", "1h", YEAR + 1, YEAR + 5 * HOUR - 1)
    assert bars.timestamp.tolist() == [YEAR + HOUR, YEAR + 2 * HOUR, YEAR + 3 * HOUR]
    assert len(MARKET.bars("BTC/USDT", "1h", YEAR + 1, YEAR + HOUR)) == 0
    assert len(MARKET.bars("BTC/USDT", "1h", YEAR, YEAR - HOUR)) == 0


def test_other_seeds_are_other_markets() -> None:
    assert SandboxMarket(2).price("BTC/USDT", YEAR) != MARKET.price("BTC/USDT", YEAR)


def test_what_the_sandbox_lacks_is_told() -> None:
    with pytest.raises(NotFound, match="The sandbox has no XMR/USDT") as refused:
        MARKET.price("XMR/USDT", YEAR)
    assert "BTC/USDT" in (refused.value.hint or "")
    with pytest.raises(InvalidInput, match="knows the time from 2015-01-01"):
        MARKET.price("BTC/USDT", 0)
    with pytest.raises(InvalidInput, match="knows the time"):
        MARKET.bars("BTC/USDT", "1d", 0, YEAR)


def test_the_whole_time_is_there_and_prices_stay_within_reason() -> None:
    for symbol in SYMBOLS:
        centre = np.exp(MARKET._table(symbol).level).mean()
        levels = np.exp(MARKET._table(symbol).level)
        assert levels.min() > centre / 60
        assert levels.max() < centre * 60
    MARKET.bars("BTC/USDT", "1h", OPENS * DAY, OPENS * DAY + DAY)
    MARKET.bars("BTC/USDT", "1h", CLOSES * DAY - DAY, CLOSES * DAY)


def kurtosis(returns: np.ndarray) -> float:
    centred = returns - returns.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def autocorrelation(values: np.ndarray, lag: int) -> float:
    centred = values - values.mean()
    return float((centred[:-lag] * centred[lag:]).mean() / (centred**2).mean())


def figures(bars: Bars) -> dict[str, float]:
    """What real markets have in common, of hours."""
    returns = np.diff(np.log(bars.close))
    size = np.abs(returns)
    hour = (bars.timestamp[1:] // HOUR) % 24
    weekend = (bars.timestamp[1:] // DAY + 3) % 7 >= 5
    daily = np.diff(np.log(bars.resample("1d").close))
    return {
        "deviation": float(returns.std()),
        "kurtosis": kurtosis(returns),
        "daily kurtosis": kurtosis(daily),
        "|r| 1": autocorrelation(size, 1),
        "|r| 6": autocorrelation(size, 6),
        "|r| 24": autocorrelation(size, 24),
        "|r| 96": autocorrelation(size, 96),
        "r 1": autocorrelation(returns, 1),
        "afternoon": float(size[np.isin(hour, (13, 14, 15))].mean() / size.mean()),
        "night": float(size[np.isin(hour, (3, 4, 5))].mean() / size.mean()),
        "weekend": float(size[weekend].mean() / size.mean()),
        "range": float(np.log(bars.high / bars.low).mean() / np.abs(np.log(bars.close / bars.open)).mean()),
        "log volume": float(np.log(bars.volume[bars.volume > 0]).std()),
        "volume and |r|": float(np.corrcoef(np.log(bars.volume[1:] + 1e-9), size)[0, 1]),
    }


BOUNDS = {
    "kurtosis": (5, 120),
    "daily kurtosis": (0.5, 30),
    "|r| 1": (0.18, 0.5),
    "|r| 6": (0.08, 0.4),
    "|r| 24": (0.06, 0.35),
    "|r| 96": (0.02, 0.2),
    "r 1": (-0.07, 0.05),
    "afternoon": (1.05, 1.5),
    "night": (0.65, 0.95),
    "weekend": (0.6, 0.95),
    "range": (1.8, 2.4),
    "log volume": (0.6, 1.6),
    "volume and |r|": (0.2, 0.7),
}


@pytest.mark.parametrize("symbol", ["BTC/USDT", "ETH/USDT", "DOGE/USDT"])
def test_sandbox_hours_have_the_figures_of_real_ones(symbol: str) -> None:
    found = figures(MARKET.bars(symbol, "1h", YEAR, YEAR + 730 * DAY))
    outside = {name: found[name] for name, (low, high) in BOUNDS.items() if not low <= found[name] <= high}
    assert outside == {}


@pytest.mark.realdata
def test_the_bounds_are_those_of_recorded_markets(shared_data: Path) -> None:
    for symbol in ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "LTC"):
        real = Bars.read(shared_data / f"market/binance/1h/{symbol}USDT.parquet")
        found = figures(real)
        outside = {name: found[name] for name, (low, high) in BOUNDS.items() if not low <= found[name] <= high}
        assert outside == {}, symbol
        if f"{symbol}/USDT" in ("BTC/USDT", "ETH/USDT"):
            made = figures(MARKET.bars(f"{symbol}/USDT", "1h", YEAR, YEAR + 730 * DAY))
            assert made["deviation"] == pytest.approx(found["deviation"], rel=0.35)


@pytest.mark.realdata
def test_sandbox_pairs_move_together_as_recorded_ones_do(shared_data: Path) -> None:
    def correlation(one: Bars, other: Bars) -> float:
        both = np.intersect1d(one.timestamp, other.timestamp)
        closes = [each.close[np.isin(each.timestamp, both)] for each in (one, other)]
        return float(np.corrcoef(*(np.diff(np.log(close)) for close in closes))[0, 1])

    for pair in (("BTC", "ETH"), ("BTC", "SOL"), ("XRP", "DOGE"), ("ADA", "LTC")):
        recorded = (Bars.read(shared_data / f"market/binance/1h/{base}USDT.parquet") for base in pair)
        real = correlation(*(bars.between(YEAR) for bars in recorded))  # 2020 and 2021 knew manias of single coins
        made = correlation(*(MARKET.bars(f"{base}/USDT", "1h", YEAR, YEAR + 365 * DAY) for base in pair))
        assert made == pytest.approx(real, abs=0.12), pair

from pathlib import Path

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import InvalidInput, NotFound
from core.market.datasets import open_data, parse_dataset
from core.market.history import History
from core.market.timeframes import HOUR
from tests.core.market.made import START, bars


def test_a_dataset_is_written_as_venue_symbol_timeframe() -> None:
    assert parse_dataset("Binance:btc/usdt:1H") == ("binance", "BTC/USDT", "1h")
    for wrong in ("binance:BTC/USDT", "BTC/USDT:1h", "binance:BTCUSDT:1h", ""):
        with pytest.raises(InvalidInput):
            parse_dataset(wrong)


def test_files_history_and_sandbox_open_by_name(tmp_path: Path) -> None:
    kept, whole = History(tmp_path / "history"), bars(50)
    kept.append(whole)
    file = whole.write(tmp_path / "BTCUSDT.csv")
    span = {"start_ms": START + 5 * HOUR, "end_ms": START + 9 * HOUR}
    assert len(open_data(str(file), kept, **span)) == 4
    assert open_data("test:BTC/USDT:1h", kept, **span).fingerprint() == whole[5:9].fingerprint()
    clock = SimulatedClock(from_ms(START + 100 * 24 * HOUR + 12_345))
    year = open_data("sandbox:BTC/USDT:1h", kept, clock=clock)
    assert (len(year), year.instrument.venue) == (8_760, "sandbox")
    assert int(year.timestamp[-1]) + HOUR <= clock.now_ms()
    assert len(open_data("sandbox:BTC/USDT:1h", kept, clock=clock, **span)) == 4


def test_sandbox_bars_of_the_future_are_not_told(tmp_path: Path) -> None:
    clock = SimulatedClock(from_ms(START))
    whole = open_data("sandbox:BTC/USDT:1h", History(tmp_path), end_ms=START + 50 * HOUR, clock=clock)
    assert int(whole.timestamp[-1]) + HOUR <= START


def test_a_name_of_nothing_is_told_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file 'nothing'"):
        open_data("nothing", History(tmp_path))
    with pytest.raises(NotFound, match=r"There is no file nothing\.csv"):
        open_data("nothing.csv", History(tmp_path))
    with pytest.raises(NotFound, match="no history of binance:BTC/USDT:1h"):
        open_data("binance:BTC/USDT:1h", History(tmp_path))

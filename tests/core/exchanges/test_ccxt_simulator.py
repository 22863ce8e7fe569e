"""The loopback Binance answers in the shapes that were recorded from the real one."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.market.instrument import Instrument
from core.market.synthetic import SandboxMarket
from core.market.timeframes import DAY
from tests.simulators.binance_public import exchange_info, klines, ticker

pytestmark = pytest.mark.realdata
NOW = 1_700_000_000_000


def shape(value: Any) -> Any:
    """Types, with every key of objects and the first item of lists."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def recorded(shared_data: Path, name: str) -> Any:
    listed = json.loads((shared_data / "exchange/rest/binance.json").read_text())
    return next(each["response"] for each in listed if each["name"] == name)


@pytest.fixture
def made() -> Any:
    return SandboxMarket(7).bars("BTC/USDT", "1m", NOW - DAY, NOW)


def test_klines_have_the_recorded_shape(shared_data: Path, made: Any) -> None:
    assert shape(klines(made)[0]) == shape(recorded(shared_data, "Spot/ExchangeData/GetKlines")[0])


def test_tickers_have_the_recorded_shape(shared_data: Path, made: Any) -> None:
    ours = shape(ticker(made, NOW))
    assert ours == shape(recorded(shared_data, "Spot/ExchangeData/GetTicker"))
    other = shape(json.loads((shared_data / "exchange/xchange/binance/single-24hr-ticker.json").read_text()))
    assert {key: ours[key] for key in other} == other


def test_exchange_info_has_the_recorded_shape(shared_data: Path) -> None:
    real = json.loads((shared_data / "exchange/basana/binance_btc_usdt_exchange_info.json").read_text())
    ours = exchange_info([Instrument("binance", "BTC", "USDT")], NOW)
    assert shape(ours) | {"symbols": 0, "rateLimits": 0} == shape(real) | {"symbols": 0, "rateLimits": 0}
    assert shape(ours["rateLimits"][0]) == shape(real["rateLimits"][0])
    theirs, mine = shape(real["symbols"][0]), shape(ours["symbols"][0])
    lists = {"filters": 0, "permissions": 0, "orderTypes": 0}
    assert mine | lists == theirs | lists
    known = {each["filterType"]: shape(each) for each in real["symbols"][0]["filters"]}
    assert all(shape(each) == known[each["filterType"]] for each in ours["symbols"][0]["filters"])

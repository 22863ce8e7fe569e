"""No look-ahead: every shipped strategy and every indicator of the catalogues, those added later too."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from core import indicators
from core.market.bars import COLUMNS, Bars
from core.research.causality import causality, made_up
from core.research.perturbation import another_future
from core.strategies import catalogue
from tests.core.simulation.market import walk

BARS = 700
CUTS = (40, 131, 350, 480, 699)


@cache
def market() -> Bars:
    bars = walk(BARS, 11, timeframe="1h")
    return replace(bars, volume=bars.volume + 1.0)


def columns(bars: Bars) -> dict[str, Any]:
    """The bars' columns, and a second series for those that compare two."""
    return {name: getattr(bars, name) for name in COLUMNS} | {"other": np.cumsum(np.sin(bars.close * 7.0)) + bars.open}


@pytest.mark.parametrize("name", sorted(indicators.catalogue()))
def test_no_indicator_sees_the_future(name: str) -> None:
    indicator = indicators.catalogue()[name]
    whole = indicator.compute(columns(market()))
    for cut in CUTS:
        before = indicator.compute({key: values[:cut].copy() for key, values in columns(market()).items()})
        other = indicator.compute(columns(another_future(market(), cut, 3)))
        for output, full, prefix, changed in zip(indicator.outputs, whole, before, other, strict=True):
            told = f"{name}, {output}: before bar {cut}"
            np.testing.assert_allclose(prefix, full[:cut], rtol=1e-9, err_msg=told)
            np.testing.assert_allclose(changed[:cut], full[:cut], rtol=1e-9, err_msg=told)


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_no_strategy_sees_the_future(name: str) -> None:
    strategy: Any = catalogue()[name]()
    bars = made_up(strategy, 0, "1h")
    if hasattr(strategy, "on_bar"):  # asked bar by bar, which takes long
        bars = {symbol: each[:1_000] for symbol, each in bars.items()}
    found = causality(strategy, bars, cuts=24)
    assert found.causal, found.sentence
    assert found.cuts == 24


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_no_strategy_sees_the_future_of_a_grid_of_prices_with_holes(name: str) -> None:
    kind: Any = catalogue()[name]
    n = 800 if hasattr(kind, "on_bar") else 2_000
    bars: Any = walk(n, 5, places=0, timeframe="1h")
    kept = np.delete(np.arange(n), np.r_[200:215, 555:556, n - 90 : n - 60])
    held: Any = {"COIN/USDT": replace(bars, **{column: getattr(bars, column)[kept] for column in COLUMNS})}
    if hasattr(kind, "allocate"):
        held |= {f"COIN{i}/USDT": walk(n - 50 * i, 6 + i, timeframe="1h") for i in range(3)}
    found = causality(kind(), held, cuts=16, seed=2)
    assert found.causal, found.sentence

"""RsiLimit: its bid, and what protects what it bought."""

import numpy as np
import pytest

from core.indicators import rsi
from core.research.backtest import backtest
from core.strategies import RsiLimit
from core.trading.costs import FREE
from core.trading.strategy import Context
from tests.core.simulation.market import walk
from tests.core.strategies.test_grid import at


def test_it_bids_below_the_first_oversold_close_with_stop_target_and_trail() -> None:
    bars = walk(400, 2)
    strategy = RsiLimit(5, 30.0, 60.0, 0.01, 0.02, 0.04, 0.03)
    signals = strategy.signals(bars, Context())
    strength = rsi(bars.close, 5)
    bids = np.flatnonzero(signals.exposure == 1.0)
    assert len(bids) > 5
    assert (strength[bids] < 30.0).all()
    assert (strength[np.flatnonzero(signals.exposure == 0.0)] > 60.0).all()
    bid = bars.close[bids] * 0.99
    for given, wanted in ((signals.limit, bid), (signals.stop, bid * 0.98), (signals.take_profit, bid * 1.04)):
        assert given is not None
        np.testing.assert_allclose(given[bids], wanted)
        assert np.isnan(np.delete(given, bids)).all()
    assert signals.trail is not None
    assert (signals.trail[bids] == 0.03).all()


def test_what_is_nought_is_left_out() -> None:
    signals = RsiLimit(5, stop=0.0, take_profit=0.0, trail=0.0).signals(walk(100, 2), Context())
    assert (signals.stop, signals.take_profit, signals.trail) == (None, None, None)


def test_a_bid_that_is_reached_is_bought_there_and_its_target_sells() -> None:
    # two falls make the RSI of 2 bars 0 at the close of 90: bid at 81, target at 97.2
    bars = at(100, 95, 90, 85, 80, 90, 100, 100)
    result = backtest(RsiLimit(2, 10.0, 99.0, 0.1, 0.5, 0.2, 0.0), bars, 1_000.0, FREE)
    assert result.fills["price"].tolist() == pytest.approx([81.0, 97.2])
    assert result.fills["reason"].tolist() == ["entry", "target"]


def test_a_bid_that_is_not_reached_is_withdrawn_when_the_rsi_recovers() -> None:
    bars = at(100, 95, 90, 95, 100, 70, 70)
    assert len(backtest(RsiLimit(2, 10.0, 60.0, 0.1), bars, 1_000.0, FREE).fills) == 0


@pytest.mark.parametrize("cut", [20, 50, 151, 299])
def test_no_signal_depends_on_later_bars(cut: int) -> None:
    bars = walk(300, 8)
    whole, part = (RsiLimit().signals(each, Context()) for each in (bars, bars[:cut]))
    for name in ("exposure", "limit", "stop", "take_profit", "trail"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:cut])

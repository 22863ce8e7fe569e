"""Dca: purchases at fixed times, more in dips, and a sale of all at a gain on the average."""

import numpy as np
import pytest

from core.research.backtest import backtest
from core.strategies import Dca
from core.trading.costs import FREE
from tests.core.simulation.market import walk
from tests.core.strategies.test_grid import at

Row = tuple[int, str, float, float]


def traded(strategy: Dca, *closes: float, cash: float = 1_000.0) -> list[Row]:
    """(bar, side, price, worth) of each fill."""
    fills = backtest(strategy, at(*closes), cash, FREE).fills
    return [
        (int(row.time.value // 3_600_000_000_000), row.side, round(row.price, 6), round(row.price * row.quantity, 6))
        for row in fills.itertuples()
    ]


def test_it_buys_for_the_same_amount_every_so_many_bars() -> None:
    assert traded(Dca(3, 100.0, 0.0), 100, 101, 102, 103, 104, 105, 106, 107) == [
        (1, "buy", 100.0, 100.0),
        (4, "buy", 103.0, 100.0),
        (7, "buy", 106.0, 100.0),
    ]


def test_a_fall_since_the_last_purchase_buys_once_more_and_the_next_is_measured_from_there() -> None:
    # bought at 100; 89 is a dip, 85 is less than a tenth below 89, 80 is a dip again
    assert traded(Dca(100, 100.0, 0.1, 2.0), 100, 100, 89, 85, 80, 80) == [
        (1, "buy", 100.0, 100.0),
        (3, "buy", 89.0, 200.0),
        (5, "buy", 80.0, 200.0),
    ]


def test_all_is_sold_at_the_gain_on_the_average_and_it_begins_anew() -> None:
    # 1 coin at 100 and 1.25 at 80: average 200 / 2.25 = 88.89, target 97.78
    found = traded(Dca(3, 100.0, 0.0, take_profit=0.1), 100, 100, 80, 80, 80, 110, 110, 110)
    assert found == [
        (1, "buy", 100.0, 100.0),
        (4, "buy", 80.0, 100.0),
        (5, "sell", pytest.approx(200 / 2.25 * 1.1), pytest.approx(220.0)),
        (7, "buy", 110.0, 100.0),
    ]


def test_a_purchase_for_which_the_cash_does_not_suffice_is_left_out() -> None:
    assert [row[0] for row in traded(Dca(1, 400.0, 0.0), *[100.0] * 6, cash=1_000.0)] == [1, 2]


@pytest.mark.parametrize("cut", [2, 50, 151, 299])
def test_no_decision_depends_on_later_bars(cut: int) -> None:
    bars = walk(300, 8)
    whole, part = (backtest(Dca(10, 300.0, 0.02, 2.0, 0.03), each) for each in (bars, bars[:cut]))
    np.testing.assert_array_equal(whole.equity[:cut], part.equity)

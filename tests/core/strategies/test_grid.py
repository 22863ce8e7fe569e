"""Grid: its levels, its sales one level higher, its stop, and what it does when all is sold."""

import numpy as np
import pytest

from core.errors import InvalidInput
from core.market.bars import Bars
from core.research.backtest import backtest
from core.strategies import Grid
from core.trading.costs import FREE, Costs
from tests.core.research.test_steps import flat_bars
from tests.core.simulation.market import walk


def at(*closes: float) -> Bars:
    """Bars whose prices go from one close to the next."""
    opens = (closes[0], *closes[:-1])
    pairs = zip(opens, closes, strict=True)
    return flat_bars([(a, max(a, b), min(a, b), b) for a, b in pairs])


def bought(strategy: Grid, bars: Bars, cash: float = 3_000.0, costs: Costs = FREE) -> list[tuple[str, float, float]]:
    fills = backtest(strategy, bars, cash, costs).fills
    return [(row.side, round(row.price, 6), round(row.quantity, 6)) for row in fills.itertuples()]


def test_levels_buy_on_the_way_down_and_each_sells_one_level_higher() -> None:
    # laid at 100 with levels at 90, 81 and 72.9, each with a third of 3,000
    bars = at(100, 100, 80, 100.5, 89)
    assert bought(Grid(3, 0.1), bars) == [
        ("buy", 90.0, round(1_000 / 90, 6)),
        ("buy", 81.0, round(1_000 / 81, 6)),
        ("sell", 100.0, round(1_000 / 90, 6)),  # within one bar in the order of placing
        ("sell", 90.0, round(1_000 / 81, 6)),
        ("buy", 90.0, round(1_000 / 90, 6)),
    ]


def test_each_rung_earns_its_spacing() -> None:
    result = backtest(Grid(3, 0.1), at(100, 100, 80, 100.5), 3_000.0, FREE)
    assert result.equity[-1] == pytest.approx(3_000 + 1_000 / 90 * 10 + 1_000 / 81 * 9)


def test_a_level_spends_the_cash_it_is_given_fees_included() -> None:
    result = backtest(Grid(2, 0.1, 500.0), at(100, 100, 85, 85), 3_000.0, Costs(maker_fee=0.01, slippage=0.0))
    (price, quantity, fee), *rest = result.fills[["price", "quantity", "fee"]].values.tolist()
    assert rest == []
    assert price * quantity + fee == pytest.approx(500.0)


def test_when_all_is_sold_and_the_price_has_risen_it_is_laid_anew() -> None:
    assert bought(Grid(1, 0.1), at(100, 105, 120, 125, 107), 1_000.0) == [("buy", 108.0, round(1_000 / 108, 6))]


def test_a_stop_below_the_lowest_level_sells_all_and_ends_the_grid() -> None:
    # levels 90 and 81, stop at 81 * 0.9 = 72.9
    result = backtest(Grid(2, 0.1, stop=0.1), at(100, 100, 80, 70, 70, 100, 100, 70), 2_000.0, FREE)
    assert result.fills["reason"].tolist() == ["entry", "entry", "stop"]
    assert result.fills["price"].tolist() == pytest.approx([90.0, 81.0, 72.9])


def test_more_than_there_is_cannot_be_laid_out() -> None:
    with pytest.raises(InvalidInput, match="5 levels of 1000 need 5000, and 3000 is there") as refused:
        backtest(Grid(5, 0.01, 1_000.0), at(100, 100), 3_000.0)
    assert refused.value.hint == "Give each level at most 600."


def test_two_instruments_share_the_cash() -> None:
    bars = at(100, 100, 80, 80)
    result = backtest(Grid(2, 0.1), {"A": bars, "B": bars}, 4_000.0, FREE)
    spent = result.fills["price"] * result.fills["quantity"]
    np.testing.assert_allclose(spent, 1_000.0)
    assert sorted(result.fills["symbol"]) == ["A", "A", "B", "B"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.02, 1.0])
def test_it_never_spends_more_than_it_has_and_keeps_one_order_per_level(seed: int, share: float) -> None:
    strategy = Grid(6, 0.005, stop=0.0)
    result = backtest(strategy, walk(800, seed), 1_000.0, Costs(volume_share=share))
    fills = result.fills
    sign = np.where(fills["side"] == "buy", 1.0, -1.0)
    assert (1_000.0 - (sign * fills["price"] * fills["quantity"] + fills["fee"]).cumsum() >= -1e-6).all()
    assert ((sign * fills["quantity"]).cumsum() >= -1e-9).all()
    assert len(fills) > 10


@pytest.mark.parametrize("cut", [2, 50, 151, 299])
def test_no_decision_depends_on_later_bars(cut: int) -> None:
    bars = walk(300, 8)
    whole, part = (backtest(Grid(5, 0.01, stop=0.05), each) for each in (bars, bars[:cut]))
    np.testing.assert_array_equal(whole.equity[:cut], part.equity)

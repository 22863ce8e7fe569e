"""The HTML report: whole, self-contained, and honest about costs."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.research.report import monthly, render, sensitivity, write_report
from core.strategies import BuyAndHold, Donchian, SmaCross
from core.trading.costs import FREE
from tests.core.simulation.market import walk


def test_the_report_asks_for_nothing_outside_itself(tmp_path: Path) -> None:
    path = write_report(backtest(Donchian(5, 3), walk(3000, 1)), tmp_path / "report.html")
    page = path.read_text()
    assert not re.search(r"""(src|href|url|@import)\s*[=(]""", page)
    assert "http" not in page
    HTMLParser().feed(page)
    for part in (
        "Equity against buy and hold",
        "Drawdown",
        "Monthly returns",
        "If trading cost more",
        "What was assumed",
    ):
        assert part in page
    assert page.count("<svg") == 3


def test_costs_are_run_again_and_cost_more() -> None:
    result = backtest(SmaCross(3, 8), walk(2000, 1))
    rows = sensitivity(result)
    finals = [row["stats"]["final_equity"] for row in rows]
    assert finals[0] == result.stats["final_equity"]
    assert finals[0] > finals[1] > finals[2]


def test_costs_are_run_again_on_the_same_signals_when_the_test_began_after_a_warm_up() -> None:
    bars = walk(2000, 1)
    result = backtest(SmaCross(3, 8), bars, start=int(bars.timestamp[1990 - 8]))
    again = result.rerun(result.costs)
    np.testing.assert_array_equal(again.equity, result.equity)


def test_the_months_multiply_to_the_whole_return() -> None:
    bars = walk(200, 2, timeframe="1d")
    result = backtest(SmaCross(3, 8), bars)
    table = monthly(result)
    months = [each for _, row, _ in table for each in row if each is not None]
    assert len(months) == 7
    assert np.prod([1 + each for each in months]) == pytest.approx(1 + result.stats["total_return"])


def test_free_costs_several_instruments_and_no_trade_are_drawn_too() -> None:
    other = Instrument("sandbox", "A<B", "USDT")
    page = render(backtest(BuyAndHold(), {"A": walk(90, 1), "A<B": walk(90, 2, instrument=other)}, costs=FREE))
    assert "A&lt;B" in page
    assert "A<B" not in page
    assert "SIMULATED MARKET" in page
    flat = walk(90, 1)
    assert "Only 0 closed trades" in render(backtest(SmaCross(40, 80), flat[:82]))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_report(backtest(SmaCross(3, 8), walk(90, 1)), tmp_path / "no" / "report.html")

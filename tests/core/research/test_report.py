"""The HTML report: whole, self-contained, and honest about costs."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.research.archive import Archive
from core.research.backtest import Result, backtest
from core.research.compare import compare, side_of
from core.research.drawing import Line, chart, histogram
from core.research.report import monthly, render, sensitivity, write_report
from core.research.result import Trials
from core.research.saved_report import render_comparison
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
    assert page.count('class="draw"') == 6


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


def kept(tmp_path: Path, result: Result) -> Archive:
    document, frames = result.kept()
    archive = Archive(tmp_path / "results")
    archive.save(kind="backtest", document=document, frames=frames)
    return archive


def test_a_kept_backtest_has_the_sections_of_a_fresh_one(tmp_path: Path) -> None:
    result = backtest(Donchian(5, 3), walk(3000, 1))
    fresh, page = render(result), kept(tmp_path, result).export(1, tmp_path / "saved.html").read_text()
    headings = re.compile(r"<h2>(.*?)</h2>")
    assert headings.findall(page) == [each for each in headings.findall(fresh) if each != "If trading cost more"]
    assert "Result 1, made" in page
    assert "http" not in page


def test_a_portfolio_tells_each_instruments_part_and_how_they_move_together(tmp_path: Path) -> None:
    other = Instrument("test", "DUST", "USDT")
    result = backtest(Donchian(5, 3), {"COIN/USDT": walk(900, 1), "DUST/USDT": walk(900, 2, instrument=other)})
    for page in (render(result), kept(tmp_path, result).export(1, tmp_path / "saved.html").read_text()):
        assert "What each instrument contributed" in page
        assert "Correlation of the prices" in page


def test_the_tries_stand_beside_the_sharpe_ratio() -> None:
    result = backtest(Donchian(5, 3), walk(3000, 1))
    result.tried = Trials(37)
    page = render(result)
    assert "… after 37 tries" in page
    assert result.overfitting["sentence"] in html.unescape(page)
    assert result.stats["trials"] == 37
    assert result.stats["deflated_sharpe"] <= result.stats["probabilistic_sharpe"]


def test_a_sweep_is_drawn_as_a_heat_map_and_a_table(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    table = {"fast": [3, 3, 4, 4], "slow": [8, 9, 8, 9], "sharpe": [0.1, np.nan, -0.4, 0.9], "trades": [1, 2, 3, 4]}
    document = {"strategy": {"name": "sma_cross", "parameters": {"fast": 4, "slow": 9}}, "metric": "sharpe"}
    space = {"space": {"fast": [3, 4], "slow": [8, 9]}, "partial": True, "overfitting": {"overfitting": 0.29012}}
    archive.save(kind="sweep", document=document | space, frames={"table": table})
    page = archive.export(1, tmp_path / "sweep.html").read_text()
    assert "Sharpe by fast and slow" in page
    assert "<dt>Probability of overfitting</dt><dd>29.0 %</dd>" in page
    assert "It was stopped early" in page
    assert page.index('<th scope="row">4</th><td>9<') < page.index('<th scope="row">3</th><td>8<')


def test_bands_windows_and_stitched_equity_are_drawn(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    equity = {"time": np.arange(50) * 3_600_000, "equity": np.linspace(100.0, 120.0, 50)}
    bands = {"trade": np.arange(50), "equity": equity["equity"], **{f"p{q}": equity["equity"] * q for q in (5, 50, 95)}}
    told = {"sentence": "Half ended below 100.", "percentiles": {"sharpe": {"p5": -1.0, "p50": None}}}
    archive.save(kind="monte-carlo", document=told, frames={"bands": bands})
    page = archive.export(1, tmp_path / "bands.html").read_text()
    assert "Half ended below 100." in page
    assert "nine of ten lie between" in page
    windows = {"test_start": [1_700_000_000_000], "fast": [3], "sharpe": [1.5]}
    archive.save(
        kind="walk-forward", document={"strategy": {"name": "x"}}, frames={"equity": equity, "windows": windows}
    )
    page = archive.export(2, tmp_path / "walk.html").read_text()
    assert "stitched" in page
    assert "2023-11-14" in page


def test_results_side_by_side_are_one_page() -> None:
    bars = walk(900, 1)
    found = compare([side_of(backtest(Donchian(5, 3), bars)), side_of(backtest(SmaCross(3, 8), bars))])
    page = render_comparison(found)
    for part in ("Equity from 1", "What differs", "Correlation of returns", "Is one better?", "parameter fast"):
        assert part in page
    HTMLParser().feed(page)


def test_a_curve_with_unknown_values_leaves_them_out() -> None:
    values = np.r_[np.full(10, np.nan), np.linspace(1.0, 2.0, 90)]
    drawn = chart(np.arange(100) * 60_000, [Line("x", values, "own")], "x")
    assert "nan" not in drawn
    assert "Too little to draw" in chart(np.arange(2), [Line("x", np.full(2, np.nan), "own")], "x")


def test_an_outlier_does_not_flatten_the_others() -> None:
    drawn = histogram(np.r_[np.linspace(-0.05, 0.05, 400), 90.0], "Returns")
    assert drawn.count('class="bar') > 30
    assert "9000" not in drawn

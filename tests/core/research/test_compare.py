"""Results side by side: what differs is named, what cannot be compared is not."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.research.archive import Archive
from core.research.backtest import backtest
from core.research.compare import compare, side_of
from core.strategies import BuyAndHold, Donchian, EmaCross, SmaCross
from core.trading.costs import Costs
from tests.core.simulation.market import walk

BARS = walk(3000, 1)


def test_the_same_result_twice_differs_in_nothing() -> None:
    result = backtest(Donchian(5, 3), BARS)
    found = compare([side_of(result, "one"), side_of(result, "two")])
    assert found.correlation[0, 1] == pytest.approx(1.0)
    assert found.pairs[0].difference == 0.0
    assert found.pairs[0].p_value == 1.0
    assert found.differing == []
    assert found.warnings == []


def test_equity_is_drawn_from_one_on_common_times() -> None:
    a, b = backtest(Donchian(5, 3), BARS), backtest(BuyAndHold(), BARS[500:])
    found = compare([side_of(a), side_of(b)])
    assert len(found.times) == 2500
    assert [curve[0] for curve in found.growth] == [1.0, 1.0]
    assert found.growth[0][-1] == pytest.approx(a.equity[-1] / a.equity[500])
    assert found.times[0] == BARS.timestamp[500] + 60_000
    assert any("data differ" in warning for warning in found.warnings)
    assert any("2,500 times" in warning for warning in found.warnings)


def test_bars_of_other_lengths_meet_where_both_close() -> None:
    found = compare(
        [side_of(backtest(BuyAndHold(), BARS), "1m"), side_of(backtest(BuyAndHold(), BARS.resample("1h")), "1h")]
    )
    assert len(found.times) == 50
    assert found.times[0] == 3_600_000


def test_what_differs_is_named() -> None:
    a, b = backtest(SmaCross(3, 8), BARS), backtest(SmaCross(3, 9), BARS, 500.0, Costs(taker_fee=0.002))
    found = compare([side_of(a, "a"), side_of(b, "b")])
    assert dict(found.differing) == {
        "parameter slow": ["8", "9"],
        "cost taker fee": ["0.001", "0.002"],
        "cash": ["10,000.00", "500.00"],
    }
    assert any("costs differ" in warning for warning in found.warnings)
    assert any("variants of one strategy" in warning for warning in found.warnings)
    others = compare([side_of(backtest(SmaCross(3, 8), BARS)), side_of(backtest(EmaCross(3, 9), BARS))])
    assert not any("variants" in warning for warning in others.warnings)


def test_the_better_of_two_is_told_with_its_chance() -> None:
    winning = walk(3000, 1)
    result = backtest(BuyAndHold(), winning, costs=Costs(taker_fee=0.0, slippage=0.0))
    worse = backtest(SmaCross(2, 4), winning)
    pair = compare([side_of(worse, "worse"), side_of(result, "better")]).pairs[0]
    assert pair.difference < 0.0
    assert pair.sentence.startswith("better has a higher Sharpe ratio than worse")
    assert pair.low <= pair.difference <= pair.high
    assert 0.0 < pair.p_value <= 1.0


def test_an_equity_that_never_moves_has_no_correlation() -> None:
    flat = backtest(SmaCross(40, 80), BARS[:82])
    found = compare([side_of(flat, "flat"), side_of(backtest(BuyAndHold(), BARS[:82]), "held")])
    assert np.isnan(found.correlation[0, 1])
    assert "too little happened" in found.pairs[0].sentence
    assert found.document()["correlation"]["flat"]["held"] is None


def test_results_without_common_times_are_still_laid_side_by_side() -> None:
    found = compare(
        [side_of(backtest(BuyAndHold(), BARS[:1000]), "a"), side_of(backtest(BuyAndHold(), BARS[1500:]), "b")]
    )
    assert len(found.times) == 0
    assert found.pairs == []
    assert any("common times" in warning for warning in found.warnings)
    assert dict(found.rows)["trades"] == [0, 0]


def test_a_kept_run_compares_like_the_fresh_one(tmp_path: Path) -> None:
    result = backtest(Donchian(5, 3), BARS)
    document, frames = result.kept()
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document=document, frames=frames)
    archive.save(kind="sweep", document={"strategy": {"name": "donchian"}}, frames={"table": {"entry": [1, 2]}})
    found = compare([side_of(archive.open(1)), side_of(result, "fresh"), side_of(archive.open(2))])
    assert found.pairs[0].difference == 0.0
    assert any("no equity curve" in warning for warning in found.warnings)


def test_one_alone_is_no_comparison() -> None:
    side = side_of(backtest(BuyAndHold(), BARS))
    with pytest.raises(InvalidInput, match="takes 2 to"):
        compare([side])
    with pytest.raises(InvalidInput, match="given twice"):
        compare([side, side])

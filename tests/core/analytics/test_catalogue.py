"""The catalogue of measures covers what results and summaries tell."""

import math

import pytest

from core.analytics.catalogue import MEASURES, measure, rankable, ranking
from core.analytics.summary import SUMMARY
from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.research.trial import COLUMNS, Metric
from core.strategies import BuyAndHold


def test_every_statistic_of_a_result_and_of_the_summary_is_listed() -> None:
    prices = [10.0, 11.0, 12.0, 11.0]
    bars = Bars.checked(
        Instrument("test", "BTC", "USDT"), "1h", [0, 3_600_000, 7_200_000, 10_800_000], *[prices] * 4, [1e6] * 4
    )
    assert set(backtest(BuyAndHold(), bars).stats) <= set(MEASURES)
    assert set(SUMMARY) <= set(MEASURES)


def test_each_measure_is_told_in_one_sentence() -> None:
    for name, each in MEASURES.items():
        assert each.name == name
        assert each.summary.endswith(".")
        assert each.label


def test_the_best_comes_first_and_the_unknown_last() -> None:
    assert ranking("sharpe", [0.5, None, 2.0, math.nan, 2.0]) == [2, 4, 0, 1, 3]
    assert ranking("max_drawdown", [0.5, None, 0.1]) == [2, 0, 1]
    assert "sharpe" in rankable()
    assert "trades" not in rankable()


def test_an_unknown_measure_or_one_without_a_better_is_refused() -> None:
    with pytest.raises(InvalidInput, match="did you mean sharpe"):
        measure("sharp")
    with pytest.raises(InvalidInput, match="trades"):
        ranking("trades", [1, 2])


def test_a_sweep_ranks_by_the_same_sign() -> None:
    for name in set(COLUMNS) & set(rankable()):
        assert (Metric.of(name).sign == 1) == MEASURES[name].higher_is_better, name

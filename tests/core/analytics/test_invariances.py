"""What a measure must not care about, and what it must; and that no series makes one raise."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analytics import measures
from core.errors import InvalidInput

YEAR = 365.0
curves = arrays(np.float64, st.integers(2, 80), elements=st.floats(0.5, 2.0))
changes = arrays(np.float64, st.integers(2, 80), elements=st.floats(-0.2, 0.2).map(lambda x: round(x, 6)))
quick = settings(max_examples=60, deadline=None)


def near(left: float, right: float, rel: float = 1e-9) -> bool:
    return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=rel, abs_tol=1e-12)


@quick
@given(curves, st.floats(0.01, 1000.0))
def test_measures_of_equity_do_not_depend_on_the_currency(equity: np.ndarray, factor: float) -> None:
    for name in ("max_drawdown", "ulcer_index", "average_drawdown"):
        measure = getattr(measures, name)
        assert near(measure(equity), measure(equity * factor))


@quick
@given(changes, st.floats(0.1, 2.0))
def test_leverage_scales_risk_and_leaves_the_ratios(returns: np.ndarray, factor: float) -> None:
    levered = returns * factor
    assert near(measures.volatility(levered, YEAR), measures.volatility(returns, YEAR) * factor)
    assert near(measures.value_at_risk(levered), measures.value_at_risk(returns) * factor)
    assert near(measures.conditional_value_at_risk(levered), measures.conditional_value_at_risk(returns) * factor)
    for name in ("sharpe_ratio", "sortino_ratio"):
        measure = getattr(measures, name)
        assert near(measure(levered, YEAR), measure(returns, YEAR), rel=1e-6)
    for name in ("omega_ratio", "skewness", "kurtosis"):
        measure = getattr(measures, name)
        assert near(measure(levered), measure(returns), rel=1e-5)


@quick
@given(changes, st.randoms(use_true_random=False))
def test_the_order_of_the_returns_matters_to_drawdowns_alone(returns: np.ndarray, random: object) -> None:
    order = list(range(len(returns)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = returns[order]
    for name in ("total_return", "omega_ratio", "skewness", "tail_ratio", "value_at_risk", "profit_factor", "win_rate"):
        measure = getattr(measures, name)
        assert near(measure(shuffled), measure(returns), rel=1e-6), name
    assert near(measures.sharpe_ratio(shuffled, YEAR), measures.sharpe_ratio(returns, YEAR), rel=1e-6)


@quick
@given(changes, st.floats(-0.05, 0.05).map(lambda x: round(x, 6)))
def test_a_constant_added_to_every_return_leaves_its_variation(returns: np.ndarray, added: float) -> None:
    assert math.isclose(
        measures.volatility(returns + added, 1.0), measures.volatility(returns, 1.0), rel_tol=1e-9, abs_tol=1e-15
    )


@quick
@given(curves)
def test_the_equity_of_the_returns_of_an_equity_is_that_equity(equity: np.ndarray) -> None:
    np.testing.assert_allclose(measures.equity_of(measures.returns_of(equity)[1:], equity[0]), equity, rtol=1e-12)


@quick
@given(curves)
def test_the_deepest_drawdown_is_the_deepest_of_all_pairs(equity: np.ndarray) -> None:
    falls = [1.0 - later / high for i, high in enumerate(equity) for later in equity[i:]]
    assert measures.max_drawdown(equity) == pytest.approx(max(falls), rel=1e-12, abs=1e-15)
    assert measures.max_drawdown(equity) == measures.drawdowns(equity).max()


def test_a_long_drawdown_counts_every_period() -> None:
    curve = np.concatenate([[2.0], np.full(3_000, 1.0), [2.0, 1.5, np.nan, 1.5, 3.0]])
    assert measures.max_drawdown_duration(curve) == 3_000
    assert measures.max_drawdown_duration(curve[3_001:]) == 3  # what is not known lies within the drawdown
    assert measures.max_drawdown(curve) == 0.5
    assert measures.max_drawdown([np.nan, 1.0, np.nan, 0.5]) == 0.5
    assert measures.max_drawdown_duration([np.nan, np.nan]) == 0
    assert measures.max_drawdown([0.0, -1.0]) == 0.0


@quick
@given(changes)
def test_a_portfolio_has_beta_one_and_no_alpha_against_itself(returns: np.ndarray) -> None:
    slope = measures.beta(returns, returns)
    if np.std(returns) > 1e-6:
        assert slope == pytest.approx(1.0, rel=1e-9)
        assert measures.alpha(returns, returns, YEAR) == pytest.approx(0.0, abs=1e-9)
        assert measures.beta(2.0 * returns + 0.01, returns) == pytest.approx(2.0, rel=1e-9)
    assert math.isnan(measures.information_ratio(returns, returns, YEAR))
    assert measures.tracking_error(returns, returns, YEAR) == 0.0
    assert measures.batting_average(returns, returns) == 0.0


@quick
@given(changes)
def test_what_is_captured_of_oneself_is_everything(returns: np.ndarray) -> None:
    for name in ("up_capture", "down_capture"):
        told = getattr(measures, name)(returns, returns)
        assert math.isnan(told) or told == pytest.approx(1.0)


DEGENERATE = {
    "empty": [],
    "one": [0.01],
    "one nan": [math.nan],
    "all nan": [math.nan] * 4,
    "zeros": [0.0] * 6,
    "constant": [0.01] * 6,
    "ruin": [0.1, -1.0, 0.3],
    "worse than ruin": [0.1, -1.5, 0.3],
    "infinite": [0.1, math.inf, -0.1],
    "huge": [1e300, -1e300, 1e300],
    "tiny": [1e-300, -1e-300, 2e-300],
}
OTHERS = {"cornish_fisher_holds", "returns_of", "equity_of", "drawdowns", "aggregate", "by_month"}


@pytest.mark.parametrize("name", [name for name in measures.__all__ if not name.startswith("rolling")])
@pytest.mark.parametrize("series", DEGENERATE)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_series_makes_a_measure_raise(name: str, series: str) -> None:
    if name in OTHERS:
        return
    measure = getattr(measures, name)
    given = {"benchmark": DEGENERATE[series], "periods_per_year": YEAR, "capital": 100.0}
    names = [each.name for each in inspect.signature(measure).parameters.values() if each.default is each.empty]
    told = measure(DEGENERATE[series], *(given[each] for each in names[1:]))
    assert isinstance(told, float | int)


@pytest.mark.parametrize(
    "name", ["volatility", "sharpe_ratio", "sortino_ratio", "cagr", "calmar_ratio", "martin_ratio"]
)
@pytest.mark.parametrize("year", [0.0, -1.0, math.nan, math.inf])
def test_a_year_of_no_periods_is_refused(name: str, year: float) -> None:
    with pytest.raises(InvalidInput, match="periods_per_year"):
        getattr(measures, name)([1.0, 1.1, 1.2], year)


def test_what_is_no_series_of_numbers_is_refused() -> None:
    for call in (
        lambda: measures.sharpe_ratio(np.zeros((2, 2)), YEAR),
        lambda: measures.max_drawdown(0.5),
        lambda: measures.total_return(["a", "b"]),
        lambda: measures.beta([0.1, 0.2], [0.1]),
        lambda: measures.sharpe_ratio([0.1, 0.2], YEAR, risk_free=-1.0),
        lambda: measures.turnover([1.0], 0.0),
        lambda: measures.aggregate([0.1], [0], "decade"),  # type: ignore[arg-type]
        lambda: measures.aggregate([0.1], [0, 1]),
        lambda: measures.aggregate([0.1, 0.2], [90_000_000_000, 0]),
    ):
        with pytest.raises(InvalidInput):
            call()


def test_arrays_that_cannot_be_written_to_are_measured_and_left_alone() -> None:
    returns = np.array([0.01, -0.02, 0.03])
    told = measures.sharpe_ratio(returns, YEAR)
    returns.flags.writeable = False
    assert measures.sharpe_ratio(returns, YEAR) == told
    assert measures.sharpe_ratio(np.repeat(returns, 2)[::2], YEAR) == told


def test_measures_of_trades() -> None:
    profits = [10.0, -5.0, 20.0, -5.0, -5.0, math.nan, 0.0]
    assert measures.payoff_ratio(profits) == 3.0
    assert measures.longest_losing_streak(profits) == 2
    assert measures.kelly_fraction(profits) == pytest.approx(2 / 6 - (4 / 6) / 3)
    assert measures.sqn(profits) == pytest.approx(
        np.mean([10, -5, 20, -5, -5, 0]) / np.std([10, -5, 20, -5, -5, 0], ddof=1) * 6**0.5
    )
    assert measures.sqn(np.array(profits) * 1e-12) == pytest.approx(measures.sqn(profits))
    assert measures.exposure([0.0, 1.0, -0.5, 0.0]) == 0.5
    assert measures.turnover([100.0, -50.0], 300.0) == 0.5


def test_returns_by_calendar() -> None:
    day = 86_400_000
    times = np.arange(60) * day  # from 1 January 1970 on
    starts, values = measures.aggregate(np.full(60, 0.01), times, "month")
    assert list(starts) == [0, 31 * day, 59 * day]
    np.testing.assert_allclose(values, [1.01**31 - 1, 1.01**28 - 1, 0.01], rtol=1e-12)
    starts, _ = measures.aggregate(np.full(60, 0.01), times, "week")
    assert list(starts[:2]) == [-3 * day, 4 * day]  # Mondays
    years, table = measures.by_month(np.array([0.1, math.nan, 0.2]), np.array([0, 31 * day, 400 * day]))
    assert list(years) == [1970, 1971]
    assert table[0, 0] == pytest.approx(0.1)
    assert table[1, 1] == pytest.approx(0.2)
    assert np.isnan(table).sum() == 22
    assert measures.by_month([], [])[1].shape == (0, 12)

"""Every measure that empyrical-reloaded has too is held against it; docs/measures.md tells why some differ.

Where the two differ on purpose, the table DIFFERENT says what ours is, and the test that theirs is something else.
"""

import math
import warnings
from collections.abc import Callable

import empyrical
import numpy as np
import pytest

from core.analytics import measures

YEAR = 252  # the only year that empyrical's captures know
NAN = float("nan")
random = np.random.default_rng(5)
SERIES = {
    "empty": np.empty(0),
    "one gain": np.array([0.01]),
    "one loss": np.array([-0.01]),
    "two": np.array([0.01, -0.02]),
    "constant": np.full(50, 0.001),
    "zeros": np.zeros(50),
    "one nan": np.array([NAN]),
    "all nan": np.full(5, NAN),
    "all positive": np.abs(random.normal(0, 0.01, 200)),
    "all negative": -np.abs(random.normal(0, 0.01, 200)),
    "normal": random.normal(0.0005, 0.01, 1_000),
    "heavy tails": random.standard_t(3, 20_000) * 0.01,
    "a minute's returns": random.normal(1e-7, 5e-4, 100_000),
    "holes": np.where(random.random(500) < 0.1, NAN, random.normal(0, 0.01, 500)),
    "ties": np.round(random.normal(0, 0.01, 500), 2),
    "ruin": np.array([0.1, -1.0, 0.2, 0.1]),
}
MARKET = random.normal(0.0003, 0.012, 100_000)

Function = Callable[[np.ndarray], float]
MEASURES: dict[str, tuple[Function, Function]] = {
    "total_return": (measures.total_return, empyrical.cum_returns_final),
    "cagr": (lambda r: measures.cagr(r, YEAR), empyrical.annual_return),
    "volatility": (lambda r: measures.volatility(r, YEAR), empyrical.annual_volatility),
    "sharpe_ratio": (lambda r: measures.sharpe_ratio(r, YEAR), empyrical.sharpe_ratio),
    "sharpe_ratio above a rate": (
        lambda r: measures.sharpe_ratio(r, YEAR, risk_free=1.0001**YEAR - 1),
        lambda r: empyrical.sharpe_ratio(r, risk_free=0.0001),
    ),
    "sortino_ratio": (lambda r: measures.sortino_ratio(r, YEAR), empyrical.sortino_ratio),
    "downside_deviation": (lambda r: measures.downside_deviation(r, YEAR), empyrical.downside_risk),
    "max_drawdown": (lambda r: measures.max_drawdown(measures.equity_of(r)), lambda r: -empyrical.max_drawdown(r)),
    "calmar_ratio": (lambda r: measures.calmar_ratio(measures.equity_of(r), YEAR), empyrical.calmar_ratio),
    "omega_ratio": (measures.omega_ratio, empyrical.omega_ratio),
    "omega_ratio above a return": (
        lambda r: measures.omega_ratio(r, 0.001),
        lambda r: empyrical.omega_ratio(r, required_return=0.001, annualization=1),
    ),
    "stability": (measures.stability, empyrical.stability_of_timeseries),
    "tail_ratio": (measures.tail_ratio, empyrical.tail_ratio),
    "value_at_risk": (measures.value_at_risk, lambda r: -empyrical.value_at_risk(r)),
    "conditional_value_at_risk": (
        measures.conditional_value_at_risk,
        lambda r: -empyrical.conditional_value_at_risk(r),
    ),
    "beta": (lambda r: measures.beta(r, MARKET[: len(r)]), lambda r: empyrical.beta(r, MARKET[: len(r)])),
    "alpha": (lambda r: measures.alpha(r, MARKET[: len(r)], YEAR), lambda r: empyrical.alpha(r, MARKET[: len(r)])),
    "information_ratio": (
        lambda r: measures.information_ratio(r, MARKET[: len(r)], 1.0),
        lambda r: empyrical.excess_sharpe(r, MARKET[: len(r)]),
    ),
    "up_capture": (
        lambda r: measures.up_capture(r, MARKET[: len(r)], YEAR),
        lambda r: empyrical.up_capture(r, MARKET[: len(r)]),
    ),
    "down_capture": (
        lambda r: measures.down_capture(r, MARKET[: len(r)], YEAR),
        lambda r: empyrical.down_capture(r, MARKET[: len(r)]),
    ),
    "capture_ratio": (
        lambda r: measures.capture_ratio(r, MARKET[: len(r)], YEAR),
        lambda r: empyrical.up_down_capture(r, MARKET[: len(r)]),
    ),
    "batting_average": (
        lambda r: measures.batting_average(r, MARKET[: len(r)]),
        lambda r: empyrical.batting_average(r, MARKET[: len(r)]).iloc[0],
    ),
}
HOLES = SERIES["holes"][~np.isnan(SERIES["holes"])]
DIFFERENT = {
    # nothing has grown by nothing, and never fell
    ("total_return", "empty"): 0.0,
    ("max_drawdown", "empty"): 0.0,
    # a period that is not known is no time that passed
    ("cagr", "one nan"): NAN,
    ("cagr", "all nan"): NAN,
    ("cagr", "holes"): float(np.prod(1.0 + HOLES)) ** (YEAR / len(HOLES)) - 1.0,
    ("value_at_risk", "holes"): -float(np.quantile(HOLES, 0.05)),
    # without risk there is no return per risk, rather than an infinite one
    ("sharpe_ratio", "constant"): NAN,
    ("sharpe_ratio above a rate", "constant"): NAN,
    ("sharpe_ratio above a rate", "zeros"): NAN,
    ("sortino_ratio", "constant"): NAN,
    ("sortino_ratio", "all positive"): NAN,
    # the downside deviation of one period is defined
    ("sortino_ratio", "one loss"): -math.sqrt(YEAR),
    # a loss is a positive fraction, and a gain at the bad end no negative loss
    ("value_at_risk", "one gain"): 0.0,
    ("value_at_risk", "constant"): 0.0,
    ("value_at_risk", "all positive"): 0.0,
    ("conditional_value_at_risk", "one gain"): 0.0,
    ("conditional_value_at_risk", "constant"): 0.0,
    ("conditional_value_at_risk", "all positive"): 0.0,
}


def same(ours: float, theirs: float) -> bool:
    return (math.isnan(ours) and math.isnan(theirs)) or math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("series", SERIES)
def test_a_measure_is_that_of_empyrical_or_differs_as_documented(name: str, series: str) -> None:
    ours, theirs = MEASURES[name]
    returns = SERIES[series]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told, expected = ours(returns.copy()), float(theirs(returns.copy()))
    if (name, series) in DIFFERENT:
        assert same(told, DIFFERENT[name, series])
        assert not same(expected, told)
    else:
        assert same(told, expected), (told, expected)


ROLLING: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], Callable[..., np.ndarray]]] = {
    "volatility": (lambda r, w: measures.rolling_volatility(r, w, YEAR), empyrical.roll_annual_volatility),
    "sharpe": (lambda r, w: measures.rolling_sharpe(r, w, YEAR), empyrical.roll_sharpe_ratio),
    "sortino": (lambda r, w: measures.rolling_sortino(r, w, YEAR), empyrical.roll_sortino_ratio),
    "drawdown": (
        lambda r, w: -measures.rolling_max_drawdown(measures.equity_of(r), w + 1)[1:],
        empyrical.roll_max_drawdown,
    ),
    "beta": (
        lambda r, w: measures.rolling_beta(r, MARKET[: len(r)], w),
        lambda r, window: empyrical.roll_beta(r, MARKET[: len(r)], window=window),
    ),
    "up capture": (
        lambda r, w: measures.rolling("up_capture", r, w, MARKET[: len(r)], periods_per_year=YEAR),
        lambda r, window: empyrical.roll_up_capture(r, MARKET[: len(r)], window=window),
    ),
}


@pytest.mark.parametrize("name", ROLLING)
@pytest.mark.parametrize("window", [2, 21, 252])
def test_a_rolling_measure_is_that_of_empyrical(name: str, window: int) -> None:
    ours, theirs = ROLLING[name]
    returns = SERIES["normal"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.asarray(theirs(returns, window=window))
    told = ours(returns, window)[window - 1 :]
    # what is left of two nearly equal numbers is known to fewer digits, in theirs as in ours
    infinite = np.isinf(expected)
    assert np.isnan(told[infinite]).all()
    np.testing.assert_allclose(told[~infinite], expected[~infinite], rtol=1e-10, atol=1e-12)


def test_returns_by_month_are_those_of_empyrical() -> None:
    import pandas

    days = pandas.date_range("2021-01-05", periods=800, freq="D", tz="UTC")
    returns = SERIES["normal"][:800]
    for unit, name in (("week", "weekly"), ("month", "monthly"), ("quarter", "quarterly"), ("year", "yearly")):
        expected = empyrical.aggregate_returns(pandas.Series(returns, index=days), name)
        _, told = measures.aggregate(returns, days.as_unit("ms").asi8, unit)  # type: ignore[arg-type]
        np.testing.assert_allclose(told, expected.to_numpy(), rtol=1e-12, atol=1e-12)

"""Indicators: known values, warm-up, and what they do with little or broken input."""

import inspect

import numpy as np
import pytest

from core import indicators
from core.errors import InvalidInput

CLOSE = np.array(
    [44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28, 46.00]
)


def test_rsi_equals_wilders_published_example() -> None:
    found = indicators.rsi(CLOSE, 14)
    assert np.isnan(found[:14]).all()
    assert found[14] == pytest.approx(70.46, abs=0.1)
    assert found[15] == pytest.approx(66.25, abs=0.1)


def test_the_simple_average_and_the_bands_equal_numpy() -> None:
    np.testing.assert_allclose(indicators.sma(CLOSE, 5)[4:], np.convolve(CLOSE, np.ones(5) / 5, "valid"))
    upper, middle, lower = indicators.bollinger(CLOSE, 5, 2.0)
    assert upper[-1] - middle[-1] == pytest.approx(2 * np.std(CLOSE[-5:]))
    assert middle[-1] - lower[-1] == pytest.approx(2 * np.std(CLOSE[-5:]))


def test_donchian_holds_the_highest_high_and_lowest_low() -> None:
    upper, middle, lower = indicators.donchian(CLOSE + 1, CLOSE - 1, 4)
    assert upper[-1] == CLOSE[-4:].max() + 1
    assert lower[-1] == CLOSE[-4:].min() - 1
    assert middle[-1] == (upper[-1] + lower[-1]) / 2


@pytest.mark.parametrize("name", sorted(indicators.catalogue()))
def test_short_empty_and_unknown_inputs_give_nan_of_the_same_length(name: str) -> None:
    described = indicators.catalogue()[name]
    function = getattr(indicators, name)
    assert set(inspect.signature(function).parameters) == {*described.inputs, *described.parameters}
    for n in (0, 1, 2):
        found = np.atleast_2d(function(*(np.arange(1.0, n + 1) for _ in described.inputs)))
        assert found.shape == (len(described.outputs), n)
    nothing = np.atleast_2d(function(*(np.full(40, np.nan) for _ in described.inputs)))
    assert np.isnan(nothing).all()


@pytest.mark.parametrize("name", sorted(set(indicators.catalogue()) - {"obv"}))
def test_leading_nans_lengthen_the_warm_up(name: str) -> None:
    described = indicators.catalogue()[name]
    rng = np.random.default_rng(1)
    base = 100 + np.cumsum(rng.normal(0, 1, 120))
    inputs = [base + {"high": 1.0, "low": -1.0}.get(column, 0.0) for column in described.inputs]
    function = getattr(indicators, name)
    plain = np.atleast_2d(function(*inputs))
    late = np.atleast_2d(function(*(np.r_[np.full(7, np.nan), each] for each in inputs)))
    np.testing.assert_array_equal(late[:, 7:], plain)


@pytest.mark.parametrize(
    "call",
    [
        lambda: indicators.sma(CLOSE, 0), lambda: indicators.rsi(CLOSE, 1), lambda: indicators.macd(CLOSE, 26, 12),
        lambda: indicators.bollinger(CLOSE, 5, -1), lambda: indicators.atr(CLOSE, CLOSE[1:], CLOSE),
        lambda: indicators.sma(CLOSE.reshape(4, 4), 2), lambda: indicators.ema(CLOSE, 2.5),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(call: object) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        call()  # type: ignore[operator]

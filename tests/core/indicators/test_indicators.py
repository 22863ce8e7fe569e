"""Indicators: known values, and wrong input."""

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

"""Funding histories: read from files, laid onto bars."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import AppError, InvalidInput
from core.market.funding import INTERVAL, Funding

HOUR = 3_600_000
MADE = Funding(np.array([INTERVAL, 2 * INTERVAL, 3 * INTERVAL]), np.array([0.0001, -0.0002, 0.0003]))


def test_a_rate_is_due_at_the_first_bar_that_opens_at_or_after_its_time() -> None:
    bars = np.array([7, 8, 9, 15, 17, 24]) * HOUR
    np.testing.assert_array_equal(MADE.per_bar(bars), [np.nan, 0.0001, 0.0, 0.0, -0.0002, 0.0003])


def test_rates_between_two_long_bars_add_up() -> None:
    days = np.array([8, 32]) * HOUR
    np.testing.assert_allclose(MADE.per_bar(days), [0.0001, np.nan])
    np.testing.assert_allclose(MADE.per_bar(np.array([8, 30]) * HOUR), [0.0001, 0.0001], atol=1e-18)


def test_a_hole_in_the_history_is_not_free_of_funding() -> None:
    holed = Funding(np.array([0, 8, 32, 40]) * HOUR, np.full(4, 0.001))
    due = holed.per_bar(np.array([0, 8, 15, 16, 24, 31, 32, 39, 40, 47, 48]) * HOUR)
    nan = np.nan
    np.testing.assert_array_equal(due, [0.001, 0.001, 0.0, nan, nan, nan, 0.001, 0.0, 0.001, 0.0, nan])
    late = Funding(np.array([0, 8 * HOUR + 5_000, 16 * HOUR]), np.full(3, 0.001))
    assert not np.isnan(late.per_bar(np.arange(24) * HOUR)).any()


@pytest.mark.realdata
def test_a_recorded_history_is_read_whole(shared_data: Path) -> None:
    read = Funding.read(shared_data / "market" / "derivatives" / "funding_btcusdt_200evt.parquet")
    assert len(read.rates) == 200
    assert set(np.diff(read.timestamps)) == {INTERVAL}


def test_a_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "funding.csv"
    path.write_text("fundingTime,fundingRate\n", encoding="utf-8")
    with pytest.raises(AppError, match="no time column"):
        Funding.read(path)
    path.write_text("time,fundingRate\n2024-01-01T00:00:00,0.0001\n2024-01-01T08:00:00,0.0002\n", encoding="utf-8")
    assert Funding.read(path).rates.tolist() == [0.0001, 0.0002]


@pytest.mark.parametrize(
    ("times", "rates"),
    [([], []), ([1, 2], [0.1]), ([2, 1], [0.0, 0.0]), ([1, 2], [0.0, 7.0]), ([1], [float("nan")])],
    ids=str,
)
def test_an_impossible_history_is_refused_in_a_sentence(times: list[int], rates: list[float]) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        Funding(np.array(times, dtype=np.int64), np.array(rates))

"""Higher timeframes are seen only once they have closed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.indicators import ema
from core.market.bars import COLUMNS, Bars
from core.market.higher import at_least, higher
from tests.core.simulation.market import walk


def without(bars: Bars, *rows: int) -> Bars:
    kept = np.setdiff1d(np.arange(len(bars)), rows)
    return replace(bars, **{name: getattr(bars, name)[kept] for name in COLUMNS})


def told(bars: Bars, timeframe: str) -> list[float | None]:
    """Per bar the open of the last higher bar known, in minutes."""
    found = higher(bars, timeframe)
    values = found.expand(found.bars.timestamp / 60_000)
    return [None if np.isnan(value) else float(value) for value in values]


def test_a_higher_bar_is_known_from_the_close_of_its_last_lower_bar_on() -> None:
    assert told(walk(12, 1), "5m") == [None] * 4 + [0.0] * 5 + [5.0] * 3


def test_a_first_bar_without_its_beginning_and_a_last_one_without_its_end_are_never_known() -> None:
    assert told(walk(14, 1)[2:], "5m") == [None] * 7 + [5.0] * 5
    assert len(higher(walk(14, 1)[2:], "5m").bars) == 1


def test_a_bar_whose_end_is_missing_is_known_after_the_hole() -> None:
    assert told(without(walk(11, 1), 3, 4), "5m") == [None] * 3 + [0.0] * 4 + [5.0] * 2
    assert told(without(walk(11, 1), *range(4, 10)), "5m") == [None] * 4 + [0.0]


def test_hours_of_minutes_and_weeks_of_days_are_aligned_to_utc() -> None:
    days = walk(30, 2, timeframe="1d")
    weeks = higher(days, "1w")
    assert ((weeks.bars.timestamp // 86_400_000 + 3) % 7 == 0).all()  # Mondays
    np.testing.assert_array_equal(weeks.bars.close, days.resample("1w").close)


def test_the_same_timeframe_is_known_at_once() -> None:
    bars = walk(5, 1)
    np.testing.assert_array_equal(higher(bars, "1m").expand(bars.close), bars.close)


def test_no_higher_bar_yet_is_all_unknown() -> None:
    assert told(walk(3, 1), "1h") == [None] * 3
    assert told(walk(3, 1)[:0], "1h") == []


@given(st.integers(0, 10_000), st.sampled_from(["3m", "5m", "15m", "1h"]), st.integers(0, 200))
def test_nothing_of_the_future_is_in_it(seed: int, timeframe: str, cut: int) -> None:
    rng = np.random.default_rng(seed)
    bars = without(walk(260, seed % 97), *np.flatnonzero(rng.random(260) < 0.15))[int(rng.integers(0, 20)) :]

    def line(part: Bars) -> np.ndarray:  # type: ignore[type-arg]
        found = higher(part, timeframe)
        return found.expand(ema(found.bars.close, 3)) if len(found.bars) > 3 else np.full(len(part), np.nan)

    whole = line(bars)
    part = line(bars[:cut])
    known = ~np.isnan(part)
    np.testing.assert_array_equal(part[known], whole[:cut][known])
    later = higher(bars, timeframe)
    seen = later.row >= 0
    ends = later.bars.timestamp[later.row[seen]] + {"3m": 3, "5m": 5, "15m": 15, "1h": 60}[timeframe] * 60_000
    assert (ends <= bars.timestamp[seen] + 60_000).all()


@pytest.mark.parametrize("timeframe", ["1m", "2h", "1s"])
def test_a_timeframe_that_is_no_multiple_is_refused_in_one_sentence(timeframe: str) -> None:
    with pytest.raises(InvalidInput, match=r"Bars of 3h|Bars of 4h cannot become .* they can become 8h, 12h"):
        higher(walk(20, 1, timeframe="4h"), timeframe)


def test_values_of_another_length_are_refused() -> None:
    found = higher(walk(20, 1), "5m")
    with pytest.raises(InvalidInput, match=r"\(20,\) values do not belong to 4 bars of 5m"):
        found.expand(np.zeros(20))


@pytest.mark.parametrize(
    ("timeframe", "ratio", "wanted"),
    [("1m", 4, "5m"), ("5m", 4, "30m"), ("15m", 4, "1h"), ("1h", 4, "4h"), ("4h", 4, "1d"), ("1d", 4, "1w")],
)
def test_the_next_longer_timeframe_is_found(timeframe: str, ratio: int, wanted: str) -> None:
    assert at_least(timeframe, ratio) == wanted


def test_a_timeframe_longer_than_a_week_is_refused() -> None:
    with pytest.raises(InvalidInput, match="No timeframe is 8 times as long as 1d; at most 7 times is"):
        at_least("1d", 8)

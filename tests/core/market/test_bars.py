import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadData, InvalidInput
from core.market.bars import COLUMNS, Bars
from core.market.timeframes import HOUR, MINUTE
from tests.core.market.made import BTC, START, any_bars, bars


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


def changed(name: str, index: int, value: float) -> Bars:
    whole = bars(10)
    columns: Any = {each: getattr(whole, each).copy() for each in COLUMNS}
    columns[name][index] = value
    return Bars.checked(BTC, "1h", **columns)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("high", 3.0, "high 3 is below"),
        ("low", 1e6, "is below low 1000000"),
        ("close", float("nan"), "close is missing or not a number"),
        ("open", float("inf"), "open is infinite"),
        ("low", -1.0, "low -1 is not a price; prices are above 0"),
        ("low", 0.0, "low 0 is not a price"),
        ("volume", -2.0, "volume -2 is negative"),
        ("volume", float("nan"), "volume is missing"),
        ("timestamp", START + 4 * HOUR, "the time 2022-01-01T04:00:00Z stands there twice"),
        ("timestamp", START, "rows must be oldest first"),
        ("timestamp", START + 5 * HOUR + MINUTE, "is not the open of a 1h bar; the bar opens at 2022-01-01T05:00:00Z"),
    ],
)
def test_an_impossible_row_is_refused_with_its_number_and_reason(name: str, value: float, told: str) -> None:
    with pytest.raises(BadData, match=re.escape(told)) as refused:
        changed(name, 5, value)
    assert "row 5 (counting from 0)" in refused.value.message


def test_the_low_may_not_be_above_the_open_or_close() -> None:
    with pytest.raises(BadData, match="low 3 is above close 2"):
        Bars.checked(BTC, "1h", [START], [3.0], [4.0], [3.0], [2.0], [1.0])


def test_columns_must_be_equally_long() -> None:
    with pytest.raises(BadData, match="open 1, high 2"):
        Bars.checked(BTC, "1h", [START], [3.0], [4.0, 4.0], [3.0], [2.0], [1.0])


def test_nothing_can_be_written_into_bars() -> None:
    whole = bars(3)
    with pytest.raises(ValueError, match="read-only"):
        whole.close[0] = 1.0
    assert all(getattr(whole[1:], name).flags.c_contiguous for name in COLUMNS)


def test_bars_sent_to_another_process_are_the_same_and_read_only() -> None:
    whole = bars(5)
    sent = pickle.loads(pickle.dumps(whole))
    assert sent.fingerprint() == whole.fingerprint()
    assert not sent.close.flags.writeable


def test_an_array_given_to_bars_stays_writeable_for_its_owner() -> None:
    close = np.array([2.0])
    Bars.checked(BTC, "1h", [START], [2.0], [2.0], [2.0], close, [1.0])
    close[0] = 3.0


def test_slices_and_spans_cut_all_columns_alike() -> None:
    whole = bars(10)
    assert same(whole[2:5], whole.between(START + 2 * HOUR, START + 5 * HOUR))
    assert len(whole.between(START + 3 * HOUR - 1, START + 3 * HOUR + 1)) == 1
    assert len(whole.between(START + HOUR, START)) == 0
    assert len(whole.between()) == 10
    with pytest.raises(InvalidInput):
        whole[::2]


def test_holes_are_told_and_never_filled() -> None:
    whole = bars(10, holes=(3, 4, 7))
    assert len(whole) == 7
    assert [(gap.start, gap.end, gap.missing) for gap in whole.gaps()] == [
        (START + 3 * HOUR, START + 5 * HOUR, 2),
        (START + 7 * HOUR, START + 8 * HOUR, 1),
    ]


def test_the_fingerprint_changes_with_any_number_and_with_the_instrument() -> None:
    whole = bars(10)
    assert whole.fingerprint() == bars(10).fingerprint()
    assert len({whole.fingerprint(), bars(10, seed=1).fingerprint(), whole[:9].fingerprint()}) == 3
    assert changed("volume", 2, 0.5).fingerprint() != whole.fingerprint()


def test_bars_that_follow_are_joined_and_others_are_refused() -> None:
    whole = bars(10)
    assert same(whole[:4].followed_by(whole[4:]), whole)
    with pytest.raises(InvalidInput):
        whole.followed_by(whole)


def test_a_resampled_bar_is_open_first_high_max_low_min_close_last_volume_sum() -> None:
    fine = bars(8)
    coarse = fine.resample("4h")
    assert coarse.timeframe == "4h"
    assert coarse.timestamp.tolist() == [START, START + 4 * HOUR]
    assert coarse.open[1] == fine.open[4]
    assert coarse.high[1] == fine.high[4:8].max()
    assert coarse.low[1] == fine.low[4:8].min()
    assert coarse.close[1] == fine.close[7]
    assert coarse.volume[1] == pytest.approx(fine.volume[4:8].sum())


def test_a_first_bar_without_its_beginning_and_a_last_one_without_its_end_are_left_out() -> None:
    assert bars(8)[1:].resample("4h").timestamp.tolist() == [START + 4 * HOUR]
    assert bars(8)[:7].resample("4h").timestamp.tolist() == [START]
    assert len(bars(8)[1:7].resample("4h")) == 0
    assert len(bars(8)[1:3].resample("4h")) == 0


def test_resampled_weeks_open_on_monday() -> None:
    weeks = bars(40, "1d").resample("1w")
    assert {int(day) for day in (weeks.timestamp // (24 * HOUR) + 3) % 7} == {0}
    assert weeks.timestamp[0] == START + 2 * 24 * HOUR


@pytest.mark.parametrize(("fine", "coarse"), [("1h", "30m"), ("3d", "1w"), ("8h", "12h")])
def test_finer_bars_and_broken_multiples_are_refused(fine: str, coarse: str) -> None:
    with pytest.raises(InvalidInput, match=f"Bars of {fine} cannot become {coarse} bars"):
        bars(20, fine, start=START - START % (3 * 24 * HOUR)).resample(coarse)


@given(whole=any_bars("15m"), cut=st.integers(0, 200), coarse=st.sampled_from(["30m", "1h", "4h", "1d"]))
def test_resampling_a_prefix_is_a_prefix_of_the_resampled(whole: Bars, cut: int, coarse: str) -> None:
    full, part = whole.resample(coarse), whole[:cut].resample(coarse)
    assert same(part, full[: len(part)])


@given(whole=any_bars("5m"))
def test_resampling_in_steps_is_resampling_at_once_but_for_the_ends(whole: Bars) -> None:
    stepwise, once = whole.resample("15m").resample("1h"), whole.resample("1h")
    both = np.intersect1d(stepwise.timestamp, once.timestamp)
    inner = both[1:-1]
    for name in ("open", "high", "low", "close"):
        ours = getattr(once, name)[np.isin(once.timestamp, inner)]
        assert np.array_equal(ours, getattr(stepwise, name)[np.isin(stepwise.timestamp, inner)])


@given(whole=any_bars())
def test_a_frame_and_back_is_the_same(whole: Bars) -> None:
    frame = whole.to_pandas()
    assert str(frame.index.tz) == "UTC"
    assert same(Bars.from_pandas(frame, whole.instrument, "1h"), whole)


@pytest.mark.parametrize("make", ["naive", "column_ms", "column_text", "aware_elsewhere", "seconds"])
def test_a_frame_may_hold_its_times_in_many_ways(make: str) -> None:
    whole = bars(5)
    frame = whole.to_pandas().rename(columns=str.title)
    if make == "naive":
        frame.index = frame.index.tz_localize(None)
    elif make == "aware_elsewhere":
        frame.index = frame.index.tz_convert("America/New_York")
    else:
        stamps = {
            "column_ms": whole.timestamp,
            "seconds": whole.timestamp // 1000,
            "column_text": frame.index.astype(str),
        }
        frame = frame.reset_index(drop=True).assign(Date=stamps[make])
    taken = Bars.from_pandas(frame)
    assert same(taken, whole)
    assert taken.timeframe == "1h"
    assert taken.instrument.key == "file:ASSET/USDT"


def test_a_frame_without_volume_is_refused_naming_its_columns() -> None:
    with pytest.raises(BadData, match="The frame has no volume column; the columns found are open, high, low, close"):
        Bars.from_pandas(bars(5).to_pandas().drop(columns="volume"))


def test_a_frame_with_a_missing_time_is_refused() -> None:
    frame = bars(5).to_pandas().reset_index()
    frame.loc[2, "timestamp"] = pd.NaT
    with pytest.raises(BadData, match="row 2"):
        Bars.from_pandas(frame)

"""The picture of a chart: right size, true extremes, and no picture that fails."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bots.charts import png
from bots.charts.arrays import LONGEST, merge_candles, merge_sums, thin
from bots.charts.label import amount
from bots.charts.palette import DARK, LIGHT
from bots.charts.time_axis import time_ticks
from core.reply import Chart, Pane, Series, from_json, to_json

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR


def times(count: int) -> np.ndarray:
    return START + np.arange(count, dtype=np.int64) * HOUR


def candles(count: int, price: float = 60_000.0) -> np.ndarray:
    close = price * (1 + 0.01 * np.sin(np.arange(count) / 7))
    opened = np.concatenate([[price], close[:-1]])[:count]
    return np.column_stack([opened, np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999, close])


def market(count: int, label: str | None = "SIMULATED") -> Chart:
    when, prices = times(count), candles(count)
    average = np.full(count, np.nan)
    average[20:] = prices[20:, 3]
    marks = np.arange(0, count, 10)
    price = Pane(
        (
            Series("candles", "BTC/USDT", when, prices),
            Series("line", "SMA 20", when, average),
            Series("markers", "trades", when[marks], prices[marks, 3], ("buy", "sell") * (len(marks) // 2 + 1)),
        ),
        4,
        "USDT",
    )
    volume = Pane((Series("histogram", "Volume", when, np.ones(count)),), 1, "BTC")
    return Chart("BTC/USDT · 1h", (price, volume), label, "Bitcoin by the hour")


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    picture.load()
    return picture


def colour(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def share(picture: Image.Image, wanted: str) -> float:
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    return float((pixels == colour(wanted)).all(axis=1).mean())


@pytest.mark.parametrize("count", [1, 2, 3, 50, 5000])
def test_any_number_of_bars_gives_a_picture_of_the_asked_size(count: int) -> None:
    chart = market(count)
    chart = Chart(chart.title, chart.panes if count > 2 else (chart.panes[0], chart.panes[1]), chart.label)
    assert opened(png(chart)).size == (900, 600)
    assert opened(png(chart, width=640, height=480, dark=False)).size == (640, 480)


def test_rising_and_falling_bars_and_the_label_are_seen() -> None:
    picture = opened(png(market(120)))
    assert share(picture, DARK.rising) > 0.005
    assert share(picture, DARK.falling) > 0.005
    assert share(picture, DARK.warning) > 0.005  # the badge
    assert share(opened(png(market(120, label=None))), DARK.warning) == pytest.approx(0, abs=0.005)
    assert share(opened(png(market(120), dark=False)), LIGHT.background) > 0.1


def test_markers_are_drawn_over_the_price() -> None:
    when = times(30)
    flat = Series("line", "price", when, np.full(30, 100.0))
    bought = Series("markers", "trades", when[:1], [100.0], ("buy",))
    without, with_marker = Chart("x", (Pane((flat,)),)), Chart("x", (Pane((flat, bought)),))
    assert share(opened(png(without)), DARK.rising) == 0
    assert share(opened(png(with_marker)), DARK.rising) > 0


def test_the_label_is_told_to_programs_that_read_the_picture() -> None:
    assert "SIMULATED" in opened(png(market(30))).info["Description"]


@pytest.mark.parametrize(
    "panes",
    [
        (),
        (Pane(()),),
        (Pane((Series("line", "nothing", (), ()),)),),
        (Pane((Series("line", "gaps only", times(3), (float("nan"),) * 3),)),),
        (Pane((Series("candles", "none", (), ()), Series("markers", "none", (), ()))),),
    ],
)
def test_a_chart_without_values_says_so(panes: tuple[Pane, ...]) -> None:
    empty = opened(png(Chart("BTC", panes)))
    assert empty.size == (900, 600)
    assert share(empty, DARK.faint) > 0  # the sentence
    assert share(empty, DARK.panel) == 0  # and no axes


@pytest.mark.parametrize("price", [0.0, 1e-8, 0.123, 60_000.0, 3e12, -5.0])
def test_one_price_all_along_is_a_flat_line(price: float) -> None:
    chart = Chart("flat", (Pane((Series("line", "price", times(20), np.full(20, price)),)),))
    assert share(opened(png(chart)), DARK.lines[0]) > 0


def test_gaps_infinities_and_unknown_labels_do_not_matter() -> None:
    values = [1.0, float("nan"), 2.0, float("inf"), None, 3.0]
    when = times(6)
    prices = candles(6)
    prices[2] = np.nan
    kinds = [Series(kind, kind, when, values) for kind in ("line", "area", "histogram", "markers")]  # type: ignore[arg-type]
    chart = Chart("gaps", (Pane((Series("candles", "bars", when, prices), *kinds)), Pane(tuple(kinds[:3]))))
    assert opened(png(chart)).size == (900, 600)


def test_a_chart_that_travelled_as_json_looks_the_same() -> None:
    chart = market(40)
    assert png(from_json(to_json(chart))) == png(chart)


def test_signs_of_a_formula_are_shown_as_they_are() -> None:
    assert opened(png(Chart(r"$\frac{1}{$ costs 5 $ and _{x} $$", market(20).panes, "$ $"))).size == (900, 600)


def test_pictures_drawn_at_once_do_not_mix() -> None:
    charts = [market(count) for count in (10, 60, 200)]
    alone = [png(chart) for chart in charts]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(png, charts * 3)) == alone * 3


# ---- what is drawn of many -----------------------------------------------------------------------------------


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_merged_candles_keep_the_extremes_and_both_ends(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = rng.uniform(10, 20, (count, 2))
    prices = np.column_stack([body[:, 0], body.max(axis=1) + 1, body.min(axis=1) - 1, body[:, 1]])
    when, merged = merge_candles(times(count), prices)
    assert len(when) == len(merged) <= LONGEST
    assert merged[:, 1].max() == prices[:, 1].max()
    assert merged[:, 2].min() == prices[:, 2].min()
    assert (merged[0, 0], merged[-1, 3]) == (prices[0, 0], prices[-1, 3])


@given(count=st.integers(1, 3000))
@settings(max_examples=40)
def test_merged_volume_is_all_the_volume(count: int) -> None:
    when, sums = merge_sums(times(count), np.arange(1.0, count + 1))
    assert len(when) <= LONGEST
    assert sums.sum() == pytest.approx(count * (count + 1) / 2)
    assert when.tolist() == merge_candles(times(count), candles(count))[0].tolist()


def test_a_thinned_line_keeps_its_peaks_and_its_gap() -> None:
    values = np.zeros(100_000)
    values[31_234], values[77_777] = 9.0, -9.0
    values[50_000:60_000] = np.nan
    when, kept = thin(times(100_000), values)
    assert len(when) < 2000
    assert {np.nanmax(kept), np.nanmin(kept)} == {9.0, -9.0}
    assert np.isnan(kept).any()


@given(first=st.integers(0, 4_000_000_000_000), span=st.integers(1, 600_000_000_000), most=st.integers(2, 9))
@settings(max_examples=200)
def test_time_labels_lie_on_the_axis_and_are_few(first: int, span: int, most: int) -> None:
    moments, labels = time_ticks(first, first + span, most)
    assert len(moments) == len(labels) <= most + 1
    assert all(first <= moment <= first + span for moment in moments)


@pytest.mark.parametrize(
    ("value", "span", "text"),
    [
        (61_632.4, 4000, "61,632"),
        (61_632.4, 3, "61,632.40"),
        (1.5, 0.3, "1.500"),
        (0.12169, 0.005, "0.12169"),
        (2_500_000, 1_000_000, "2.5M"),
        (-0.0001, 50, "0.0"),
        (0, 0, "0.00"),
    ],
)
def test_tick_numbers_tell_neighbours_apart_and_no_more(value: float, span: float, text: str) -> None:
    assert amount(value, span) == text

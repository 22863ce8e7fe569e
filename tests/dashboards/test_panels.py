"""What the panel draws and says, and which kernels live."""

from typing import Any

import httpx
import pytest

from core.errors import AppError, Unavailable
from dashboards.client import Client, refusal
from dashboards.gateway import research
from dashboards.gateway.kernels import PageKernels
from dashboards.panels import charts, words


def data(label: str | None = "SIMULATED") -> dict[str, Any]:
    return {
        "instrument": "BTC/USDT", "timeframe": "1h", "label": label, "times": [0, 3_600_000, 7_200_000],
        "open": [1.0, 2.0, 3.0], "high": [2.0, 3.0, 4.0], "low": [0.5, 1.5, 2.5], "close": [1.5, 2.5, 3.5],
        "volume": [1.0, 2.0, 3.0],
        "indicators": {"ema_20": [1.0, 2.0, 3.0], "bollinger_upper_20": [2.0, 2.0, 2.0],
                       "bollinger_middle_20": [1.0, 1.0, 1.0], "rsi_14": [50.0, 60.0, 70.0]},
    }  # fmt: skip


def test_a_price_chart_has_candles_volume_and_rsi_below_each_other() -> None:
    chart = charts.price(data())
    assert [[one.kind for one in pane.series] for pane in chart.panes] == [
        ["candles", "line", "line"], ["histogram"], ["line"],
    ]  # fmt: skip
    assert chart.label == "SIMULATED"
    assert "BTC/USDT" in chart.alt


def test_a_fill_stands_at_the_bar_it_happened_in() -> None:
    markers = {"times": [-1, 3_600_000, 7_300_000], "prices": [9.0, 2.0, 3.0], "sides": ["buy", "buy", "sell"]}
    series = charts.fills([0, 3_600_000, 7_200_000], markers)
    assert list(series.times) == [3_600_000, 7_200_000]  # one before the first drawn bar is left out
    assert list(series.labels) == ["buy", "sell"]


@pytest.mark.parametrize("said", [words.says, words.hint])
def test_no_text_becomes_markup(said: Any) -> None:
    assert "<img" not in said("<img src=x onerror=alert(1)>")


def test_percentages_and_money_are_written_for_people() -> None:
    assert words.percent(-0.1234) == "−12.34\u00a0%"
    assert words.percent(0.05, sign=True) == "+5.00\u00a0%"
    assert words.money(64210.5) == "64,210.50"
    assert words.money(0.00001234) == "0.00001234"
    assert words.title("rsi_reversion") == "RSI reversion"


@pytest.mark.parametrize("text", ["ema", "ema:1", "ema:9999", "magic:20", "ema:20;rsi:14", "ema:-5"])
def test_an_unknown_indicator_is_refused(text: str) -> None:
    with pytest.raises(AppError):
        research.parse_indicators(text)


def test_an_equity_curve_keeps_its_ends_when_thinned() -> None:
    places = research.thinned(100_000)
    assert len(places) == research.DRAWN
    assert (places[0], places[-1]) == (0, 99_999)
    assert len(research.thinned(7)) == 7


def test_a_problem_document_becomes_its_sentence() -> None:
    answer = httpx.Response(404, json={"detail": "There is no 'x'.", "code": "not_found"})
    assert refusal(answer).sentence() == "There is no 'x'."
    assert "502" in refusal(httpx.Response(502, text="<html>")).sentence()


def test_a_notebook_without_an_instance_says_how_to_start_one(tmp_path: Any) -> None:
    with pytest.raises(Unavailable) as missing:
        Client.joined(tmp_path)
    assert "make run" in missing.value.sentence()


async def test_only_a_kernel_without_a_page_is_ended() -> None:
    ended: list[str] = []

    class Kernels(PageKernels):
        async def shutdown_kernel(self, kernel_id: str, *rest: Any, **more: Any) -> None:
            ended.append(kernel_id)

    kernels = Kernels(cull_idle_timeout=1_000)
    kernels._kernel_connections = {"shown": 1, "new": 0, "left": 0}
    for kernel in ("shown", "new", "left"):
        await kernels.cull_kernel_if_idle(kernel)
    assert ended == []  # also one that has just left the pool and whose page is still coming
    kernels.alone_since["left"] -= 1_001
    for kernel in ("shown", "new", "left"):
        await kernels.cull_kernel_if_idle(kernel)
    assert ended == ["left"]

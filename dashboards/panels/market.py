"""Market and backtest: live candles with indicators, and any strategy tested on them, in one panel."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from core.errors import AppError
from dashboards.client import Client
from dashboards.panels import charts, words
from dashboards.widgets.chart import ChartWidget

BARS = 300  # drawn on the price chart
REFRESH = 2.0  # seconds between two looks at the last bar
INDICATORS = "ema:20,bollinger:20,rsi:14"


class MarketPanel:
    """The panel. `view` is the widget to show; `start` keeps its last bar alive."""

    def __init__(self, client: Client) -> None:
        self._client = client
        listed = client.instruments()
        self._strategies = {one["name"]: one for one in client.strategies()}
        symbols = [one["instrument"] for one in listed["instruments"]]
        self.instrument = widgets.Dropdown(
            options=symbols, value="BTC/USDT" if "BTC/USDT" in symbols else symbols[0], description="Instrument"
        )
        self.timeframe = widgets.Dropdown(options=listed["timeframes"], value="1h", description="Timeframe")
        self.price = widgets.HTML().add_class("panel-price")
        self.says = widgets.HTML().add_class("panel-says")
        self.strategy = widgets.Dropdown(
            options=[(words.title(name), name) for name in self._strategies], description="Strategy"
        )
        self.summary = widgets.HTML()
        self.parameters: dict[str, Any] = {}
        self._parameter_box = widgets.Box().add_class("panel-pair")
        self.bars = widgets.BoundedIntText(2_000, min=50, max=20_000, step=100, description="Bars to test")
        self.cash = widgets.BoundedFloatText(10_000, min=1, max=1e12, step=1_000, description="Starting cash")
        self.fee = widgets.BoundedFloatText(0.1, min=0, max=20, step=0.01, description="Fee per trade, %")
        self.slippage = widgets.BoundedFloatText(0.05, min=0, max=50, step=0.01, description="Slippage, %")
        self.run = widgets.Button(description="Run backtest").add_class("panel-run")
        self._data = client.bars(self.instrument.value, self.timeframe.value, BARS, INDICATORS)
        self._markers: dict[str, Any] | None = None
        self.chart = ChartWidget(charts.price(self._data))
        self.equity: ChartWidget | None = None
        self._result = widgets.Box().add_class("panel-result")
        self._result.layout.display = "none"
        self.view = self._compose()
        self._listen()
        self._fill_form()
        self._show_price()

    def _compose(self) -> widgets.Widget:
        top = widgets.Box([self.instrument, self.timeframe, self.price]).add_class("panel-top")
        chart = widgets.Box([self.chart]).add_class("panel-chart").add_class("panel-cards")
        costs = widgets.Box([self.bars, self.cash, self.fee, self.slippage]).add_class("panel-pair")
        title = widgets.HTML("<h2>Backtest</h2>")
        form = widgets.Box([title, self.strategy, self.summary, self._parameter_box, costs, self.run, self.says])
        form.add_class("panel-form").add_class("panel-cards")
        for box in (chart, form):
            box.layout.overflow = "visible"
        self.chart.layout.width = "100%"
        return widgets.Box([top, chart, form, self._result]).add_class("panel")

    def _listen(self) -> None:
        self.instrument.observe(lambda change: self.reload(), "value")
        self.timeframe.observe(lambda change: self.reload(), "value")
        self.strategy.observe(lambda change: self._fill_form(), "value")
        self.run.on_click(lambda button: self.test())

    def _fill_form(self) -> None:
        """Inputs for the chosen strategy, with the ranges it declares."""
        chosen = self._strategies[self.strategy.value]
        self.summary.value = words.hint(chosen["summary"])
        self.parameters = {name: entry(name, one) for name, one in chosen["parameters"].items()}
        self._parameter_box.children = tuple(self.parameters.values())
        self._parameter_box.layout.display = "" if self.parameters else "none"

    def reload(self) -> None:
        """Draws the chosen instrument and timeframe."""
        try:
            self._data = self._client.bars(self.instrument.value, self.timeframe.value, BARS, INDICATORS)
            self._markers = None
            self.chart.show(charts.price(self._data))
            self._show_price()
            self.says.value = ""
        except AppError as refused:
            self.says.value = words.says(refused.sentence())

    def test(self) -> None:
        """Runs the backtest that the form describes and shows what came of it."""
        self.says.value = ""
        self.run.disabled, self.run.description = True, "Running…"
        try:
            result = self._client.backtest(
                self.strategy.value,
                {name: box.value for name, box in self.parameters.items()},
                instrument=self.instrument.value,
                timeframe=self.timeframe.value,
                bars=self.bars.value,
                cash=self.cash.value,
                fee=self.fee.value / 100,
                slippage=self.slippage.value / 100,
            )
        except AppError as refused:
            self.says.value = words.says(refused.sentence())
        else:
            self._show_result(result)
        finally:
            self.run.disabled, self.run.description = False, "Run backtest"

    def _show_result(self, result: Mapping[str, Any]) -> None:
        self._markers = dict(result["markers"])
        self.chart.show(charts.price(self._data, self._markers))
        drawing = charts.equity(result)
        if self.equity is None:
            self.equity = ChartWidget(drawing)
            self.equity.layout.width = "100%"
            self._equity_box = widgets.Box([self.equity]).add_class("panel-cards").add_class("panel-equity")
            self._stats = widgets.HTML().add_class("panel-cards")
            self._trades = widgets.HTML().add_class("panel-cards").add_class("panel-trades")
            self._result.children = (self._stats, self._equity_box, self._trades)
        else:
            self.equity.show(drawing)
        self._stats.value = words.statistics(result)
        self._trades.value = words.trades(result)
        self._result.layout.display = ""
        self.says.value = words.done(result)

    def _show_price(self) -> None:
        try:
            self.price.value = words.quote(self._client.quote(self.instrument.value))
        except AppError as refused:
            self.price.value = words.says(refused.sentence())

    def start(self) -> None:
        """Begins to refresh, in the loop that the kernel runs on."""
        self._task = asyncio.get_running_loop().create_task(self.refresh(), name="market panel")

    async def refresh(self) -> None:
        """Moves the last bar and the price for as long as the panel lives."""
        while True:
            await asyncio.sleep(REFRESH)
            symbol, timeframe = self.instrument.value, self.timeframe.value
            try:
                quote = await asyncio.to_thread(self._client.quote, symbol)
                newest = await asyncio.to_thread(self._client.bars, symbol, timeframe, 2)
            except AppError as refused:
                self.price.value = words.says(refused.sentence())
                continue
            if (symbol, timeframe) != (self.instrument.value, self.timeframe.value):
                continue
            self.price.value = words.quote(quote)
            if newest["times"] and self._data["times"] and newest["times"][-1] > self._data["times"][-1]:
                with contextlib.suppress(AppError):  # a bar has closed: the indicators have a new point
                    self._data = await asyncio.to_thread(self._client.bars, symbol, timeframe, BARS, INDICATORS)
                    self.chart.show(charts.price(self._data, self._markers))
            elif newest["times"]:
                self.chart.bar = charts.last_bar(newest)


def entry(name: str, parameter: Mapping[str, Any]) -> widgets.Widget:
    """A number input that keeps to the parameter's range."""
    kind = widgets.BoundedIntText if parameter["kind"] == "int" else widgets.BoundedFloatText
    box = kind(
        parameter["default"],
        min=parameter["low"],
        max=parameter["high"],
        step=parameter["step"],
        description=words.title(name),
    )
    box.description_tooltip = f"{parameter['help']} ({parameter['low']} to {parameter['high']})".strip()
    return box


def show() -> None:
    """Shows the panel in a dashboard or a notebook; what prevents that is one sentence."""
    from IPython import display as ipython

    display: Callable[[widgets.Widget], Any] = ipython.display

    if os.environ.get("VOILA_PREHEAT"):
        from voila.utils import wait_for_request

        wait_for_request()  # a kernel made ready in advance learns only now whom it serves
    try:
        panel = MarketPanel(Client.here())
    except AppError as refused:
        display(widgets.Box([widgets.HTML(words.says(refused.sentence()))]).add_class("panel"))
        return
    display(panel.view)
    panel.start()

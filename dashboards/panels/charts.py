"""The panel's drawings as Chart blocks, from what the API answers."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from core.reply import Chart, Pane, Series

LINES = {
    "ema": "EMA {}",
    "sma": "SMA {}",
    "bollinger_upper": "Bollinger {} upper",
    "bollinger_lower": "Bollinger {} lower",
    "bollinger_middle": "Bollinger {} middle",
}


def price(data: Mapping[str, Any], markers: Mapping[str, Any] | None = None) -> Chart:
    """Candles with overlays, volume and RSI; `markers` are a backtest's fills."""
    times = data["times"]
    candles = list(zip(data["open"], data["high"], data["low"], data["close"], strict=True))
    main = [Series("candles", "", times, candles)]
    oscillator = []
    for name, values in data["indicators"].items():
        kind, _, length = name.rpartition("_")
        if kind == "rsi":
            oscillator.append(Series("line", f"RSI {length}", times, values))
        elif kind != "bollinger_middle":
            main.append(Series("line", LINES.get(kind, kind + " {}").format(length), times, values))
    if markers is not None:
        main.append(fills(times, markers))
    panes = [Pane(tuple(main), 4), Pane((Series("histogram", "Volume", times, data["volume"]),), 1)]
    if oscillator:
        panes.append(Pane(tuple(oscillator), 1))
    last = data["close"][-1] if data["close"] else None
    return Chart(
        f"{data['instrument']} · {data['timeframe']}",
        tuple(panes),
        data.get("label"),
        f"Candles of {data['instrument']}, {len(times)} bars of {data['timeframe']}, last price {last}"
        + (f", with the backtest's {len(markers['times'])} fills." if markers is not None else "."),
    )


def fills(times: list[int], markers: Mapping[str, Any]) -> Series:
    """The fills that lie within the drawn bars, each at the bar it happened in."""
    found = [
        (times[place], level, side)
        for at, level, side in zip(markers["times"], markers["prices"], markers["sides"], strict=True)
        if (place := bisect_right(times, at) - 1) >= 0
    ]
    moments, prices, sides = zip(*found, strict=True) if found else ((), (), ())
    return Series("markers", "Backtest fills", moments, prices, sides)


def equity(result: Mapping[str, Any]) -> Chart:
    """The strategy's equity with buy-and-hold beside it."""
    times = result["times"]
    series = (
        Series("area", "Strategy", times, result["equity"]),
        Series("line", "Buy and hold", times, result["baseline"]),
    )
    final = result["stats"].get("final_equity")
    return Chart(
        "Equity",
        (Pane(series, 1, result.get("quote_currency", "")),),
        result.get("label"),
        f"Equity of the backtest over {result['bars']} bars, final {final:,.2f}."
        if isinstance(final, float | int)
        else "Equity of the backtest.",
    )


def last_bar(data: Mapping[str, Any]) -> dict[str, Any]:
    """The newest bar of an API answer."""
    names = ("open", "high", "low", "close", "volume")
    return {"time": data["times"][-1]} | {name: data[name][-1] for name in names}

"""Charts as blocks: candles with volume and indicators, equity with drawdown."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core import wording
from core.errors import InvalidInput
from core.indicators.described import Indicator
from core.indicators.terms import PRICE
from core.market import timeframes
from core.market.bars import COLUMNS, Bars
from core.reply import Chart, Pane, Series, Tone

FloatArray = NDArray[np.float64]
Kind = Literal["candles", "line", "area", "histogram"]
DEFAULT = ("ema20", "ema50")
LENGTHS = {"ema": 20, "sma": 20, "rsi": 14, "atr": 14, "bollinger": 20, "macd": 26}
MOST = 5_000  # bars read before the first one that is shown
MONTHS = 62 * 86_400_000  # ms: the month before is whole within it


@dataclass(frozen=True, slots=True)
class Study:
    """An indicator to draw: its name and length, e.g. ema 20; without a length, as it usually is."""

    name: str
    length: int | None

    @property
    def title(self) -> str:
        told = self.name.replace("_", " ")
        told = told.upper() if len(told) < 5 else told.capitalize()
        return told if self.length is None or self.name == "macd" else f"{told} {self.length}"

    @property
    def parameters(self) -> dict[str, int]:
        """Of the catalogue's indicator: the length is its first parameter."""
        from core.indicators import named

        first = next(iter(named(self.name).parameters), None)
        return {} if self.length is None or first is None else {first: self.length}

    def needs(self, timeframe: str) -> int:
        """How many bars before the first one shown. Raises InvalidInput where that is too many."""
        from core.indicators import named

        return (
            self.length * 4
            if self.name in LENGTHS and self.length
            else needs(named(self.name), named(self.name).checked(self.parameters), timeframe)
        )


def needs(told: Indicator, chosen: Mapping[str, Any], timeframe: str) -> int:
    """How many bars an indicator reads before the first one shown. Raises InvalidInput where that is too many."""
    if told.warmup(**chosen) > MOST:
        raise InvalidInput(
            f"{told.name} needs {told.warmup(**chosen):,} bars before its first value, and at most {MOST:,} are read.",
            hint="Choose shorter settings.",
        )
    needed = max(told.warmup(**chosen), told.settles(**chosen) or 300)
    if "timestamp" in told.inputs:
        needed = max(needed, MONTHS // timeframes.milliseconds(timeframe))
    return min(needed, MOST)


def studies(text: str) -> tuple[Study, ...]:
    """The indicators named in 'rsi,ema20,supertrend'. Raises InvalidInput for an unknown one."""
    from core.indicators import catalogue

    found = []
    for word in filter(None, re.split(r"[,\s]+", text.strip().lower())):
        match = re.fullmatch(r"([a-z][a-z0-9_-]*?)[(:]?(\d{1,6})?\)?", word)
        name, said = (word, None) if word in catalogue() or match is None else (match[1].replace("-", "_"), match[2])
        told = catalogue().get(name)
        if told is None:
            near = difflib.get_close_matches(name, list(catalogue()), n=3, cutoff=0.65)
            hint = f"Did you mean {' or '.join(near)}?" if near else "indicators lists them."
            raise InvalidInput(f"'{word[:30]}' is not an indicator that a chart can draw.", hint=hint, value=word[:30])
        if "other" in told.inputs:
            raise InvalidInput(
                f"{name} compares two coins.", hint=f"Write, for example: indicator {name} btc 1h against=eth."
            )
        length = int(said) if said else LENGTHS.get(name)
        if name in LENGTHS and length is not None and not 2 <= length <= 400:
            raise InvalidInput(
                f"'{word[:30]}' has the length {length:,}.", hint="Lengths go from 2 to 400.", value=word[:30]
            )
        study = Study(name, length)
        if name not in LENGTHS:
            if said and not told.parameters:
                raise InvalidInput(f"{name} has no length.", value=word[:30])
            told.checked(study.parameters)
        found.append(study)
    if len(found) > 4:
        raise InvalidInput(f"{len(found)} indicators are too many for one chart.", hint="Choose up to four.")
    return tuple(dict.fromkeys(found))


def candles(bars: Bars, chosen: Sequence[Study], show: int, title: str, label: str | None) -> Chart:
    """The last `show` bars with volume and indicators; earlier bars only warm the indicators up."""
    from core import indicators as library

    cut = slice(max(0, len(bars) - show), None)
    times = bars.timestamp[cut]
    over: list[Series] = []
    below: list[Pane] = []
    for study in chosen:
        match study.name:
            case "ema" | "sma":
                line = getattr(library, study.name)(bars.close, study.length)
                over.append(series("line", study.title, times, line[cut]))
            case "bollinger":
                bands: Any = library.bollinger(bars.close, study.length or LENGTHS["bollinger"])
                names = ("Bollinger middle", "Bollinger upper", "Bollinger lower")
                over += [
                    series("line", name, times, band[cut]) for name, band in zip(names, ordered(bands), strict=False)
                ]
            case "macd":
                line, signal, histogram = library.macd(bars.close)[:3]
                drawn: tuple[tuple[Kind, str, FloatArray], ...] = (
                    ("histogram", "Histogram", histogram),
                    ("line", "MACD", line),
                    ("line", "Signal", signal),
                )
                below.append(Pane(tuple(series(kind, name, times, values[cut]) for kind, name, values in drawn), 0.5))
            case _:
                told = library.named(study.name)
                lines = told.compute(
                    {column: getattr(bars, column) for column in COLUMNS}, **told.checked(study.parameters)
                )
                beside, under = placed(told, lines, bars, cut, study.title)
                over += beside
                below += under
    prices = np.column_stack((bars.open, bars.high, bars.low, bars.close))[cut]
    main = Pane((series("candles", bars.instrument.symbol, times, prices), *over), 2.0, bars.instrument.quote)
    volume = Pane((series("histogram", "Volume", times, bars.volume[cut]),), 0.5, bars.instrument.base)
    return Chart(title, (main, volume, *below), label, described(bars[cut], title, label))


def placed(
    told: Indicator, lines: Sequence[FloatArray], bars: Bars, cut: slice, title: str
) -> tuple[list[Series], list[Pane]]:
    """What is a price over the candles, and the rest in panes below them, one for each unit."""
    over: list[Series] = []
    below: dict[str, list[Series]] = {}
    for each, line in zip(told.outputs, lines, strict=True):
        kind: Kind = "histogram" if told.category == "pattern" or each.name == "histogram" else "line"
        name = title if each.name == told.name else f"{title} {each.name.replace('_', ' ')}"
        drawing = series(kind, name, bars.timestamp[cut], line[cut])
        if told.overlay and each.unit == PRICE:
            over.append(drawing)
        else:
            below.setdefault(each.unit, []).append(drawing)
    return over, [Pane(tuple(each), 0.5) for each in below.values()]


def ordered(bands: Any) -> list[FloatArray]:
    """Middle, upper, lower of the three bands, whatever order the indicator gives them in."""
    first, second, third = (np.asarray(band, dtype=np.float64) for band in bands[:3])
    low, middle, high = sorted((first, second, third), key=lambda band: float(np.nan_to_num(np.nanmean(band))))
    return [middle, high, low]


def described(bars: Bars, title: str, label: str | None) -> str:
    """One sentence for those who cannot see the drawing."""
    if not len(bars):
        return f"{title}: no bars."
    first, last = float(bars.open[0]), float(bars.close[-1])
    instrument = bars.instrument
    change = wording.percent(last / first - 1, sign=True) if first else "–"
    return (
        f"{title}{f' ({label})' if label else ''}: from {wording.price(first, instrument)} on "
        f"{wording.moment(int(bars.timestamp[0]))} "
        f"to {wording.price(last, instrument)}, {change}; "
        f"low {wording.price(float(np.min(bars.low)), instrument)}, high "
        f"{wording.price(float(np.max(bars.high)), instrument)}."
    )


def equity(
    times: Any,
    values: Any,
    title: str,
    currency: str,
    label: str | None,
    beside: tuple[str, Sequence[float]] | None = None,
) -> Chart:
    """An equity curve, optionally beside another, with its drawdown below."""
    worth = np.asarray(values, dtype=np.float64)
    stamps = np.asarray(times, dtype=np.int64)
    keep = thinned(len(worth))
    drawdown = worth / np.maximum.accumulate(worth) - 1 if len(worth) else worth
    lines = [series("line", "Equity", stamps[keep], worth[keep])]
    if beside is not None:
        lines.append(
            series("line", beside[0], stamps[keep], np.asarray(beside[1], dtype=np.float64)[keep], tone="warning")
        )
    panes = (
        Pane(tuple(lines), 2.0, currency),
        Pane((series("area", "Drawdown", stamps[keep], drawdown[keep] * 100, tone="bad"),), 0.8, "%"),
    )
    alt = f"{title}: no values yet."
    if len(worth):
        deepest = -float(np.nanmin(drawdown))
        alt = (
            f"{title}: from {wording.money(float(worth[0]), currency)} to "
            f"{wording.money(float(worth[-1]), currency)}; "
            f"the deepest drawdown was {wording.percent(deepest)}."
        )
    return Chart(title, panes, label, alt)


def thinned(count: int, most: int = 1500) -> NDArray[np.int64]:
    """Indexes of at most `most` points, the first and the last among them."""
    return (
        np.unique(np.linspace(0, max(0, count - 1), min(count, most)).astype(np.int64))
        if count
        else np.zeros(0, np.int64)
    )


def series(kind: Kind, name: str, times: Any, values: Any, tone: Tone = "plain") -> Series:
    """A series of arrays; a reply keeps them as they are."""
    return Series(kind, name, times, values, (), tone)

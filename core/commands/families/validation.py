"""Whether a backtest can be believed: that it sees no future, and how far luck alone may move it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core import wording
from core.commands import charts
from core.commands.bars import past_bars
from core.commands.context import Context
from core.commands.converters import HOURLY, Period, Timeframe
from core.commands.families.research import ratio
from core.commands.loading import results_of, source_of, strategy_named
from core.commands.registry import command
from core.commands.works import worked
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.reply import Chart, Choice, Choices, Pane, Reply, Table, Text, Tone

if TYPE_CHECKING:
    from core.research.archive import Archive
    from core.research.monte_carlo import MonteCarlo

MOST_RUNS = 10_000
Method = Literal["trades", "blocks", "prices", "costs"]
ROWS = (("final_equity", "Final equity"), ("max_drawdown", "Deepest drawdown"), ("sharpe", "Sharpe ratio"))


@command(
    family="research",
    aliases=("lookahead",),
    examples=("causality sma_cross", "causality rsi on eth 4h"),
)
async def causality(
    ctx: Context,
    strategy: str,
    instrument: Instrument | None = None,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    **parameters: str,
) -> Reply:
    """Proves that a strategy decides from the past alone, or names the first bar at which it saw the future.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin whose bars are used; made-up bars when not said
    timeframe: of the bars, 1h when not said
    period: 30d, 6mo, 1y, 2024; about 3,000 bars when not said
    parameters: the strategy's own settings, e.g. fast=10 slow=30
    """
    from core.research.causality import causality as test

    chosen = strategy_named(ctx, strategy, parameters)
    bars = await past_bars(ctx, instrument, timeframe, period) if instrument else None
    found = await worked(ctx, f"Testing whether {chosen.name} sees the future", test, chosen, bars, timeframe=timeframe)
    blocks = [Text(found.sentence, "good" if found.causal else "bad")]
    if found.warm_up is not None:
        blocks.append(Text(found.warm_up.sentence, "plain" if found.warm_up.enough else "warning"))
    if found.peek is not None and found.peek.test == "prefix":
        blocks.append(Text("Whatever a backtest of it shows cannot be had in trading.", "warning"))
    return blocks


@command(
    family="research",
    name="montecarlo",
    aliases=("mc", "monte-carlo"),
    examples=("montecarlo sma_cross btc 1h", "montecarlo rsi on eth 1h last year method=blocks runs=2000"),
)
async def monte_carlo(
    ctx: Context,
    strategy: str,
    instrument: Instrument,
    timeframe: Timeframe = HOURLY,
    period: Period | None = None,
    *,
    method: Method = "blocks",
    runs: int = 1000,
    seed: int = 0,
    **parameters: str,
) -> Reply:
    """Shows how far luck alone may move a backtest: many histories that might as well have been.

    strategy: its name, such as sma_cross; strategies lists them
    instrument: the coin
    timeframe: the bars it decides on, 1h when not said
    period: 30d, 6mo, 1y, 2024; about 3,000 bars when not said
    method: trades (shuffled), blocks (of returns), prices (with noise) or costs (slippage, fees, missed and late fills)
    runs: histories to make, 1,000 when not said
    seed: another number makes other histories
    parameters: the strategy's own settings, e.g. fast=10 slow=30
    """
    chosen = strategy_named(ctx, strategy, parameters)
    if not 1 <= runs <= MOST_RUNS:
        raise InvalidInput(f"{runs:,} runs are not between 1 and {MOST_RUNS:,}.")
    bars = await past_bars(ctx, instrument, timeframe, period)
    keep = _Keep(results_of(ctx), ctx.user.id, source_of(ctx, strategy))
    subject = f"Making {runs:,} histories of {chosen.name}"
    found, kept = await worked(ctx, subject, _simulated, chosen, bars, method, runs, seed, keep)
    label = ctx.services.market.label(instrument)
    title = f"{strategy} on {instrument.symbol} {timeframe}"
    times = np.linspace(int(bars.timestamp[0]), int(bars.timestamp[-1]), len(found.axis)).astype(np.int64)
    others = [each for each in ("trades", "blocks", "prices", "costs") if each != method]
    line = f"montecarlo {strategy} {instrument.base.lower()} {timeframe}"
    return [
        table(found, f"Monte Carlo: {title}"),
        bands(found, times if method == "trades" else found.axis, title, instrument.quote, label or "SIMULATION"),
        Text(f"{found.sentence} {kept}"),
        *([Text("It was stopped: this is what was done until then.", "warning")] if found.partial else []),
        Choices("Another way to ask?", tuple(Choice(each, f"{line} method={each}") for each in others)),
    ]


@dataclass(frozen=True, slots=True)
class _Keep:
    """Where a simulation is kept, and whose it is. source: the file that its strategy came from."""

    archive: "Archive"
    owner: str
    source: str | None


def _simulated(
    chosen: Any, bars: Any, method: Method, runs: int, seed: int, keep: _Keep, *, progress: Any
) -> tuple["MonteCarlo", str]:
    """The histories, and under which number they are kept, or why they are not; runs in a job."""
    from core.research.archive import NotKept
    from core.research.backtest import backtest
    from core.research.monte_carlo import monte_carlo as simulate

    found = simulate(backtest(chosen, bars), method, runs, seed, progress=progress)
    document = found.document()
    if keep.source:
        document["strategy"] = {**document["strategy"], "source": keep.source}
    try:
        saved = keep.archive.save(kind="monte-carlo", document=document, frames=found.frames(), owner=keep.owner)
    except NotKept as refused:
        return found, refused.sentence()
    return found, f"Kept as result {saved.number}."


def table(found: "MonteCarlo", title: str) -> Table:
    """The result beside the percentiles."""
    document = found.document()
    return percentiles(document["stats"], document["percentiles"], title)


def percentiles(stats: Mapping[str, Any], levels: Mapping[str, Mapping[str, float | None]], title: str) -> Table:
    """The same of the plain values that are kept."""
    rows = [(told, *(_told(name, each) for each in (stats.get(name), *levels[name].values()))) for name, told in ROWS]
    return Table(title, ("", "Result", "5 %", "25 %", "50 %", "75 %", "95 %"), tuple(rows), (1, 2, 3, 4, 5, 6))


def _told(name: str, value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    if name == "max_drawdown":
        return wording.percent(value)
    return ratio(value) if name == "sharpe" else wording.money(value)


def bands(found: "MonteCarlo", times: Any, title: str, currency: str, label: str) -> Chart:
    """The equity of the result among the percentiles of the histories."""
    lines = [charts.series("line", "Result", times, found.equity)]
    tones: tuple[tuple[int, Tone], ...] = ((5, "bad"), (50, "warning"), (95, "good"))
    lines += [charts.series("line", f"{level} %", times, found.bands[f"p{level}"], tone=tone) for level, tone in tones]
    low, high = (wording.money(float(found.bands[name][-1]), currency) for name in ("p5", "p95"))
    alt = f"{title}: nine of ten histories end between {low} and {high}."
    return Chart(f"{title}: {found.runs:,} histories", (Pane(tuple(lines), 1.0, currency),), label, alt)

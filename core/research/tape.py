"""Tape: the bars of a run as the kernel reads them, and `play`, which folds the kernel over them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.errors import InvalidInput
from core.market.bars import COLUMNS, Bars
from core.market.funding import Funding
from core.market.timeframes import milliseconds, per_year
from core.research.asked import SIGNALS, Asked
from core.research.detail import interleaved
from core.simulation import fields
from core.simulation.addresses import addresses
from core.simulation.kernel import NEVER, run
from core.simulation.state import apply_sizing, new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.sizing import Sizing

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
MEANT = {  # what a value may be, and how that is said; prices are above 0
    "exposure": (-1.0, 1.0, "an exposure lies between -1 and 1"),
    "trail": (0.0, 1.0, "a trail is a fraction between 0 and 1"),
}
CHUNKS = 20  # progress is told every 5 %
SOME = 100  # bars that nearly always tell whether there is volume at all
LEAST = 20_000  # bars in a chunk, so that short runs are not cut at all


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """The bars that orders are matched with.

    columns: per instrument timestamp, open, high, low, close, volume, (rows,) each
    ends: (instruments,) how many rows each has
    decisions: per instrument the rows in which the strategy's bars close; None where every row is such a bar
    steps, closes: (n,) UTC ms, opens of the strategy's bars and of the rows in which they end; None without detail
    """

    bars: dict[str, Bars]
    detail: dict[str, Bars]
    book: Floats
    ends: Integers
    columns: list[tuple[Any, ...]]
    decisions: list[Integers] | None
    steps: Integers | None
    closes: Integers | None
    warnings: list[str]
    aligned: bool  # all instruments have rows at the same times
    histories: dict[str, Funding]  # of funding, by symbol, as they were given
    funding: list[Floats | None]  # per instrument: due at each row's open, NaN where no history tells; None without

    @property
    def rows(self) -> int:
        """The most steps that a run can have."""
        return int(self.ends.max()) if self.aligned else int(self.ends.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What a run left. equity: (n,) per bar of the strategy; fills, account: the kernel's; steps: bars matched.

    paid: (instruments,) quote of funding and interest since the last fill of each
    """

    equity: Floats
    timestamps: Integers
    fills: Floats
    account: Floats
    steps: int
    paid: Floats


def record(
    bars: dict[str, Bars], detail: dict[str, Bars], funding: Funding | Mapping[str, Funding] | None = None
) -> Tape:
    """The tape of these bars, matched by the detail where it is given. Raises InvalidInput when it does not fit."""
    histories = _histories(bars, funding)
    warnings: list[str] = []
    every: list[tuple[Any, ...]] = [tuple(getattr(each, name) for name in COLUMNS) for each in bars.values()]
    decisions = steps = closes = None
    if detail:
        every, decisions, steps, closes = interleaved(bars, detail, warnings)
    for i, name in enumerate(bars):
        volume = every[i][-1]
        if not volume[:SOME].any() and not volume.any():
            warnings.append(f"{name} has no volume, so that fills are not limited by it.")
            every[i] = (*every[i][:-1], np.full(len(every[i][0]), np.nan))
    for name, each in bars.items():
        length = milliseconds(each.timeframe)
        whole = int(each.timestamp[-1] - each.timestamp[0]) // length + 1
        if missing := whole - len(each):
            lacks = f"{name} lacks {missing:,} of {whole:,} bars (holes in the data)"
            warnings.append(f"{lacks}: nothing was decided or filled in them.")
    last = max(int(each.timestamp[-1]) for each in bars.values())
    if gone := [name for name, each in bars.items() if each.timestamp[-1] < last]:
        told = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
        warnings.append(
            f"The bars of {told} end before the others': what is held then cannot be sold and counts at the last close."
        )
    ends = np.array([len(each[0]) for each in every], dtype=np.int64)
    return Tape(
        bars=bars,
        detail=detail,
        book=np.array([new_row(each.instrument) for each in bars.values()]),
        ends=ends,
        columns=every,
        decisions=decisions,
        steps=steps,
        closes=closes,
        warnings=warnings,
        aligned=_same_times(every, min(milliseconds(each.timeframe) for each in (*bars.values(), *detail.values()))),
        histories=histories,
        funding=_due(histories, bars, [each[0] for each in every]),
    )


def _histories(bars: dict[str, Bars], funding: Funding | Mapping[str, Funding] | None) -> dict[str, Funding]:
    """The histories of funding by symbol. Raises InvalidInput for one of what is not traded or pays none."""
    if funding is None:
        return {}
    if isinstance(funding, Funding):
        if len(bars) > 1:
            raise InvalidInput("Funding of several instruments must be given by symbol, like the bars.")
        funding = {next(iter(bars)): funding}
    for name in funding:
        if name not in bars:
            raise InvalidInput(f"There is funding of {name}, and {', '.join(bars)} is traded.")
        if bars[name].instrument.kind != "perpetual":
            raise InvalidInput(f"{name} is no perpetual, so it has no funding.")
    return dict(funding)


def _due(histories: dict[str, Funding], bars: dict[str, Bars], times: list[Integers]) -> list[Floats | None]:
    return [
        np.ascontiguousarray(histories[name].per_bar(each)) if name in histories else None
        for name, each in zip(bars, times, strict=True)
    ]


def _same_times(columns: list[tuple[Any, ...]], length: int) -> bool:
    """Whether all instruments have rows at the same times; length: of a row, ms, the grid on which they lie."""
    first = columns[0][0]
    whole = int(first[-1] - first[0]) // length + 1 == len(first)  # no hole, so the ends tell what lies between
    return all(
        len(each[0]) == len(first)
        and each[0][0] == first[0]
        and each[0][-1] == first[-1]
        and (whole or np.array_equal(each[0], first))
        for each in columns[1:]
    )


class Plan(Protocol):
    """What is to be traded on a tape: decided beforehand, or while it runs. sizing: what an exposure becomes."""

    @property
    def sizing(self) -> Sizing | None: ...

    def play(
        self,
        tape: Tape,
        cash: float,
        costs: Costs,
        progress: Callable[[float], None] | None = None,
        room: Floats | None = None,
    ) -> Played:
        """Runs an account over the tape; the rest is as `play` takes it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Signalled:
    """What is asked for, per instrument.

    equal: each instrument has an equal share of the equity to expose; sizing: what an exposure becomes
    name: whose signals they are, for an error
    """

    asked: list[Asked]
    equal: bool = True
    sizing: Sizing | None = None
    name: str = "The strategy"

    @property
    def share(self) -> float:
        """Into how many parts the exposures divide the equity."""
        return float(len(self.asked)) if self.equal else 1.0

    def play(
        self,
        tape: Tape,
        cash: float,
        costs: Costs,
        progress: Callable[[float], None] | None = None,
        room: Floats | None = None,
    ) -> Played:
        """Runs the kernel over the tape."""
        return _run(tape, self, cash, costs, progress, room)


def play(
    tape: Tape,
    plan: Plan,
    cash: float,
    costs: Costs,
    progress: Callable[[float], None] | None = None,
    room: Floats | None = None,
) -> Played:
    """What the plan comes to on the tape.

    progress: told the fraction done after each part of a long run; what it raises ends the run
    room: (rows,) or more, where the equity is written instead of into a new array; the next run overwrites it
    """
    return plan.play(tape, cash, costs, progress, room)


def _run(
    tape: Tape,
    plan: Signalled,
    cash: float,
    costs: Costs,
    progress: Callable[[float], None] | None,
    room: Floats | None,
) -> Played:
    lone = len(tape.book) == 1
    total = tape.rows
    account, book, orders = opening(tape, cash, costs, plan.sizing), tape.book.copy(), new_orders(slots(tape, costs))
    equity = np.empty(total) if room is None else room[:total]
    times = np.empty(0 if lone else total, np.int64)
    laid = laid_out(tape, plan)
    bars_at, signals_at = addresses(tape.columns), addresses(laid)  # tape and laid outlive the run
    parts, steps, first, places = [], 0, np.zeros_like(tape.ends), np.zeros_like(tape.ends)
    for number, end in enumerate(ends := _parts(tape) if progress else [tape.ends]):
        fills, done, wrong = run(
            account, book, orders, bars_at, signals_at, places, first, end, tape.aligned, plan.share, equity[steps:],
            times[steps:],
        )  # fmt: skip
        parts.append(fills)
        steps += done
        if wrong >= 0:
            now = int(tape.columns[0][0][first[0] + done - 1] if lone else times[steps - 1])
            values = [None if each is None else each[places[wrong]] for each in plan.asked[wrong].columns]
            raise _refused(plan.name, list(tape.bars)[wrong], now, values)
        first = end
        if progress:
            progress((number + 1) / len(ends))
    raw = parts[0] if len(parts) == 1 else np.concatenate(parts)
    at = tape.columns[0][0] if lone else times[:steps]
    return settled(tape, Played(equity[:steps], at, raw, account, steps, book[:, fields.B_PAID]))


def opening(tape: Tape, cash: float, costs: Costs, sizing: Sizing | None) -> Floats:
    """The account with which a run over the tape begins."""
    account = new_account(cash, costs)
    apply_sizing(account, sizing, *pace(tape))
    return account


def slots(tape: Tape, costs: Costs) -> int:
    """How many orders may be open: each bar's may be on its way beside the ones before."""
    count = len(tape.book)
    return (2 + int(costs.latency)) * count + 2


def laid_out(tape: Tape, plan: Signalled) -> list[list[Any]]:
    """Per instrument the arrays that the kernel reads beside the bars."""
    return [
        [np.append(found.rows if tape.decisions is None else tape.decisions[i][found.rows], NEVER), *found.columns, due]
        for i, (found, due) in enumerate(zip(plan.asked, tape.funding, strict=True))
    ]


def _refused(name: str, symbol: str, now: int, values: list[float | None]) -> InvalidInput:
    """What is wrong with the signals of an instrument at this time."""
    at = f"for {symbol} at {from_ms(now):%Y-%m-%d %H:%M}"
    if values[0] is None or np.isnan(values[0]):
        values[1] = None  # without an exposure a limit asks for nothing
    for key, given in zip(SIGNALS, values, strict=True):
        value = np.nan if given is None else float(given)
        low, high, told = MEANT.get(key, (0.0, np.inf, "a price lies above 0"))
        if value < low or value > high or np.isinf(value) or (value == 0.0 and key != "exposure"):
            return InvalidInput(
                f"{name} gave {'an' if key == 'exposure' else 'a'} {key.replace('_', ' ')} of {value:g} {at}; {told}.",
                strategy=name,
            )
    return InvalidInput(f"{name} gave signals {at} that cannot be meant.", strategy=name)


def pace(tape: Tape) -> tuple[float, int]:
    """How many rows are a year, and how many of them are one of the strategy's bars."""
    frame = next(iter(tape.bars.values())).timeframe
    row = next(iter(tape.detail.values())).timeframe if tape.detail else frame
    return per_year(row), milliseconds(frame) // milliseconds(row)


def settled(tape: Tape, played: Played) -> Played:
    """What is left of a run: where there is detail, of its rows' equity that at the close of the strategy's bars."""
    if tape.steps is None or tape.closes is None:
        return played
    return replace(played, equity=played.equity[np.searchsorted(played.timestamps, tape.closes)], timestamps=tape.steps)


def _parts(tape: Tape) -> list[Integers]:
    """Where each part of a long run ends, at one time for all instruments: (instruments,) rows."""
    longest = int(np.argmax(tape.ends))
    end = int(tape.ends[longest])
    size = max(LEAST, -(-end // CHUNKS))
    found = []
    for row in range(size, end, size):
        rows = [np.searchsorted(columns[0], tape.columns[longest][0][row]) for columns in tape.columns]
        found.append(np.array(rows, dtype=np.int64))
    return [*found, tape.ends]

"""Tape: the bars of a run as the kernel reads them, and `play`, which folds the kernel over them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.bars import COLUMNS, Bars
from core.market.funding import Funding
from core.market.timeframes import milliseconds, per_year
from core.research.detail import interleaved
from core.simulation.kernel import run
from core.simulation.state import apply_sizing, new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.sizing import Sizing

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = dict[str, Floats | None]  # signal arrays by name
SIGNALS = ("exposure", "limit", "stop", "take_profit", "trail")
CHUNKS = 20  # progress is told every 5 %
LEAST = 20_000  # bars in a chunk, so that short runs are not cut at all


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """The bars that orders are matched with, those of one instrument after the other's.

    firsts, ends: (instruments,) each one's rows in columns: timestamp, open, high, low, close, volume, (rows,) each
    decisions: per instrument the rows in which the strategy's bars close; None where every row is such a bar
    steps, closes: (n,) UTC ms, opens of the strategy's bars and of the rows in which they end; None without detail
    """

    bars: dict[str, Bars]
    detail: dict[str, Bars]
    book: Floats
    firsts: Integers
    ends: Integers
    columns: tuple[Any, ...]
    decisions: list[Integers] | None
    steps: Integers | None
    closes: Integers | None
    warnings: list[str]
    aligned: bool  # all instruments have rows at the same times
    funding: Floats  # (rows,) due at each row's open, NaN where no history tells; empty without any history


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What a run left. equity: (n,) per bar of the strategy; fills, account: the kernel's; steps: bars matched."""

    equity: Floats
    timestamps: Integers
    fills: Floats
    account: Floats
    steps: int


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
        if not every[i][-1].any():
            warnings.append(f"{name} has no volume, so that fills are not limited by it.")
            every[i] = (*every[i][:-1], np.full(len(every[i][0]), np.nan))
    for name, each in bars.items():
        length = milliseconds(each.timeframe)
        whole = int(each.timestamp[-1] - each.timestamp[0]) // length + 1
        if missing := whole - len(each):
            lacks = f"{name} lacks {missing:,} of {whole:,} bars (holes in the data)"
            warnings.append(f"{lacks}: nothing was decided or filled in them.")
    edges = np.cumsum([0, *(len(each[0]) for each in every)], dtype=np.int64)
    return Tape(
        bars=bars,
        detail=detail,
        book=np.array([new_row(each.instrument) for each in bars.values()]),
        firsts=edges[:-1].copy(),
        ends=edges[1:].copy(),
        columns=tuple(_flat(list(column)) for column in zip(*every, strict=True)),
        decisions=decisions,
        steps=steps,
        closes=closes,
        warnings=warnings,
        aligned=all(np.array_equal(each[0], every[0][0]) for each in every[1:]),
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


def _due(histories: dict[str, Funding], bars: dict[str, Bars], times: list[Integers]) -> Floats:
    if not histories:
        return np.empty(0)
    return np.concatenate(
        [
            histories[name].per_bar(each) if name in histories else np.full(len(each), np.nan)
            for name, each in zip(bars, times, strict=True)
        ]
    )


class Plan(Protocol):
    """What is to be traded on a tape: decided beforehand, or while it runs."""

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
    """Signals of every bar, per instrument.

    equal: each instrument has an equal share of the equity to expose; sizing: what an exposure becomes
    """

    rows: list[Rows]
    equal: bool = True
    sizing: Sizing | None = None

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
    plan: Plan | list[Rows],
    cash: float,
    costs: Costs,
    progress: Callable[[float], None] | None = None,
    room: Floats | None = None,
) -> Played:
    """What the plan comes to on the tape; a list of signals gives each instrument an equal share.

    progress: told the fraction done after each part of a long run; what it raises ends the run
    room: (rows,) or more, where the equity is written instead of into a new array; the next run overwrites it
    """
    return (Signalled(plan) if isinstance(plan, list) else plan).play(tape, cash, costs, progress, room)


def _run(
    tape: Tape,
    plan: Signalled,
    cash: float,
    costs: Costs,
    progress: Callable[[float], None] | None,
    room: Floats | None,
) -> Played:
    count = len(tape.book)
    lone = count == 1
    account, book, orders = new_account(cash, costs), tape.book.copy(), new_orders(2 * count + 2)
    apply_sizing(account, plan.sizing, *pace(tape))
    total = int(tape.ends[-1])
    equity = np.empty(total) if room is None else room[:total]
    times = np.empty(0 if lone else total, np.int64)
    exposure, limit, stop, target, trail = (_joined(tape, [found[name] for found in plan.rows]) for name in SIGNALS)
    if plan.equal and not lone:
        exposure = exposure / count
    timestamp, opened, high, low, close, volume = tape.columns
    parts, steps, first = [], 0, tape.firsts
    for number, end in enumerate(ends := _parts(tape) if progress else [tape.ends]):
        fills, done = run(
            account, book, orders, first, end, tape.aligned, timestamp, opened, high, low, close, volume,
            exposure, limit, stop, target, trail, tape.funding, equity[steps:], times[steps:],
        )  # fmt: skip
        parts.append(fills)
        steps += done
        first = end
        if progress:
            progress((number + 1) / len(ends))
    raw = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return settled(tape, equity[:steps], timestamp if lone else times[:steps], raw, account, steps)


def pace(tape: Tape) -> tuple[float, int]:
    """How many rows are a year, and how many of them are one of the strategy's bars."""
    frame = next(iter(tape.bars.values())).timeframe
    row = next(iter(tape.detail.values())).timeframe if tape.detail else frame
    return per_year(row), milliseconds(frame) // milliseconds(row)


def settled(tape: Tape, equity: Floats, times: Integers, fills: Floats, account: Floats, steps: int) -> Played:
    """What is left of a run: where there is detail, of its rows' equity that at the close of the strategy's bars."""
    if tape.steps is None or tape.closes is None:
        return Played(equity, times, fills, account, steps)
    return Played(equity[np.searchsorted(times, tape.closes)], tape.steps, fills, account, steps)


def _parts(tape: Tape) -> list[Integers]:
    """Where each part of a long run ends, at one time for all instruments: (instruments,) rows."""
    timestamp = tape.columns[0]
    longest = int(np.argmax(tape.ends - tape.firsts))
    first, end = int(tape.firsts[longest]), int(tape.ends[longest])
    size = max(LEAST, -(-(end - first) // CHUNKS))
    found = []
    for row in range(first + size, end, size):
        rows = [
            a + np.searchsorted(timestamp[a:b], timestamp[row]) for a, b in zip(tape.firsts, tape.ends, strict=True)
        ]
        found.append(np.array(rows, dtype=np.int64))
    return [*found, tape.ends]


def _flat(arrays: list[Any]) -> Any:
    """One read-only array of all, without a copy when there is one: the kernel compiles for one kind of array."""
    flat = (arrays[0] if len(arrays) == 1 else np.concatenate(arrays)).view()
    flat.flags.writeable = False
    return flat


def _joined(tape: Tape, arrays: list[Floats | None]) -> Floats:
    """A signal of all instruments one after the other, each value in its row; empty when none gives any."""
    if all(array is None for array in arrays):
        return np.empty(0)
    laid: list[Floats] = []
    for i, array in enumerate(arrays):
        if array is not None and tape.decisions is None:
            laid.append(array)
            continue
        spread = np.full(int(tape.ends[i] - tape.firsts[i]), np.nan)
        if array is not None and tape.decisions is not None:
            spread[tape.decisions[i]] = array
        laid.append(spread)
    return _whole(laid)


def _whole(parts: list[Floats]) -> Floats:
    """The parts one after the other; without a copy where they lie in memory so already."""
    if len(parts) == 1:
        return parts[0]
    base: Any = parts[0].base
    if isinstance(base, np.ndarray) and base.ndim == 1 and base.dtype == np.float64 and base.flags.c_contiguous:
        place = start = parts[0].__array_interface__["data"][0]
        for part in parts:
            if part.base is not base or part.__array_interface__["data"][0] != place or not part.flags.c_contiguous:
                break
            place += part.nbytes
        else:
            first = (start - base.__array_interface__["data"][0]) // base.itemsize
            found: Floats = base[first : first + (place - start) // base.itemsize]
            return found
    return np.concatenate(parts)

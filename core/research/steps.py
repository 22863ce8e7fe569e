"""Stepped: a tape played row by row for a strategy that sees its own position, by the kernel's own step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.events import Bar
from core.market.bars import Bars
from core.research.tape import Played, Tape, pace, settled
from core.simulation.account import SimulatedAccount, SimulatedFill
from core.simulation.view import NOTHING, AccountView, asked, carry_out, demand_plain, forget, intents_of
from core.trading.costs import Costs
from core.trading.sizing import Sizing
from core.trading.strategy import StepStrategy

Floats = NDArray[np.float64]
PART = 10_000  # rows between two reports of progress


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """What is decided while the tape runs. known: all bars, of which the first `skip` only warm the strategy up.

    values: of the strategy's own indicators, by symbol; sizing: what the exposure of an Aim becomes
    """

    strategy: StepStrategy
    known: dict[str, Bars]
    skip: tuple[int, ...]
    values: dict[str, dict[str, Floats]] = field(default_factory=dict)
    sizing: Sizing | None = None

    def play(
        self,
        tape: Tape,
        cash: float,
        costs: Costs,
        progress: Callable[[float], None] | None = None,
        room: Floats | None = None,
    ) -> Played:
        """Steps an account through the tape; the strategy is asked wherever one of its bars closes."""
        account = SimulatedAccount(cash, costs, self.sizing, *pace(tape))
        views: dict[str, AccountView] = {}
        for i, (name, bars) in enumerate(self.known.items()):
            account.add(tape.bars[name].instrument)
            views[name] = AccountView(account, i, name, bars, self.values.get(name, {}), views)
        seats = [
            _Seat(view, skip, closes)
            for view, skip, closes in zip(views.values(), self.skip, _closes(tape), strict=True)
        ]
        by_index = {view.index: view for view in views.values()}
        wait = self.strategy.warmup()
        total = tape.rows
        equity = np.empty(total) if room is None else room[:total]
        times, parts = np.empty(total, np.int64), []
        steps = matched = 0
        due = None
        funded = any(array is not None for array in tape.funding)
        for now, present in moments(tape):
            if funded:
                due = {
                    i: float(array[seats[i].row])
                    for i, array in enumerate(tape.funding)
                    if i in present and array is not None
                }
                for i in present:
                    seats[i].row += 1
            for fill in account.step(present, due):
                seats[fill.index].fills.append(fill)
            if len(account.rows):
                parts.append(account.rows)
            equity[steps], times[steps] = account.equity(), now
            steps += 1
            for i in present:
                if seats[i].closes is None or seats[i].due(now):
                    self._decide(account, seats[i], by_index, wait)
            matched += len(present)
            if progress and steps % PART == 0:
                progress(matched / total)
        for view in views.values():
            demand_plain(self.strategy, view.memory)
        rows = np.concatenate(parts) if parts else account.rows[:0]
        if progress:
            progress(1.0)
        return settled(tape, Played(equity[:steps], times[:steps], rows, account.totals, steps, account.paid))

    def _decide(self, account: SimulatedAccount, seat: "_Seat", views: dict[int, AccountView], wait: int) -> None:
        view, fills = seat.view, seat.fills
        view.show(seat.next, fills)
        seat.next += 1
        if seat.next >= wait:
            done = asked(intents_of(self.strategy, view), account, view)
            if done is not NOTHING:
                carry_out(done, account, views)
            if fills or done.cancel:
                forget(view, account)
        if fills:
            seat.fills = []


@dataclass(slots=True)
class _Seat:
    """Where the strategy stands with one instrument. next: the row among its known bars that closes next.

    closes: times of the rows in which its bars close, the next one last; None where every row is a bar
    row: of the tape, that is matched next
    """

    view: AccountView
    next: int
    closes: list[int] | None
    row: int = 0
    fills: list[SimulatedFill] = field(default_factory=list)

    def due(self, now: int) -> bool:
        """Whether the row at this time ends the strategy's next bar."""
        if not self.closes or self.closes[-1] != now:
            return False
        self.closes.pop()
        return True


def _closes(tape: Tape) -> list[list[int] | None]:
    if tape.decisions is None:
        return [None] * len(tape.ends)
    return [columns[0][rows][::-1].tolist() for columns, rows in zip(tape.columns, tape.decisions, strict=True)]


def moments(tape: Tape) -> Iterator[tuple[int, dict[int, Bar]]]:
    """Each time of the tape with the bars that the instruments have then, by index, in the order of the instruments."""
    streams = [_stream(tape, i) for i in range(len(tape.ends))]
    if len(streams) == 1:
        for bar in streams[0]:
            yield bar.time, {0: bar}
        return
    heads = [next(stream, None) for stream in streams]
    while waiting := [head.time for head in heads if head is not None]:
        now = min(waiting)
        present = {i: head for i, head in enumerate(heads) if head is not None and head.time == now}
        for i in present:
            heads[i] = next(streams[i], None)
        yield now, present


def _stream(tape: Tape, i: int) -> Iterator[Bar]:
    for begin in range(0, int(tape.ends[i]), PART):
        part = slice(begin, begin + PART)
        for values in zip(*(column[part].tolist() for column in tape.columns[i]), strict=True):
            yield Bar(*values)

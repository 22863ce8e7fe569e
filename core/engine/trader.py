"""Trader: runs strategies on closed bars. One decision per bar, recorded with everything it asks for, or not at all.

A run's window of bars begins at its anchor, which never moves while the run lives, so that recursive indicators see
the same past after a restart as before it. Past `WINDOW` bars the anchor moves forward once, by half, and is recorded.
A run's first decision joins where the signals stand: a strategy that asked to be long before it was started goes long.
"""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import structlog

from core import wording
from core.bus import Bus
from core.clock import Clock
from core.engine.book import Book
from core.engine.decision import with_bar
from core.engine.decisions import Decisions
from core.engine.feed import Feed
from core.engine.lease import Lease
from core.engine.liveruns import LiveRuns, is_guard
from core.engine.means import Means
from core.engine.outcomes import FAILURES
from core.engine.ports import TradingStore
from core.engine.rules import Rules
from core.engine.settlement import Settlement
from core.engine.views import MANUAL, Run
from core.errors import AppError, Conflict, InvalidInput, NotFound
from core.events import Bar, BarClosed, StrategyChanged
from core.exchanges.paper import PaperVenue
from core.jobs import end_task
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.risk import limits as risk
from core.risk.mandates import Mandate
from core.trading.orders import Order
from core.trading.purses import venue_of
from core.trading.strategy import SignalStrategy, Strategy, demand_startable

HISTORY = 500  # bars a run sees before its first one, at least
WINDOW = 100_000  # bars a run sees at most
AGAIN = 15.0  # seconds after which a live position that could not be protected is seen to again
PATIENCE = 3.0  # seconds at the end for what is under way

Load = Callable[[str, Mapping[str, Any]], Strategy]


class Trader:
    """Strategy runs of all accounts: on the paper venue, and at the venues of live accounts (see `trade_live`).

    load: strategy by registry name or path.py:Class, with its parameters; rules: the limits checked before every order
    """

    def __init__(
        self,
        store: TradingStore,
        book: Book,
        venue: PaperVenue,
        feed: Feed,
        bus: Bus,
        clock: Clock,
        *,
        load: Load | None = None,
        rules: Rules,
        lease: Lease | None = None,
        history: int = HISTORY,
    ) -> None:
        self._store, self._book, self._venue, self._feed = store, book, venue, feed
        self._clock, self._history = clock, history
        self._load = load or load_strategy
        self._settlement = Settlement(store, book, venue, feed, clock)
        self._runs: dict[str, Run] = {}  # running
        self._strategies: dict[str, Strategy] = {}
        self._windows: dict[str, Bars] = {}
        self._busy: dict[str, asyncio.Lock] = {}
        self._decisions = Decisions(book, venue, clock, rules, lease)
        self._live: LiveRuns | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # live runs wait for their venue, and nobody waits for them
        self._retrying: set[str] = set()
        book.listen(self._noted)
        bus.subscribe(BarClosed, self.on_bar)
        self._log = structlog.get_logger("trader")

    def look_at(self, means: Means) -> None:
        """From now on every decision is held against the account's owner as a whole."""
        self._decisions.means = means

    def trade_live(self, live: LiveRuns) -> None:
        """From now on live accounts trade, too."""
        self._live = live

    async def quiet(self) -> None:
        """Waits until no live run is doing anything; what is tried again later is not waited for."""
        while busy := [task for task in self._tasks if task.get_name() != "retry"]:
            await asyncio.wait(busy)

    async def close(self) -> None:
        """Ends what live runs are doing; what was written down goes on at the next start."""
        busy = [task for task in self._tasks if task.get_name() != "retry"]
        if busy:
            await asyncio.wait(busy, timeout=PATIENCE)
        for task in tuple(self._tasks):
            await end_task(task)

    # -- what people ask ------------------------------------------------------------------------------------------

    async def start(
        self,
        account: str,
        strategy: Strategy | str,
        instrument: Instrument,
        timeframe: str,
        cash: Decimal,
        *,
        parameters: Mapping[str, Any] | None = None,
        source: str | None = None,
    ) -> Run:
        """Funds a ledger with `cash` from the manual one and lets the strategy trade on it from the next close on.

        strategy: a name or path.py:Class, or the strategy itself (source then says where a restart finds it)
        Raises InsufficientFunds, InvalidInput.
        """
        if isinstance(strategy, str):
            source, strategy = source or strategy, self._load(strategy, parameters or {})
        demand_startable(strategy)
        timeframe = timeframes.parse(timeframe)
        state = self._book.account(account)
        currency = "USDT" if state is None else state.currency
        if self._book.halted(account):
            raise Conflict("Trading is stopped by panic.", hint="Lift it with resume, then start the strategy.")
        if instrument.quote != currency:
            raise InvalidInput(
                f"This account trades in {currency}, and {instrument.symbol} is priced in {instrument.quote}."
            )
        live = self._live_for(account)
        if live is not None:
            live.demand_startable(account, strategy, instrument, cash)
        if cash <= 0:
            raise InvalidInput(f"The cash {plain(cash)} {currency} for a strategy must be above zero.")
        self._demand_free(account, cash, currency)
        window = await self._history_of(instrument, timeframe, max(self._history, 2 * strategy.warmup()))
        run = Run(
            uuid.uuid4().hex,
            account,
            0,
            strategy.name,
            {name: getattr(strategy, name) for name in strategy.parameters},
            instrument,
            timeframe,
            cash,
            "running",
            self._clock.now(),
            anchor=int(window.timestamp[0]) if len(window) else 0,
            decided=int(window.timestamp[-1]) if len(window) else 0,
            source=source or source_of(strategy),
        )

        async def also(unit: Any) -> None:
            nonlocal run
            run = await unit.save_run(run)
            unit.emit(self._changed(run, "started"))

        note = f"allocation to {strategy.name} on {instrument.symbol}"
        self._demand_free(account, cash, currency)  # another start may have been faster meanwhile
        move = self._settlement.move(run, -cash, note)
        try:
            if live is not None:
                await live.transfer(move, also, lambda: self._demand_free(account, cash, currency))
            else:
                await self._venue.transfer(move, also, adopt=instrument)
        except InvalidInput:  # and once more while this one waited for its turn
            self._demand_free(account, cash, currency)
            raise
        self._enlist(run, strategy, window)
        return run

    def _demand_free(self, account: str, cash: Decimal, currency: str) -> None:
        """Raises InsufficientFunds when the manual ledger has less than `cash` free."""
        free = max(self._book.free(account, MANUAL, currency), ZERO)
        if cash > free:
            refused = risk.InsufficientFunds(
                currency, allowed=free, asked=cash, hint=f"Give it at most {wording.money(free, currency)}."
            )
            refused.message = (
                f"You have {wording.money(free, currency)} free, and this needs {wording.money(cash, currency)}."
            )
            refused.args = (refused.message,)
            raise refused

    def demand_startable(self, account: str, strategy: Strategy, instrument: Instrument, cash: Decimal) -> None:
        """Raises what speaks against the strategy on this account: on a live one, also that there is no mandate."""
        live = self._live_for(account)
        if live is not None:
            live.demand_startable(account, strategy, instrument, cash)

    def mandate(self, account: str, instrument: Instrument, cash: Decimal) -> Mandate:
        """The mandate under which a strategy with this cash would trade live. Raises RiskRefused without one."""
        live = self._live_for(account)
        found = None if live is None else live.mandate(account, instrument, cash)
        if found is None:
            raise NotFound("On paper no mandate is needed.")
        return found

    async def stop(self, account: str, run: str | Run, *, keep: bool = False) -> Run:
        """Ends the run: its orders are cancelled, its position is sold at market and its cash goes back.

        run: id, number or the run itself; keep: position and cash stay on the run's ledger
        """
        found = run if isinstance(run, Run) else await self.find(account, run)
        async with self._one_at_a_time(found.id):
            found = self._runs.get(found.id) or await self._store.run(found.id) or found
            if found.state != "running" and found.returned:
                raise Conflict(f"Run #{found.number} ({found.strategy}) was stopped before.")
            if found.state == "running":
                found = await self._end(found, "stopped", None)
            live = self._live_for(account)
            if live is not None:
                return await live.close(found, keep=keep)
            for order in self._venue.open_orders(account, found.ledger):
                await self._venue.cancel(order.id, "The strategy was stopped.")
            return await self._settlement.keep(found) if keep else await self._settlement.liquidate(found)

    async def runs(self, account: str, *, running_only: bool = False) -> list[Run]:
        """The account's runs by number."""
        found = list(await self._store.runs(account))
        return [run for run in found if run.state == "running"] if running_only else found

    async def find(self, account: str, run: str | int) -> Run:
        """The run by number, id or (if only one runs) strategy name. Raises NotFound with what there is."""
        runs = await self.runs(account)
        word = str(run).lstrip("#")
        active = [each for each in runs if each.state == "running"]
        for each in runs:
            if word in (each.id, str(each.number)):
                return each
        named = [each for each in active if each.strategy == word]
        if len(named) == 1:
            return named[0]
        told = ", ".join(f"#{each.number} {each.strategy} {each.instrument.symbol}" for each in active)
        raise NotFound(f"There is no run '{run}'.", hint=f"Running: {told}." if told else "No strategy is running.")

    # -- life -----------------------------------------------------------------------------------------------------

    async def resume(self) -> None:
        """Takes up every run that the record calls running, and finishes stops that were cut short."""
        for run in await self._store.runs():
            if run.id in self._runs:
                continue
            if run.state == "running":
                try:
                    strategy = self._load(run.source or run.strategy, run.parameters)
                except AppError as error:
                    await self._end(run, "failed", f"It could not be loaded again: {error.sentence()}")
                    continue
                try:
                    window = await self._window_of(run)
                except AppError as error:
                    self._log.warning("no history for run", run=run.id, reason=error.message)
                    window = None
                self._enlist(run, strategy, window)
                if venue_of(run.account) is not None:
                    self._begin(self._tend(run.id))
            elif run.returned is None:
                with contextlib.suppress(*FAILURES):
                    await self.stop(run.account, run)

    async def abandon(self, account: str) -> list[Run]:
        """Takes the account's runs out of the market without touching the record. Returns them."""
        gone = []
        for run_id in [run.id for run in self._runs.values() if run.account == account]:
            async with self._one_at_a_time(run_id):  # a decision under way ends first
                run = self._runs.get(run_id)
                if run is not None:
                    self._dismiss(run)
                    gone.append(run)
        return gone

    def watched(self) -> list[Instrument]:
        """Instruments of running strategies."""
        return [run.instrument for run in self._runs.values()]

    # -- a bar closes ---------------------------------------------------------------------------------------------

    async def on_bar(self, event: BarClosed) -> None:
        """Lets every run of this instrument and timeframe decide; one that fails is stopped, the others go on."""
        runs = [
            run
            for run in self._runs.values()
            if run.instrument == event.instrument and run.timeframe == event.timeframe
        ]
        for run in runs:
            if venue_of(run.account) is None:
                await self._see(run, event.bar)
            else:
                self._begin(self._see(run, event.bar))

    async def _see(self, run: Run, bar: Bar) -> None:
        async with self._one_at_a_time(run.id):
            if run.id not in self._runs:
                return
            try:
                await self._on_bar(self._runs[run.id], bar)
            except Exception as error:  # a strategy is somebody's code: whatever it raises ends its run alone
                self._log.error("strategy failed", run=run.id, strategy=run.strategy, exc_info=error)
                told = error.sentence() if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
                await self._end(self._runs[run.id], "failed", f"It was stopped because it failed. {told}")
                return
        if venue_of(run.account) is not None:
            await self._tend(run.id)

    async def _on_bar(self, run: Run, bar: Bar) -> None:
        window = self._windows.get(run.id)
        if window is None:
            window = await self._window_of(run)
        window = with_bar(window, bar, run)
        self._windows[run.id] = window
        if run.anchor == 0:
            run = replace(run, anchor=int(window.timestamp[0]))
        if bar.time <= run.decided:
            return
        if self._clock.now_ms() >= bar.time + 2 * timeframes.milliseconds(run.timeframe):
            return  # a bar of the past: its moment to act is gone
        if len(window) > WINDOW:
            window = self._windows[run.id] = window[len(window) // 2 :]
            run = replace(run, anchor=int(window.timestamp[0]))
        strategy, live = self._strategies[run.id], self._live_for(run.account)
        if live is None:
            self._runs[run.id] = await self._decisions.decide(run, strategy, window, bar)
        elif isinstance(strategy, SignalStrategy):
            row = await self._decisions.row(run, strategy, window, leave=run.reason is not None)
            self._runs[run.id] = await live.decide(run, row, bar)

    # -- live -----------------------------------------------------------------------------------------------------

    def _live_for(self, account: str) -> LiveRuns | None:
        """Who carries out what is decided for a live account; None on paper. Raises Conflict where nobody does."""
        if venue_of(account) is None:
            return None
        if self._live is None:
            raise Conflict(f"Strategies trade on paper here, and this is the live account at {venue_of(account)}.")
        return self._live

    async def _tend(self, run_id: str) -> None:
        """Protects what the run holds; later once more where the venue does not answer."""
        async with self._one_at_a_time(run_id):
            run = self._runs.get(run_id)
            if run is None or self._live is None or await self._live.tend(run):
                return
        if run_id not in self._retrying:
            self._retrying.add(run_id)
            self._begin(self._retry(run_id), "retry")

    async def _retry(self, run_id: str) -> None:
        try:
            await self._clock.sleep(AGAIN)
        finally:
            self._retrying.discard(run_id)
        self._begin(self._tend(run_id))

    def _noted(self, before: Order | None, after: Order) -> None:
        """An entry of a live run that fills is protected at once."""
        run = self._runs.get(after.request.ledger)
        if run is None or venue_of(run.account) is None or after.request.parent is not None or is_guard(after, run):
            return
        if after.filled > (ZERO if before is None else before.filled):
            self._begin(self._tend(run.id))

    def _begin(self, work: Coroutine[Any, Any, None], name: str = "live run") -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- beginning and ending -------------------------------------------------------------------------------------

    async def _history_of(self, instrument: Instrument, timeframe: str, count: int) -> Bars:
        return await self._feed.bars(instrument, timeframe, count)

    async def _window_of(self, run: Run) -> Bars:
        """The bars of a run up to its last decision, as it saw them."""
        bars = await self._feed.history(run.instrument, run.timeframe, run.anchor)
        return bars.between(end_ms=run.decided + 1)

    def _enlist(self, run: Run, strategy: Strategy, window: Bars | None) -> None:
        self._runs[run.id] = run
        self._strategies[run.id] = strategy
        if window is not None:
            self._windows[run.id] = window
        self._feed.want_bars(run.instrument, run.timeframe, run.decided or self._clock.now_ms() - 1)

    def _dismiss(self, run: Run) -> None:
        if self._runs.pop(run.id, None) is not None:
            self._feed.drop_bars(run.instrument, run.timeframe)
            if self._live is not None:
                self._live.forget(run)
        for kept in (self._strategies, self._windows):
            kept.pop(run.id, None)
        self._decisions.forget(run)

    async def _end(self, run: Run, state: Any, reason: str | None) -> Run:
        run = replace(run, state=state, stopped=self._clock.now(), reason=reason, returned=None)
        if state == "failed":
            live = self._live_for(run.account)
            if live is not None:
                with contextlib.suppress(*FAILURES):
                    await live.clear(run)
            for order in self._venue.open_orders(run.account, run.ledger):
                await self._venue.cancel(order.id, "The strategy failed.")
            run = replace(run, returned=ZERO)  # its position waits for its owner, who stops it by hand
        async with self._store.unit() as unit:
            run = await unit.save_run(run)
            unit.emit(self._changed(run, state))
        self._dismiss(run)
        return run

    def _changed(self, run: Run, state: Any) -> StrategyChanged:
        return StrategyChanged(
            f"run:{run.id}:{state}",
            run.account,
            self._clock.now(),
            run.id,
            run.strategy,
            run.instrument.key,
            state,
            run.reason,
        )

    @asynccontextmanager
    async def _one_at_a_time(self, run_id: str) -> AsyncIterator[None]:
        async with self._busy.setdefault(run_id, asyncio.Lock()):
            yield


def load_strategy(source: str, parameters: Mapping[str, Any]) -> Strategy:
    """The strategy by registry name or path.py:Class."""
    from core.strategies import load

    return load(source, parameters)


def source_of(strategy: Strategy) -> str:
    """Where a restart finds the strategy: its name when it is shipped, else path.py:Class."""
    kind = type(strategy)
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if path is None or kind.__module__.startswith("core.strategies."):
        return strategy.name
    return f"{path}:{kind.__name__}"

"""What a strategy decides on given bars, column by column, whichever kind of strategy it is."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.bars import Bars
from core.research.asked import SIGNALS
from core.research.backtest import backtest
from core.trading.costs import FREE
from core.trading.strategy import Context, Signals, blame

Column = NDArray[Any]  # floats, or texts (None where nothing was asked)
Decisions = dict[tuple[str, str], Column]  # by symbol and column, one value for each bar of the symbol
INTENTS = "orders"  # the column of what a step strategy asks for, as texts
CASH = 100_000.0  # of the runs in which a step strategy is watched, without costs and caps, so that it trades much


def is_step(strategy: Any) -> bool:
    """Whether the strategy is asked bar by bar."""
    return hasattr(strategy, "on_bar")


def is_portfolio(strategy: Any) -> bool:
    """Whether the strategy weighs several instruments against each other."""
    return hasattr(strategy, "allocate")


def decisions(strategy: Any, bars: Mapping[str, Bars], *, orders: bool = True) -> Decisions:
    """Every column of signals (or, of a step strategy, its indicators and what it asks for) on these bars.

    orders: whether a step strategy is also run, rather than only its indicators computed
    Raises InvalidInput with file and line when the strategy fails.
    """
    held = dict(bars)
    try:
        if is_step(strategy):
            return _stepped(strategy, held, orders)
        if is_portfolio(strategy):
            return _columns(strategy, dict(strategy.allocate(held, Context())), held)
        signals = {
            name: strategy.signals(each, Context({key: other for key, other in held.items() if key != name}))
            for name, each in held.items()
        }
        return _columns(strategy, signals, held)
    except Exception as broken:  # a user's strategy may fail in any way
        blame(strategy, broken)


def _columns(strategy: Any, signals: Mapping[str, Signals], bars: Mapping[str, Bars]) -> Decisions:
    found: Decisions = {}
    for name, each in bars.items():
        given = signals.get(name)
        for column in SIGNALS:
            values = None if given is None else getattr(given, column)
            found[name, column] = _array(strategy, column, values, len(each))
    return found


def _array(strategy: Any, column: str, values: Any, n: int) -> Column:
    if values is None:
        return np.full(n, np.nan)
    array = np.array(values, dtype=np.float64)  # a copy: the strategy may use its arrays again
    if array.shape != (n,):
        raise InvalidInput(f"{strategy.name} gave {array.shape} values of {column} for {n} bars.")
    return array


def _stepped(strategy: Any, bars: dict[str, Bars], orders: bool) -> Decisions:
    found: Decisions = {}
    indicators = getattr(strategy, "indicators", None)
    if callable(indicators):
        for name, each in bars.items():
            for column, values in dict(indicators(each)).items():
                found[name, column] = _array(strategy, column, values, len(each))
    if orders:
        watched = Watched(strategy)
        chosen: Any = watched
        backtest(chosen, bars if len(bars) > 1 else next(iter(bars.values())), CASH, FREE)
        for name, each in bars.items():
            texts = np.full(len(each), None, dtype=object)
            for place, time in enumerate(each.timestamp.tolist()):
                texts[place] = watched.asked.get((name, time))
            found[name, INTENTS] = texts
    return found


class Watched:
    """A step strategy that keeps what it asked for, as texts by symbol and the bar's time."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.name, self.summary, self.parameters = strategy.name, strategy.summary, strategy.parameters
        if callable(getattr(strategy, "indicators", None)):
            self.indicators = strategy.indicators
        self.asked: dict[tuple[str, int], str] = {}

    def __getattr__(self, name: str) -> Any:
        """A parameter of the strategy."""
        if name in ("_strategy", "indicators"):
            raise AttributeError(name)
        return getattr(self._strategy, name)

    def warmup(self) -> int:
        return int(self._strategy.warmup())

    def on_bar(self, view: Any) -> Iterable[Any]:
        """As the strategy's own."""
        asked = list(self._strategy.on_bar(view) or ())
        self.asked[view.symbol, int(view.time)] = "; ".join(map(repr, asked))
        return asked

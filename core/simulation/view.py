"""AccountView: a simulated account as a step strategy sees it, and `asked`: what its intents come to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.simulation.account import SimulatedAccount, SimulatedFill
from core.trading.intents import (
    Aim,
    Cancel,
    CancelAll,
    Close,
    Filled,
    Intent,
    OpenOrder,
    Place,
    Protect,
    Unprotect,
)
from core.trading.strategy import StepStrategy, blame
from core.trading.tickets import SignalRow, Ticket

Floats = NDArray[np.float64]
KINDS = (Place, Cancel, CancelAll, Protect, Unprotect, Close, Aim)
FLAT = Ticket("market", 0, exposure=0.0)


class AccountView:
    """One instrument of a simulated account at the close of its present bar: a `View` of core.trading.intents.

    bars: all bars that there are; the strategy is shown those up to the present row. labels: by order reference
    """

    def __init__(
        self,
        account: SimulatedAccount,
        index: int,
        symbol: str,
        bars: Bars,
        values: Mapping[str, Floats],
        market: Mapping[str, "AccountView"],
        memory: dict[str, Any] | None = None,
        labels: dict[int, str] | None = None,
    ) -> None:
        self.index, self.symbol, self.memory = index, symbol, {} if memory is None else memory
        self.market, self.labels = market, {} if labels is None else labels
        self._account, self._bars, self._values = account, bars, values
        self._row = -1
        self._fills: list[SimulatedFill] = []

    def show(self, row: int, fills: list[SimulatedFill]) -> None:
        """Moves on to the bar at this row; fills: those since the last one that was shown."""
        self._row, self._fills = row, fills

    @property
    def instrument(self) -> Instrument:
        return self._bars.instrument

    @property
    def timeframe(self) -> str:
        return self._bars.timeframe

    @property
    def count(self) -> int:
        return self._row + 1

    @property
    def time(self) -> int:
        return int(self._bars.timestamp[self._row])

    @property
    def open(self) -> float:
        return float(self._bars.open[self._row])

    @property
    def high(self) -> float:
        return float(self._bars.high[self._row])

    @property
    def low(self) -> float:
        return float(self._bars.low[self._row])

    @property
    def close(self) -> float:
        return float(self._bars.close[self._row])

    @property
    def volume(self) -> float:
        return float(self._bars.volume[self._row])

    @property
    def bars(self) -> Bars:
        return self._bars[: self._row + 1]

    def column(self, name: str, last: int | None = None) -> Floats:
        if name not in ("open", "high", "low", "close", "volume"):
            raise InvalidInput(f"There is no column '{name}'; there are open, high, low, close and volume.")
        end = self._row + 1
        column: Floats = getattr(self._bars, name)[0 if last is None else max(0, end - last) : end]
        return column

    def value(self, name: str) -> float:
        if name not in self._values:
            there = ", ".join(self._values) or "none"
            raise InvalidInput(f"The strategy's indicators(bars) gave no '{name}'; it gave {there}.")
        return float(self._values[name][self._row])

    @property
    def position(self) -> float:
        return self._account.position(self.index)

    @property
    def entry_price(self) -> float:
        return self._account.entry_price(self.index)

    @property
    def protection(self) -> SignalRow:
        return self._account.protection(self.index)

    @property
    def cash(self) -> float:
        return self._account.cash

    @property
    def free(self) -> float:
        return self._account.free

    @property
    def equity(self) -> float:
        return self._account.equity()

    @property
    def working(self) -> int:
        return self._account.working(self.index)

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        return tuple(
            OpenOrder(ref, ticket, self._account.remaining(ref), self.labels.get(ref, ""))
            for ref, ticket in self._account.tickets(self.index)
        )

    @property
    def fills(self) -> tuple[Filled, ...]:
        if not self._fills:
            return ()
        return tuple(
            Filled(
                each.ref, self.labels.get(each.ref, ""), each.side, each.price, each.quantity, each.fee, each.maker,
                each.reason, each.remaining, each.time,
            )
            for each in self._fills
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What intents come to, in the order in which it is carried out; instruments by their index in the account."""

    cancel: tuple[int, ...] = ()
    unprotect: tuple[int, ...] = ()
    protect: tuple[tuple[int, SignalRow], ...] = ()
    place: tuple[tuple[int, Ticket, str], ...] = ()  # instrument, order, label


NOTHING = Asked()


def intents_of(strategy: StepStrategy, view: AccountView) -> tuple[Intent, ...]:
    """What the strategy asks for now. Raises InvalidInput where it fails or asks for what is no intent."""
    try:
        given: Any = strategy.on_bar(view)
        if given is None:
            return ()
        intents = tuple(given)  # a generator runs here
    except Exception as broken:  # a user's strategy may fail in any way
        blame(strategy, broken)
    for each in intents:
        if not isinstance(each, KINDS):
            names = ", ".join(kind.__name__ for kind in KINDS)
            raise InvalidInput(f"{strategy.name} asked for {each!r}, which is no intent; intents are {names}.")
    return intents


def asked(intents: Sequence[Intent], account: SimulatedAccount, view: AccountView) -> Asked:
    """The intents as what is to be done: cancelled first, then protected, then placed. Raises InvalidInput."""
    if not intents:
        return NOTHING
    cancel: list[int] = []
    unprotect: list[int] = []
    protect: list[tuple[int, SignalRow]] = []
    place: list[tuple[int, Ticket, str]] = []

    def index(symbol: str | None) -> int:
        if symbol is None:
            return view.index
        if symbol not in view.market:
            raise InvalidInput(f"'{symbol}' is not traded here; there are {', '.join(view.market)}.")
        return view.market[symbol].index

    for intent in intents:
        match intent:
            case Place(ticket, label, symbol):
                given: tuple[Any, Any] = (ticket, label)
                if not isinstance(given[0], Ticket) or not isinstance(given[1], str):
                    raise InvalidInput(f"{intent!r} needs a Ticket and a text as its label.")
                if ticket.ref is not None:
                    raise InvalidInput(f"The reference {ticket.ref} cannot be chosen; give the order a label instead.")
                place.append((index(symbol), ticket, label))
            case Cancel(ref):
                if type(ref) is not int:
                    raise InvalidInput(f"Cancel takes the reference of an order, not {ref!r}.")
                cancel.append(ref)
            case CancelAll(symbol):
                cancel.extend(ref for ref, _ in account.tickets(index(symbol)))
            case Protect(symbol=symbol):
                protect.append((index(symbol), intent.row()))
            case Unprotect(symbol):
                unprotect.append(index(symbol))
            case Close(symbol):
                if account.position(i := index(symbol)) != 0.0:
                    place.append((i, FLAT, ""))
            case Aim(symbol=symbol):
                decision = account.decide(i := index(symbol), intent.row())
                cancel.extend(decision.cancel)
                if decision.protect is not None:
                    protect.append((i, decision.protect))
                if decision.place is not None:
                    place.append((i, decision.place, ""))
    return Asked(tuple(cancel), tuple(unprotect), tuple(protect), tuple(place))


def carry_out(done: Asked, account: SimulatedAccount, views: Mapping[int, AccountView]) -> None:
    """Does what was asked on the account itself, and remembers the labels of orders that are open."""
    for ref in done.cancel:
        account.cancel(ref)
    for i in done.unprotect:
        account.unprotect(i)
    for i, row in done.protect:
        account.protect(i, row)
    for i, ticket, label in done.place:
        ref = account.place(i, ticket)
        if label:
            views[i].labels[ref] = label


def forget(view: AccountView, account: SimulatedAccount) -> None:
    """Drops the labels of orders that have ended."""
    if view.labels:
        live = set(account.open_refs())
        for ref in [ref for ref in view.labels if ref not in live]:
            del view.labels[ref]


def values_of(strategy: StepStrategy, bars: Bars) -> dict[str, Floats]:
    """The strategy's own indicators, where it has a method for them. Raises InvalidInput."""
    method: Any = getattr(strategy, "indicators", None)
    if method is None:
        return {}
    try:
        given = dict(method(bars))
    except Exception as broken:  # a user's strategy may fail in any way
        blame(strategy, broken)
    found = {}
    for name, values in given.items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(bars),):
            raise InvalidInput(f"{strategy.name} gave {array.shape} values of {name} for {len(bars)} bars.")
        found[name] = array
    return found


def demand_plain(strategy: StepStrategy, memory: dict[str, Any]) -> None:
    """Raises InvalidInput when the strategy's memory would not come back from storage as it is."""
    try:
        same = json.loads(json.dumps(memory)) == memory
    except (TypeError, ValueError):
        same = False
    if not same:
        raise InvalidInput(
            f"{strategy.name} keeps in its memory what cannot be stored: numbers, texts, lists, and dicts with texts"
            " as keys can."
        )

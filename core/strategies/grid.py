"""Grid: limit purchases at levels below the price, each sold again one level higher."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from core.errors import InvalidInput
from core.trading.intents import CancelAll, Close, Filled, Intent, Place, View
from core.trading.strategy import Parameter, check
from core.trading.tickets import Ticket

LEAST = 0.5  # of its stake, with which a level still buys
EMPTY = 1e-9  # of what a level bought: less than this is rounding


@dataclass(frozen=True)
class Grid:
    """Limit purchases at levels below the price, each sold again one level higher.

    Level k lies (1 - spacing) ** k below the price at which the grid was laid. What a level has bought is offered one
    level higher, and once that is sold the level buys again. When all is sold and the price has risen by one spacing,
    the grid is laid anew from there. With a stop everything is sold that fraction below the lowest level, and the grid
    ends.
    """

    name: ClassVar[str] = "grid"
    summary: ClassVar[str] = (
        "Buys at levels below the price and sells each one level higher: earns in a sideways market."
    )
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "levels": Parameter(5, 1, 200, 1, "levels below the price"),
        "spacing": Parameter(0.01, 0.0001, 0.5, 0.005, "distance of two levels, a fraction of the price"),
        "cash": Parameter(0.0, 0.0, 1e9, 100.0, "quote that each level spends, 0 for an equal part of the equity"),
        "stop": Parameter(0.0, 0.0, 0.9, 0.01, "sell all this fraction below the lowest level, 0 for never"),
    }

    levels: int = 5
    spacing: float = 0.01
    cash: float = 0.0
    stop: float = 0.0

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return 1

    def on_bar(self, view: View) -> Iterable[Intent]:
        memory = view.memory
        if memory.get("ended"):
            return ()
        fills = view.fills
        if any(fill.reason == "stop" for fill in fills):
            memory["ended"] = True
            return (CancelAll(), Close())
        if "base" not in memory:
            demanded = self.levels * self.cash
            if demanded > view.cash:
                raise InvalidInput(
                    f"The grid's {self.levels} levels of {self.cash:g} need {demanded:g}, and {view.cash:g} is there.",
                    hint=f"Give each level at most {view.cash / self.levels:g}.",
                )
            return self._laid(view)
        if not fills and view.working == memory["resting"]:
            if view.position == 0.0 and view.close > memory["base"] * (1.0 + self.spacing):
                return self._laid(view)
            return ()
        return tuple(self._mended(view, fills))

    def price(self, base: float, level: int) -> float:
        """Where a level lies; level 0 is the price at which the grid was laid."""
        return float(base * (1.0 - self.spacing) ** level)

    def _laid(self, view: View) -> tuple[Intent, ...]:
        """The whole grid, from the present price."""
        stake = self.cash or view.equity / self.levels / len(view.market)
        stake = min(stake, view.cash / self.levels)  # after losses there may be less than each level wants
        view.memory.update(base=view.close, stake=stake, held=[0.0] * self.levels, resting=self.levels)
        return (CancelAll(), *(self._buy(view.memory, level, stake) for level in range(1, self.levels + 1)))

    def _mended(self, view: View, fills: Iterable[Filled]) -> Iterator[Intent]:
        """Orders for the levels that have none: a sale of what they hold, else a purchase."""
        memory = view.memory
        held: list[float] = memory["held"]
        for fill in fills:
            kind, _, number = fill.label.partition(" ")
            if kind in ("buy", "sell"):
                before = held[int(number) - 1]
                after = before + fill.side * fill.quantity
                held[int(number) - 1] = after if after > EMPTY * max(before, fill.quantity) else 0.0
        orders = view.orders
        open_ = {order.label for order in orders}
        free = view.cash - sum(order.remaining for order in orders if order.ticket.side > 0)
        memory["resting"] = len(orders)
        for level in range(1, self.levels + 1):
            if f"buy {level}" in open_ or f"sell {level}" in open_:
                continue
            if held[level - 1] > 0.0:
                price = self.price(memory["base"], level - 1)
                sale = Ticket("limit", -1, quantity=held[level - 1], limit=price, reduce_only=True)
                memory["resting"] += 1
                yield Place(sale, f"sell {level}")
            elif free >= LEAST * memory["stake"]:  # fees that exceed the spacing leave less than there was
                spend = min(memory["stake"], free)
                free -= spend
                memory["resting"] += 1
                yield self._buy(memory, level, spend)

    def _buy(self, memory: Mapping[str, Any], level: int, spend: float) -> Place:
        stop = self.price(memory["base"], self.levels) * (1.0 - self.stop) if self.stop else None
        limit = self.price(memory["base"], level)
        return Place(Ticket("limit", 1, spend=spend, limit=limit, stop=stop), f"buy {level}")

"""Dca: buys for the same amount again and again, more in dips, and may sell all at a gain on the average price."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from core.trading.intents import Intent, Place, Protect, View
from core.trading.strategy import Parameter, check
from core.trading.tickets import Ticket


@dataclass(frozen=True)
class Dca:
    """Buys for the same amount every so many bars, and once more whenever the price has fallen since the last purchase.

    With a take profit everything is sold when the price lies that fraction above the average entry; then it begins
    anew. A purchase for which the cash does not suffice is left out.
    """

    name: ClassVar[str] = "dca"
    summary: ClassVar[str] = "Buys for a fixed amount at fixed times, more in dips; sells all at a gain on the average."
    parameters: ClassVar[Mapping[str, Parameter]] = {
        "every": Parameter(24, 1, 100_000, 1, "bars between two purchases"),
        "cash": Parameter(100.0, 1.0, 1e9, 50.0, "quote that each purchase spends"),
        "dip": Parameter(0.05, 0.0, 0.9, 0.01, "fall since the last purchase that buys once more, 0 for never"),
        "extra": Parameter(1.0, 0.1, 100.0, 0.5, "size of such a purchase, in multiples of cash"),
        "take_profit": Parameter(0.0, 0.0, 10.0, 0.05, "gain on the average entry at which all is sold, 0 for never"),
    }

    every: int = 24
    cash: float = 100.0
    dip: float = 0.05
    extra: float = 1.0
    take_profit: float = 0.0

    def __post_init__(self) -> None:
        check(self)

    def warmup(self) -> int:
        return 1

    def on_bar(self, view: View) -> Iterable[Intent]:
        memory = view.memory
        for fill in view.fills:
            if fill.side > 0:
                memory["last"] = fill.price
        if view.position == 0.0 and not view.working:
            memory.pop("last", None)
        if self.take_profit and view.position > 0.0 and any(fill.side > 0 for fill in view.fills):
            yield Protect(target=view.entry_price * (1.0 + self.take_profit))
        waited = memory.get("waited", self.every)
        due = waited >= self.every
        memory["waited"] = 1 if due else waited + 1
        spend = self.cash if due else 0.0
        if self.dip and "last" in memory and view.close <= memory["last"] * (1.0 - self.dip):
            spend += self.cash * self.extra
            memory["last"] = view.close  # the next dip is measured from here
        free = view.cash - sum(order.remaining for order in view.orders if order.ticket.side > 0)  # what still fills
        if 0.0 < spend <= free:
            yield Place(Ticket("market", 1, spend=spend), "purchase")

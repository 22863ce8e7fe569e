"""Limits as people name, write and read them."""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from core import wording
from core.commands import converters
from core.commands.utterance.coins import ticker
from core.errors import InvalidInput, NotFound
from core.risk.limits import Limits, percent

NONE = ("none", "off", "no", "unlimited")
EVERY = ("all", "any", "every", "everything")
MOST = Decimal(10)  # a share; more than ten times what there is limits nothing
FASTEST = 10_000  # orders a minute


@dataclass(frozen=True, slots=True)
class Ceiling:
    """One limit. name: as it is written; field: of `Limits`; what: what it limits"""

    name: str
    field: str
    kind: Literal["money", "share", "count", "names"]
    what: str

    def shown(self, limits: Limits, currency: str) -> str:
        """'500.00 USDT', '5 %', 'BTC and ETH', 'none'."""
        value: Any = getattr(limits, self.field)
        if self.kind == "names":
            nothing = "every instrument" if value is None else "none"
            return wording.listed(list(value)) if value else nothing
        if value is None:
            return "none"
        if self.kind == "money":
            return wording.money(value, currency)
        return percent(value) if self.kind == "share" else str(value)

    def changed(self, limits: Limits, text: str, usual: Limits) -> Limits:
        """The limits with this one as it is written. Raises InvalidInput."""
        text = text.strip().lower()
        value: Any
        if text in ("usual", "default", "reset"):
            value = getattr(usual, self.field)
        elif self.kind == "names":
            value = self._names(text)
        elif text in NONE:
            value = None
        elif self.kind == "share":
            value = share(text, self.name)
        elif self.kind == "count":
            if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= FASTEST:
                raise InvalidInput(f"'{text[:40]}' is not a number of orders from 1 to {FASTEST:,}.")
            value = int(text)
        else:
            value = converters.number(text, self.name)
            if value <= 0:
                raise InvalidInput(
                    f"The limit {wording.grouped(value)} is not above zero.", hint="panic stops trading."
                )
        return replace(limits, **{self.field: value})

    def _names(self, text: str) -> tuple[str, ...] | None:
        if self.field == "forbidden":
            return () if text in NONE else names(text)
        return None if text in (*EVERY, *NONE) else names(text)


CEILINGS = (
    Ceiling("order", "order_notional", "money", "one order"),
    Ceiling("position", "position_notional", "money", "one position"),
    Ceiling("exposure", "exposure", "share", "one position, of its own money"),
    Ceiling("asset", "asset_exposure", "share", "one coin, of all you have"),
    Ceiling("total", "total_exposure", "share", "all coins, of all you have"),
    Ceiling("daily-loss", "daily_loss", "share", "lost since 00:00 UTC"),
    Ceiling("drawdown", "drawdown", "share", "below the peak"),
    Ceiling("per-minute", "orders_per_minute", "count", "orders a minute"),
    Ceiling("collar", "collar", "share", "a price, on the losing side of the book"),
    Ceiling("instruments", "instruments", "names", "what alone may be traded"),
    Ceiling("forbidden", "forbidden", "names", "what may not be traded"),
)
SAME = {
    "loss": "daily-loss", "daily": "daily-loss", "rate": "per-minute", "orders": "per-minute", "coins": "instruments",
    "allow": "instruments", "forbid": "forbidden", "coin": "asset", "all": "total", "notional": "order",
}  # fmt: skip


def ceiling(name: str) -> Ceiling:
    """The limit of that name. Raises NotFound with those there are."""
    word = name.strip().lower().replace("_", "-")
    word = SAME.get(word, word)
    for each in CEILINGS:
        if each.name == word:
            return each
    known = ", ".join(each.name for each in CEILINGS)
    raise NotFound(f"No limit is called '{name[:40]}'.", hint=f"There are {known}.")


def share(text: str, name: str) -> Decimal:
    """'5%', '5 %' or 0.05 as a fraction. Raises InvalidInput; a bare 5 is not guessed at."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(%|percent)?", text.strip())
    value = None if match is None else Decimal(match[1]) / (100 if match[2] else 1)
    if match is None or value is None or not 0 < value <= MOST or (not match[2] and value > 1):
        raise InvalidInput(f"'{text[:40]}' is not a share for {name}.", hint="Write it like 5% or 0.05.")
    return value


def names(text: str) -> tuple[str, ...]:
    """'btc, eth/usdt' as ('BTC', 'ETH/USDT'). Raises InvalidInput."""
    found = []
    for word in re.split(r"[,;\s]+", text.strip()):
        if word in ("", "and", "or"):
            continue
        pair = ticker(word)
        if pair is None:
            raise InvalidInput(f"'{word[:40]}' is not a coin or a pair.", hint="Write them like btc,eth or ETH/USDT.")
        found.append(pair if "/" in word else pair.partition("/")[0])
    if not found:
        raise InvalidInput("No coin is named.", hint="Write them like btc,eth.")
    return tuple(dict.fromkeys(found))

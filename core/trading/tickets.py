"""Tickets: an order as the simulation takes it, and one bar's signal, as plain values."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import InvalidInput

NAN = float("nan")
KINDS = ("market", "limit", "stop", "stop_limit", "trailing")
TIMES_IN_FORCE = ("gtc", "ioc", "fok", "gtd")
Kind = Literal["market", "limit", "stop", "stop_limit", "trailing"]
InForce = Literal["gtc", "ioc", "fok", "gtd"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order for the simulated venue. Exactly one of quantity (base), spend (quote, fee included) and exposure.

    side: +1 buy, -1 sell; 0 only with exposure at market, where the fill finds it. trail: fraction, or distance:
    quote, for trailing orders. stop, target, protect_trail: protection of the position, born by this order's fill;
    an instrument has one set of protection, the last one given. ref: the caller's number, or None for the next one.
    """

    kind: Kind
    side: int
    quantity: float | None = None
    spend: float | None = None
    exposure: float | None = None
    limit: float | None = None
    trigger: float | None = None
    trail: float | None = None
    distance: float | None = None
    stop: float | None = None
    target: float | None = None
    protect_trail: float | None = None
    reduce_only: bool = False
    time_in_force: InForce = "gtc"
    expires: int | None = None  # ms, for gtd
    ref: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput(f"Order kind '{self.kind}' is unknown; use {', '.join(KINDS)}.")
        if self.time_in_force not in TIMES_IN_FORCE:
            raise InvalidInput(f"Time in force '{self.time_in_force}' is unknown; use gtc, ioc, fok or gtd.")
        if sum(value is not None for value in (self.quantity, self.spend, self.exposure)) != 1:
            raise InvalidInput("A ticket needs exactly one of quantity, spend or exposure.")
        free = self.exposure is not None and self.kind == "market"
        if self.side not in ((-1, 0, 1) if free else (-1, 1)):
            raise InvalidInput(f"The side {self.side} is neither +1 (buy) nor -1 (sell).")
        for name in ("quantity", "spend", "limit", "trigger", "distance", "stop", "target"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < np.inf:
                raise InvalidInput(f"The {name} {value} is not a positive number.")
        for name in ("trail", "protect_trail"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < 1.0:
                raise InvalidInput(f"The {name} {value} is not a fraction between 0 and 1.")
        if self.exposure is not None and not -1.0 <= self.exposure <= 1.0:
            raise InvalidInput(f"The exposure {self.exposure} is outside -1 to 1.")
        needs = {"limit": ("limit",), "stop": ("trigger",), "stop_limit": ("trigger", "limit")}.get(self.kind, ())
        for name in needs:
            if getattr(self, name) is None:
                raise InvalidInput(f"A {self.kind} order needs a {name} price.")
        if self.kind == "trailing" and (self.trail is None) == (self.distance is None):
            raise InvalidInput("A trailing order needs either a trail (fraction) or a distance (quote).")
        if self.time_in_force == "gtd" and self.expires is None:
            raise InvalidInput("A gtd order needs the time at which it expires.")


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One bar's signal; NaN means none. exposure in [-1, 1]; limit, stop, target: prices; trail: fraction."""

    exposure: float = NAN
    limit: float = NAN
    stop: float = NAN
    target: float = NAN
    trail: float = NAN

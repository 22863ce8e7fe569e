"""Tickets: what is asked of the simulated venue, and what a signal asks for on one bar."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import InvalidInput

NAN = float("nan")
Kind = Literal["market", "limit", "stop", "stop_limit", "trailing"]
InForce = Literal["gtc", "ioc", "fok", "gtd"]
KINDS: tuple[str, ...] = get_args(Kind)
TIMES_IN_FORCE: tuple[str, ...] = get_args(InForce)
SIZES = ("quantity", "spend", "exposure", "worth", "position")
WHOLE = 1.0 + 1e-9  # fractions of a position that add up to this are all of it


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order for the simulated venue. Exactly one of quantity, spend, exposure, worth and position sizes it.

    quantity: base; spend: quote, fee included; exposure: share of equity (times leverage on a perpetual) that the
    position shall have after the fill, worth: quote that it shall then be worth, position: base that it shall then be,
    all three signed. side: +1 buy, -1 sell; 0 only with such an aim at market, where the fill finds it.
    trail: fraction, or distance: quote, for trailing orders.
    stop, target, protect_trail (fraction) or protect_distance (quote): protection of the position, born by this order's
    fill; an instrument has one set of protection, the last one given. targets: partial exits (price, fraction of what
    the order opened), born by the fill beside the protection and gone with the position.
    group: orders of the same number cancel each other (OCO). ref: the caller's number, or None for the next one.
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
    protect_distance: float | None = None
    targets: Sequence[tuple[float, float]] = ()
    group: int | None = None
    worth: float | None = None
    position: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput(f"Order kind '{self.kind}' is unknown; use {', '.join(KINDS)}.")
        if self.time_in_force not in TIMES_IN_FORCE:
            raise InvalidInput(f"Time in force '{self.time_in_force}' is unknown; use gtc, ioc, fok or gtd.")
        if sum(getattr(self, name) is not None for name in SIZES) != 1:
            raise InvalidInput("A ticket needs exactly one of quantity, spend, exposure, worth or position.")
        free = self.quantity is None and self.spend is None and self.kind == "market"
        if self.side not in ((-1, 0, 1) if free else (-1, 1)):
            raise InvalidInput(f"The side {self.side} is neither +1 (buy) nor -1 (sell).")
        for name in ("quantity", "spend", "limit", "trigger", "distance", "stop", "target", "protect_distance"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise InvalidInput(f"The {name} {value} is not a positive number.")
        for name in ("trail", "protect_trail"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < 1.0:
                raise InvalidInput(f"The {name} {value} is not a fraction between 0 and 1.")
        if self.exposure is not None and not -1.0 <= self.exposure <= 1.0:
            raise InvalidInput(f"The exposure {self.exposure} is outside -1 to 1.")
        for name in ("worth", "position"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise InvalidInput(f"The {name} {value} is not a number.")
        needs = {"limit": ("limit",), "stop": ("trigger",), "stop_limit": ("trigger", "limit")}.get(self.kind, ())
        for name in needs:
            if getattr(self, name) is None:
                raise InvalidInput(f"A {self.kind} order needs a {name} price.")
        if self.kind == "trailing" and (self.trail is None) == (self.distance is None):
            raise InvalidInput("A trailing order needs either a trail (fraction) or a distance (quote).")
        if self.protect_trail is not None and self.protect_distance is not None:
            raise InvalidInput("A position trails either by a fraction (protect_trail) or by a distance, not by both.")
        if self.time_in_force == "gtd" and self.expires is None:
            raise InvalidInput("A gtd order needs the time at which it expires.")
        if self.group is not None and self.group <= 0:
            raise InvalidInput(f"The group {self.group} is not a whole number above zero.")
        self._check_targets()

    def _check_targets(self) -> None:
        for price, fraction in self.targets:
            if not 0.0 < price < math.inf:
                raise InvalidInput(f"The target {price} is not a positive number.")
            if not 0.0 < fraction <= 1.0:
                raise InvalidInput(f"The part {fraction} of a target is not a fraction between 0 and 1.")
        total = math.fsum(fraction for _, fraction in self.targets)
        if total > WHOLE:
            raise InvalidInput(f"The parts of the targets add up to {total:g}, which is more than the whole position.")
        if self.targets and self.reduce_only:
            raise InvalidInput("A reduce-only order opens nothing that targets could close.")


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One bar's signal; NaN means none. exposure in [-1, 1]; limit, stop, target: prices; trail: fraction;
    distance: quote, a trail by an absolute distance.
    """

    exposure: float = NAN
    limit: float = NAN
    stop: float = NAN
    target: float = NAN
    trail: float = NAN
    distance: float = NAN

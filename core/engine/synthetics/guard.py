"""Guard: leaves, or enters, at a stop, a target or a trailing stop, whichever is reached first.

At most one order works at a time, so that no two can fill: the protective one rests at the venue where the venue has
it, the other price is watched here. When that price is reached, the resting order is cancelled, what it filled
meanwhile is counted, and only the rest is placed anew.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from core import wording
from core.engine.synthetics.turn import Turn, ended_by_itself, price_of, short
from core.engine.synthetics.values import Action, Child, Happening, Priced, Work
from core.money import ZERO
from core.trading.orders import Limit, Market, OrderStatus, OrderType, Side, Stop, StopLimit, TrailingStop

LEGS = ("stop", "trail", "limit", "out")
HALF = Decimal("0.5")  # of the way from target to stop, from which on the stop rests again


@dataclass(frozen=True, slots=True)
class Guard:
    """Prices and how they are worked. side: of its orders; counts: 1 where their fills are the parent's, 0 of exits

    trail: fraction, distance: quote, behind the best price since it became active; activation: the price from which on
    it follows. phase: 'rest' as it began, 'target' while the limit works, 'out' once the stop was reached here
    refused: the venue would not take the stop, so everything is watched here
    """

    side: Side
    stop: Decimal | None = None
    stop_price: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None
    distance: Decimal | None = None
    activation: Decimal | None = None
    counts: int = 1
    active: bool = True
    best: Decimal | None = None
    phase: Literal["rest", "target", "out"] = "rest"
    refused: bool = False

    @property
    def trailing(self) -> bool:
        return self.trail is not None or self.distance is not None

    @property
    def level(self) -> Decimal | None:
        """The stop price in force: of the fixed one and the following one the one that is reached first."""
        levels = [] if self.stop is None else [self.stop]
        if self.active and self.best is not None and self.trailing:
            gap = self.best * self.trail if self.trail is not None else self.distance or ZERO
            levels.append(self.best - gap if self.side is Side.SELL else self.best + gap)
        return None if not levels else max(levels) if self.side is Side.SELL else min(levels)

    def beyond(self, price: Decimal, last: Decimal) -> bool:
        """Whether the market is at the stop or past it."""
        return last <= price if self.side is Side.SELL else last >= price

    def met(self, last: Decimal) -> bool:
        """Whether the market is at the target or better."""
        return self.target is not None and (last >= self.target if self.side is Side.SELL else last <= self.target)


def leg_of(guard: Guard, native: tuple[str, ...]) -> tuple[str, OrderType] | None:
    """The one order that shall work now; None where everything is watched here."""
    stops = not guard.refused
    if guard.phase == "out":
        return "out", Market() if guard.stop_price is None else Limit(guard.stop_price)
    if guard.phase == "target" and guard.target is not None:
        return "limit", Limit(guard.target)
    if stops and guard.stop is not None and guard.stop_price is None and "Stop" in native:
        return "stop", Stop(guard.stop)
    if stops and guard.stop is not None and guard.stop_price is not None and "StopLimit" in native:
        return "stop", StopLimit(guard.stop, guard.stop_price)
    if stops and guard.stop is None and guard.trailing and guard.active and "TrailingStop" in native:
        return "trail", TrailingStop(guard.trail, guard.distance)
    return None if guard.target is None else ("limit", Limit(guard.target))


def watched(guard: Guard, last: Decimal, covered: bool, native: tuple[str, ...]) -> Guard:
    """The guard after a price. covered: an order that works at the venue answers for the stop"""
    if guard.phase == "out":
        return guard
    if guard.trailing and not guard.active and (guard.activation is None or activated(guard, last)):
        guard = replace(guard, active=True)
    if guard.trailing and guard.active:
        better = max if guard.side is Side.SELL else min
        guard = replace(guard, best=last if guard.best is None else better(guard.best, last))
    level = guard.level
    if (
        level is not None
        and guard.beyond(level, last)
        and not (covered and (guard.stop is None or level == guard.stop))
    ):
        return replace(guard, phase="out")
    if guard.phase == "rest" and guard.met(last):
        return replace(guard, phase="target")
    rests = leg_of(replace(guard, phase="rest"), native)
    if guard.phase == "target" and rests is not None and rests[0] != "limit" and level is not None:
        assert guard.target is not None
        turning = guard.target + (level - guard.target) * HALF
        if guard.beyond(turning, last):
            return replace(guard, phase="rest")
    return guard


def activated(guard: Guard, last: Decimal) -> bool:
    """Whether the price from which on it follows was reached."""
    assert guard.activation is not None
    return last >= guard.activation if guard.side is Side.SELL else last <= guard.activation


def work(turn: Turn, guard: Guard, happening: Happening, wanted: Decimal) -> tuple[Guard, bool]:
    """Takes the guard one step on. wanted: how much it is to trade in all, base

    Returns the guard, and whether nothing is left for it to do. Legs that filled beyond `wanted` are traded back.
    """
    guard = conclusions(turn, guard)
    if isinstance(happening, Priced) and turn.last is not None and wanted > 0:
        covered = any(leg.status in (OrderStatus.OPEN, OrderStatus.PARTIAL) for leg in turn.live("stop", "trail"))
        guard = watched(guard, turn.last, covered, turn.work.native)
    traded = turn.filled(*LEGS)
    back = turn.filled("unwind")
    turn.unwind(traded - back - wanted, guard.side, -guard.counts)
    left = wanted - traded + back
    leg = leg_of(guard, turn.work.native)
    live = turn.live(*LEGS)
    price = turn.last if leg is None else price_of(leg[1], guard.level or turn.last)
    if turn.lots(left) <= 0 or (traded > 0 and turn.too_small(left, price)):
        for each in live:
            turn.cancel(each)
        return guard, not live and not turn.live("unwind")
    if turn.work.ending is not None:
        return guard, False
    fits = [
        each for each in live if leg is not None and (each.role, each.type) == leg and each.resting == turn.lots(left)
    ]
    for each in live:
        if each not in fits[:1]:
            turn.cancel(each)
    if not live and leg is not None and turn.may_place:
        turn.place(leg[0], leg[1], turn.lots(left), side=guard.side, counts=guard.counts)
    return guard, False


def conclusions(turn: Turn, guard: Guard) -> Guard:
    """What follows from legs that ended without having been asked to, and short of what they were for."""
    for leg in turn.children(*LEGS):
        if leg.live or leg.answered:
            continue
        turn.concluded(leg)
        if not short(leg):
            if leg.filled:
                turn.went_well()
            continue
        if leg.role in ("stop", "trail") and leg.status is OrderStatus.REJECTED:
            guard = refusal(turn, guard, leg)
        elif leg.status is OrderStatus.REJECTED or (leg.role == "out" and isinstance(leg.type, Market)):
            turn.failed(leg)  # also a market order that the venue ended for want of offers
        else:
            turn.end(OrderStatus.CANCELLED, ended_by_itself(leg, f"Its {NAMES[leg.role]}"))
    return guard


NAMES = {"stop": "stop order", "trail": "trailing stop", "limit": "limit order", "out": "exit"}


def refusal(turn: Turn, guard: Guard, leg: Child) -> Guard:
    """A stop that the venue refuses is watched here instead; one that was reached meanwhile is carried out at once."""
    level = guard.level
    if turn.last is not None and level is not None and guard.beyond(level, turn.last):
        return replace(guard, phase="out")
    if leg.reason == UNSENT:  # nobody refused it
        return guard
    if leg.passing:  # tried again, and watched here meanwhile
        turn.failed(leg)
        return guard
    at = "" if level is None else f" at {wording.price(level, turn.instrument)}"
    turn.tell(
        f"The venue refused the {NAMES[leg.role]}{at} of {turn.instrument.symbol} ({leg.reason or 'no reason given'}). "
        "It is watched in this process instead, and rests while the process does not run."
    )
    return replace(guard, refused=True)


UNSENT = "It was not sent before the restart."


@dataclass(frozen=True, slots=True)
class Guarded:
    """An order that is nothing but a guard: a stop, a trailing stop, one cancels the other."""

    work: Work
    guard: Guard


def step(state: Guarded, happening: Happening) -> tuple[Guarded, tuple[Action, ...]]:
    """The state after the happening, and what is to be done."""
    if state.work.finished:
        return state, ()
    turn = Turn(state.work)
    turn.absorb(happening)
    guard, done = work(turn, state.guard, happening, state.work.quantity)
    if done:
        turn.end(OrderStatus.FILLED, leftover(turn))
    turn.wind_up()
    return Guarded(turn.work, guard), tuple(turn.actions)


def leftover(turn: Turn) -> str | None:
    """Says what could not be traded because it was too little."""
    rest = turn.work.quantity - turn.work.filled
    if rest <= 0 or turn.work.filled <= 0:
        return None
    return f"The {wording.quantity(rest, turn.instrument.base)} left are below the smallest order."


def following(kind: TrailingStop, side: Side, counts: int = 1) -> Guard:
    """The guard of a trailing stop."""
    return Guard(
        side, trail=kind.fraction, distance=kind.distance, activation=kind.activation, counts=counts,
        active=kind.activation is None,
    )  # fmt: skip


__all__ = ["LEGS", "Guard", "Guarded", "following", "leftover", "step", "work"]

"""Guards in words: the stop, target and trail that watch a position, now and after an order."""

from dataclasses import dataclass
from decimal import Decimal

from core import wording
from core.engine.views import MANUAL, AccountView, PositionView
from core.market.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Guard:
    """Prices that watch a whole position. trail: fraction of the best price since it began."""

    stop: Decimal | None = None
    target: Decimal | None = None
    trail: Decimal | None = None

    def __bool__(self) -> bool:
        return not (self.stop is None and self.target is None and self.trail is None)


def guard_of(position: PositionView | None) -> Guard:
    """What watches the position now."""
    return Guard() if position is None else Guard(position.stop, position.target, position.trail)


def by_hand(view: AccountView, instrument: Instrument) -> PositionView | None:
    """What the person holds of the instrument by hand; holdings of strategies are their own."""
    return next(
        (
            each
            for each in view.positions
            if each.ledger == MANUAL and each.instrument == instrument and each.quantity > 0
        ),
        None,
    )


def short(guard: Guard, instrument: Instrument) -> str:
    """'stop 60,000.00, target 70,000.00', or a dash."""
    found = []
    if guard.stop is not None:
        found.append(f"stop {wording.price(guard.stop, instrument)}")
    if guard.target is not None:
        found.append(f"target {wording.price(guard.target, instrument)}")
    if guard.trail is not None:
        found.append(f"trail {wording.rate(guard.trail)}")
    return ", ".join(found) or "–"


def told(guard: Guard, instrument: Instrument, amount: str) -> list[tuple[str, str]]:
    """Rows that say what each price does: 'sells all 0.03 BTC if the price falls to 60,000.00'."""
    rows = []
    if guard.stop is not None:
        rows.append(("Stop", f"sells {amount} if the price falls to {wording.price(guard.stop, instrument)}"))
    if guard.target is not None:
        rows.append(("Target", f"sells {amount} when the price rises to {wording.price(guard.target, instrument)}"))
    if guard.trail is not None:
        rows.append(("Trail", f"sells {amount} if the price falls {wording.rate(guard.trail)} from its best"))
    return rows


def brought(new: Guard, before: Guard, held: Decimal, bought: Decimal, instrument: Instrument) -> list[tuple[str, str]]:
    """Rows about the protection after a buy: what is new, what it replaces, and what then covers more than before.

    held, bought: quantities of the position before and of the order
    """
    whole = wording.quantity(held + bought, instrument.base)
    rows = []
    for name, line in told(new, instrument, f"all {whole} you then hold"):
        old = getattr(before, name.lower())
        rows.append((name, line if old is None else f"{line}; replaces your {shown(name, old, instrument)}"))
    for name, old in (("Stop", before.stop), ("Target", before.target), ("Trail", before.trail)):
        if old is not None and getattr(new, name.lower()) is None:
            rows.append((name, f"your {shown(name, old, instrument)} then covers all {whole}"))
    return rows


def left(before: Guard, held: Decimal, sold: Decimal, instrument: Instrument) -> list[tuple[str, str]]:
    """Rows about the protection after a sale of a part, or of all, of what it covers."""
    rest = held - sold
    covers = f"then covers the {wording.quantity(rest, instrument.base)} left" if rest > 0 else "then ends"
    return [
        (name, f"your {shown(name, old, instrument)} {covers}")
        for name, old in (("Stop", before.stop), ("Target", before.target), ("Trail", before.trail))
        if old is not None
    ]


def shown(name: str, value: Decimal, instrument: Instrument) -> str:
    """'stop at 60,000.00' or 'trail of 5.0 %'."""
    if name == "Trail":
        return f"trail of {wording.rate(value)}"
    return f"{name.lower()} at {wording.price(value, instrument)}"

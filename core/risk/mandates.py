"""Mandates: what may trade on a live account without a human at the button, where, how much, and until when. Pure.

A strategy, a webhook or a copied trader trades live only under a mandate. What counts against its cap is what is at
stake at the moment: the cost of what is held and what open orders may still buy. An order takes its part in the
transaction that writes it down, so two of them cannot use the same room.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from core import wording
from core.errors import InvalidInput
from core.market.instrument import Instrument
from core.money import ZERO
from core.risk.check import Check, amount, pair
from core.risk.limits import listed
from core.trading.exchange import ELSEWHERE
from core.trading.purses import venue_of

Origin = Literal["person", "strategy", "webhook", "copy"]
MANUAL = "manual"
LONGEST = timedelta(days=90)
NONE = "Without a human at the button, a live account is traded under a mandate only"


@dataclass(frozen=True, slots=True)
class Mandate:
    """Leave to trade on a live account. number: short, per account; instruments: coins or pairs, empty for every one

    cap: quote that may be at stake at a time; order: quote of the largest order, None for the cap itself
    """

    number: int
    account: str
    cap: Decimal
    given: datetime
    expires: datetime
    instruments: tuple[str, ...] = ()
    order: Decimal | None = None
    revoked: datetime | None = None

    @property
    def id(self) -> str:
        return f"{self.account}/{self.number}"

    def stands(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked is None and self.given <= now < self.expires

    def covers(self, instrument: Instrument) -> bool:
        """Whether the instrument may be traded under it."""
        return not self.instruments or listed(instrument, self.instruments)


@dataclass(frozen=True, slots=True)
class Wish:
    """An order that somebody without a human at the button wants to place. notional: quote"""

    origin: Origin
    account: str
    instrument: Instrument
    notional: Decimal


def drawn(
    number: int, account: str, instruments: Iterable[str], cap: Decimal, days: Decimal, now: datetime,
    order: Decimal | None = None,
) -> Mandate:  # fmt: skip
    """A new mandate. Raises InvalidInput for one that is empty, endless or for no live account."""
    if venue_of(account) is None:
        raise InvalidInput("A mandate is for a live account; on paper none is needed.", hint="Arm a venue first.")
    if cap <= 0:
        raise InvalidInput(f"The cap {wording.grouped(cap)} is not above zero.", hint="For example: cap=1000.")
    if order is not None and not 0 < order <= cap:
        raise InvalidInput(
            f"The largest order {wording.grouped(order)} must lie above zero and at most at the cap "
            f"{wording.grouped(cap)}."
        )
    length = timedelta(days=float(days)) if 0 < days <= LONGEST.days else None
    if length is None:
        raise InvalidInput(
            f"A mandate of {wording.grouped(days)} days is not possible.",
            hint=f"It lasts more than 0 and at most {LONGEST.days} days, for example: days=7.",
        )
    names = tuple(dict.fromkeys(each.strip().upper() for each in instruments if each.strip()))
    return Mandate(number, account, cap, now, now + length, names, order)


def origin_of(ledger: str) -> Origin:
    """Who orders on a ledger: a person by hand, 'webhook:NAME', 'copy:NAME', and else the strategy whose run it is."""
    if ledger in (MANUAL, ELSEWHERE):
        return "person"
    head = ledger.partition(":")[0]
    return "webhook" if head == "webhook" else "copy" if head == "copy" else "strategy"


def permits(mandate: Mandate, wish: Wish, used: Decimal, now: datetime) -> Check:
    """Whether the mandate lets the wish pass. used: quote at stake under it already"""
    quote, name = wish.instrument.quote, f"mandate {mandate.number}"
    room = max(ZERO, mandate.cap - used)
    least = min(room, room if mandate.order is None else mandate.order)
    allowed, asked = pair(least, wish.notional, quote)
    reason: str | None = None
    if wish.account != mandate.account:
        reason = f"Mandate {mandate.number} is for another account."
    elif mandate.revoked is not None:
        reason = f"Mandate {mandate.number} was revoked on {wording.moment(mandate.revoked)}."
    elif not mandate.stands(now):
        reason = f"Mandate {mandate.number} ended on {wording.moment(mandate.expires)}."
    elif not mandate.covers(wish.instrument):
        names = wording.listed(list(mandate.instruments))
        reason = f"Mandate {mandate.number} is for {names}, and this is {wish.instrument.symbol}."
    elif mandate.order is not None and wish.notional > mandate.order:
        reason = f"Mandate {mandate.number} allows orders of up to {amount(mandate.order, quote)}, and this is {asked}."
    elif wish.notional > room:
        reason = (
            f"Mandate {mandate.number} allows {amount(mandate.cap, quote)} at a time, of which "
            f"{amount(used, quote)} is used; {allowed} is left, and this is {asked}."
        )
    return Check(name, allowed, asked, reason is None, "mandates lists them.", told=reason)


def permission(mandates: Iterable[Mandate], wish: Wish, used: Callable[[Mandate], Decimal], now: datetime) -> Check:
    """The first mandate that lets the wish pass; else the refusal of the one that came nearest to it."""
    nearest: tuple[int, Check] | None = None
    for mandate in mandates:
        if mandate.account != wish.account:
            continue
        check = permits(mandate, wish, used(mandate), now)
        if check.passed:
            return check
        near = 2 * mandate.stands(now) + mandate.covers(wish.instrument)
        if nearest is None or near >= nearest[0]:
            nearest = near, check
    if nearest is not None:
        return nearest[1]
    venue = venue_of(wish.account)
    return Check(
        "mandate", "no order without one", amount(wish.notional, wish.instrument.quote), False,
        f"To give one: mandate {venue} instruments={wish.instrument.base.lower()} cap=1000 days=7.",
        told=f"{NONE}, and there is none for this {wish.origin} on {venue}.",
    )  # fmt: skip

"""Arming: a live account trades only for a while, within caps, and after its owner has shown a second factor."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from core import wording
from core.clock import Clock
from core.engine.ports import Document, TradingStore
from core.errors import Conflict, Forbidden, InvalidInput, RiskRefused
from core.events import AccountNotice
from core.money import ZERO, plain
from core.outbox import decode, encode
from core.risk.limits import amount
from core.trading.purses import live_account, owner_of, venue_of

KIND = "arming"
LONGEST = 168  # hours
LOSS_SHARE = Decimal("0.1")  # of the exposure cap: what a day may cost when it is not said

Factor = Callable[[str, str], Awaitable[bool]]  # user, code


@dataclass(frozen=True, slots=True)
class Caps:
    """What an armed account may do at most, in its currency.

    order: one order's notional; exposure: what is held and on order beyond what was there at the arming
    loss: what a day (UTC) may cost, in prices as in fees
    """

    order: Decimal
    exposure: Decimal
    loss: Decimal

    def __post_init__(self) -> None:
        for name in ("order", "exposure", "loss"):
            value = getattr(self, name)
            if not value > 0 or not value.is_finite():
                raise InvalidInput(f"The cap on {name} {plain(value)} is not an amount above zero.")
        if self.order > self.exposure:
            raise InvalidInput(
                f"The cap on one order {plain(self.order)} is above that on the exposure in all, "
                f"{plain(self.exposure)}."
            )


@dataclass(frozen=True, slots=True)
class Armed:
    """An account that may trade live until `expires`.

    held: base quantity of each instrument (by key) when it was armed
    day, earned: the day (UTC) that losses are counted for, and what the account had earned when it began
    """

    account: str
    caps: Caps
    since: datetime
    expires: datetime
    held: Mapping[str, Decimal] = field(default_factory=dict)
    day: str = ""
    earned: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Stake:
    """What the caps look at: amounts in the account's currency.

    notional: of the order; added: held and on order beyond the arming, without this order; earned: so far, in all
    child: its parent's notional is counted already
    """

    notional: Decimal
    added: Decimal
    earned: Decimal
    currency: str
    child: bool = False


class Arming:
    """Which live accounts may trade now. factor: whether the code is the user's present second factor"""

    def __init__(self, store: TradingStore, clock: Clock, factor: Factor | None = None) -> None:
        self._store, self._clock, self.factor = store, clock, factor
        self._armed: dict[str, Armed] = {}
        self._unwritten: dict[str, Armed] = {}  # disarmed, and the record does not know it yet

    async def load(self) -> None:
        """Reads what is armed; a restart neither arms nor disarms."""
        found = await self._store.documents(KIND, open_only=True)
        self._armed = {each.id: decode(Armed, each.value) for each in found}

    # -- what is asked ------------------------------------------------------------------------------------------

    def of(self, account: str) -> Armed | None:
        """The arming that is in force."""
        armed = self._armed.get(account)
        return armed if armed is not None and self._clock.now() < armed.expires else None

    def account_for(self, user: str, venue: str) -> str:
        """The account with which a user trades who has chosen the venue: live while armed, else on paper."""
        account = live_account(user, venue)
        return user if self.of(account) is None else account

    def demand(self, account: str, stake: Stake) -> None:
        """Raises Forbidden when the account is not armed, RiskRefused when the order would break a cap."""
        armed = self.of(account)
        if armed is None:
            raise Forbidden(
                f"The account at {venue_of(account)} is not armed for live trading.",
                hint=f"Arm it first: arm {venue_of(account)} cap=… hours=… code=…",
                account=account,
            )
        caps, unit = armed.caps, stake.currency
        if stake.notional > caps.order:
            raise _refused("cap on one order", caps.order, stake.notional, unit)
        after = stake.added + (ZERO if stake.child else stake.notional)
        if after > caps.exposure:
            raise _refused("cap on exposure", caps.exposure, after, unit)
        lost = armed.earned - stake.earned
        if lost >= caps.loss:
            raise RiskRefused(
                "cap on a day's loss", allowed=amount(caps.loss, unit), asked=amount(lost, unit),
                hint="Orders that reduce what you hold still pass; the count starts anew at midnight UTC.",
            )  # fmt: skip

    # -- what is done -------------------------------------------------------------------------------------------

    async def prove(self, user: str, code: str) -> None:
        """Raises Forbidden unless the code is the user's present second factor; each works once."""
        if self.factor is None or not await self.factor(user, code):
            raise Forbidden(
                "This code is not right, has been used, or no second factor is set up.",
                hint="`orchestrator user totp` sets one up; codes change every 30 seconds.",
            )

    async def arm(self, account: str, caps: Caps, hours: int, held: Mapping[str, Decimal], earned: Decimal) -> Armed:
        """Lets the account trade live for so many hours. The caller has proved the second factor."""
        if venue_of(account) is None:
            raise InvalidInput("A paper account needs no arming.")
        demand_hours(hours)
        now = self._clock.now()
        day = f"{now:%Y-%m-%d}"
        armed = Armed(account, caps, now, now + timedelta(hours=hours), dict(held), day, earned)
        text = (
            f"LIVE trading at {venue_of(account)} is armed until {wording.moment(armed.expires)}: at most "
            f"{wording.money(caps.order, '')} an order, {wording.money(caps.exposure, '')} in all, "
            f"{wording.money(caps.loss, '')} lost a day."
        )
        self._unwritten.pop(account, None)
        await self._keep(armed, open=True, tell=text, name="armed")
        self._armed[account] = armed
        return armed

    async def disarm(self, account: str) -> Armed:
        """Ends it at once; open orders stay. Raises Conflict when it is not armed."""
        armed = self.of(account) or self._unwritten.get(account)
        if armed is None:
            raise Conflict(f"The account at {venue_of(account)} is not armed.")
        self._armed.pop(account, None)  # first: nothing more goes out, whatever becomes of the record
        self._unwritten[account] = armed
        await self._write_disarmed(armed)
        return armed

    async def _write_disarmed(self, armed: Armed) -> None:
        text = f"LIVE trading at {venue_of(armed.account)} is disarmed."
        await self._keep(armed, open=False, tell=text, name="disarmed")
        if self._unwritten.get(armed.account) is armed:
            del self._unwritten[armed.account]

    async def expire(self) -> list[str]:
        """Ends what has run out, and tells its owners. Returns the accounts."""
        now = self._clock.now()
        for armed in tuple(self._unwritten.values()):
            await self._write_disarmed(armed)
        gone = [armed for armed in self._armed.values() if armed.expires <= now]
        for armed in gone:
            text = (
                f"LIVE trading at {venue_of(armed.account)} ran out at {wording.moment(armed.expires)}. Open orders "
                "stay; orders that reduce what you hold still pass."
            )
            await self._keep(armed, open=False, tell=text, name="expired")
            self._armed.pop(armed.account, None)
        return [armed.account for armed in gone]

    async def turn_day(self, account: str, earned: Decimal) -> None:
        """A new day (UTC) counts its losses from what the account has earned by now."""
        armed, day = self._armed.get(account), f"{self._clock.now():%Y-%m-%d}"
        if armed is not None and armed.day != day:
            armed = replace(armed, day=day, earned=earned)
            self._armed[account] = armed  # first: who disarms meanwhile has the last word
            await self._keep(armed, open=True)

    async def _keep(self, armed: Armed, *, open: bool, tell: str | None = None, name: str = "") -> None:
        account, now = armed.account, self._clock.now()
        async with self._store.unit() as unit:
            await unit.save_document(Document(KIND, account, owner_of(account), encode(armed), open))
            if tell is not None:
                unit.emit(AccountNotice(f"{name}:{account}:{now.isoformat()}", account, now, tell))


def demand_hours(hours: int) -> None:
    """Raises InvalidInput unless an account can be armed for so long."""
    if not 1 <= hours <= LONGEST:
        raise InvalidInput(f"An account is armed for 1 to {LONGEST} hours, not {hours}.")


def caps_of(cap: Decimal, order: Decimal | None = None, loss: Decimal | None = None) -> Caps:
    """The caps meant by one figure: all of it in one order, a tenth of it lost a day, unless they are said."""
    return Caps(cap if order is None else order, cap, cap * LOSS_SHARE if loss is None else loss)


def _refused(name: str, allowed: Decimal, asked: Decimal, unit: str) -> RiskRefused:
    return RiskRefused(name, allowed=amount(allowed, unit), asked=amount(asked, unit), hint="Arm it anew to raise it.")

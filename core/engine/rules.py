"""Rules: the limits that each person set, and the mandates that they gave, as the record keeps them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from core import wording
from core.clock import Clock
from core.engine.ports import Document, TradingStore
from core.errors import Conflict, NotFound
from core.events import AccountNotice
from core.outbox import decode, encode
from core.risk.limits import LIVE, PAPER, Limits, tightest
from core.risk.mandates import Mandate
from core.trading.purses import owner_of, venue_of

LIMITS, MANDATE = "limits", "mandate"  # kinds of documents
KINDS = ("paper", "live")


class Rules:
    """What is allowed on which account. It is read at the start and changed here alone.

    paper, live: the limits of whoever set none; caps: what an account is armed for, where it is armed
    """

    def __init__(self, store: TradingStore, clock: Clock, paper: Limits = PAPER, live: Limits = LIVE) -> None:
        self._store, self._clock = store, clock
        self._usual = {"paper": paper, "live": live}
        self._limits: dict[tuple[str, str], Limits] = {}
        self._mandates: dict[str, Mandate] = {}
        self.caps: Callable[[str], Limits | None] = lambda account: None

    async def load(self) -> None:
        """Reads the record."""
        self._limits = {
            (document.id, kind): decode(Limits, document.value[kind])
            for document in await self._store.documents(LIMITS)
            for kind in KINDS
            if document.value.get(kind) is not None
        }
        found = [decode(Mandate, document.value) for document in await self._store.documents(MANDATE)]
        self._mandates = {mandate.id: mandate for mandate in found}

    # -- limits -------------------------------------------------------------------------------------------------

    def limits(self, account: str) -> Limits:
        """What holds for the account: what its owner set, and not more than it is armed for."""
        caps = self.caps(account)
        return self.chosen(account) if caps is None else tightest(self.chosen(account), caps)

    def chosen(self, account: str) -> Limits:
        """What the account's owner set, or what holds for whoever set nothing."""
        kind = kind_of(account)
        return self._limits.get((owner_of(account), kind), self._usual[kind])

    def usual(self, account: str) -> Limits:
        """The limits of whoever set none."""
        return self._usual[kind_of(account)]

    async def set_limits(self, account: str, limits: Limits, before: Limits) -> None:
        """Keeps the limits of the owner for accounts of this kind. Raises Conflict when they are not `before` now."""
        owner, kind = owner_of(account), kind_of(account)
        if self.chosen(account) != before:
            raise Conflict("Your limits were changed meanwhile.", hint="limits shows them as they are.")
        known = {(owner, each): self._limits.get((owner, each)) for each in KINDS} | {(owner, kind): limits}
        value = {each: encode(known[owner, each]) for each in KINDS}
        self._limits[owner, kind] = limits  # from now on, also for what is being checked while it is written
        try:
            async with self._store.unit() as unit:
                await unit.save_document(Document(LIMITS, owner, owner, value))
        except BaseException:
            await self.load()
            raise

    # -- mandates -----------------------------------------------------------------------------------------------

    def mandates(self, account: str) -> list[Mandate]:
        """The account's mandates, also those that are over, by number."""
        return sorted((each for each in self._mandates.values() if each.account == account), key=lambda it: it.number)

    def standing(self, now: datetime) -> list[Mandate]:
        """Every mandate of anybody that is neither revoked nor expired."""
        return [each for each in self._mandates.values() if each.stands(now)]

    def next_number(self, account: str) -> int:
        return max((each.number for each in self.mandates(account)), default=0) + 1

    async def give(self, mandate: Mandate) -> None:
        """Records the mandate. Raises Conflict when its number is taken."""
        if mandate.id in self._mandates:
            raise Conflict(f"Mandate {mandate.number} was given meanwhile.", hint="mandates lists them.")
        await self._save(mandate)

    async def revoke(self, account: str, number: int) -> Mandate:
        """Ends a mandate at once. Raises NotFound with those that stand, Conflict when it is over."""
        now = self._clock.now()
        mandate = self._mandates.get(f"{account}/{number}")
        if mandate is None:
            known = [str(each.number) for each in self.mandates(account) if each.stands(now)]
            raise NotFound(f"There is no mandate {number}.", hint=f"Standing: {', '.join(known) or 'none'}.")
        if mandate.revoked is not None:
            raise Conflict(f"Mandate {number} was revoked before.")
        return await self._save(replace(mandate, revoked=now))

    async def _save(self, mandate: Mandate) -> Mandate:
        ended = mandate.revoked is not None
        if ended:
            self._mandates[mandate.id] = mandate  # a revocation counts before it is written, leave only afterwards
        async with self._store.unit() as unit:
            await unit.save_document(Document(MANDATE, mandate.id, mandate.account, encode(mandate), not ended))
            unit.emit(
                AccountNotice(
                    f"mandate:{mandate.id}:{'revoked' if ended else 'given'}", mandate.account, self._clock.now(),
                    told(mandate),
                )
            )  # fmt: skip
        self._mandates[mandate.id] = mandate
        return mandate


def kind_of(account: str) -> str:
    """'paper' or 'live'."""
    return "paper" if venue_of(account) is None else "live"


def told(mandate: Mandate) -> str:
    """What its owner is told about the mandate, wherever they read."""
    venue, cap = venue_of(mandate.account), wording.grouped(mandate.cap)
    if mandate.revoked is not None:
        return f"Mandate {mandate.number} on {venue} is revoked: nothing more is opened under it."
    what = wording.listed(list(mandate.instruments)) or "every instrument"
    return (
        f"Mandate {mandate.number} on {venue} is given: up to {cap} in {what}, until {wording.moment(mandate.expires)}."
    )

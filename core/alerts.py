"""Alerts: a person is told once when a price reaches a threshold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from core.bus import Bus
from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound
from core.events import AlertFired, QuoteChanged
from core.market.instrument import Instrument
from core.money import plain

Condition = Literal["above", "below"]
LIMIT = 200  # waiting alerts per person


@dataclass(frozen=True, slots=True)
class Alert:
    """A threshold somebody waits for. id: the short number shown to its user, unique per user; threshold: quote."""

    id: int
    user: str
    instrument: Instrument
    condition: Condition
    threshold: Decimal
    created: datetime
    fired: datetime | None = None
    fired_price: Decimal | None = None

    def reached(self, price: Decimal) -> bool:
        """Whether the price is at the threshold or beyond."""
        return price >= self.threshold if self.condition == "above" else price <= self.threshold


class AlertStore(Protocol):
    """Where alerts are kept; each call is one transaction."""

    async def add(self, user: str, instrument: Instrument, condition: Condition, threshold: Decimal) -> Alert:
        """Keeps it under the user's next number."""
        ...

    async def list(self, user: str) -> Sequence[Alert]:
        """The user's, in order of their numbers, fired ones too."""
        ...

    async def waiting(self) -> Sequence[Alert]:
        """Everybody's that have not fired."""
        ...

    async def delete(self, user: str, number: int) -> Alert | None:
        """The alert that was removed; None when there is none of that number."""
        ...

    async def fire(self, event: AlertFired) -> bool:
        """Marks it fired and emits the event, in one transaction; False when it had fired or was deleted."""
        ...


class AlertService:
    """Keeps alerts and fires them from the quotes of the bus. Waiting alerts lie in memory, by instrument."""

    def __init__(self, store: AlertStore, clock: Clock, bus: Bus) -> None:
        self._store, self._clock, self._bus = store, clock, bus
        self._waiting: dict[str, dict[tuple[str, int], Alert]] = defaultdict(dict)
        self._unsubscribe = bus.subscribe(QuoteChanged, self.on_quote)

    async def start(self) -> None:
        """Loads what waits."""
        self._waiting.clear()
        for alert in await self._store.waiting():
            self._waiting[alert.instrument.key][alert.user, alert.id] = alert

    async def stop(self) -> None:
        """Listens no longer."""
        self._unsubscribe()

    def watched(self) -> list[Instrument]:
        """The instruments whose quotes somebody waits for."""
        return [next(iter(alerts.values())).instrument for alerts in self._waiting.values() if alerts]

    async def add(
        self, user: str, instrument: Instrument, condition: Condition, threshold: Decimal, price: Decimal
    ) -> Alert:
        """Sets an alert. Raises InvalidInput when it is no price, or `price` (the present one) is beyond it already."""
        if condition not in ("above", "below"):
            raise InvalidInput(f"'{condition}' is not a condition of an alert.", hint="Use above or below.")
        if not threshold.is_finite() or threshold <= 0:
            raise InvalidInput(f"The threshold {threshold} is not a price above zero.", threshold=str(threshold))
        symbol, shown = instrument.symbol, f"{plain(price)} {instrument.quote}"
        alert = Alert(0, user, instrument, condition, threshold, self._clock.now())
        if alert.reached(price):
            raise InvalidInput(
                f"{symbol} is at {shown}, already {condition} {plain(threshold)}.",
                hint=f"Choose a price {'over' if condition == 'above' else 'under'} {plain(price)}.",
                price=str(price),
                threshold=str(threshold),
            )
        mine = sum(owner == user for alerts in self._waiting.values() for owner, _ in alerts)
        if mine >= LIMIT:
            raise Conflict(f"You have {mine} alerts waiting, and {LIMIT} is the most.", hint="Delete one first.")
        alert = await self._store.add(user, instrument, condition, threshold)
        self._waiting[instrument.key][user, alert.id] = alert
        return alert

    async def list(self, user: str, waiting_only: bool = True) -> Sequence[Alert]:
        """The user's alerts by number."""
        return [alert for alert in await self._store.list(user) if alert.fired is None or not waiting_only]

    async def delete(self, user: str, number: int) -> Alert:
        """Removes one. Raises NotFound."""
        alert = await self._store.delete(user, number)
        if alert is None:
            numbers = [str(other.id) for other in await self.list(user)]
            raise NotFound(
                f"You have no alert number {number}.",
                hint=f"Yours are {', '.join(numbers)}." if numbers else "You have no alerts.",
                number=number,
            )
        self._forget(alert.instrument.key, user, number)
        return alert

    async def on_quote(self, event: QuoteChanged) -> None:
        """Fires what the quote's last price has reached."""
        quote = event.quote
        key = quote.instrument.key
        for alert in [alert for alert in self._waiting.get(key, {}).values() if alert.reached(quote.last)]:
            fired = AlertFired(
                # The id is the alert's own: fired again after a crash before the commit, it is the same event.
                f"alert:{alert.user}:{alert.id}", alert.user, self._clock.now(), alert.id, key, alert.condition,
                alert.threshold, quote.last, quote.simulated,
            )  # fmt: skip
            await self._store.fire(fired)
            self._forget(key, alert.user, alert.id)

    def _forget(self, key: str, user: str, number: int) -> None:
        alerts = self._waiting.get(key, {})
        alerts.pop((user, number), None)
        if not alerts:
            self._waiting.pop(key, None)

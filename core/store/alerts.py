"""Alerts in the database."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, update

from core.alerts import Alert, Condition
from core.events import AlertFired
from core.market.instrument import Instrument
from core.outbox import decode, encode
from core.store.schema.accounts import users
from core.store.schema.alerts import alerts
from core.store.sql import Store


class SqlAlerts:
    """`core.alerts.AlertStore` on a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, user: str, instrument: Instrument, condition: Condition, threshold: Decimal) -> Alert:
        async with self._store.unit() as unit:
            # Two of one user at once (on PostgreSQL) wait here for each other, so that numbers differ.
            await unit.execute(select(users.c.id).where(users.c.id == user).with_for_update())
            last = await unit.value(select(func.max(alerts.c.number)).where(alerts.c.user_id == user))
            alert = Alert((last or 0) + 1, user, instrument, condition, threshold, unit.now)
            await unit.execute(
                insert(alerts).values(
                    user_id=user, number=alert.id, instrument=json.dumps(encode(instrument)), condition=condition,
                    threshold=threshold, created=alert.created,
                )
            )  # fmt: skip
            return alert

    async def list(self, user: str) -> Sequence[Alert]:
        query = select(alerts).where(alerts.c.user_id == user, alerts.c.deleted.is_(None)).order_by(alerts.c.number)
        async with self._store.reading() as unit:
            return [_alert(row) for row in await unit.rows(query)]

    async def waiting(self) -> Sequence[Alert]:
        query = select(alerts).where(alerts.c.fired.is_(None), alerts.c.deleted.is_(None)).order_by(alerts.c.number)
        async with self._store.reading() as unit:
            return [_alert(row) for row in await unit.rows(query)]

    async def delete(self, user: str, number: int) -> Alert | None:
        here = (alerts.c.user_id == user, alerts.c.number == number, alerts.c.deleted.is_(None))
        async with self._store.unit() as unit:
            row = await unit.first(select(alerts).where(*here).with_for_update())
            if row is None:
                return None
            await unit.execute(update(alerts).where(*here).values(deleted=unit.now))
            return _alert(row)

    async def fire(self, event: AlertFired) -> bool:
        still_waits = (
            alerts.c.user_id == event.user, alerts.c.number == event.alert, alerts.c.fired.is_(None),
            alerts.c.deleted.is_(None),
        )  # fmt: skip
        async with self._store.unit() as unit:
            done = await unit.execute(
                update(alerts).where(*still_waits).values(fired=event.time, fired_price=event.price)
            )
            if done.rowcount == 0:
                return False
            unit.emit(event)
            return True


def _alert(row: Mapping[str, Any]) -> Alert:
    instrument = decode(Instrument, json.loads(row["instrument"]))
    return Alert(
        row["number"], row["user_id"], instrument, row["condition"], row["threshold"], row["created"], row["fired"],
        row["fired_price"],
    )  # fmt: skip

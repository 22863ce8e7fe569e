"""Deliveries in the database: what each person is still to be told, in order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, update

from core.reply import Reply, from_json, to_json
from core.store.schema.deliveries import deliveries
from core.store.sql import Store, Unit

OPEN = ("pending", "claimed")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one person.

    created: when it happened; attempts: sends begun before this one; uncertain: one of them may have arrived
    """

    id: int
    surface: str
    external_id: str
    reply: Reply
    created: datetime
    attempts: int = 0
    uncertain: bool = False


class SqlDeliveries:
    """The deliveries table."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, event: str, recipients: Sequence[tuple[str, str]], reply: Reply, created: datetime) -> int:
        """Writes one delivery per (surface, external id) that has none for this event; how many are new."""
        new = 0
        async with self._store.unit() as unit:
            for surface, external_id in recipients:
                known = select(deliveries.c.id).where(
                    deliveries.c.event == event,
                    deliveries.c.surface == surface,
                    deliveries.c.external_id == external_id,
                )
                if await unit.value(known) is not None:
                    continue
                await unit.execute(
                    insert(deliveries).values(
                        event=event, surface=surface, external_id=external_id, reply=json.dumps(to_json(list(reply))),
                        created=created, state="pending", attempts=0, due=unit.now, uncertain=False, updated=unit.now,
                    )
                )  # fmt: skip
                new += 1
        return new

    async def claim(self, surface: str, limit: int) -> list[Delivery]:
        """Takes the next delivery of each recipient that has none under way, oldest first."""
        earlier = deliveries.alias("earlier")
        behind = exists().where(
            earlier.c.surface == deliveries.c.surface,
            earlier.c.external_id == deliveries.c.external_id,
            earlier.c.id < deliveries.c.id,
            earlier.c.state.in_(OPEN),
        )
        async with self._store.unit() as unit:
            query = (
                select(deliveries)
                .where(
                    deliveries.c.surface == surface,
                    deliveries.c.state == "pending",
                    deliveries.c.due <= unit.now,
                    ~behind,
                )
                .order_by(deliveries.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            rows = await unit.rows(query)
            await _mark(unit, [row["id"] for row in rows], state="claimed", attempts=deliveries.c.attempts + 1)
            return [_delivery(row) for row in rows]

    async def pending(self, surface: str) -> list[Delivery]:
        """All that is not sent yet, oldest first."""
        query = (
            select(deliveries)
            .where(deliveries.c.surface == surface, deliveries.c.state.in_(OPEN))
            .order_by(deliveries.c.id)
        )
        async with self._store.reading() as unit:
            return [_delivery(row) for row in await unit.rows(query)]

    async def waiting(self, surface: str, external_id: str) -> list[Delivery]:
        """What one person has not been told yet, oldest first."""
        here = (deliveries.c.surface == surface, deliveries.c.external_id == external_id)
        query = select(deliveries).where(*here, deliveries.c.state.in_(OPEN)).order_by(deliveries.c.id)
        async with self._store.reading() as unit:
            return [_delivery(row) for row in await unit.rows(query)]

    async def attempts(self, delivery: int) -> int:
        """How many sends of it have begun."""
        async with self._store.reading() as unit:
            return int(await unit.value(select(deliveries.c.attempts).where(deliveries.c.id == delivery)) or 0)

    async def end(self, delivery: int, state: str, error: str | None = None) -> None:
        """sent, or dropped with the reason."""
        async with self._store.unit() as unit:
            await _mark(unit, [delivery], state=state, error=error)

    async def seen(self, ids: Sequence[int]) -> None:
        """They were shown, all in one transaction."""
        async with self._store.unit() as unit:
            await _mark(unit, ids, state="sent")

    async def retry(self, delivery: int, due: datetime, error: str, uncertain: bool) -> None:
        """Waits until `due` for another attempt; uncertainty once noted stays."""
        changes: dict[str, Any] = {"state": "pending", "due": due, "error": error[:500]}
        if uncertain:
            changes["uncertain"] = True
        async with self._store.unit() as unit:
            await _mark(unit, [delivery], **changes)

    async def recover(self, surface: str) -> int:
        """Deliveries that an earlier process had in hand when it ended wait again, marked uncertain; how many."""
        async with self._store.unit() as unit:
            done = await unit.execute(
                update(deliveries)
                .where(deliveries.c.surface == surface, deliveries.c.state == "claimed")
                .values(state="pending", due=unit.now, uncertain=True, updated=unit.now)
            )
            return done.rowcount

    async def next_due(self, surface: str) -> datetime | None:
        """When the earliest waiting delivery may go out."""
        query = select(func.min(deliveries.c.due)).where(
            deliveries.c.surface == surface, deliveries.c.state == "pending"
        )
        async with self._store.reading() as unit:
            due: datetime | None = await unit.value(query)
            return due

    async def clean(self, before: datetime, unseen: str) -> int:
        """Forgets what was sent or dropped before that time, and on the surface `unseen` what nobody came to see."""
        over = or_(deliveries.c.state.not_in(OPEN), deliveries.c.surface == unseen)
        async with self._store.unit() as unit:
            done = await unit.execute(delete(deliveries).where(over, deliveries.c.updated < before))
            return done.rowcount


async def _mark(unit: Unit, ids: Sequence[int], **changes: Any) -> None:
    if ids:
        await unit.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(updated=unit.now, **changes))


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        row["id"], row["surface"], row["external_id"], from_json(json.loads(row["reply"])), row["created"],
        row["attempts"], row["uncertain"],
    )  # fmt: skip

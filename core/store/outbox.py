"""The outbox in the database."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, select, update

from core.outbox import Envelope
from core.store.schema.outbox import outbox
from core.store.sql import Store


class SqlOutbox:
    """Undelivered events, in the order of their commits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def waiting(self, now: datetime, limit: int) -> Sequence[Envelope]:
        """Due events, oldest first, none that would overtake an earlier one of its account."""
        earlier = outbox.alias("earlier")
        held_back = exists().where(
            earlier.c.account == outbox.c.account,
            earlier.c.position < outbox.c.position,
            earlier.c.parked.is_(None),
            earlier.c.due > now,
        )
        query = (
            select(outbox)
            .where(outbox.c.parked.is_(None), outbox.c.due <= now, ~held_back)
            .order_by(outbox.c.position)
            .limit(limit)
        )
        async with self._store.reading() as unit:
            return [
                Envelope(row["position"], row["account"], row["kind"], json.loads(row["payload"]), row["attempts"])
                for row in await unit.rows(query)
            ]

    async def delivered(self, positions: Sequence[int]) -> None:
        """Forgets them: the ledger and the deliveries keep what matters of them."""
        async with self._store.unit() as unit:
            await unit.execute(delete(outbox).where(outbox.c.position.in_(positions)))

    async def failed(self, position: int, attempts: int, due: datetime) -> None:
        async with self._store.unit() as unit:
            await unit.execute(update(outbox).where(outbox.c.position == position).values(attempts=attempts, due=due))

    async def parked(self, position: int, attempts: int, reason: str) -> None:
        async with self._store.unit() as unit:
            await unit.execute(
                update(outbox).where(outbox.c.position == position).values(attempts=attempts, parked=reason)
            )

    async def counts(self) -> tuple[int, int]:
        """How many wait and how many are parked."""
        async with self._store.reading() as unit:
            parked = await unit.value(select(func.count()).where(outbox.c.parked.is_not(None)))
            total = await unit.value(select(func.count()).select_from(outbox))
            return total - parked, parked

"""Leases of processes that are known to be dead."""

from sqlalchemy import delete

from core.store.schema.trading import leases
from core.store.sql import Store


async def free_leases(store: Store) -> None:
    """Forgets every lease: only for whoever holds the one lock under which leases are taken."""
    async with store.unit() as unit:
        await unit.execute(delete(leases))

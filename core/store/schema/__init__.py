"""The schema: one module per family of tables; importing this package registers them all in `metadata`."""

from core.store.schema import accounts, alerts, deliveries, outbox, trading
from core.store.schema.base import Exact, Moment, Serial, metadata

__all__ = ["Exact", "Moment", "Serial", "accounts", "alerts", "deliveries", "metadata", "outbox", "trading"]

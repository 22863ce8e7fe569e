"""Deliveries: what each person is to be told on each surface, until the surface says that it was sent."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, UniqueConstraint, text

from core.store.schema.base import Moment, Serial, metadata

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("event", Text, nullable=False),  # id of the event that caused it
    Column("surface", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("reply", Text, nullable=False),  # blocks as JSON
    Column("created", Moment, nullable=False),
    Column("state", Text, nullable=False),  # pending, claimed, sent, dropped
    Column("attempts", BigInteger, nullable=False),
    Column("due", Moment, nullable=False),  # not before this time
    Column("uncertain", Boolean, nullable=False),  # an earlier attempt may have arrived
    Column("error", Text),
    Column("updated", Moment, nullable=False),
    UniqueConstraint("event", "surface", "external_id"),
    sqlite_autoincrement=True,
)

Index(
    "ix_deliveries_waiting",
    deliveries.c.surface,
    deliveries.c.id,
    sqlite_where=text("state IN ('pending', 'claimed')"),
    postgresql_where=text("state IN ('pending', 'claimed')"),
)

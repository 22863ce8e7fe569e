"""The outbox: events that were committed with what caused them and have not reached the bus yet."""

from sqlalchemy import BigInteger, Column, Table, Text

from core.store.schema.base import Moment, Serial, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("id", Text, nullable=False),  # the event's own id
    Column("account", Text, nullable=False),  # the account or user it concerns: events of one leave in order
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("due", Moment, nullable=False),  # not before this time
    Column("parked", Text),  # why it was set aside after too many attempts
    sqlite_autoincrement=True,
)

"""Price alerts. A deleted alert keeps its row, so that its number is never given to another."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from core.store.schema.base import Exact, Moment, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("user_id", Text, ForeignKey("users.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("instrument", Text, nullable=False),  # JSON, with its grids
    Column("condition", Text, nullable=False),  # above, below
    Column("threshold", Exact, nullable=False),
    Column("created", Moment, nullable=False),
    Column("fired", Moment),
    Column("fired_price", Exact),
    Column("deleted", Moment),
)

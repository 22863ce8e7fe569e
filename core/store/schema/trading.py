"""Trading: accounts, orders, the journal, simulated ledgers, strategy runs, equity and leases."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, UniqueConstraint, text

from core.store.schema.base import Exact, Moment, Serial, metadata

trading_accounts = Table(
    "trading_accounts",
    metadata,
    Column("account", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),  # counts resets; the journal of earlier epochs is history
    Column("opened", Moment),
    Column("halted", Boolean, nullable=False),
    Column("orders", BigInteger, nullable=False),  # the last order number given
    Column("runs", BigInteger, nullable=False),  # the last run number given
)

instruments = Table(
    "instruments",
    metadata,
    Column("key", Text, primary_key=True),
    Column("instrument", Text, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("ledger", Text, nullable=False),
    Column("instrument", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("filled", Exact, nullable=False),
    Column("average_price", Exact),
    Column("fees", Exact, nullable=False),
    Column("reason", Text),
    Column("reserved", Exact, nullable=False),  # quote of a buy, base of a sell, bound when it was recorded
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    UniqueConstraint("account", "number"),
)
_open = text("open")
Index("ix_orders_open", orders.c.account, sqlite_where=_open, postgresql_where=_open)

journal = Table(
    "journal",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("ledger", Text, nullable=False),
    Column("kind", Text, nullable=False),  # fill or transfer
    Column("time", Moment, nullable=False),
    Column("order_id", Text),
    Column("instrument", Text),
    Column("side", Text),
    Column("price", Exact),
    Column("quantity", Exact),
    Column("fee", Exact),
    Column("maker", Boolean),
    Column("asset", Text),
    Column("amount", Exact),
    Column("note", Text),
    sqlite_autoincrement=True,
)
Index("ix_journal_account", journal.c.account, journal.c.epoch, journal.c.position)

ledgers = Table(
    "ledgers",
    metadata,
    Column("account", Text, primary_key=True),
    Column("ledger", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("updated", Moment, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("number", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("run", Text, nullable=False),
    UniqueConstraint("account", "number"),
)

equity = Table(
    "equity",
    metadata,
    Column("account", Text, primary_key=True),
    Column("time", BigInteger, primary_key=True, autoincrement=False),  # UTC ms
    Column("epoch", BigInteger, nullable=False),
    Column("equity", Exact, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("expires", Moment, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("updated", Moment, nullable=False),
    UniqueConstraint("kind", "id"),
    sqlite_autoincrement=True,
)
Index("ix_documents_owner", documents.c.kind, documents.c.owner)

"""People: who they are, how they reach us, and what lets them in. Codes, links and sessions are kept as hashes only."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Table, Text

from core.store.schema.base import Moment, metadata

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
    Column("totp_secret", Text),  # base32
)

identities = Table(
    "identities",
    metadata,
    Column("surface", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("created", Moment, nullable=False),
)

# kind owner: the one-time owner code; kind login: a one-time login link
tokens = Table(
    "tokens",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False, index=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("label", Text, nullable=False),
)

strangers = Table(
    "strangers",
    metadata,
    Column("surface", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("messages", BigInteger, nullable=False),
)

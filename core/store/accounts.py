"""People in the database."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from core.accounts import Identity, Person, Role, Stranger, User
from core.accounts.store import TokenKind
from core.store.schema.accounts import identities, sessions, strangers, tokens, users
from core.store.sql import Store, Unit

STRANGERS = 500  # kept at most; the longest silent go first


class SqlAccounts:
    """`core.accounts.AccountStore` on a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def user(self, user_id: str) -> User | None:
        async with self._store.reading() as unit:
            row = await unit.first(select(users).where(users.c.id == user_id))
            return _user(row) if row else None

    async def people(self) -> Sequence[Person]:
        async with self._store.reading() as unit:
            found: dict[str, list[Identity]] = defaultdict(list)
            for row in await unit.rows(select(identities).order_by(identities.c.created)):
                found[row["user_id"]].append(_identity(row))
            rows = await unit.rows(select(users).order_by(users.c.created))
            return [Person(_user(row), tuple(found[row["id"]])) for row in rows]

    async def save_user(self, user: User) -> None:
        values = {"name": user.name, "role": user.role.value, "active": user.active}
        async with self._store.unit() as unit:
            changed = await unit.execute(update(users).where(users.c.id == user.id).values(values))
            if changed.rowcount == 0:
                await unit.execute(insert(users).values(id=user.id, created=unit.now, **values))
            if not user.active:
                await unit.execute(delete(sessions).where(sessions.c.user_id == user.id))

    async def by_identity(self, surface: str, external_id: str) -> User | None:
        query = (
            select(users)
            .join(identities, identities.c.user_id == users.c.id)
            .where(identities.c.surface == surface, identities.c.external_id == external_id)
        )
        async with self._store.reading() as unit:
            row = await unit.first(query)
            return _user(row) if row else None

    async def identities(self, user_id: str) -> Sequence[Identity]:
        query = select(identities).where(identities.c.user_id == user_id).order_by(identities.c.created)
        async with self._store.reading() as unit:
            return [_identity(row) for row in await unit.rows(query)]

    async def bind(self, identity: Identity) -> None:
        async with self._store.unit() as unit:
            await _bind(unit, identity)

    async def unbind(self, surface: str, external_id: str) -> Identity | None:
        here = (identities.c.surface == surface, identities.c.external_id == external_id)
        async with self._store.unit() as unit:
            row = await unit.first(select(identities).where(*here))
            if row is None:
                return None
            await unit.execute(delete(identities).where(*here))
            await unit.execute(delete(sessions).where(sessions.c.user_id == row["user_id"]))
            await unit.execute(delete(tokens).where(tokens.c.user_id == row["user_id"], tokens.c.kind == "login"))
            return _identity(row)

    async def put_token(self, kind: TokenKind, digest: str, user_id: str, expires: datetime | None) -> None:
        async with self._store.unit() as unit:
            if kind == "owner":
                await unit.execute(delete(tokens).where(tokens.c.kind == kind))
            await unit.execute(
                insert(tokens).values(hash=digest, kind=kind, user_id=user_id, created=unit.now, expires=expires)
            )

    async def tokens(self, kind: TokenKind) -> Sequence[str]:
        async with self._store.reading() as unit:
            return [row["hash"] for row in await unit.rows(select(tokens.c.hash).where(tokens.c.kind == kind))]

    async def take_token(self, kind: TokenKind, digest: str, now: datetime) -> str | None:
        async with self._store.unit() as unit:
            return await _take(unit, kind, digest, now)

    async def claim(self, digest: str, identity: Identity, now: datetime) -> bool:
        async with self._store.unit() as unit:
            if await _take(unit, "owner", digest, now) is None:
                return False
            await _bind(unit, identity)
            return True

    async def add_session(self, digest: str, user_id: str, expires: datetime, label: str) -> None:
        async with self._store.unit() as unit:
            await unit.execute(
                insert(sessions).values(hash=digest, user_id=user_id, created=unit.now, expires=expires, label=label)
            )

    async def session(self, digest: str, now: datetime) -> User | None:
        query = (
            select(users)
            .join(sessions, sessions.c.user_id == users.c.id)
            .where(sessions.c.hash == digest, sessions.c.expires > now)
        )
        async with self._store.reading() as unit:
            row = await unit.first(query)
            return _user(row) if row else None

    async def drop_session(self, digest: str) -> None:
        async with self._store.unit() as unit:
            await unit.execute(delete(sessions).where(sessions.c.hash == digest))

    async def drop_sessions(self, user_id: str) -> None:
        async with self._store.unit() as unit:
            await unit.execute(delete(sessions).where(sessions.c.user_id == user_id))

    async def record_stranger(self, surface: str, external_id: str, name: str, now: datetime) -> None:
        here = (strangers.c.surface == surface, strangers.c.external_id == external_id)
        async with self._store.unit() as unit:
            changed = await unit.execute(
                update(strangers).where(*here).values(
                    name=name, last_seen=now, messages=strangers.c.messages + 1
                )
            )  # fmt: skip
            if changed.rowcount:
                return
            await unit.execute(
                insert(strangers).values(
                    surface=surface, external_id=external_id, name=name, first_seen=now, last_seen=now, messages=1
                )
            )
            if await unit.value(select(func.count()).select_from(strangers)) > STRANGERS:
                oldest = select(func.min(strangers.c.last_seen)).scalar_subquery()
                await unit.execute(delete(strangers).where(strangers.c.last_seen == oldest))

    async def strangers(self, limit: int = 50) -> Sequence[Stranger]:
        query = select(strangers).order_by(strangers.c.last_seen.desc()).limit(limit)
        async with self._store.reading() as unit:
            return [Stranger(**row) for row in await unit.rows(query)]

    async def totp(self, user_id: str) -> str | None:
        async with self._store.reading() as unit:
            secret: str | None = await unit.value(select(users.c.totp_secret).where(users.c.id == user_id))
            return secret

    async def set_totp(self, user_id: str, secret: str | None) -> None:
        async with self._store.unit() as unit:
            await unit.execute(update(users).where(users.c.id == user_id).values(totp_secret=secret))

    async def clean(self, now: datetime) -> int:
        async with self._store.unit() as unit:
            ended = await unit.execute(delete(sessions).where(sessions.c.expires <= now))
            expired = await unit.execute(delete(tokens).where(tokens.c.expires <= now))
            return ended.rowcount + expired.rowcount


async def _take(unit: Unit, kind: TokenKind, digest: str, now: datetime) -> str | None:
    """Deleting is the race: the database lets exactly one of two transactions delete a row."""
    valid = or_(tokens.c.expires.is_(None), tokens.c.expires > now)
    taken = delete(tokens).where(tokens.c.kind == kind, tokens.c.hash == digest, valid).returning(tokens.c.user_id)
    user_id: str | None = (await unit.execute(taken)).scalar()
    return user_id


async def _bind(unit: Unit, identity: Identity) -> None:
    for table in (identities, strangers):
        await unit.execute(
            delete(table).where(table.c.surface == identity.surface, table.c.external_id == identity.external_id)
        )
    await unit.execute(
        insert(identities).values(
            surface=identity.surface, external_id=identity.external_id, user_id=identity.user, name=identity.name,
            created=unit.now,
        )
    )  # fmt: skip


def _user(row: Mapping[str, Any]) -> User:
    return User(row["id"], row["name"], Role(row["role"]), bool(row["active"]))


def _identity(row: Mapping[str, Any]) -> Identity:
    return Identity(row["surface"], row["external_id"], row["user_id"], row["name"])

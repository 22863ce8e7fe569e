"""The trading record in the database: what the engine and the paper venue must never forget."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.engine.ports import AccountState, Document, Entry, EquityPoint
from core.engine.views import Run
from core.errors import NotFound
from core.events import DurableEvent
from core.exchanges.record import LedgerState
from core.market.instrument import Instrument
from core.money import ZERO
from core.outbox import decode, encode
from core.store.schema import trading as tables
from core.store.sql import Store, Unit
from core.trading.orders import Order, OrderRequest, OrderStatus, Side
from core.trading.portfolio import Fill, Transfer


class SqlTradingUnit:
    """One transaction on the trading record."""

    def __init__(self, unit: Unit, sqlite_dialect: bool) -> None:
        self._unit = unit
        self._insert: Any = sqlite.insert if sqlite_dialect else postgresql.insert
        self._epochs: dict[str, int] = {}

    def emit(self, event: DurableEvent) -> None:
        """Leaves the event for the relay, if and only if this unit commits."""
        self._unit.emit(event)

    async def add_order(self, order: Order, reserved: Decimal = ZERO) -> Order:
        """Writes a new order under the account's next number."""
        request = order.request
        number = await self._next(request.account, "orders")
        order = replace(order, number=number)
        await self._put(
            tables.instruments,
            {"key": request.instrument.key, "instrument": json.dumps(encode(request.instrument))},
            ["key"],
        )
        await self._unit.execute(
            insert(tables.orders).values(
                id=order.id,
                account=request.account,
                number=number,
                epoch=await self._epoch(request.account),
                ledger=request.ledger,
                instrument=request.instrument.key,
                request=json.dumps(encode(request)),
                reserved=reserved,
                created=request.created or self._unit.now,
                **_state(order, self._unit.now),
            )
        )
        return order

    async def save_order(self, order: Order, reserved: Decimal | None = None) -> None:
        """Writes the order as it stands; what it reserves only where that changed."""
        kept = {"request": json.dumps(encode(order.request)), **_state(order, self._unit.now)}
        if reserved is not None:
            kept["reserved"] = reserved
        await self._unit.execute(update(tables.orders).where(tables.orders.c.id == order.id).values(**kept))

    async def record(self, entry: Entry) -> None:
        """Appends a fill or a transfer to the journal of the account's present epoch."""
        common = {
            "id": entry.id, "account": entry.account, "epoch": await self._epoch(entry.account),
            "ledger": entry.ledger, "time": entry.time,
        }  # fmt: skip
        if isinstance(entry, Fill):
            own = {
                "kind": "fill", "order_id": entry.order, "instrument": entry.instrument, "side": entry.side.value,
                "price": entry.price, "quantity": entry.quantity, "fee": entry.fee, "maker": entry.maker,
                "asset": entry.fee_asset, "amount": entry.fee_amount if entry.fee_asset is not None else None,
            }  # fmt: skip
        else:
            own = {
                "kind": "transfer", "asset": entry.asset, "amount": entry.amount, "note": entry.note,
                "instrument": entry.instrument, "price": entry.price,
            }  # fmt: skip
        await self._unit.execute(insert(tables.journal).values(**common, **own))

    async def save_ledger(self, ledger: LedgerState) -> None:
        """Keeps the simulated state of a ledger in place of the previous one."""
        values = {
            "account": ledger.account, "ledger": ledger.ledger, "updated": self._unit.now,
            "state": json.dumps(encode(ledger)),
        }  # fmt: skip
        await self._put(tables.ledgers, values, ["account", "ledger"])

    async def drop_ledgers(self, account: str) -> None:
        """Forgets the simulated state of all of the account's ledgers; the journal stays."""
        await self._unit.execute(delete(tables.ledgers).where(tables.ledgers.c.account == account))

    async def save_account(self, state: AccountState) -> None:
        """Writes what stands beside the account's journal; its numbers go on."""
        kept = {"currency": state.currency, "epoch": state.epoch, "opened": state.opened, "halted": state.halted}
        written = await self._unit.execute(
            update(tables.trading_accounts).where(tables.trading_accounts.c.account == state.account).values(**kept)
        )
        if not written.rowcount:
            await self._unit.execute(
                insert(tables.trading_accounts).values(account=state.account, orders=0, runs=0, **kept)
            )
        self._epochs[state.account] = state.epoch

    async def save_run(self, run: Run) -> Run:
        """Writes the run; one with number 0 is given the account's next number."""
        if run.number == 0:
            run = replace(run, number=await self._next(run.account, "runs"))
        values = {
            "id": run.id, "account": run.account, "number": run.number, "state": run.state,
            "run": json.dumps(encode(run)),
        }  # fmt: skip
        await self._put(tables.runs, values, ["id"])
        return run

    async def save_equity(self, point: EquityPoint) -> None:
        """Writes what the account was worth."""
        values = {
            "account": point.account, "time": point.time, "equity": point.equity,
            "epoch": await self._epoch(point.account),
        }  # fmt: skip
        await self._put(tables.equity, values, ["account", "time"])

    async def save_document(self, document: Document) -> None:
        """Keeps the document in place of the one with its kind and id."""
        values = {
            "kind": document.kind, "id": document.id, "owner": document.owner, "open": document.open,
            "document": json.dumps(document.value), "updated": self._unit.now,
        }  # fmt: skip
        await self._put(tables.documents, values, ["kind", "id"])

    async def drop_document(self, kind: str, document_id: str) -> None:
        """Forgets the document."""
        table = tables.documents
        await self._unit.execute(delete(table).where(table.c.kind == kind, table.c.id == document_id))

    async def _put(self, table: Table, values: Mapping[str, Any], key: Sequence[str]) -> None:
        rest = {name: value for name, value in values.items() if name not in key}
        await self._unit.execute(
            self._insert(table).values(**values).on_conflict_do_update(index_elements=list(key), set_=rest)
        )

    async def _next(self, account: str, column: str) -> int:
        counter = tables.trading_accounts.c[column]
        raised = (
            update(tables.trading_accounts)
            .where(tables.trading_accounts.c.account == account)
            .values({column: counter + 1})
            .returning(counter)
        )
        number = await self._unit.value(raised)
        if number is None:
            raise NotFound(f"There is no trading account '{account}'.", account=account)
        return int(number)

    async def _epoch(self, account: str) -> int:
        if account not in self._epochs:
            found = await self._unit.value(
                select(tables.trading_accounts.c.epoch).where(tables.trading_accounts.c.account == account)
            )
            if found is None:
                raise NotFound(f"There is no trading account '{account}'.", account=account)
            self._epochs[account] = int(found)
        return self._epochs[account]


class SqlTradingStore:
    """Orders, journal, ledgers, runs and leases of every account."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[SqlTradingUnit]:
        """One transaction: committed whole, or not at all."""
        async with self._store.unit() as unit:
            yield SqlTradingUnit(unit, self._store.is_sqlite)

    async def accounts(self) -> Sequence[AccountState]:
        return [_account(row) for row in await self._rows(select(tables.trading_accounts))]

    async def account(self, account: str) -> AccountState | None:
        table = tables.trading_accounts
        rows = await self._rows(select(table).where(table.c.account == account))
        return _account(rows[0]) if rows else None

    async def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument that was ever ordered, by key."""
        rows = await self._rows(select(tables.instruments))
        return {row["key"]: decode(Instrument, json.loads(row["instrument"])) for row in rows}

    async def order(self, order_id: str) -> Order | None:
        rows = await self._rows(select(tables.orders).where(tables.orders.c.id == order_id))
        return _order(rows[0]) if rows else None

    async def order_by_number(self, account: str, number: int) -> Order | None:
        table = tables.orders
        rows = await self._rows(select(table).where(table.c.account == account, table.c.number == number))
        return _order(rows[0]) if rows else None

    async def orders(
        self, account: str | None = None, *, open_only: bool = False, limit: int | None = None
    ) -> Sequence[Order]:
        """Newest first when limited, oldest first otherwise; all accounts when None."""
        table = tables.orders
        query = select(table)
        if account is not None:
            query = query.where(table.c.account == account)
        if open_only:
            query = query.where(table.c.open)
        query = query.order_by(table.c.account, table.c.number if limit is None else table.c.number.desc())
        return [_order(row) for row in await self._rows(query if limit is None else query.limit(limit))]

    async def reservations(self) -> Mapping[str, Decimal]:
        """What each open order reserved when it was recorded, by order id."""
        rows = await self._rows(select(tables.orders.c.id, tables.orders.c.reserved).where(tables.orders.c.open))
        return {row["id"]: row["reserved"] for row in rows}

    async def entries(self, account: str, *, ledger: str | None = None, epoch: int | None = None) -> Sequence[Entry]:
        """The journal in order; of the account's present epoch when `epoch` is None."""
        table, accounts = tables.journal, tables.trading_accounts
        present = select(accounts.c.epoch).where(accounts.c.account == account).scalar_subquery()
        query = select(table).where(table.c.account == account, table.c.epoch == (present if epoch is None else epoch))
        if ledger is not None:
            query = query.where(table.c.ledger == ledger)
        return [_entry(row) for row in await self._rows(query.order_by(table.c.position))]

    async def fills(self, account: str, limit: int = 50) -> Sequence[Fill]:
        """The newest fills first, over all epochs."""
        table = tables.journal
        query = select(table).where(table.c.account == account, table.c.kind == "fill")
        rows = await self._rows(query.order_by(table.c.position.desc()).limit(limit))
        return [entry for entry in map(_entry, rows) if isinstance(entry, Fill)]

    async def fills_of(self, order_id: str) -> Sequence[Fill]:
        """The fills of one order, oldest first."""
        table = tables.journal
        rows = await self._rows(select(table).where(table.c.order_id == order_id).order_by(table.c.position))
        return [entry for entry in map(_entry, rows) if isinstance(entry, Fill)]

    async def ledgers(self) -> Sequence[LedgerState]:
        """The simulated state of every ledger."""
        rows = await self._rows(select(tables.ledgers.c.state))
        return [decode(LedgerState, json.loads(row["state"])) for row in rows]

    async def ledger(self, account: str, ledger: str) -> LedgerState | None:
        """The simulated state of one ledger."""
        table = tables.ledgers
        rows = await self._rows(select(table.c.state).where(table.c.account == account, table.c.ledger == ledger))
        return decode(LedgerState, json.loads(rows[0]["state"])) if rows else None

    async def runs(self, account: str | None = None) -> Sequence[Run]:
        """Runs by number; of all accounts when None."""
        table = tables.runs
        query = select(table.c.run).order_by(table.c.account, table.c.number)
        if account is not None:
            query = query.where(table.c.account == account)
        return [decode(Run, json.loads(row["run"])) for row in await self._rows(query)]

    async def run(self, run_id: str) -> Run | None:
        rows = await self._rows(select(tables.runs.c.run).where(tables.runs.c.id == run_id))
        return decode(Run, json.loads(rows[0]["run"])) if rows else None

    async def equity(self, account: str, since: int = 0) -> Sequence[EquityPoint]:
        """What the account was worth in its present epoch, oldest first."""
        table, accounts = tables.equity, tables.trading_accounts
        present = select(accounts.c.epoch).where(accounts.c.account == account).scalar_subquery()
        query = select(table).where(table.c.account == account, table.c.epoch == present, table.c.time >= since)
        rows = await self._rows(query.order_by(table.c.time))
        return [EquityPoint(row["account"], row["time"], row["equity"]) for row in rows]

    async def documents(self, kind: str, *, owner: str | None = None, open_only: bool = False) -> Sequence[Document]:
        """Documents of a kind, in the order in which they were first kept."""
        table = tables.documents
        query = select(table).where(table.c.kind == kind).order_by(table.c.position)
        if owner is not None:
            query = query.where(table.c.owner == owner)
        if open_only:
            query = query.where(table.c.open)
        return [_document(row) for row in await self._rows(query)]

    async def document(self, kind: str, document_id: str) -> Document | None:
        """The document of that kind and id."""
        table = tables.documents
        rows = await self._rows(select(table).where(table.c.kind == kind, table.c.id == document_id))
        return _document(rows[0]) if rows else None

    async def take_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """True when `owner` now holds the lease: it was free, expired, or its own (then extended)."""
        table = tables.leases
        until = now + timedelta(seconds=seconds)
        async with self._store.unit() as unit:
            row = await unit.first(select(table).where(table.c.name == name).with_for_update())
            if row is None:
                await unit.execute(insert(table).values(name=name, owner=owner, expires=until))
                return True
            if row["owner"] != owner and row["expires"] > now:
                return False
            await unit.execute(update(table).where(table.c.name == name).values(owner=owner, expires=until))
            return True

    async def renew_lease(self, name: str, owner: str, now: datetime, seconds: float) -> bool:
        """True when the lease was the owner's ever since it took it; however late, it is then extended."""
        table = tables.leases
        mine = update(table).where(table.c.name == name, table.c.owner == owner)
        async with self._store.unit() as unit:
            found = await unit.execute(mine.values(expires=now + timedelta(seconds=seconds)))
            return bool(found.rowcount)

    async def drop_lease(self, name: str, owner: str) -> None:
        """Gives the lease back, if it is the owner's."""
        table = tables.leases
        async with self._store.unit() as unit:
            await unit.execute(delete(table).where(table.c.name == name, table.c.owner == owner))

    async def counts(self) -> dict[str, int]:
        """How many accounts, orders and journal entries there are."""
        async with self._store.reading() as unit:
            return {
                table.name: int(await unit.value(select(func.count()).select_from(table)))
                for table in (tables.trading_accounts, tables.orders, tables.journal)
            }

    async def _rows(self, query: Select[Any]) -> Sequence[Mapping[str, Any]]:
        async with self._store.reading() as unit:
            return [dict(row) for row in await unit.rows(query)]


def _state(order: Order, now: datetime) -> dict[str, Any]:
    return {
        "status": order.status.value,
        "open": not order.status.final,
        "filled": order.filled,
        "average_price": order.average_price,
        "fees": order.fees,
        "reason": order.reason,
        "updated": order.updated or now,
    }


def _order(row: Mapping[str, Any]) -> Order:
    return Order(
        decode(OrderRequest, json.loads(row["request"])),
        OrderStatus(row["status"]),
        row["filled"],
        row["average_price"],
        row["fees"],
        row["reason"],
        row["updated"],
        row["number"],
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    if row["kind"] == "transfer":
        return Transfer(
            row["id"], row["account"], row["ledger"], row["asset"], row["amount"], row["time"], row["note"] or "",
            row["instrument"], row["price"],
        )  # fmt: skip
    return Fill(
        row["id"],
        row["order_id"],
        row["account"],
        row["ledger"],
        row["instrument"],
        Side(row["side"]),
        row["price"],
        row["quantity"],
        row["fee"],
        row["time"],
        bool(row["maker"]),
        row["asset"],
        ZERO if row["amount"] is None else row["amount"],
    )


def _account(row: Mapping[str, Any]) -> AccountState:
    return AccountState(row["account"], row["currency"], row["epoch"], row["opened"], row["halted"])


def _document(row: Mapping[str, Any]) -> Document:
    return Document(row["kind"], row["id"], row["owner"], json.loads(row["document"]), row["open"])

"""kill -9 in the middle of trading: no order is lost, none doubled, and balances are the fold of fills."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.orders import OrderStatus
from core.trading.portfolio import Fill, fold
from tests.e2e.kill_child import FastClock, engine_of
from tests.trading import ACCOUNT

ROUNDS = 6
ROOT = Path(__file__).resolve().parents[2]


class Child:
    """The trading process and what it has told so far."""

    def __init__(self, database: Path, started: float, seed: int, orders: int | None = None) -> None:
        words = [sys.executable, "-m", "tests.e2e.kill_child", str(database), str(started), str(seed)]
        words += [] if orders is None else [str(orders)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self.errors = ""
        self._grown = threading.Condition()
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._complain)]
        for reader in self._readers:
            reader.start()

    def wait_for(self, count: int, word: str = "ack") -> None:
        """Until it has said `word` so often, or has ended."""
        deadline = time.monotonic() + 120
        with self._grown:
            while len(self.told(word)) < count and self.process.poll() is None:
                assert time.monotonic() < deadline, (self.lines[-5:], self.errors[-2000:])
                self._grown.wait(1.0)

    def told(self, word: str) -> list[str]:
        return [line.split()[1] for line in self.lines if line.startswith(word + " ")]

    def end(self) -> int:
        code = self.process.wait(timeout=120)
        for reader in self._readers:
            reader.join()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                if line.endswith("\n"):  # a line cut by the kill was not told
                    self.lines.append(line)
                self._grown.notify_all()
        self.process.stdout.close()

    def _complain(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()
        self.process.stderr.close()


@pytest.mark.slow
def test_a_killed_trader_loses_and_doubles_nothing(tmp_path: Path) -> None:
    database, started = tmp_path / "trading.db", time.time()
    choose = random.Random(20)
    acknowledged: list[str] = []
    cancelled: list[str] = []
    for turn in range(ROUNDS):
        child = Child(database, started, seed=turn)
        child.wait_for(choose.randrange(3, 25))
        time.sleep(choose.random() * 0.05)  # so that the kill falls anywhere between two lines
        child.process.send_signal(signal.SIGKILL)
        assert child.end() == -signal.SIGKILL, child.errors[-3000:]
        assert child.told("ack"), child.errors[-3000:]
        acknowledged += child.told("ack")
        cancelled += child.told("cancelled")
        asyncio.run(check(database, started, acknowledged, cancelled))
    child = Child(database, started, seed=99, orders=10)
    assert child.end() == 0, child.errors[-3000:]
    assert len(child.told("ack")) == 10
    assert asyncio.run(check(database, started, acknowledged + child.told("ack"), cancelled)) == 2
    assert len(acknowledged) >= 3 * ROUNDS


async def check(database: Path, started: float, acknowledged: list[str], cancelled: list[str]) -> int:
    """What must be true of the record after any kill, before and after an engine has taken it up.

    Returns how many ledgers of strategies have traded.
    """
    clock = FastClock(started)
    store = Store(f"sqlite+aiosqlite:///{database}", clock)
    await store.open()
    record = SqlTradingStore(store)
    try:
        orders = {order.id: order for order in await record.orders(ACCOUNT)}
        assert len(acknowledged) == len(set(acknowledged))
        assert set(acknowledged) <= set(orders), "an acknowledged order was lost"
        assert all(orders[order].status is OrderStatus.CANCELLED for order in cancelled)
        numbers = Counter(order.number for order in orders.values())
        assert set(numbers.values()) <= {1}
        fills = [entry for entry in await record.entries(ACCOUNT) if isinstance(entry, Fill)]
        assert len({fill.id for fill in fills}) == len(fills)
        for order in orders.values():
            own = [fill for fill in fills if fill.order == order.id]
            assert sum((fill.quantity for fill in own), Decimal(0)) == order.filled
            assert sum((fill.fee for fill in own), Decimal(0)) == order.fees
            if order.request.quantity is not None:
                assert order.filled <= order.request.quantity, "an order was filled more than it asked for"
        assert {fill.order for fill in fills} <= set(orders)
        strategies = {order.request.ledger for order in orders.values()} - {"manual"}

        engine = engine_of(store, clock)
        await engine.restore()
        try:
            assert await engine.book.differences(ACCOUNT) == []
            for ledger in engine.book.ledgers(ACCOUNT):
                truth = fold(await record.entries(ACCOUNT, ledger=ledger))
                assert abs(engine.venue.cash(ACCOUNT, ledger) - truth.balances["USDT"]) < Decimal("1e-6")
                if ledger == "manual":
                    assert all(total >= 0 for total in truth.balances.values())
                    for asset in truth.balances:
                        assert engine.book.free(ACCOUNT, ledger, asset) >= 0, "more is reserved than there is"
            held = engine.venue.balances(ACCOUNT)
            journal = fold(await record.entries(ACCOUNT)).balances
            for asset in {"BTC", "ETH"} & set(journal):
                assert abs(held[asset] - journal[asset]) < Decimal("1e-9")
            working = {order.id for order in engine.venue.open_orders(ACCOUNT)}
            assert {order.id for order in engine.book.open_orders(ACCOUNT)} == working
            assert {run.ledger for run in await record.runs(ACCOUNT)} >= strategies
            unsent = [o for o in await record.orders(ACCOUNT, open_only=True) if o.status is OrderStatus.RECORDED]
            assert unsent == []
        finally:
            await engine.lease.drop()
    finally:
        await store.close()
    return len(strategies)

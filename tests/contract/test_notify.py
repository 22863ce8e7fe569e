"""Deliveries on every store: in order per person, kept until sent, never blocking each other."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.accounts import Identity, Role, User, UserService
from core.bus import Bus
from core.cache import MemoryCache
from core.clock import SimulatedClock
from core.engine.ports import AccountState
from core.engine.views import Run
from core.events import AccountNotice, AlertFired, FillRecorded, OrderChanged, StrategyChanged
from core.exchanges.ledgers import ENDINGS, REACHED
from core.market.instrument import Instrument
from core.notify import Notifier, answered, ending_text, fill_text, reached
from core.reply import Facts, Reply, Text
from core.store.accounts import SqlAccounts
from core.store.deliveries import Delivery, SqlDeliveries
from core.store.sql import Store
from core.store.trading import SqlTradingStore
from core.trading.orders import (
    Bracket,
    Limit,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    Side,
    Stop,
    TrailingStop,
)
from core.trading.portfolio import Fill

NOW = datetime(2024, 5, 1, tzinfo=UTC)
BTC = Instrument("sandbox", "BTC", "USDT")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def open_store(database_url: str, clock: SimulatedClock) -> AsyncIterator[Store]:
    store = Store(database_url, clock)
    await store.open()
    accounts = SqlAccounts(store)
    for ident in ("ann", "bob"):
        await accounts.save_user(User(ident, ident.title(), Role.TRADER))
        await accounts.bind(Identity("telegram", f"{ident}-1", ident))
    await accounts.bind(Identity("telegram", "ann-2", "ann"))
    await accounts.bind(Identity("web", "ann-3", "ann"))
    yield store
    await store.close()


def notifier_of(store: Store, clock: SimulatedClock, bus: Bus) -> Notifier:
    users = UserService(SqlAccounts(store), clock, MemoryCache())
    return Notifier(SqlDeliveries(store), users, SqlTradingStore(store), clock, bus, ["telegram"])


@pytest.fixture
async def notifier(open_store: Store, clock: SimulatedClock, bus: Bus) -> Notifier:
    return notifier_of(open_store, clock, bus)


def notice(ident: str, account: str = "ann", time: datetime = NOW) -> AccountNotice:
    return AccountNotice(ident, account, time, f"text {ident}")


def said(delivery: Delivery) -> list[str]:
    return [block.text for block in delivery.reply if isinstance(block, Text)]


async def test_an_event_reaches_each_chat_of_its_person_and_nobody_else(notifier: Notifier, bus: Bus) -> None:
    await bus.deliver(notice("n1"))
    waiting = await notifier.pending("telegram")
    assert sorted(delivery.external_id for delivery in waiting) == ["ann-1", "ann-2"]
    assert said(waiting[0]) == ["text n1"]


async def test_the_same_event_twice_is_told_once(notifier: Notifier, bus: Bus) -> None:
    await bus.deliver(notice("n1", "bob"))
    await bus.deliver(notice("n1", "bob"))
    [delivery] = await notifier.claim("telegram")
    await notifier.sent(delivery.id)
    await bus.deliver(notice("n1", "bob"))
    assert await notifier.pending("telegram") == []


async def test_a_person_is_told_in_order_and_a_stuck_one_blocks_nobody(
    notifier: Notifier, bus: Bus, clock: SimulatedClock
) -> None:
    for event in (notice("a1", "bob"), notice("b1"), notice("a2", "bob")):
        await bus.deliver(event)
    claimed = await notifier.claim("telegram")
    assert [(one.external_id, said(one)) for one in claimed] == [
        ("bob-1", ["text a1"]),
        ("ann-1", ["text b1"]),
        ("ann-2", ["text b1"]),
    ]
    assert await notifier.claim("telegram") == []
    await notifier.failed(claimed[0].id, "timed out")
    assert await notifier.claim("telegram") == []  # a2 stays behind a1, which waits for its repetition
    await clock.advance(2)
    [again] = await notifier.claim("telegram")
    assert said(again) == ["text a1"]
    await notifier.sent(again.id)
    [following] = await notifier.claim("telegram")
    assert said(following) == ["text a2"]


async def test_repetitions_wait_longer_each_time(notifier: Notifier, bus: Bus, clock: SimulatedClock) -> None:
    await bus.deliver(notice("a1", "bob"))
    waits = []
    for _ in range(4):
        [delivery] = await notifier.claim("telegram")
        await notifier.failed(delivery.id, "down")
        seconds = 0
        while not await SqlDeliveriesView.due(notifier, clock):
            await clock.advance(1)
            seconds += 1
        waits.append(seconds)
    assert waits == [2, 4, 8, 16]


class SqlDeliveriesView:
    """Looks whether the one waiting delivery may be claimed, without claiming it."""

    @staticmethod
    async def due(notifier: Notifier, clock: SimulatedClock) -> bool:
        due = await notifier._deliveries.next_due("telegram")
        return due is not None and due <= clock.now()


async def test_a_repetition_after_an_unknown_outcome_says_so(
    notifier: Notifier, bus: Bus, clock: SimulatedClock
) -> None:
    await bus.deliver(notice("a1", "bob"))
    [first] = await notifier.claim("telegram")
    await notifier.failed(first.id, "the answer was lost", unknown=True, retry_after=5)
    await clock.advance(5)
    [again] = await notifier.claim("telegram")
    assert again.uncertain
    assert said(again) == ["Repeated: it is not certain that this message reached you before.", "text a1"]


async def test_what_a_killed_process_had_in_hand_is_repeated_with_that_remark(
    open_store: Store, clock: SimulatedClock, bus: Bus, notifier: Notifier
) -> None:
    await bus.deliver(notice("a1", "bob"))
    assert len(await notifier.claim("telegram")) == 1  # and the process dies here
    [again] = await notifier_of(open_store, clock, Bus()).claim("telegram")
    assert again.uncertain


async def test_a_late_message_is_still_sent_and_says_when_it_happened(
    notifier: Notifier, bus: Bus, clock: SimulatedClock
) -> None:
    await bus.deliver(notice("a1", "bob"))
    await clock.advance(timedelta(hours=25).total_seconds())
    [delivery] = await notifier.claim("telegram")
    assert said(delivery) == ["Late: this happened on 2024-05-01 at 00:00 UTC.", "text a1"]


async def test_a_person_who_blocked_the_bot_does_not_keep_the_queue_waiting(notifier: Notifier, bus: Bus) -> None:
    await bus.deliver(notice("a1", "bob"))
    await bus.deliver(notice("a2", "bob"))
    [first] = await notifier.claim("telegram")
    await notifier.failed(first.id, "blocked by the user", permanent=True)
    assert [said(one) for one in await notifier.claim("telegram")] == [["text a2"]]


async def test_a_surface_waiting_for_work_is_woken(notifier: Notifier, bus: Bus) -> None:
    import asyncio

    waiting = asyncio.create_task(notifier.wait("telegram", 60))
    await asyncio.sleep(0)
    await bus.deliver(notice("a1", "bob"))
    await asyncio.wait_for(waiting, 5)


def stopped(time: datetime = NOW, reason: str | None = None) -> StrategyChanged:
    return StrategyChanged("run:r1:stopped", "ann", time, "r1", "sma_cross", BTC.key, "stopped", reason)


async def looked_at(notifier: Notifier, surface: str, user: str = "ann") -> list[list[str]]:
    """What an open screen is shown."""
    shown: list[list[str]] = []

    async def show(reply: Reply) -> bool:
        shown.append([block.text for block in reply if isinstance(block, Text)])
        return True

    await notifier.open(user, surface, show)
    return shown


async def test_what_nobody_saw_is_shown_by_the_first_screen_after_a_restart(
    notifier: Notifier, bus: Bus, open_store: Store, clock: SimulatedClock
) -> None:
    for event in (notice("a1"), notice("b1", "bob"), notice("a2")):
        await bus.deliver(event)
    again = notifier_of(open_store, clock, Bus())  # and the first process is killed here
    assert await looked_at(again, "web") == [["While you were away:", "text a1", "text a2"]]
    assert await looked_at(again, "console") == []
    assert await looked_at(again, "console", "bob") == [["While you were away:", "text b1"]]


async def test_open_screens_show_at_once_and_what_they_showed_does_not_come_again(notifier: Notifier, bus: Bus) -> None:
    web, console = await looked_at(notifier, "web"), await looked_at(notifier, "console")
    await bus.deliver(notice("a1"))
    await bus.deliver(notice("a1"))
    assert web == console == [["text a1"]]
    assert await looked_at(notifier, "web") == []


async def test_a_screen_that_went_away_leaves_the_notice_for_the_next(notifier: Notifier, bus: Bus) -> None:
    async def gone(reply: Reply) -> bool:
        return False

    async def broken(reply: Reply) -> bool:
        raise ConnectionError

    for show in (gone, broken):
        await notifier.open("ann", "web", show)
    await bus.deliver(notice("a1"))
    assert await looked_at(notifier, "web") == [["While you were away:", "text a1"]]


async def test_a_long_absence_is_told_in_part(notifier: Notifier, bus: Bus) -> None:
    for number in range(53):
        await bus.deliver(notice(f"a{number}"))
    [[away, first, *_]] = await looked_at(notifier, "web")
    assert (away, first) == ("While you were away (the last 50 of 53 messages):", "text a3")
    assert await looked_at(notifier, "web") == []


async def test_what_nobody_comes_to_see_is_forgotten_after_a_month(
    notifier: Notifier, bus: Bus, clock: SimulatedClock
) -> None:
    await bus.deliver(notice("a1"))
    await clock.advance(timedelta(days=31).total_seconds())
    assert await notifier.clean() == 1
    assert await looked_at(notifier, "web") == []
    assert len(await notifier.pending("telegram")) == 2


async def test_who_stops_a_strategy_on_a_screen_is_told_everywhere_else(notifier: Notifier, bus: Bus) -> None:
    web, console = await looked_at(notifier, "web"), await looked_at(notifier, "console")
    with notifier.acting("ann", "console", "local"):
        pass
    await bus.deliver(stopped())
    await bus.deliver(stopped())
    assert (len(web), len(console)) == (1, 0)
    assert len(await notifier.pending("telegram")) == 2
    assert await looked_at(notifier, "console") == []


async def test_who_stops_a_strategy_in_a_chat_is_told_in_the_others(notifier: Notifier, bus: Bus) -> None:
    with notifier.acting("ann", "telegram", "ann-1"):
        await bus.deliver(stopped())
    assert [delivery.external_id for delivery in await notifier.pending("telegram")] == ["ann-2"]
    assert len(await looked_at(notifier, "web")) == 1


async def test_what_happens_by_itself_is_told_where_somebody_is_busy_too(
    notifier: Notifier, bus: Bus, clock: SimulatedClock
) -> None:
    console = await looked_at(notifier, "console")
    with notifier.acting("bob", "console", "local"), notifier.acting("ann", "console", "local"):
        await bus.deliver(notice("a1"))
        await bus.deliver(stopped(reason="The limit was reached."))
        await clock.advance(1)
    await clock.advance(1)
    await bus.deliver(StrategyChanged("r2", "ann", clock.now(), "r2", "sma_cross", BTC.key, "stopped"))
    assert len(console) == 3


def order(kind: OrderType, ledger: str = "manual") -> Order:
    return Order(OrderRequest("o1", "ann", BTC, Side.BUY, kind, quantity=Decimal(1), ledger=ledger))


def fill(side: Side = Side.BUY, ledger: str = "manual") -> Fill:
    return Fill("f1", "o1", "ann", ledger, BTC.key, side, Decimal("60000"), Decimal("0.10"), Decimal("6"), NOW)


@pytest.mark.parametrize(
    ("kind", "filled", "seen"),
    [
        (order(Market()), fill(), True),
        (order(Limit(Decimal(1))), replace(fill(), maker=True), False),
        (order(Limit(Decimal(70_000))), fill(), True),
        (order(Bracket(Market(), stop=Decimal(1))), fill(), True),
        (order(Bracket(Market(), stop=Decimal(1))), fill(Side.SELL), False),
        (order(Market(), "run-1"), fill(ledger="run-1"), False),
    ],
)
def test_only_the_fill_of_an_order_filled_in_its_answer_is_not_told_again(
    kind: Order, filled: Fill, seen: bool
) -> None:
    assert answered(kind, filled) is seen


async def composed(notifier: Notifier, event: AlertFired | FillRecorded | StrategyChanged) -> Reply | None:
    return await notifier.compose(event)


async def test_messages_say_what_happened_in_plain_numbers(notifier: Notifier) -> None:
    fired = AlertFired("e", "ann", NOW, 3, BTC.key, "above", Decimal("7E+4"), Decimal("70012.50"), True)
    assert await composed(notifier, fired) == [
        Text("Alert 3: BTC/USDT is above 70,000, at 70,012.5 USDT (SIMULATED).", "warning")
    ]
    told = await composed(notifier, FillRecorded("e", "ann", NOW, fill(Side.SELL), 7))
    facts = (
        ("Price", "60,000 USDT"),
        ("Total", "6,000.00 USDT"),
        ("Fee", "6.00 USDT"),
        ("By", "order 7"),
        ("Account", f"PAPER{', SIMULATED prices' if BTC.venue == 'sandbox' else ''}"),
    )
    assert told == [Facts("Sold 0.1 BTC", facts)]
    failed = StrategyChanged("e", "ann", NOW, "r1", "sma_cross", BTC.key, "failed", "no data")
    assert await composed(notifier, failed) == [Text("Strategy sma_cross on BTC/USDT failed: no data", "bad")]
    started = StrategyChanged("e", "ann", NOW, "r1", "sma_cross", BTC.key, "started")
    assert await composed(notifier, started) is None


RUN = Run(
    "run-1", "ann", 1, "sma_cross", {}, BTC, "1h", Decimal(100), "running", NOW, anchor=0, decided=0, source="sma_cross"
)
LEVEL = Decimal("61546.11")


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        (Stop(LEVEL), REACHED["stop"], "your stop at 61,546.11 was reached"),
        (Stop(LEVEL), None, "your stop at 61,546.11 was reached"),
        (Limit(LEVEL), REACHED["target"], "your target at 61,546.11 was reached"),
        (TrailingStop(fraction=Decimal("0.05")), REACHED["trail"], "your trailing stop of 5.0 % was reached"),
        (Limit(LEVEL), None, None),
        (Market(), None, None),
    ],
)
def test_a_notice_says_which_stop_or_target_sold(kind: OrderType, reason: str | None, told: str | None) -> None:
    assert reached(replace(order(kind), reason=reason)) == told


def test_the_stop_of_a_strategy_is_told_as_its_own() -> None:
    sold = FillRecorded("e", "ann", NOW, fill(Side.SELL, "run-1"), 7)
    [block] = fill_text(sold, replace(order(Stop(LEVEL), "run-1"), reason=REACHED["stop"]), RUN)
    assert isinstance(block, Facts)
    assert block.title == "Sold 0.1 BTC — the stop at 61,546.11 of strategy 1, sma_cross, was reached"


def ended(reason: str | None, status: OrderStatus = OrderStatus.CANCELLED) -> OrderChanged:
    return OrderChanged(f"order:o1:{status.value}:0", "ann", NOW, "o1", 7, "manual", BTC.key, status, reason)


@pytest.mark.parametrize(
    ("name", "status", "how"),
    [
        ("position_closed", OrderStatus.CANCELLED, "was cancelled"),
        ("insufficient_funds", OrderStatus.REJECTED, "was rejected"),
        ("expired", OrderStatus.EXPIRED, "has expired"),
    ],
)
async def test_an_order_that_the_system_ended_is_told_to_its_owner_once(
    notifier: Notifier, bus: Bus, open_store: Store, name: str, status: OrderStatus, how: str
) -> None:
    async with SqlTradingStore(open_store).unit() as unit:
        await unit.save_account(AccountState("ann", "USDT", opened=NOW))
        await unit.add_order(order(Limit(LEVEL)))
    web = await looked_at(notifier, "web")
    for _ in range(2):
        await bus.deliver(ended(ENDINGS[name], status))
    assert web == [[f"Order 7 to buy 1 BTC {how}: {ENDINGS[name]} PAPER, SIMULATED prices."]]


@pytest.mark.parametrize(
    "reason", ["Cancelled on request.", "The account was reset.", "The strategy was stopped.", None]
)
async def test_what_a_person_ended_is_not_echoed(
    notifier: Notifier, bus: Bus, open_store: Store, reason: str | None
) -> None:
    async with SqlTradingStore(open_store).unit() as unit:
        await unit.save_account(AccountState("ann", "USDT", opened=NOW))
        await unit.add_order(order(Limit(LEVEL)))
    web = await looked_at(notifier, "web")
    await bus.deliver(ended(reason))
    assert web == []


def test_an_order_at_the_market_is_told_in_its_answer_and_a_strategy_s_small_rest_not_at_all() -> None:
    assert ending_text(ended(ENDINGS["insufficient_funds"]), order(Market())) is None
    assert ending_text(ended(ENDINGS["below_minimum"]), order(Limit(LEVEL), "run-1"), RUN) is None
    assert ending_text(ended(ENDINGS["insufficient_funds"]), order(Market(), "run-1"), RUN) is not None

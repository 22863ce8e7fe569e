"""Alerts on every store: each fires once, with its event, or not at all."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.accounts import Role, User
from core.alerts import AlertService
from core.bus import Bus
from core.clock import SimulatedClock
from core.errors import InvalidInput, NotFound
from core.events import AlertFired, QuoteChanged
from core.market.instrument import Instrument
from core.store.accounts import SqlAccounts
from core.store.alerts import SqlAlerts
from core.store.outbox import SqlOutbox
from core.store.registry import CODEC
from core.store.sql import Store
from core.trading.exchange import Quote

NOW = datetime(2024, 5, 1, tzinfo=UTC)
BTC = Instrument("sandbox", "BTC", "USDT", tick_size=Decimal("0.01"))
ETH = Instrument("sandbox", "ETH", "USDT")


def quote(price: str, instrument: Instrument = BTC) -> QuoteChanged:
    last = Decimal(price)
    return QuoteChanged(Quote(instrument, last, last, last, NOW, simulated=True))


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
async def alerts(store: Store, bus: Bus) -> AlertService:
    for ident in ("ann", "bob"):
        await SqlAccounts(store).save_user(User(ident, ident.title(), Role.TRADER))
    service = AlertService(SqlAlerts(store), SimulatedClock(NOW), bus)
    await service.start()
    return service


async def told(store: Store) -> list[AlertFired]:
    waiting = await SqlOutbox(store).waiting(NOW.replace(year=2999), 100)
    return [CODEC.decode(envelope.kind, envelope.document) for envelope in waiting]


async def test_an_alert_fires_once_when_the_price_reaches_it(store: Store, bus: Bus, alerts: AlertService) -> None:
    alert = await alerts.add("ann", BTC, "above", Decimal("70000"), Decimal("60000"))
    for price in ("69999.99", "70000", "70001", "69000", "71000"):
        await bus.publish(quote(price))
    fired = await told(store)
    assert [(event.user, event.alert, event.price) for event in fired] == [("ann", alert.id, Decimal("70000"))]
    assert fired[0].simulated
    assert await alerts.list("ann") == []
    kept = await alerts.list("ann", waiting_only=False)
    assert kept[0].fired_price == Decimal("70000")
    assert alerts.watched() == []


async def test_numbers_are_per_person_and_never_given_twice(alerts: AlertService) -> None:
    price = Decimal("60000")
    first = await alerts.add("ann", BTC, "above", Decimal("70000"), price)
    await alerts.delete("ann", first.id)
    second = await alerts.add("ann", BTC, "below", Decimal("50000"), price)
    other = await alerts.add("bob", BTC, "below", Decimal("50000"), price)
    assert (first.id, second.id, other.id) == (1, 2, 1)
    with pytest.raises(NotFound, match="no alert number 1") as missing:
        await alerts.delete("ann", 1)
    assert missing.value.hint == "Yours are 2."


async def test_a_threshold_already_passed_is_refused_with_the_present_price(alerts: AlertService) -> None:
    with pytest.raises(InvalidInput, match="BTC/USDT is at 60000 USDT, already above 59000"):
        await alerts.add("ann", BTC, "above", Decimal("59000"), Decimal("60000.00"))
    with pytest.raises(InvalidInput, match="not a price"):
        await alerts.add("ann", BTC, "below", Decimal("-1"), Decimal("60000"))


async def test_a_deleted_alert_and_another_instrument_stay_silent(store: Store, bus: Bus, alerts: AlertService) -> None:
    alert = await alerts.add("ann", BTC, "above", Decimal("70000"), Decimal("60000"))
    await bus.publish(quote("80000", ETH))
    await alerts.delete("ann", alert.id)
    await bus.publish(quote("80000"))
    assert await told(store) == []


async def test_alerts_survive_a_restart_with_the_grids_of_their_instrument(store: Store, alerts: AlertService) -> None:
    await alerts.add("ann", BTC, "above", Decimal("70000"), Decimal("60000"))
    bus = Bus()
    again = AlertService(SqlAlerts(store), SimulatedClock(NOW), bus)
    await again.start()
    assert again.watched() == [BTC]
    await bus.publish(quote("70000"))
    assert len(await told(store)) == 1


async def test_two_processes_that_see_the_same_price_tell_it_once(store: Store, bus: Bus, alerts: AlertService) -> None:
    await alerts.add("ann", BTC, "above", Decimal("70000"), Decimal("60000"))
    other_bus = Bus()
    other = AlertService(SqlAlerts(store), SimulatedClock(NOW), other_bus)
    await other.start()
    await bus.publish(quote("70000"))
    await other_bus.publish(quote("70000"))
    assert len(await told(store)) == 1


async def test_an_alert_whose_commit_failed_fires_at_the_next_price(
    store: Store, bus: Bus, alerts: AlertService
) -> None:
    await alerts.add("ann", BTC, "above", Decimal("70000"), Decimal("60000"))
    await store.close()  # the database is away while the price passes
    await bus.publish(quote("70000"))
    await store.open()
    assert await told(store) == []
    await bus.publish(quote("70005"))
    assert [event.price for event in await told(store)] == [Decimal("70005")]

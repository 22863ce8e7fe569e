"""The router: every call measured, changes told once, questions answered elsewhere by name, orders never moved."""

import asyncio
from decimal import Decimal

import pytest

from core.bus import Bus
from core.clock import SimulatedClock, from_ms
from core.errors import NotFound, OrderRefused, Unavailable
from core.events import VenueChanged
from core.exchanges.router import Policy, Router
from core.market.instrument import Instrument
from core.trading.exchange import Acknowledgement, Capabilities, Look, Quote, demand_last
from core.trading.orders import Market, OrderRequest, Side
from tests.made_venues import BTC, MadeVenue, geo_block

NOW = 1_700_000_000_000


class Hall:
    """Two venues, a router, and what it told."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.clock = SimulatedClock(from_ms(NOW))
        self.bus = Bus()
        self.near = MadeVenue("near", self.clock)
        self.far = MadeVenue("far", self.clock, price="60100")
        self.told: list[VenueChanged] = []
        self.bus.subscribe(VenueChanged, self.hear)
        self.seconds = 0.0
        self.router = Router([self.near, self.far], self.clock, self.bus, policy, timer=self.timer)
        self.btc = self.near.listed[0]

    def timer(self) -> float:
        self.seconds += 0.05
        return self.seconds

    async def hear(self, event: VenueChanged) -> None:
        self.told.append(event)

    async def ask(self, instrument: Instrument) -> Quote:
        return await self.router.venue(instrument.venue).quote(instrument)

    async def lose(self, venue: MadeVenue, error: Exception | None = None, times: int = 3) -> None:
        venue.failing = error or Unavailable(f"{venue.name} cannot be reached.", kind="network")
        for _ in range(times):
            with pytest.raises(Unavailable):
                await self.router.venue(venue.name).ping()


@pytest.fixture
def hall() -> Hall:
    return Hall()


async def test_every_call_is_measured(hall: Hall) -> None:
    for _ in range(4):
        await hall.ask(hall.btc)
    health = hall.router.health("near")
    assert (health.asked, health.state, health.staleness) == (4, "healthy", 0)
    assert health.p50 == pytest.approx(0.05)
    assert hall.router.health("far").state == "unknown"


async def test_a_venue_that_fails_is_left_alone_and_tried_with_one_question(hall: Hall) -> None:
    await hall.ask(hall.btc)
    await hall.lose(hall.near)
    asked = len(hall.near.asked)
    with pytest.raises(Unavailable, match="near is not asked now: it does not answer: near cannot be reached"):
        await hall.ask(hall.btc)
    assert len(hall.near.asked) == asked
    hall.near.failing = None
    await hall.clock.advance(2)
    await hall.ask(hall.btc)
    health = hall.router.health("near")
    assert (health.out, health.state) == (False, "degraded")  # it has a recent past
    await hall.clock.advance(301)
    await hall.ask(hall.btc)
    assert hall.router.health("near").state == "healthy"


async def test_a_change_is_told_once_and_the_way_back_too(hall: Hall) -> None:
    await hall.ask(hall.btc)
    assert hall.told == []  # that all is well at first is no news
    await hall.lose(hall.near)
    with pytest.raises(Unavailable):
        await hall.ask(hall.btc)
    hall.near.failing = None
    await hall.clock.advance(5)
    for _ in range(20):
        await hall.ask(hall.btc)
    assert [(event.venue, event.state) for event in hall.told] == [
        ("near", "down"), ("near", "degraded"), ("near", "healthy"),
    ]  # fmt: skip
    assert hall.told[0].reason.startswith("near is down: it does not answer")
    changes = [value for name, labels, value in hall.router.metrics() if name == "venue_state_changes"]
    assert changes == [3, 0]


async def test_the_look_finds_skew_and_venues_nobody_asks(hall: Hall) -> None:
    hall.near.ahead = 4_000
    hall.far.failing = geo_block("far")
    await hall.router.start()
    await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    assert hall.router.health("near").skew == pytest.approx(4, abs=0.2)
    assert "4.0 s ahead" in hall.router.health("near").reason
    assert hall.router.health("far").state == "closed"
    assert {(event.venue, event.state) for event in hall.told} == {("near", "degraded"), ("far", "closed")}
    hall.near.ahead = 0
    await hall.clock.advance(30)
    await hall.router.stop()
    assert hall.router.health("near").state == "healthy"


async def test_the_healthiest_is_by_state_then_by_speed_and_lists_the_symbol(hall: Hall) -> None:
    await hall.router.look()
    assert await hall.router.healthiest("BTC/USDT") in ("near", "far")
    assert await hall.router.healthiest("BTC/USDT", beside=("near",)) == "far"
    assert await hall.router.healthiest("XYZ/USDT") is None
    await hall.lose(hall.far)
    assert await hall.router.healthiest("BTC/USDT") == "near"
    assert await hall.router.healthiest("BTC/USDT", beside=("near",)) is None


async def test_a_question_is_answered_at_its_own_venue_while_that_does_well(hall: Hall) -> None:
    answer = await hall.router.answered(hall.btc, hall.ask)
    assert (answer.value.last, answer.instrument.venue, answer.note) == (Decimal(60_000), "near", None)
    assert hall.far.asked == []


async def test_a_question_is_answered_elsewhere_and_says_so(hall: Hall) -> None:
    hall.near.failing = Unavailable("near cannot be reached for prices.", kind="network")
    answer = await hall.router.answered(hall.btc, hall.ask)
    assert (answer.value.last, answer.instrument.venue) == (Decimal(60_100), "far")
    assert answer.note is not None
    assert answer.note.startswith("near does not answer")
    assert answer.note.endswith("so this comes from far.")
    await hall.lose(hall.near, geo_block("near"), 1)
    asked = len(hall.near.asked)
    answer = await hall.router.answered(hall.btc, hall.ask)
    assert "refuses connections from this country (HTTP 451)" in str(answer.note)
    assert len(hall.near.asked) == asked  # it was not even tried


async def test_without_another_venue_the_first_one_s_refusal_stands(hall: Hall) -> None:
    hall.near.failing = hall.far.failing = Unavailable("gone.", kind="network")
    with pytest.raises(Unavailable, match="gone"):
        await hall.router.answered(hall.btc, hall.ask)


async def test_the_policy_same_answers_nowhere_else() -> None:
    hall = Hall(Policy(data="same"))
    hall.near.failing = Unavailable("gone.", kind="network")
    with pytest.raises(Unavailable, match="gone"):
        await hall.router.answered(hall.btc, hall.ask)
    assert hall.far.asked == []


async def test_made_up_prices_never_stand_in_for_real_ones(hall: Hall) -> None:
    hall.far.simulated = True
    router = Router([hall.near, hall.far], hall.clock, hall.bus)
    hall.near.failing = Unavailable("gone.", kind="network")
    with pytest.raises(Unavailable, match="gone"):
        await router.answered(hall.btc, hall.ask)


async def test_new_orders_at_a_venue_that_is_out_are_refused_and_name_the_healthy_one(hall: Hall) -> None:
    await hall.router.demand(hall.btc)
    await hall.lose(hall.near)
    with pytest.raises(Unavailable, match="near takes no new orders from us now") as told:
        await hall.router.demand(hall.btc)
    assert "far:BTC/USDT" in str(told.value.hint)
    assert told.value.details["other"] == "far:BTC/USDT"
    await hall.lose(hall.far)
    with pytest.raises(Unavailable) as told:
        await hall.router.demand(hall.btc)
    assert told.value.details["other"] is None


class Trading:
    """An exchange that notes what it is told."""

    capabilities = Capabilities(frozenset({"Market"}), False)

    def __init__(self) -> None:
        self.did: list[str] = []
        self.refusing: Exception | None = None

    async def place(self, request: OrderRequest, last: Look | None = None) -> Acknowledgement:
        demand_last(last)
        self.did.append("place")
        if self.refusing:
            raise self.refusing
        return Acknowledgement(request.id)

    async def cancel(self, order_id: str) -> bool:
        self.did.append("cancel")
        return True

    def __getattr__(self, name: str) -> object:
        raise AttributeError(name)


async def test_new_exposure_waits_for_the_venue_and_closes_and_cancels_do_not(hall: Hall) -> None:
    trading = Trading()
    exchange = hall.router.observed("near", trading)  # type: ignore[arg-type]  # the other verbs are not asked here
    order = OrderRequest("a", "sam@near", BTC_NEAR, Side.BUY, Market(), quantity=Decimal(1))
    await exchange.place(order)
    await hall.lose(hall.near)
    with pytest.raises(OrderRefused, match="takes no new orders"):
        await exchange.place(order)
    close = OrderRequest("b", "sam@near", BTC_NEAR, Side.SELL, Market(), quantity=Decimal(1), reduce_only=True)
    await exchange.place(close)
    assert await exchange.cancel("a")
    assert trading.did == ["place", "place", "cancel"]
    assert exchange.capabilities.order_types == {"Market"}


async def test_a_refused_key_shows_in_the_health_and_takes_the_venue_out_for_orders_only(hall: Hall) -> None:
    trading = Trading()
    exchange = hall.router.observed("near", trading)  # type: ignore[arg-type]  # the other verbs are not asked here
    trading.refusing = OrderRefused("near does not accept the API key.", kind="auth")
    await hall.router.look()
    with pytest.raises(OrderRefused):
        await exchange.place(OrderRequest("a", "sam@near", BTC_NEAR, Side.BUY, Market(), quantity=Decimal(1)))
    assert hall.router.health("near").trouble == "auth"
    assert await hall.router.healthiest("BTC/USDT", beside=("far",)) == "near"
    assert await hall.router.healthiest("BTC/USDT", beside=("far",), trading=True) is None


BTC_NEAR = Instrument("near", BTC.base, BTC.quote, BTC.tick_size, BTC.lot_size, BTC.min_notional)


def test_an_unknown_venue_is_refused_with_those_there_are(hall: Hall) -> None:
    assert hall.router.names == ("near", "far")
    with pytest.raises(NotFound, match="No venue is called 'moon'") as unknown:
        hall.router.venue("moon")
    assert "near, far" in str(unknown.value.hint)


async def test_metrics_are_plain_numbers(hall: Hall) -> None:
    await hall.router.look()
    await hall.ask(hall.btc)
    figures = {(name, tuple(labels.items())): value for name, labels, value in hall.router.metrics()}
    assert figures["venue_state", (("venue", "near"), ("state", "healthy"))] == 1
    assert figures["venue_state", (("venue", "near"), ("state", "down"))] == 0
    assert figures["venue_latency_seconds", (("venue", "near"), ("quantile", "0.5"))] == pytest.approx(0.05)
    assert figures["venue_error_ratio", (("venue", "far"),)] == 0

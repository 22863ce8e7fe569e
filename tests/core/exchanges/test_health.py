"""Health: percentiles and error rates over a window, and each way of failing told apart with what to do."""

import asyncio

import pytest

from core.clock import SimulatedClock
from core.errors import AppError, ExchangeError, InvalidInput, OrderRefused, OutcomeUnknown, Unavailable
from core.exchanges.breaker import Breaker
from core.exchanges.health import CAUSES, Vitals, percentile, trouble_of
from core.exchanges.observed import Watch


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


@pytest.fixture
def vitals(clock: SimulatedClock) -> Vitals:
    return Vitals("somewhere", clock, Breaker(clock, failures=3))


def failure(kind: str) -> AppError:
    return Unavailable(f"somewhere failed by {kind}.", kind=kind)


def test_percentiles_are_nearest_ranks() -> None:
    values = [n / 100 for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99)] == [0.5, 0.95, 0.99]
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.99) == 3.0


async def test_latencies_and_errors_are_of_the_last_five_minutes(clock: SimulatedClock, vitals: Vitals) -> None:
    vitals.answered(9.0)
    await clock.advance(301)
    for n in range(1, 20):
        vitals.answered(n / 100)
    vitals.failed(1.0, failure("timeout"))
    health = vitals.health()
    assert health.asked == 20
    assert health.errors == pytest.approx(0.05)
    assert (health.p50, health.p95, health.p99) == (0.1, 0.19, 0.19)
    assert health.state == "healthy"
    assert health.age == 0


async def test_a_venue_that_was_never_asked_is_unknown_and_one_that_never_answered_is_down(vitals: Vitals) -> None:
    assert vitals.health().state == "unknown"
    vitals.failed(0.1, Unavailable("somewhere cannot be reached for the time."))
    health = vitals.health()
    assert health.state == "down"
    assert "cannot be reached" in health.reason


@pytest.mark.parametrize(
    ("kind", "state", "reason", "hint"),
    [
        ("geo", "closed", "451", "serves your country"),
        ("banned", "closed", "418", "Wait until it opens"),
        ("maintenance", "maintenance", "maintenance", "asked again"),
        ("rate", "degraded", "429", "by themselves"),
        ("auth", "degraded", "does not accept the API key", "prices work without a key"),
        ("ip", "degraded", "other addresses", "key's list"),
        ("permission", "degraded", "may not trade", "permission"),
        ("clock", "degraded", "clock", "NTP"),
    ],
)
def test_each_trouble_has_its_own_state_reason_and_hint(
    vitals: Vitals, kind: str, state: str, reason: str, hint: str
) -> None:
    vitals.answered(0.1)
    vitals.failed(0.1, failure(kind))
    health = vitals.health()
    assert health.state == state
    assert reason in health.reason
    assert hint in str(health.hint)
    assert health.trouble == kind


async def test_a_refused_key_keeps_data_but_not_orders_until_a_private_question_is_answered(vitals: Vitals) -> None:
    vitals.failed(0.1, failure("auth"))
    vitals.answered(0.1)  # a price
    health = vitals.health()
    assert (health.out, health.trading) == (False, False)
    vitals.answered(0.1, private=True)
    assert (vitals.health().state, vitals.health().trading) == ("healthy", True)


async def test_a_ban_is_left_alone_for_as_long_as_the_venue_said(clock: SimulatedClock, vitals: Vitals) -> None:
    vitals.answered(0.1)
    vitals.failed(0.1, Unavailable("banned", kind="banned", seconds=600))
    assert not vitals.breaker.allows()
    assert (vitals.health().retry_in, vitals.health().again) == (600, " It is tried again in 600 s.")
    await clock.advance(600)
    assert vitals.breaker.allows()
    assert vitals.health().state == "closed"  # until it has answered
    vitals.answered(0.1)
    assert vitals.health().state == "healthy"


async def test_slow_failing_stale_and_skewed_are_told(clock: SimulatedClock, vitals: Vitals) -> None:
    for _ in range(5):
        vitals.answered(3.0)
    assert "slow" in vitals.health().reason
    await clock.advance(400)
    for n in range(8):
        vitals.failed(0.1, failure("timeout")) if n % 3 == 0 else vitals.answered(0.1)
    assert (vitals.health().state, vitals.health().reason[:4]) == ("degraded", "38% ")
    await clock.advance(400)
    vitals.answered(0.1)
    vitals.skewed(-3.5)
    assert "3.5 s behind" in vitals.health().reason
    vitals.skewed(0.2)
    assert vitals.health().state == "healthy"
    vitals.priced(clock.now_ms() - 90_000)
    assert (vitals.health().state, vitals.health().staleness) == ("stale", 90)
    vitals.priced(clock.now_ms())
    assert vitals.health().state == "healthy"


def test_what_says_nothing_about_the_venue_is_not_counted(vitals: Vitals) -> None:
    assert trouble_of(Unavailable("the limits of this process", kind="pace")) is None
    assert trouble_of(Unavailable("not asked", kind="breaker")) is None
    assert trouble_of(ConnectionResetError()) is not None
    for kind in CAUSES:
        assert trouble_of(ExchangeError("x", kind=kind)) is not None
    assert trouble_of(OutcomeUnknown("somewhere did not say whether it took the order.", kind="unknown")) is not None
    vitals.failed(0.0, Unavailable("wait", kind="pace"))
    assert vitals.health().asked == 0


async def test_a_question_given_up_late_has_not_been_answered_and_one_given_up_soon_says_nothing(
    vitals: Vitals,
) -> None:
    async def changed() -> None:
        pass

    times = iter([0.0, 6.0, 10.0, 11.0])
    watch = Watch(vitals, changed, lambda: next(times))
    for _ in range(2):
        asking = asyncio.create_task(watch.ask(asyncio.Event().wait()))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    health = vitals.health()
    assert (health.asked, health.errors) == (1, 1.0)
    assert "did not answer in time" in health.reason


async def test_a_refusal_with_a_good_reason_is_an_answer(vitals: Vitals) -> None:
    async def changed() -> None:
        pass

    async def raising(error: Exception) -> None:
        raise error

    watch = Watch(vitals, changed, lambda: 0.0)
    for error in (InvalidInput("no"), OrderRefused("too little", kind="funds"), OrderRefused("no")):
        with pytest.raises(type(error)):
            await watch.ask(raising(error), private=True)
    assert (vitals.health().asked, vitals.health().errors) == (3, 0.0)
    with pytest.raises(OrderRefused):
        await watch.ask(raising(OrderRefused("shut out", kind="banned")), private=True)
    assert vitals.health().state == "closed"

"""Pace: no window ever holds more than its limit, urgent requests pass, a pause holds everybody."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SimulatedClock, from_ms
from core.errors import Unavailable
from core.exchanges.pace import MemoryCounts, Pace, retry_after
from core.exchanges.venues.rates import RATES, REQUESTS, RateLimit, rates_of

NOW = 1_700_000_000_123


def make(limit: RateLimit) -> tuple[SimulatedClock, Pace]:
    clock = SimulatedClock(from_ms(NOW))
    pace = Pace(clock, MemoryCounts())
    pace.know("somewhere", [limit])
    return clock, pace


async def drained(clock: SimulatedClock, tasks: list[asyncio.Task[None]], step: float = 0.5) -> None:
    """Moves time on until every task is done."""
    for _ in range(10_000):
        await asyncio.sleep(0)
        if all(task.done() for task in tasks):
            return
        await clock.advance(step)
    raise AssertionError("the requests never went")


@settings(max_examples=60)
@given(
    asked=st.lists(st.tuples(st.integers(0, 3_000), st.floats(0.1, 4.0), st.booleans()), min_size=1, max_size=40),
    allowed=st.floats(4.0, 12.0),
    seconds=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
)
def test_no_window_ever_holds_more_than_the_limit(
    asked: list[tuple[int, float, bool]], allowed: float, seconds: float
) -> None:
    async def run() -> list[tuple[int, float]]:
        clock, pace = make(RateLimit(allowed, seconds, reserve=0.2))
        sent: list[tuple[int, float]] = []

        async def one(delay: int, weight: float, urgent: bool) -> None:
            await clock.sleep(delay / 1000)
            await pace.take("somewhere", weight, urgent=urgent, patience=1e9)
            sent.append((clock.now_ms(), min(weight, allowed if urgent else allowed * 0.8)))

        await drained(clock, [asyncio.create_task(one(*each)) for each in asked])
        return sent

    sent = asyncio.run(run())
    assert len(sent) == len(asked)
    for start, _ in sent:
        inside = [weight for time, weight in sent if start <= time < start + seconds * 1000]
        assert sum(inside) <= allowed + 1e-6


async def test_requests_go_in_the_order_in_which_they_came() -> None:
    clock, pace = make(RateLimit(2, 1, reserve=0))
    went: list[int] = []

    async def one(number: int, weight: float) -> None:
        await pace.take("somewhere", weight)
        went.append(number)

    tasks = [asyncio.create_task(one(number, 2 if number == 3 else 0.5)) for number in range(8)]
    await drained(clock, tasks, 0.1)
    assert went == list(range(8))  # the heavy one is not overtaken for ever


async def test_cancels_have_a_reserve_and_do_not_queue_behind_others() -> None:
    clock, pace = make(RateLimit(10, 5, reserve=0.2))
    for _ in range(8):
        await pace.take("somewhere")
    waiting = asyncio.create_task(pace.take("somewhere"))
    await asyncio.sleep(0)
    await pace.take("somewhere", urgent=True)
    await pace.take("somewhere", urgent=True)
    assert not waiting.done()
    await drained(clock, [waiting])
    assert clock.now_ms() - NOW >= 5_000


async def test_a_pause_holds_everybody_and_is_never_shortened() -> None:
    clock, pace = make(RateLimit(100, 1))
    await pace.pause("somewhere", 8, "HTTP 429")
    await pace.pause("somewhere", 1)
    assert await pace.paused("somewhere") == 8
    tasks = [asyncio.create_task(pace.take("somewhere", urgent=urgent)) for urgent in (True, False)]
    await clock.advance(7.9)
    assert not any(task.done() for task in tasks)
    await drained(clock, tasks, 0.1)
    await pace.take("elsewhere")  # other venues go on


async def test_whoever_cannot_wait_that_long_is_told_at_once_and_nothing_is_counted() -> None:
    clock, pace = make(RateLimit(2, 60, reserve=0))
    await pace.take("somewhere", 2)
    with pytest.raises(Unavailable, match=r"allows only so many requests: the next one can be sent in \d\d s"):
        await pace.take("somewhere")
    await pace.pause("somewhere", 300)
    with pytest.raises(Unavailable, match="asked us to pause: the next one can be sent in 300 s") as told:
        await pace.take("somewhere", urgent=True)
    assert told.value.details["kind"] == "pace"
    clock.set(from_ms(NOW + 400_000))
    await pace.take("somewhere", 2)


async def test_a_request_heavier_than_the_limit_takes_all_of_it() -> None:
    clock, pace = make(RateLimit(5, 1, reserve=0))
    await pace.take("somewhere", 50)
    after = asyncio.create_task(pace.take("somewhere", 0.1))
    await asyncio.sleep(0)
    assert not after.done()
    await drained(clock, [after], 0.1)


async def test_a_cancelled_request_does_not_block_the_queue() -> None:
    clock, pace = make(RateLimit(1, 1, reserve=0))
    await pace.take("somewhere")
    first, second = (asyncio.create_task(pace.take("somewhere")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await drained(clock, [second], 0.1)


def test_retry_after_is_read_as_seconds_or_a_date_and_kept_sensible() -> None:
    assert retry_after(429, {"Retry-After": "7"}, NOW) == 7
    assert retry_after(429, {"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, NOW) == pytest.approx(59.877)
    assert retry_after(429, {"Retry-After": "soon"}, NOW) == 10
    assert retry_after(418, {}, NOW) == 180
    assert retry_after(418, {"Retry-After": "nan"}, NOW) == 180
    assert retry_after(418, {"Retry-After": "1e12"}, NOW) == 3 * 86_400


def test_every_venue_has_limits_and_an_unknown_one_follows_its_interval() -> None:
    for venue, pools in RATES.items():
        assert rates_of(venue) is pools
        assert all(limit.weight > 0 and 0 <= limit.reserve < 1 for limits in pools.values() for limit in limits)
    [slow] = rates_of("someex", 2.0)[REQUESTS]
    assert (slow.weight, slow.seconds) == (4.5, 10)
    [fast] = rates_of("someex", 0.05)[REQUESTS]
    assert fast.weight / fast.seconds < 1 / 0.05
    assert rates_of("someex")[REQUESTS]


def test_an_account_s_own_pool_has_the_limits_of_its_kind() -> None:
    pace = Pace(SimulatedClock())
    assert pace.limits("binance", "orders:sam@binance") == pace.limits("binance", "orders")
    assert all(a.seconds < b.seconds for a, b in pairwise(pace.limits("binance", "orders")))

"""What every Counts promises, in memory and on a Valkey server: one truth over all who share it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.clock import SimulatedClock, from_ms
from core.errors import Unavailable
from core.exchanges.pace import Claim, Counts, MemoryCounts, Pace, RedisCounts
from core.exchanges.venues.rates import RateLimit

NOW = 1_700_000_000_000
LIMITS = ((5.0, 10_000), (8.0, 60_000))

Connect = Callable[[], Counts]


@pytest.fixture(params=["memory", "valkey"])
async def connect(request: Any) -> AsyncIterator[Connect]:
    """Opens one more view of the same counts, as another process would."""
    opened: list[Counts] = []
    if request.param == "memory":
        shared = MemoryCounts()
        yield lambda: shared
        return
    url, prefix = request.getfixturevalue("valkey_url"), f"{uuid.uuid4().hex}:"

    def another() -> Counts:
        opened.append(RedisCounts(url, prefix, own_time=False))
        return opened[-1]

    yield another
    for each in opened:
        await each.close()


def claim(weight: float = 1.0, venue: str = "somewhere", name: str = "requests") -> Claim:
    return Claim(venue, name, weight, LIMITS)


async def test_of_many_claims_at_once_exactly_the_allowed_weight_passes(connect: Connect) -> None:
    one, other = connect(), connect()
    verdicts = await asyncio.gather(*((one, other)[n % 2].claim(claim(), NOW) for n in range(30)))
    assert sum(verdict.wait == 0 for verdict in verdicts) == 5
    assert all(verdict.wait >= 10_000 for verdict in verdicts if verdict.wait)


async def test_after_the_wait_it_told_a_claim_passes_unless_a_longer_window_is_full(connect: Connect) -> None:
    one, other = connect(), connect()
    for _ in range(5):
        await one.claim(claim(), NOW)
    wait = (await other.claim(claim(3.0), NOW + 2_000)).wait
    assert 8_000 <= wait <= 8_500  # a slice later at most
    assert (await other.claim(claim(3.0), NOW + 2_000 + wait - 1)).wait == 1
    assert (await other.claim(claim(3.0), NOW + 2_000 + wait)).wait == 0
    late = await one.claim(claim(0.5), NOW + 30_000)
    assert late.wait >= 30_000  # 8 in a minute


async def test_a_refused_claim_counts_nothing(connect: Connect) -> None:
    counts = connect()
    await counts.claim(claim(4.0), NOW)
    for _ in range(10):
        assert (await counts.claim(claim(2.0), NOW)).wait > 0
    assert (await counts.claim(claim(1.0), NOW)).wait == 0


async def test_fractions_of_a_weight_add_up(connect: Connect) -> None:
    counts = connect()
    verdicts = [await counts.claim(claim(0.1), NOW) for _ in range(51)]
    assert [verdict.wait == 0 for verdict in verdicts] == [True] * 50 + [False]


async def test_venues_and_pools_are_counted_apart(connect: Connect) -> None:
    counts = connect()
    await counts.claim(claim(5.0), NOW)
    assert (await counts.claim(claim(5.0, venue="elsewhere"), NOW)).wait == 0
    assert (await counts.claim(claim(5.0, name="orders"), NOW)).wait == 0


async def test_a_pause_is_everybody_s_and_the_longest_one_stands(connect: Connect) -> None:
    one, other = connect(), connect()
    await one.pause("somewhere", NOW + 5_000, NOW)
    await one.pause("somewhere", NOW + 3_000, NOW)
    assert await other.paused("somewhere", NOW + 1_000) == 4_000
    verdict = await other.claim(claim(), NOW + 1_000)
    assert (verdict.wait, verdict.paused) == (4_000, True)
    assert (await other.claim(claim(), NOW + 5_000)).wait == 0
    assert await other.paused("elsewhere", NOW) == 0


async def test_two_processes_together_keep_the_limit(connect: Connect) -> None:
    clock = SimulatedClock(from_ms(NOW))
    paces = [Pace(clock, connect()) for _ in range(2)]
    for pace in paces:
        pace.know("somewhere", [RateLimit(3, 1, reserve=0)])
    sent: list[int] = []

    async def one(pace: Pace) -> None:
        await pace.take("somewhere")
        sent.append(clock.now_ms())

    tasks = [asyncio.create_task(one(paces[n % 2])) for n in range(12)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.002)
        await clock.advance(0.05)
    for start in sent:
        assert sum(start <= time < start + 1000 for time in sent) <= 3


async def test_the_server_s_own_clock_counts_where_machines_differ(valkey_url: str) -> None:
    prefix = f"{uuid.uuid4().hex}:"
    fast, slow = RedisCounts(valkey_url, prefix), RedisCounts(valkey_url, prefix)
    for _ in range(5):
        assert (await fast.claim(claim(), NOW)).wait == 0
    assert (await slow.claim(claim(), NOW + 3_600_000)).wait > 5_000  # its clock is an hour ahead
    await fast.pause("elsewhere", NOW + 60_000, NOW)
    assert 50_000 < await slow.paused("elsewhere", int(time.time() * 1000)) <= 60_000
    await fast.close()
    await slow.close()


async def test_without_the_server_this_process_keeps_the_limits_alone() -> None:
    clock = SimulatedClock(from_ms(NOW))
    pace = Pace(clock, RedisCounts("redis://127.0.0.1:1/0"))
    pace.know("somewhere", [RateLimit(2, 60, reserve=0)])
    await pace.take("somewhere", 2)
    with pytest.raises(Unavailable, match="allows only so many"):
        await pace.take("somewhere")
    await pace.pause("somewhere", 5)
    assert await pace.paused("somewhere") == 5
    await pace.close()

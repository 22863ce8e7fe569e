"""The breaker: opens after failures in a row, tries with one question, waits longer each time."""

import pytest

from core.clock import SimulatedClock
from core.exchanges.breaker import Breaker


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        if breaker.allows():
            breaker.failed()


async def test_it_opens_after_failures_in_a_row_only(clock: SimulatedClock) -> None:
    breaker = Breaker(clock, failures=3, wait=2)
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert (breaker.state, breaker.allows(), breaker.retry_in) == ("open", False, 2)


async def test_half_open_lets_one_trial_pass_that_decides(clock: SimulatedClock) -> None:
    breaker = Breaker(clock, failures=1, wait=2)
    fail(breaker, 1)
    await clock.advance(2)
    assert breaker.state == "half-open"
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert (breaker.state, breaker.allows()) == ("closed", True)


async def test_each_failed_trial_doubles_the_wait_up_to_the_longest(clock: SimulatedClock) -> None:
    breaker = Breaker(clock, failures=1, wait=2, longest=20)
    waits = []
    for _ in range(6):
        fail(breaker, 1)
        waits.append(breaker.retry_in)
        await clock.advance(breaker.retry_in)
    assert waits == [2, 4, 8, 16, 20, 20]
    assert breaker.allows()
    breaker.succeeded()
    fail(breaker, 1)
    assert breaker.retry_in == 2


async def test_failures_from_before_it_opened_do_not_prolong_it(clock: SimulatedClock) -> None:
    breaker = Breaker(clock, failures=2, wait=2)
    for _ in range(10):  # all were under way when the venue went
        breaker.failed()
    assert breaker.retry_in == 2


async def test_a_trial_that_nobody_decides_makes_room_for_another(clock: SimulatedClock) -> None:
    breaker = Breaker(clock, failures=1, wait=1)
    fail(breaker, 1)
    await clock.advance(1)
    assert breaker.allows()
    breaker.left()
    assert breaker.allows()
    assert not breaker.allows()
    await clock.advance(31)
    assert breaker.allows()


async def test_a_ban_opens_it_for_as_long_as_the_venue_said(clock: SimulatedClock) -> None:
    breaker = Breaker(clock)
    breaker.trip(300)
    breaker.trip(10)
    assert breaker.retry_in == 300
    await clock.advance(299)
    assert not breaker.allows()
    await clock.advance(1)
    assert breaker.allows()

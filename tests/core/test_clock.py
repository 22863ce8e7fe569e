"""Clocks: exact milliseconds, and simulated time that wakes sleepers in order."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import EPOCH, SimulatedClock, SystemClock, from_ms, to_ms
from core.errors import InvalidInput


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_survive_the_way_there_and_back(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_other_time_zones_are_the_same_moment() -> None:
    there = datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert to_ms(there) == to_ms(datetime(2024, 5, 1, 12, tzinfo=UTC))


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        to_ms(datetime(2024, 5, 1))  # noqa: DTZ001 - the case under test


def test_the_system_clock_tells_aware_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


async def test_sleepers_wake_in_order_each_at_its_own_time() -> None:
    clock, woken = SimulatedClock(), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, (clock.now() - EPOCH).total_seconds()))

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2, 9)]
    await asyncio.sleep(0)
    await clock.advance(5)
    assert woken == [(1, 1.0), (2, 2.0), (3, 3.0)]
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert woken[-1] == (9, 9.0)


def test_time_does_not_go_back() -> None:
    with pytest.raises(InvalidInput, match="cannot go back"):
        SimulatedClock(from_ms(1000)).set(from_ms(999))

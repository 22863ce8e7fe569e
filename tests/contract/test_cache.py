"""What every Cache promises, in memory and on a Valkey server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from core.cache import Cache, MemoryCache, RedisCache
from core.errors import Unavailable


@pytest.fixture(params=["memory", "valkey"])
async def cache(request: Any) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    cache = RedisCache(request.getfixturevalue("valkey_url"), prefix=f"{uuid.uuid4().hex}:")
    yield cache
    await cache.close()


async def gone(cache: Cache, key: str) -> bool:
    """Whether the value goes away by itself within two seconds."""
    return await eventually(lambda: cache.get(key), lambda value: value is None)


async def eventually(ask: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool]) -> bool:
    """Asks until it holds, two seconds at most."""
    for _ in range(200):
        if holds(await ask()):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_value_is_kept_until_it_is_deleted(cache: Cache) -> None:
    assert await cache.get("a") is None
    await cache.set("a", b"\x00value", 60)
    assert await cache.get("a") == b"\x00value"
    await cache.delete("a")
    assert await cache.get("a") is None


async def test_a_value_goes_away_after_its_time(cache: Cache) -> None:
    await cache.set("a", b"1", 0.03)
    assert await gone(cache, "a")


async def test_of_many_takers_one_receives_the_value(cache: Cache) -> None:
    await cache.set("a", b"prize", 60)
    taken = await asyncio.gather(*(cache.take("a") for _ in range(10)))
    assert sorted(value for value in taken if value) == [b"prize"]


async def test_counting_never_loses_a_count(cache: Cache) -> None:
    counts = await asyncio.gather(*(cache.count("n", 60) for _ in range(20)))
    assert sorted(counts) == list(range(1, 21))


async def test_a_counter_starts_anew_after_its_time_though_it_is_counted_on(cache: Cache) -> None:
    assert await cache.count("n", 0.2) == 1
    assert await cache.count("n", 0.2) == 2
    assert await eventually(lambda: cache.count("n", 0.2), lambda number: number == 1)


async def test_memory_forgets_the_least_recently_used_first() -> None:
    cache = MemoryCache(capacity=2)
    await cache.set("a", b"1", 60)
    await cache.set("b", b"2", 60)
    await cache.get("a")
    await cache.set("c", b"3", 60)
    assert await cache.get("b") is None
    assert await cache.get("a") == b"1"


async def test_a_server_that_is_down_is_told_in_one_sentence() -> None:
    cache = RedisCache("redis://:hunter2@127.0.0.1:1/0")
    with pytest.raises(Unavailable, match="cache server does not answer") as told:
        await cache.ping()
    assert "hunter2" not in told.value.sentence()
    await cache.close()

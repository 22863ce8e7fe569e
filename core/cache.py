"""The cache: short-lived values and counters, in this process or in Redis. What it holds may be gone at any time."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

from core.errors import Unavailable

CAPACITY = 10_000  # entries of the in-memory cache; the least recently used goes first


class Cache(Protocol):
    """Bytes under a name, for a time."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when there is none any more."""
        ...

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keeps the value for ttl seconds."""
        ...

    async def delete(self, key: str) -> None:
        """Forgets the value."""
        ...

    async def take(self, key: str) -> bytes | None:
        """The value, once: of several callers exactly one receives it."""
        ...

    async def count(self, key: str, ttl: float) -> int:
        """Adds one to the counter and returns it; it starts anew ttl seconds after its first count."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class MemoryCache:
    """A cache inside this process, bounded in entries."""

    def __init__(self, capacity: int = CAPACITY, now: Callable[[], float] = time.monotonic) -> None:
        self._capacity, self._now = capacity, now
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        found = self._entries.get(key)
        if found is None:
            return None
        if found[0] <= self._now():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return found[1]

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self._put(key, value, self._now() + ttl)

    async def delete(self, key: str) -> None:
        self._entries.pop(key, None)

    async def take(self, key: str) -> bytes | None:
        value = await self.get(key)
        self._entries.pop(key, None)
        return value

    async def count(self, key: str, ttl: float) -> int:
        value = await self.get(key)
        if value is None:
            self._put(key, b"1", self._now() + ttl)
            return 1
        number = int(value) + 1
        self._put(key, str(number).encode(), self._entries[key][0])
        return number

    async def close(self) -> None:
        self._entries.clear()

    def _put(self, key: str, value: bytes, until: float) -> None:
        self._entries[key] = (until, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)


# INCR and its expiry in one step: a process that dies between the two would leave a counter that never ends.
COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n
"""


class RedisCache:
    """A cache in Redis or Valkey, shared by processes; every name carries the product's prefix."""

    def __init__(self, url: str, prefix: str = "orchestrator:") -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=30)
        self._prefix = prefix

    async def ping(self) -> None:
        """Raises Unavailable when the server does not answer."""
        await self._ask(lambda: self._redis.ping())

    async def get(self, key: str) -> bytes | None:
        value: bytes | None = await self._ask(lambda: self._redis.get(self._prefix + key))
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        await self._ask(lambda: self._redis.set(self._prefix + key, value, px=max(1, int(ttl * 1000))))

    async def delete(self, key: str) -> None:
        await self._ask(lambda: self._redis.delete(self._prefix + key))

    async def take(self, key: str) -> bytes | None:
        value: bytes | None = await self._ask(lambda: self._redis.getdel(self._prefix + key))
        return value

    async def count(self, key: str, ttl: float) -> int:
        milliseconds = max(1, int(ttl * 1000))
        return int(await self._ask(lambda: self._redis.eval(COUNT, 1, self._prefix + key, milliseconds)))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, call: Callable[[], Any]) -> Any:
        from redis.exceptions import RedisError

        try:
            return await call()
        except (RedisError, OSError) as failed:
            raise Unavailable(
                f"The cache server does not answer ({type(failed).__name__}).",
                hint="Check that it runs and that ORCHESTRATOR_REDIS_URL is right.",
            ) from failed


def cache_at(url: str | None) -> Cache:
    """The cache that ORCHESTRATOR_REDIS_URL chooses: Redis when given, else memory."""
    return RedisCache(url) if url else MemoryCache()

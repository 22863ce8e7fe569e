"""Pace: no more requests to a venue than it allows, over all users of a process, or of all processes through Redis.

Weights are counted in slices of a twentieth of the window; a slice counts until its last moment has left the window, so
no window of that length, wherever it begins, ever holds more than the limit. What a venue forbids (429, 418) pauses it
for everybody.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import structlog

from core.clock import Clock
from core.errors import Unavailable
from core.exchanges.venues.rates import REQUESTS, RateLimit, rates_of

SLICES = 20  # per window
PATIENCE = 10.0  # seconds a request waits for its turn at most
PAUSES: Mapping[int, float] = {429: 10.0, 418: 180.0}  # seconds, where the venue does not say how long
LONGEST_PAUSE = 3 * 86_400.0
HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Claim:
    """A weight to count under a name. limits: (allowed weight, window in ms) of each limit that holds for it."""

    venue: str
    name: str
    weight: float
    limits: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """wait: ms until asking again makes sense, 0 when it was counted; paused: the venue itself asked for the wait."""

    wait: int
    paused: bool = False


class Counts(Protocol):
    """Where weights are counted. `claim` is atomic: it counts all of a claim or nothing."""

    async def claim(self, claim: Claim, now: int) -> Verdict: ...
    async def pause(self, venue: str, until: int, now: int) -> None:
        """Nobody asks the venue before `until` (UTC ms); an earlier time does not shorten a longer pause."""
        ...

    async def paused(self, venue: str, now: int) -> int:
        """ms for which the venue is paused, 0 when it is not."""
        ...

    async def close(self) -> None: ...


def slice_of(window: int) -> int:
    """ms of one slice of a window."""
    return max(1, window // SLICES)


@dataclass(slots=True)
class MemoryCounts:
    """Counts inside this process."""

    _slices: dict[tuple[str, str, int], dict[int, float]] = field(default_factory=dict)
    _until: dict[str, int] = field(default_factory=dict)

    async def claim(self, claim: Claim, now: int) -> Verdict:
        if wait := await self.paused(claim.venue, now):
            return Verdict(wait, paused=True)
        wait = max((self._wait(claim, allowed, window, now) for allowed, window in claim.limits), default=0)
        if wait == 0:
            for _, window in claim.limits:
                slices = self._slices[claim.venue, claim.name, window]
                index = now // slice_of(window)
                slices[index] = slices.get(index, 0.0) + claim.weight
        return Verdict(wait)

    async def pause(self, venue: str, until: int, now: int) -> None:
        self._until[venue] = max(until, self._until.get(venue, 0))

    async def paused(self, venue: str, now: int) -> int:
        return max(0, self._until.get(venue, 0) - now)

    async def close(self) -> None:
        self._slices.clear()

    def _wait(self, claim: Claim, allowed: float, window: int, now: int) -> int:
        slices = self._slices.setdefault((claim.venue, claim.name, window), {})
        length = slice_of(window)
        for index in [index for index in slices if (index + 1) * length - 1 + window <= now]:
            del slices[index]
        over = sum(slices.values()) + claim.weight - allowed
        for index in sorted(slices):
            if over <= HAIR:
                return 0
            over -= slices[index]
            if over <= HAIR:
                return (index + 1) * length - 1 + window - now
        return 0


# One step on the server: what is read cannot change before it is counted. KEYS: the pause, then one hash per limit;
# ARGV: now in ms (-1: the server's own clock), weight, slices per window, then allowed weight and window per limit.
CLAIM = """
local now = tonumber(ARGV[1])
if now < 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
local till = tonumber(redis.call('GET', KEYS[1]) or '0')
if till > now then return {till - now, 1} end
local weight, count, wait = tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 2, #KEYS do
  local allowed, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local length = math.max(1, math.floor(window / count))
  local kept, over = {}, weight - allowed
  local all = redis.call('HGETALL', KEYS[i])
  for j = 1, #all, 2 do
    local index = tonumber(all[j])
    if (index + 1) * length - 1 + window <= now then redis.call('HDEL', KEYS[i], all[j])
    else
      over = over + tonumber(all[j + 1])
      kept[#kept + 1] = {index, tonumber(all[j + 1])}
    end
  end
  table.sort(kept, function(a, b) return a[1] < b[1] end)
  for _, one in ipairs(kept) do
    if over <= 1e-9 then break end
    over = over - one[2]
    if over <= 1e-9 then wait = math.max(wait, (one[1] + 1) * length - 1 + window - now) end
  end
end
if wait > 0 then return {wait, 0} end
for i = 2, #KEYS do
  local window = tonumber(ARGV[2 * i + 1])
  local length = math.max(1, math.floor(window / count))
  redis.call('HINCRBYFLOAT', KEYS[i], string.format('%d', math.floor(now / length)), ARGV[2])
  redis.call('PEXPIRE', KEYS[i], window + 2 * length)
end
return {0, 0}
"""
PAUSE = """
local now = tonumber(ARGV[1])
local till = tonumber(ARGV[2])
if now < 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000); till = now + till end
if tonumber(redis.call('GET', KEYS[1]) or '0') >= till or till <= now then return 0 end
redis.call('SET', KEYS[1], string.format('%d', till), 'PX', till - now)
return 1
"""
PAUSED = """
local now = tonumber(ARGV[1])
if now < 0 then local t = redis.call('TIME'); now = t[1] * 1000 + math.floor(t[2] / 1000) end
return math.max(0, tonumber(redis.call('GET', KEYS[1]) or '0') - now)
"""


class RedisCounts:
    """Counts in Redis or Valkey, shared by processes; a server that does not answer is stood in for by this process.

    own_time: count by the server's clock, which is the same for all; else by the caller's
    """

    def __init__(self, url: str, prefix: str = "orchestrator:pace:", *, own_time: bool = True) -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, health_check_interval=30)
        self._prefix = prefix
        self._own_time = own_time
        self._alone = MemoryCounts()  # requests must flow, cancels above all, also while the server is away
        self._away = False
        self._log = structlog.get_logger("pace")

    async def claim(self, claim: Claim, now: int) -> Verdict:
        keys = [self._pause_key(claim.venue)]
        keys += [f"{self._prefix}{claim.venue}:{claim.name}:{window}" for _, window in claim.limits]
        arguments: list[Any] = [self._time(now), repr(claim.weight), SLICES]
        for allowed, window in claim.limits:
            arguments += [repr(allowed), window]
        answer = await self._ask(lambda: self._redis.eval(CLAIM, len(keys), *keys, *arguments))
        if answer is None:
            return await self._alone.claim(claim, now)
        return Verdict(int(answer[0]), bool(answer[1]))

    async def pause(self, venue: str, until: int, now: int) -> None:
        await self._alone.pause(venue, until, now)
        till = until - now if self._own_time else until
        await self._ask(lambda: self._redis.eval(PAUSE, 1, self._pause_key(venue), self._time(now), till))

    async def paused(self, venue: str, now: int) -> int:
        answer = await self._ask(lambda: self._redis.eval(PAUSED, 1, self._pause_key(venue), self._time(now)))
        return int(answer) if answer is not None else await self._alone.paused(venue, now)

    async def close(self) -> None:
        await self._redis.aclose()

    def _pause_key(self, venue: str) -> str:
        return f"{self._prefix}{venue}:pause"

    def _time(self, now: int) -> int:
        return -1 if self._own_time else now

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        from redis.exceptions import RedisError

        try:
            answer = await call()
        except (RedisError, OSError) as failed:
            if not self._away:
                self._log.warning("limits are kept by this process alone", reason=type(failed).__name__)
            self._away = True
            return None
        self._away = False
        return answer


class Pace:
    """Lets requests through as fast as each venue allows, in the order in which they came; urgent ones pass the others.

    Cancels and reducing orders are urgent: they may use the reserve of each limit, too. A pause holds them as well,
    because whoever asks on through a 429 is banned.
    """

    def __init__(self, clock: Clock, counts: Counts | None = None) -> None:
        self._clock = clock
        self._counts = counts or MemoryCounts()
        self._limits: dict[tuple[str, str], tuple[RateLimit, ...]] = {}
        self._queues: dict[tuple[str, str, bool], asyncio.Lock] = {}
        self.waited: dict[str, float] = {}  # seconds by venue that requests have waited in all
        self._log = structlog.get_logger("pace")

    def know(self, venue: str, limits: Sequence[RateLimit], pool: str = REQUESTS) -> None:
        """Limits of a pool that the data of `core.exchanges.venues` does not hold, or holds otherwise."""
        self._limits[venue, pool] = tuple(limits)

    def limits(self, venue: str, pool: str = REQUESTS) -> tuple[RateLimit, ...]:
        """The limits that hold for a pool; one written 'orders:ACCOUNT' has those of 'orders'."""
        kind = pool.partition(":")[0]
        known = self._limits.get((venue, pool)) or self._limits.get((venue, kind))
        return known if known is not None else tuple(rates_of(venue).get(kind, ()))

    async def take(
        self,
        venue: str,
        weight: float = 1.0,
        *,
        pool: str = REQUESTS,
        urgent: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """Returns when the request may be sent. Raises Unavailable when that would take longer than `patience` seconds:
        then nothing was counted, and nothing may be sent."""
        if weight <= 0:
            return
        began = self._clock.now_ms()
        await self._open(venue, patience)  # a paused venue is told at once, not at the end of a queue
        queue = self._queues.setdefault((venue, pool, urgent), asyncio.Lock())
        async with queue:
            while True:
                now = self._clock.now_ms()
                verdict = await self._counts.claim(self._claim(venue, pool, weight, urgent), now)
                if verdict.wait <= 0:
                    self.waited[venue] = self.waited.get(venue, 0.0) + (now - began) / 1000
                    return
                left = patience - (now - began) / 1000
                if verdict.wait / 1000 > left:
                    raise too_fast(venue, verdict.wait / 1000, paused=verdict.paused)
                await self._clock.sleep(verdict.wait / 1000)

    async def pause(self, venue: str, seconds: float, reason: str = "") -> None:
        """Holds everybody's requests to the venue; a pause that is under way is never shortened."""
        seconds = min(max(0.0, seconds), LONGEST_PAUSE)
        now = self._clock.now_ms()
        self._log.warning("venue is paused", venue=venue, seconds=round(seconds, 1), reason=reason)
        await self._counts.pause(venue, now + math.ceil(seconds * 1000), now)

    async def paused(self, venue: str) -> float:
        """Seconds for which the venue is still paused; 0 when it is not."""
        return await self._counts.paused(venue, self._clock.now_ms()) / 1000

    async def close(self) -> None:
        """Lets go of connections."""
        await self._counts.close()

    async def _open(self, venue: str, patience: float) -> None:
        wait = await self.paused(venue)
        if wait > patience:
            raise too_fast(venue, wait, paused=True)

    def _claim(self, venue: str, pool: str, weight: float, urgent: bool) -> Claim:
        limits = self.limits(venue, pool)
        allowed = [each.weight * (1 if urgent else 1 - each.reserve) for each in limits]
        windows = [round(each.seconds * 1000) for each in limits]
        # A request that weighs more than its limit would never go; it takes the whole of it.
        weight = min([weight, *allowed])
        return Claim(venue, pool, weight, tuple(zip(allowed, windows, strict=True)))


def too_fast(venue: str, seconds: float, *, paused: bool) -> Unavailable:
    """The sentence for a request that is not sent because the venue cannot be asked so soon."""
    why = "asked us to pause" if paused else "allows only so many requests"
    return Unavailable(
        f"{venue} {why}: the next one can be sent in {math.ceil(seconds)} s, so nothing was sent.",
        hint="Try again then, or choose another venue: venues lists them.",
        venue=venue,
        kind="pace",
        seconds=seconds,
    )


def retry_after(status: int, headers: Mapping[str, str], now: int) -> float:
    """Seconds to pause after a 429 or 418, as its Retry-After says (seconds or a date), else a time that is sensible.

    now: UTC ms
    """
    told = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    usual = PAUSES.get(status, PAUSES[429])
    try:
        return min(max(0.0, float(told)), LONGEST_PAUSE) if math.isfinite(float(told)) else usual
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return usual
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, when.timestamp() - now / 1000), LONGEST_PAUSE)


def pace_at(url: str | None, clock: Clock) -> Pace:
    """The pace that ORCHESTRATOR_REDIS_URL chooses: counted in Redis when given, else in this process."""
    return Pace(clock, RedisCounts(url) if url else None)

"""The outbox: events leave in the transaction that caused them, at least once, in order per account.

`Codec` writes events to JSON and back without losing a digit. `Relay` carries what lies in the outbox to the bus.
"""

import asyncio
import dataclasses
import types
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import structlog

from core.clock import Clock, from_ms, to_ms

Value = TypeVar("Value")
BATCH = 200
ATTEMPTS = 10  # then the event is parked: set aside with its reason, visible in `orchestrator doctor`
LONGEST_WAIT = 300.0  # seconds between two attempts
LOOK_AGAIN = 2.0  # seconds: catches what another process committed, and waits that have run out
KIND = "$"  # the key that names a dataclass inside a document


def encode(value: Any) -> Any:
    """A value as JSON: Decimal as text, datetime as UTC ms, enums by value, dataclasses as objects with their name."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return to_ms(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {KIND: type(value).__name__} | fields
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written to the outbox")


def decode(kind: type[Value], document: Any) -> Value:
    """The value of type `kind` that `encode` wrote. Raises ValueError or TypeError when it does not fit."""
    return _decode(kind, document)  # type: ignore[no-any-return]


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decode(kind: Any, document: Any) -> Any:
    origin = get_origin(kind)
    if kind is Any or origin is Literal:
        return document
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), document)
    if origin in (list, tuple, set, frozenset, Sequence):
        inner = get_args(kind)
        if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
            return tuple(_decode(item, part) for item, part in zip(inner, document, strict=True))
        items = (_decode(inner[0], part) for part in document)
        return tuple(items) if origin is Sequence else origin(items)
    if origin in (dict, Mapping):
        return {key: _decode(get_args(kind)[1], item) for key, item in document.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _decode(hints[name], item) for name, item in document.items() if name != KIND})
    if kind is Decimal:
        return Decimal(document)
    if kind is datetime:
        return from_ms(document)
    if kind is float:
        return float(document)
    return kind(document) if isinstance(kind, type) and issubclass(kind, Enum) else document


def _decode_union(members: Sequence[Any], document: Any) -> Any:
    if document is None:
        return None
    concrete = [member for member in members if member is not type(None)]
    if isinstance(document, Mapping) and KIND in document:
        named = [member for member in concrete if getattr(member, "__name__", "") == document[KIND]]
        if len(named) == 1:
            return _decode(named[0], document)
    if len(concrete) == 1:
        return _decode(concrete[0], document)
    raise TypeError(f"cannot tell which of {concrete} was written")


class Codec:
    """Events to JSON and back, for a fixed family of dataclasses."""

    def __init__(self, kinds: Iterable[type]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, event: object) -> Any:
        """The event's document. Raises TypeError for a type that is not of the family."""
        if type(event).__name__ not in self._kinds:
            raise TypeError(f"{type(event).__name__} is not a durable event")
        return encode(event)

    def decode(self, kind: str, document: Any) -> Any:
        """The event that was encoded. Raises LookupError for an unknown kind."""
        return decode(self._kinds[kind], document)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way. position: where it stands in the order of commits; attempts: deliveries that failed."""

    position: int
    account: str
    kind: str
    document: Any
    attempts: int


class Outbox(Protocol):
    """Where committed events wait."""

    async def waiting(self, now: datetime, limit: int) -> Sequence[Envelope]:
        """Undelivered, not parked, oldest first; none of an account whose earlier event still waits for its time."""
        ...

    async def delivered(self, positions: Sequence[int]) -> None:
        """Forgets them."""
        ...

    async def failed(self, position: int, attempts: int, due: datetime) -> None:
        """Tries again at `due`; later events of that account wait behind it."""
        ...

    async def parked(self, position: int, attempts: int, reason: str) -> None:
        """Sets it aside; later events of that account go on."""
        ...


class Relay:
    """Delivers what lies in the outbox. An event whose receiver fails is tried again, then parked, never dropped."""

    def __init__(
        self, outbox: Outbox, codec: Codec, deliver: Callable[[Any], Awaitable[None]], clock: Clock,
        attempts: int = ATTEMPTS,
    ) -> None:  # fmt: skip
        self._outbox, self._codec, self._deliver, self._clock = outbox, codec, deliver, clock
        self._attempts = attempts
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("outbox")

    def wake(self) -> None:
        """Something was committed: look now."""
        self._woken.set()

    async def start(self) -> None:
        """Starts delivering, first what an earlier process left."""
        self._task = asyncio.create_task(self._run(), name="outbox-relay")

    async def stop(self) -> None:
        """Stops now; an event in hand is delivered again after the next start, like those that wait."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                while await self.drain() == BATCH:
                    pass
            except Exception:  # the outermost frame of this loop: a database away for a while must not end it
                self._log.exception("the outbox cannot be read or marked; trying again")
                await asyncio.sleep(LOOK_AGAIN)
            try:
                await asyncio.wait_for(self._woken.wait(), LOOK_AGAIN)
            except TimeoutError:
                continue

    async def drain(self) -> int:
        """One round over what waits; how many events it saw. After a failure the account's later events wait."""
        envelopes = await self._outbox.waiting(self._clock.now(), BATCH)
        blocked: set[str] = set()
        done: list[int] = []
        try:
            for envelope in envelopes:
                if envelope.account in blocked:
                    continue
                if await self._attempt(envelope):
                    done.append(envelope.position)
                else:
                    blocked.add(envelope.account)
        finally:
            if done:
                await asyncio.shield(self._outbox.delivered(done))
        return len(envelopes)

    async def _attempt(self, envelope: Envelope) -> bool:
        """True when delivered."""
        try:
            await self._deliver(self._codec.decode(envelope.kind, envelope.document))
        except Exception as failed:  # whatever a receiver raises, the event must outlive it
            attempts = envelope.attempts + 1
            details = {"event_type": envelope.kind, "account": envelope.account, "attempts": attempts}
            if attempts >= self._attempts:
                self._log.error("event parked", **details, exc_info=failed)
                await self._outbox.parked(envelope.position, attempts, f"{type(failed).__name__}: {failed}")
                return False
            wait = min(LONGEST_WAIT, 0.5 * 2**envelope.attempts)
            self._log.warning("event not delivered, trying again", **details, seconds=wait, exc_info=failed)
            await self._outbox.failed(envelope.position, attempts, self._clock.now() + timedelta(seconds=wait))
            return False
        return True

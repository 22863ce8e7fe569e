"""The bus: in-process publish and subscribe, by event type. One slow or failing receiver never stops another."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

Receiver = Callable[[Any], Awaitable[None]]


class Bus:
    """Delivers each event to the receivers of its exact type, in order per receiver.

    `publish` waits until all receivers have taken the event, so that a feed is never ahead of those who trade on it;
    a receiver's failure is logged and kept from the others.
    """

    def __init__(self) -> None:
        self._receivers: dict[type, list[Receiver]] = defaultdict(list)
        self._log = structlog.get_logger("bus")

    def subscribe(self, kind: type, receiver: Receiver) -> Callable[[], None]:
        """Registers the receiver; the returned call takes it off again."""
        self._receivers[kind].append(receiver)

        def unsubscribe() -> None:
            if receiver in self._receivers[kind]:
                self._receivers[kind].remove(receiver)

        return unsubscribe

    async def publish(self, event: object) -> None:
        """Hands the event to every receiver of its type and waits for all of them."""
        receivers = tuple(self._receivers[type(event)])
        if not receivers:
            return
        results = await asyncio.gather(*(receiver(event) for receiver in receivers), return_exceptions=True)
        for receiver, result in zip(receivers, results, strict=True):
            if isinstance(result, asyncio.CancelledError):
                raise result
            if isinstance(result, BaseException):
                name = getattr(receiver, "__qualname__", repr(receiver))
                self._log.error("receiver failed", event_type=type(event).__name__, receiver=name, exc_info=result)

    async def deliver(self, event: object) -> None:
        """Like `publish`, but tells failures: all receivers are asked, then the first one's error is raised."""
        receivers = tuple(self._receivers[type(event)])
        results = await asyncio.gather(*(receiver(event) for receiver in receivers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

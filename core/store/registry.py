"""Which events the outbox carries, and whom each concerns."""

from typing import get_args

from core.events import AlertFired, DurableEvent
from core.outbox import Codec

CODEC = Codec(get_args(DurableEvent))


def concerns(event: DurableEvent) -> str:
    """The account (or user, whose account has the same id) whose events leave in order with this one."""
    return event.user if isinstance(event, AlertFired) else event.account

"""Notices: what happens reaches the open web chats at once, and a closed one when it is opened again."""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.events import AccountNotice, AlertFired, DurableEvent, FillRecorded, StrategyChanged
from core.reply import Reply, Text
from core.store.registry import concerns
from dashboards.gateway.chat import Rooms, Session

if TYPE_CHECKING:
    from core.commands.context import Services

KINDS = (AlertFired, FillRecorded, StrategyChanged, AccountNotice)
MISSED = 20  # notices kept per person while no chat is open
REMEMBERED = 1_000  # events known to have been told: the outbox delivers at least once


class Notices:
    """Listens to the events and tells them in the words of the notifier, as every other surface does."""

    def __init__(self, services: "Services", rooms: Rooms) -> None:
        self._bus = services.bus
        self._notifier = services.notifier
        self._rooms = rooms
        self._told: deque[str] = deque(maxlen=REMEMBERED)
        self._missed: dict[str, deque[Reply]] = defaultdict(lambda: deque(maxlen=MISSED))
        self._unsubscribe: list[Callable[[], Any]] = []

    async def start(self) -> None:
        self._unsubscribe = [self._bus.subscribe(kind, self.on_event) for kind in KINDS]

    async def stop(self) -> None:
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = []

    async def on_event(self, event: DurableEvent) -> None:
        """Tells the person whom the event concerns, once."""
        if event.id in self._told:
            return
        self._told.append(event.id)
        blocks: Reply | None = await self._notifier.compose(event)
        if blocks is None:
            return
        user = concerns(event)
        if not await self._rooms.notice(user, blocks):
            self._missed[user].append(blocks)

    async def catch_up(self, session: Session) -> None:
        """Tells a person who opens a chat what happened while none was open."""
        missed = self._missed.pop(session.user.id, ())
        if missed:
            await session.notice(
                [Text("While no chat was open here:"), *(block for blocks in missed for block in blocks)]
            )

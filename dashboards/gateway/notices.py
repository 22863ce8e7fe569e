"""Notices: what happens reaches the open web chats at once, and whoever opens one later hears what was missed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.reply import Reply
from dashboards.gateway.chat import Session

if TYPE_CHECKING:
    from core.commands.context import Services


class Notices:
    """Opens each chat of the gateway as a screen of the notifier, which keeps what nobody has seen yet."""

    def __init__(self, services: "Services") -> None:
        self._notifier: Any = services.notifier
        self._open: dict[Session, Callable[[], None]] = {}

    async def enter(self, session: Session) -> None:
        """Tells a person who opens a chat what happened while none was open, and from now on what happens."""

        async def show(blocks: Reply) -> bool:
            return await session.notice(blocks)

        self._open[session] = await self._notifier.open(session.user.id, session.surface, show)

    def leave(self, session: Session) -> None:
        """The chat is closed."""
        if close := self._open.pop(session, None):
            close()

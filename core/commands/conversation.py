"""The conversation: one line in, one reply out, for every surface."""

from core.commands.context import Caller, Report, Services, no_report
from core.reply import Reply, text


class Conversation:
    """Answers lines. One instance serves all surfaces of a process, so that a confirmation is single-use across them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def caller(self, surface: str, external_id: str, chat: str, *, private: bool = True, name: str = "") -> Caller:
        """The caller as the users service knows them; `user` is None for a stranger."""
        user = await self._services.users.by_identity(surface, external_id)
        return Caller(user, surface, external_id, chat, private, name)

    async def answer(self, line: str, caller: Caller, progress: Report | None = None) -> Reply:
        """The reply to a line. Never raises AppError; a caller without a user only learns how to ask for access.

        progress: called with Progress blocks while long work runs; the reply itself comes last
        """
        _ = progress or no_report
        return text(f"I did not understand '{line}'. Write help to see what I can do.")

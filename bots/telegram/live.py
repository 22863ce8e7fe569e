"""What a chat sees while an answer is being made: typing, then one message that shows how far it is."""

import asyncio
import contextlib

from telegram.constants import ChatAction

from bots.telegram.render import progress
from bots.telegram.wire import Wire
from core.jobs import end_task
from core.reply import Progress

SOON = 0.6  # seconds after which "typing" is shown
PACE = 1.5  # seconds between edits


class Live:
    """Shows typing and progress in a chat; slow or failing sends never hold up the work itself."""

    def __init__(self, wire: Wire, chat: int) -> None:
        self._wire, self._chat = wire, chat
        self._news = asyncio.Event()
        self._latest: Progress | None = None
        self._message: int | None = None
        self._task = asyncio.create_task(self._show(), name=f"telegram progress {chat}")

    async def report(self, block: Progress) -> None:
        """Takes note of where the work stands."""
        self._latest = block
        self._news.set()

    async def end(self) -> None:
        """Takes the progress message away: the answer follows it."""
        await end_task(self._task)
        if self._message is not None:
            message, self._message = self._message, None
            await self._wire.quietly(self._wire.bot.delete_message(self._chat, message))

    async def _show(self) -> None:
        bot = self._wire.bot
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), SOON)
        if not self._news.is_set():
            await self._wire.quietly(bot.send_chat_action(self._chat, ChatAction.TYPING))
        shown = ""
        while True:
            await self._news.wait()
            self._news.clear()
            assert self._latest is not None
            text = progress(self._latest)
            if text == shown:
                continue
            if self._message is None:
                # Shielded: were the send cut short, its message could not be taken away again.
                sending = asyncio.ensure_future(self._first(text))
                try:
                    await asyncio.shield(sending)
                except asyncio.CancelledError:
                    await sending
                    raise
            else:
                await self._wire.quietly(bot.edit_message_text(text, self._chat, self._message))
            shown = text
            await asyncio.sleep(PACE)

    async def _first(self, text: str) -> None:
        async def send() -> int:
            return (await self._wire.bot.send_message(self._chat, text, disable_notification=True)).message_id

        self._message = (await self._wire.attempt(send)).message_id

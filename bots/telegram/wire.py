"""Sending: what Telegram accepted, refused, or left us in doubt about."""

import asyncio
import warnings
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import httpx
import structlog
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.warnings import PTBDeprecationWarning

from bots.charts import png
from bots.telegram.render import Message
from bots.telegram.text import markup, visible

# The library announces that its seconds of flood control become a timedelta; pause_of reads both.
warnings.filterwarnings("ignore", message=".*retry_after.*", category=PTBDeprecationWarning)

Fate = Literal["sent", "refused", "gone", "later", "unknown"]
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
REMEMBERED = 5000  # button lines, and messages of which we know who was asked
PATIENT = 90.0  # seconds for which an interactive answer waits out flood control


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a send. unknown: it may have arrived; later: it certainly did not, and may be tried again."""

    fate: Fate
    reason: str = ""
    retry_after: float | None = None
    message_id: int | None = None


class Buttons:
    """callback_data for lines, within its 64 bytes: short lines travel themselves, long ones stay here under an id."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, str] = OrderedDict()
        self._count = 0

    def data(self, line: str) -> str:
        """ "callback_data: Data to be sent in a callback query to the bot when the button is pressed, 1-64 bytes" """
        if 1 <= len(line.encode()) <= 64 and not line.startswith("#"):
            return line
        self._count += 1
        name = f"#{self._count}"
        self._lines[name] = line
        while len(self._lines) > REMEMBERED:
            self._lines.popitem(last=False)
        return name

    def line(self, data: str) -> str | None:
        """The line of a pressed button; None when it is too old to be known."""
        return self._lines.get(data) if data.startswith("#") else data


class Wire:
    """The bot's side of the connection. Errors become outcomes; the token is in none of them."""

    def __init__(self, bot: Bot, token: str) -> None:
        self.bot = bot
        self.buttons = Buttons()
        self._token = token
        self._asked: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._log = structlog.get_logger("chat.telegram")

    def clean(self, error: object) -> str:
        """An error in one line, without the token."""
        text = " ".join(str(error).split()) or type(error).__name__
        return text.replace(self._token, "***")[:300]

    def asked(self, chat: int, message: int) -> int | None:
        """Whom the buttons of that message were meant for."""
        return self._asked.get((chat, message))

    async def send(self, chat: int, message: Message, asked: int | None = None) -> Outcome:
        """One attempt. asked: the only user whose presses on its buttons count."""
        picture: bytes | None = None
        if message.chart is not None:
            picture = await asyncio.to_thread(png, message.chart)
        keyboard = self._keyboard(message)

        async def formatted() -> int:
            if picture is not None:
                sent = await self.bot.send_photo(
                    chat, picture, caption=markup(message.spans), parse_mode=ParseMode.HTML, reply_markup=keyboard,
                    filename="chart.png",
                )  # fmt: skip
            elif message.file is not None:
                sent = await self.bot.send_document(
                    chat, message.file.content, caption=markup(message.spans), parse_mode=ParseMode.HTML,
                    reply_markup=keyboard, filename=message.file.name,
                )  # fmt: skip
            else:
                sent = await self.bot.send_message(
                    chat, markup(message.spans), parse_mode=ParseMode.HTML, reply_markup=keyboard,
                    link_preview_options=NO_PREVIEW,
                )  # fmt: skip
            return sent.message_id

        async def unformatted() -> int:
            sent = await self.bot.send_message(
                chat, visible(message.spans), reply_markup=keyboard, link_preview_options=NO_PREVIEW
            )
            return sent.message_id

        outcome = await self.attempt(formatted)
        if outcome.fate == "refused":  # better plain than not at all
            self._log.warning("message refused, sent without formatting", reason=outcome.reason)
            outcome = await self.attempt(unformatted)
        if outcome.message_id is not None and asked is not None and keyboard is not None:
            self._asked[chat, outcome.message_id] = asked
            while len(self._asked) > REMEMBERED:
                self._asked.popitem(last=False)
        return outcome

    async def answer(self, chat: int, message: Message, asked: int | None = None) -> Outcome:
        """Sends an interactive answer; waits out flood control and repeats only what certainly did not arrive."""
        waited, wait = 0.0, 0.5
        while True:
            outcome = await self.send(chat, message, asked)
            if outcome.fate != "later" or waited >= PATIENT:
                break
            pause = outcome.retry_after if outcome.retry_after is not None else wait
            await asyncio.sleep(pause)
            waited, wait = waited + pause, min(wait * 2, 10.0)
        if outcome.fate != "sent":
            self._log.warning("an answer may not have arrived", fate=outcome.fate, reason=outcome.reason)
        return outcome

    async def attempt(self, call: Callable[[], Awaitable[int | None]]) -> Outcome:
        """One call, its error read. The order matters: BadRequest and TimedOut are kinds of NetworkError."""
        try:
            return Outcome("sent", message_id=await call())
        except RetryAfter as error:
            return Outcome("later", "flood control", pause_of(error))
        except (Forbidden, ChatMigrated) as error:
            return Outcome("gone", self.clean(error))
        except BadRequest as error:
            reason = self.clean(error)
            # The first letter's case is not certain, the words are.
            return Outcome("gone" if "chat not found" in reason.lower() else "refused", reason)
        except InvalidToken:
            return Outcome("later", "the bot's token was refused")
        except NetworkError as error:
            # Not connected, so not sent; anything later leaves it open whether Telegram took the message.
            never = isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            return Outcome("later" if never else "unknown", self.clean(error))
        except TelegramError as error:
            return Outcome("unknown", self.clean(error))

    async def quietly(self, call: Awaitable[object]) -> bool:
        """A call whose failure nobody needs to know (typing…, removing a keyboard); whether it worked."""
        try:
            await call
        except TelegramError as error:
            self._log.debug("call failed", reason=self.clean(error))
            return False
        return True

    def _keyboard(self, message: Message) -> InlineKeyboardMarkup | None:
        if not message.rows:
            return None
        return InlineKeyboardMarkup([
            [InlineKeyboardButton(button.label, callback_data=self.buttons.data(button.line)) for button in row]
            for row in message.rows
        ])  # fmt: skip


def pause_of(error: RetryAfter) -> float:
    """Seconds that Telegram asks us to wait."""
    pause = error.retry_after
    return pause.total_seconds() if isinstance(pause, timedelta) else float(pause)

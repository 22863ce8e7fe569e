"""The Telegram surface: python-telegram-bot's long polling in front of the conversation."""

import asyncio
import contextlib
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable
from datetime import timedelta

import structlog
from telegram import Bot, BotCommand, CallbackQuery, Update
from telegram import Message as Incoming
from telegram.constants import ChatType
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import ExtBot, Updater
from telegram.request import HTTPXRequest, RequestData

from bots.telegram.lanes import Lanes, StepAside
from bots.telegram.live import Live
from bots.telegram.render import Message, render
from bots.telegram.text import Span
from bots.telegram.wire import Outcome, Wire, pause_of
from core.accounts import Role
from core.commands.context import Caller, Services
from core.commands.conversation import Conversation
from core.commands.utterance import understand
from core.errors import AppError, ConfigError
from core.reply import Progress, Reply
from core.store.deliveries import Delivery

NAME = "telegram"
STALE = timedelta(seconds=60)
KNOWN_UPDATES = 2000
FIRST_ANSWER = 3.0  # seconds that the product's start waits for Telegram
POLL = timedelta(seconds=10)
KINDS = ["message", "callback_query", "inline_query"]
URGENT = frozenset({"cancel", "stop", "panic", "no"})
UNREACHABLE = "not reachable yet; it is tried again by itself"
NOT_TEXT = "I can read text only for now. Please type it, for example: price btc"


def surface(services: Services, conversation: Conversation) -> "TelegramSurface":
    """The surface for these settings. Raises ConfigError."""
    settings = services.settings.telegram
    if settings.token is None:
        raise ConfigError("Telegram needs a token.", hint="Set ORCHESTRATOR_TELEGRAM__TOKEN.")
    if settings.mode != "polling":
        raise ConfigError(
            f"The Telegram mode '{settings.mode}' is not available in this version.",
            hint="Set ORCHESTRATOR_TELEGRAM__MODE=polling.",
        )
    return TelegramSurface(services, conversation, settings.token.get_secret_value(), settings.api_url)


class Line:
    """Whether the connection stands: one log line when it goes, one when it is back."""

    def __init__(self) -> None:
        self.down = False
        self._log = structlog.get_logger("chat.telegram")

    def lost(self, reason: str) -> None:
        if not self.down:
            self.down = True
            self._log.warning("Telegram cannot be reached; trying again until it answers", reason=reason)

    def works(self) -> None:
        if self.down:
            self.down = False
            self._log.info("Telegram is back")


class Polling(HTTPXRequest):
    """The requests that fetch updates, watched."""

    def __init__(self, line: Line) -> None:
        super().__init__(connection_pool_size=1, connect_timeout=5, read_timeout=5, http_version="1.1")
        self._line = line

    async def do_request(  # the signature is the library's
        self, url: str, method: str, request_data: RequestData | None = None, *args: object, **kwargs: object
    ) -> tuple[int, bytes]:
        status, body = await super().do_request(url, method, request_data, *args, **kwargs)  # type: ignore[arg-type]
        if status < 400:
            self._line.works()
        return status, body


def quieten_libraries() -> None:
    """Their lines carry addresses, and those the token; outages are told by Line, once."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("telegram").setLevel(logging.CRITICAL)


class TelegramSurface:
    """Receives updates, asks the conversation, sends its replies; and delivers notifications at its own pace."""

    def __init__(self, services: Services, conversation: Conversation, token: str, api_url: str) -> None:
        self._services, self._conversation = services, conversation
        self._line = Line()
        quieten_libraries()  # before the bot is made: making it writes a line with the token
        sending = HTTPXRequest(
            connection_pool_size=16, connect_timeout=5, read_timeout=15, write_timeout=15, pool_timeout=10,
            media_write_timeout=30, http_version="1.1",
        )  # fmt: skip
        self._bot: Bot = ExtBot(
            token, base_url=f"{api_url}/bot", base_file_url=f"{api_url}/file/bot", request=sending,
            get_updates_request=Polling(self._line),
        )  # fmt: skip
        self._wire = Wire(self._bot, token)
        self._updates: asyncio.Queue[object] = asyncio.Queue()
        self._updater = Updater(self._bot, self._updates)
        self._lanes = Lanes()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = False
        self._refused = ""
        self._log = structlog.get_logger("chat.telegram")

    @property
    def waiting(self) -> str | None:
        """Why nobody can be reached at the moment; None when all is well."""
        if self._refused:
            return self._refused
        return None if self._connected and not self._line.down else UNREACHABLE

    # -- start and stop ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connects in the background; Telegram being down holds nothing up. Raises ConfigError for a refused token."""
        connecting = asyncio.create_task(self._connect(), name="telegram connect")
        await asyncio.wait({connecting}, timeout=FIRST_ANSWER)
        if connecting.done() and (failed := connecting.exception()) is not None:
            await self._close()
            raise failed
        if not connecting.done():
            connecting.add_done_callback(self._told)
        self._tasks = [
            connecting,
            asyncio.create_task(self._receive(), name="telegram updates"),
            asyncio.create_task(self._deliver(), name="telegram notifications"),
        ]

    async def stop(self) -> None:
        """Takes no more updates, lets answers under way end, and confirms to Telegram what was received."""
        if self._updater.running:
            with contextlib.suppress(TelegramError):
                await self._updater.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lanes.stop()
        await self._close()

    async def _close(self) -> None:
        with contextlib.suppress(TelegramError, RuntimeError):
            await self._updater.shutdown()
        with contextlib.suppress(TelegramError, RuntimeError):
            await self._bot.shutdown()

    async def _connect(self) -> None:
        """Reaches Telegram however long it takes, publishes the commands and begins to poll. Raises ConfigError."""
        wait = 1.0
        while True:
            try:
                await self._bot.initialize()
                break
            except InvalidToken:
                raise ConfigError(
                    "Telegram does not accept the bot's token.",
                    hint="Copy it again from @BotFather into ORCHESTRATOR_TELEGRAM__TOKEN.",
                ) from None
            except TelegramError as error:
                self._line.lost(self._wire.clean(error))
                await asyncio.sleep(pause_of(error) if isinstance(error, RetryAfter) else wait)
                wait = min(wait * 2, 30.0)
        self._line.works()
        self._connected = True
        await self._wire.quietly(self._bot.set_my_commands(self._menu()))
        await self._updater.initialize()
        await self._updater.start_polling(
            poll_interval=0, timeout=POLL, bootstrap_retries=-1, allowed_updates=KINDS, error_callback=self._on_error
        )
        self._log.info("Telegram is connected", bot=f"@{self._bot.username}")

    def _told(self, connecting: "asyncio.Task[None]") -> None:
        if not connecting.cancelled() and isinstance(failed := connecting.exception(), AppError):
            self._refused = f"not up: {failed.sentence()}"
            self._log.error("surface is not up", surface=NAME, reason=failed.sentence())

    def _on_error(self, error: TelegramError) -> None:
        if isinstance(error, Conflict):
            self._line.lost("another process receives this bot's updates")
        else:
            self._line.lost(self._wire.clean(error))

    def _menu(self) -> list[BotCommand]:
        """The registry as Telegram's menu: names of 1-32 characters a-z, 0-9 and _."""
        named = ((each.name.replace("-", "_").lower(), each.summary) for each in self._conversation.registry.commands)
        fit = [(name, summary) for name, summary in named if re.fullmatch(r"[a-z0-9_]{1,32}", name) and summary]
        return [BotCommand(name, summary[:256]) for name, summary in fit[:100]]

    # -- updates -------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        while True:
            update = await self._updates.get()
            try:
                if isinstance(update, Update) and self._is_new(update.update_id):
                    self._dispatch(update)
            except Exception:  # the outermost frame: one odd update must not end the reading of all others
                self._log.exception("update could not be read")
            finally:
                self._updates.task_done()

    def _is_new(self, update_id: int) -> bool:
        if update_id in self._seen:
            return False
        self._seen[update_id] = None
        while len(self._seen) > KNOWN_UPDATES:
            self._seen.popitem(last=False)
        return True

    def _dispatch(self, update: Update) -> None:
        """Puts the update into its chat's lane."""
        if (query := update.callback_query) is not None:
            chat = query.message.chat.id if query.message is not None else query.from_user.id
            line = self._wire.buttons.line(query.data or "") or ""
            self._lanes.add(
                chat, lambda aside: self._guarded(chat, self._pressed(query, aside)), urgent=is_urgent(line)
            )
        elif (message := update.message) is not None and message.from_user is not None:
            chat = message.chat.id
            if not self._is_for_us(message):
                return
            if self._lanes.full(chat):
                self._lanes.add(("full", chat), lambda aside: self._refuse_full(chat))
                return
            line = self._line_of(message)
            self._lanes.add(
                chat, lambda aside: self._guarded(chat, self._said(message, line, aside)), urgent=is_urgent(line)
            )
        elif (inline := update.inline_query) is not None:
            self._lanes.add(("inline", inline.from_user.id), lambda aside: self._ignore(inline.id))

    async def _ignore(self, query: str) -> None:
        await self._wire.quietly(self._bot.answer_inline_query(query, [], cache_time=300, is_personal=True))

    async def _refuse_full(self, chat: int) -> None:
        await self._wire.answer(
            chat, plain("I am still busy with your earlier messages. Please send the last one again later.")
        )

    async def _guarded(self, chat: int, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # the outermost frame of the surface
            self._log.error("update failed", error=type(error).__name__, reason=self._wire.clean(error), exc_info=True)
            await self._wire.answer(chat, plain("⛔ Something went wrong on my side. It has been written to the log."))

    # -- messages ------------------------------------------------------------------------------------------------

    def _is_for_us(self, message: Incoming) -> bool:
        """In a group: commands, mentions, and replies to us. No service messages, and nothing said by bots."""
        assert message.from_user is not None
        if message.from_user.is_bot:
            return False
        if message.text is None and message.effective_attachment is None:
            return False
        if message.chat.type == ChatType.PRIVATE:
            return True
        text = message.text or message.caption or ""
        me = (self._bot.username or "").lower()
        if match := re.match(r"/\w+@(\w+)", text):
            return match[1].lower() == me
        replied = message.reply_to_message
        to_us = replied is not None and replied.from_user is not None and replied.from_user.id == self._bot.id
        return text.startswith("/") or f"@{me}" in text.lower() or to_us

    def _line_of(self, message: Incoming) -> str:
        """The text without our own name in it."""
        text = message.text or ""
        return re.sub(rf"@{re.escape(self._bot.username or '')}\b", "", text, flags=re.IGNORECASE).strip()

    async def _said(self, message: Incoming, line: str, aside: StepAside) -> None:
        sender = message.from_user
        assert sender is not None
        chat, private = message.chat.id, message.chat.type == ChatType.PRIVATE
        caller = await self._conversation.caller(
            NAME, str(sender.id), str(chat), private=private, name=sender.full_name
        )
        if allowed(caller):
            if message.text is None:
                await self._wire.answer(chat, plain(NOT_TEXT))
                return
            now = self._services.clock.now()
            if now - message.date > STALE and not self._only_looks(line):
                await self._wire.answer(chat, plain(
                    f"⚠️ This message is from {message.date:%Y-%m-%d %H:%M:%S} UTC and reached me late, so nothing was "
                    f"done: “{line[:300]}”. Please send it again if you still want it."
                ))  # fmt: skip
                return
        await self._converse(line, caller, chat, sender.id, aside)

    def _only_looks(self, line: str) -> bool:
        """Whether a line is surely a question. A late yes, a bare value or an unclear sentence may not be one."""
        read = understand(line, self._conversation.registry)
        command = self._conversation.registry.find(read.command) if read.command else None
        return command is not None and not command.confirm and not command.role.covers(Role.TRADER)

    async def _converse(self, line: str, caller: Caller, chat: int, sender: int, aside: StepAside) -> None:
        live = Live(self._wire, chat)

        async def report(block: Progress) -> None:  # what shows its progress lets the next lines of the chat pass
            aside()
            await live.report(block)

        try:
            reply = await self._conversation.answer(line, caller, report)
        finally:
            await live.end()
        await self._reply(reply, chat, sender)

    async def _reply(self, reply: Reply, chat: int, asked: int) -> None:
        for message in render(reply):
            await self._wire.answer(chat, message, asked)

    # -- buttons -------------------------------------------------------------------------------------------------

    async def _pressed(self, query: CallbackQuery, aside: StepAside) -> None:
        """A press counts as typing its line: by the presser's own right, and only by the one who was asked."""
        sender, message = query.from_user, query.message
        chat = message.chat if message is not None else None
        private = chat is not None and chat.type == ChatType.PRIVATE
        caller = await self._conversation.caller(
            NAME, str(sender.id), str(chat.id if chat else ""), private=private, name=sender.full_name
        )
        if not allowed(caller):
            await self._conversation.answer("", caller)  # notes the stranger; what it says goes on the button
            await self._note(query, stranger_text(sender.id))
            return
        line = self._wire.buttons.line(query.data or "")
        if message is None or chat is None or not line:
            await self._note(query, "This button is from before my last start. Please ask again.")
            return
        asked = self._wire.asked(chat.id, message.message_id)
        if asked is None and not private:
            await self._note(query, "I no longer know whom this question was for. Please ask again.")
            return
        if asked is not None and asked != sender.id:
            await self._note(query, "This question was put to somebody else.")
            return
        # A press that Telegram no longer lets us answer is old: it waited while we were away.
        fresh = await self._wire.quietly(query.answer())
        if not fresh and not self._line.down and not self._only_looks(line):
            await self._wire.answer(
                chat.id, plain("⚠️ That press reached me late, so nothing was done. Please ask again.")
            )
            return
        if line.startswith(("yes ", "no ")):
            await self._wire.quietly(self._bot.edit_message_reply_markup(chat.id, message.message_id))
        await self._converse(line, caller, chat.id, sender.id, aside)

    async def _note(self, query: CallbackQuery, text: str) -> None:
        """A notice on the presser's screen, which nobody else sees ("Text of the notification, 0-200 characters")."""
        await self._wire.quietly(query.answer(text[:200], show_alert=True))

    # -- notifications -------------------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """Sends what is waiting, forever. Different people do not wait for each other."""
        notifier = self._services.notifier
        while True:
            try:
                while claimed := await notifier.claim(NAME):
                    await asyncio.gather(*(self._notify(delivery) for delivery in claimed))
                await notifier.wait(NAME)
            except Exception as error:  # the outermost frame: a broken delivery must not end all others
                self._log.error("deliveries failed", reason=self._wire.clean(error), exc_info=True)
                await asyncio.sleep(5)

    async def _notify(self, delivery: Delivery) -> None:
        """At least once: what may not have arrived is sent again, and then says so."""
        notifier, partly = self._services.notifier, False
        for message in render(delivery.reply):
            outcome: Outcome = await self._wire.send(int(delivery.external_id), message)
            if outcome.fate == "sent":
                partly = True
                continue
            await notifier.failed(
                delivery.id, outcome.reason, unknown=partly or outcome.fate == "unknown",
                retry_after=outcome.retry_after, permanent=outcome.fate in ("gone", "refused"),
            )  # fmt: skip
            return
        await notifier.sent(delivery.id)


def allowed(caller: Caller) -> bool:
    """Whether somebody let this person in."""
    return caller.user is not None and caller.user.active


def is_urgent(line: str) -> bool:
    """Whether the line takes something back and should not wait for slow work before it."""
    words = line.lower().lstrip("/").split()
    return bool(words) and words[0] in URGENT


def plain(text: str) -> Message:
    """A message of one paragraph."""
    return Message((Span(text),))


def stranger_text(user_id: int) -> str:
    """What somebody unknown reads on a button."""
    return (
        f"You are not allowed to use this assistant. Your telegram id is {user_id}. "
        f"Ask its owner to write: allow telegram {user_id}"
    )


__all__ = ["TelegramSurface", "surface"]

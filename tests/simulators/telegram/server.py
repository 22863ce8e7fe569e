"""Server: the Bot API on loopback."""

import asyncio
import itertools
import re
import time
from collections import defaultdict, deque
from typing import Any, Literal, Self

from aiohttp import web

from tests.simulators.telegram.markup import units
from tests.simulators.telegram.message import Sent
from tests.simulators.telegram.parameters import keyboard_of, parsed, text_of
from tests.simulators.telegram.person import Person
from tests.simulators.telegram.refusal import Refused, not_modified

TOKEN = "123456789:AAHfiqksKZ8WmR2zSjiQ7_simulated_token0"

Trouble = Literal["flood", "bad gateway", "drop after accepting", "drop", "hang"]


class TelegramServer:
    """The service: `async with TelegramServer() as telegram`, then `telegram.url` and `telegram.person(1, "Ann")`."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.commands: list[dict[str, str]] = []
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, dict[str, Any]] = {}  # callback query id: what the presser saw
        self.messages: list[Sent] = []
        self.blocked: set[int] = set()
        self.history: list[dict[str, Any]] = []  # every update there was
        self.old_queries = False
        self._people: dict[int, Person] = {}
        self._chats: dict[int, dict[str, Any]] = {}
        self._updates: list[dict[str, Any]] = []
        self._repeats: list[dict[str, Any]] = []
        self._queries: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._update_numbers = itertools.count(840_000_001)
        self._changed = asyncio.Condition()
        self._troubles: dict[str, deque[tuple[Trouble, float]]] = defaultdict(deque)
        self._down = False
        self._port = 0
        self._polling = 0
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=50 * 2**20)
        # "All queries to the Telegram Bot API must be served over HTTPS and need to be presented in this form:
        # https://api.telegram.org/bot<token>/METHOD_NAME" – here over http, on loopback.
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._down = True
        await self._wake()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def down(self) -> None:
        """Takes the service off the network."""
        self._down = True
        await self._wake()
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def up(self) -> None:
        """Puts it back at the same address."""
        assert self._runner is not None
        self._down = False
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    def misbehave(self, method: str, trouble: Trouble, times: int = 1, seconds: float = 1) -> None:
        """The next calls of a method go wrong. seconds: of flood control, or of hanging."""
        self._troubles[method].extend([(trouble, seconds)] * times)

    # -- people and chats ----------------------------------------------------------------------------------------

    def person(self, user_id: int, name: str = "Ann") -> Person:
        """Somebody with a private chat with the bot; the same person again for the same id."""
        if user_id in self._people:
            return self._people[user_id]
        person = Person(self, user_id, name)
        self._people[user_id] = person
        self._chats[user_id] = {"id": user_id, "type": "private", "first_name": name}
        return person

    def group(self, chat_id: int, title: str = "Friends") -> int:
        """A group that the bot is in; its id is negative."""
        self._chats[chat_id] = {"id": chat_id, "type": "group", "title": title}
        return chat_id

    def in_chat(self, chat: int) -> list[Sent]:
        """What the bot said there and did not take back."""
        return [each for each in self.messages if each.chat == chat and each.by_bot and not each.deleted]

    async def until(self, condition: Any, seconds: float = 10) -> Any:
        """Waits until condition() is true and returns it."""
        async with asyncio.timeout(seconds), self._changed:
            while not (found := condition()):
                await self._changed.wait()
            return found

    async def update(self, **kind: Any) -> int:
        """Something happened: bots will be told. Returns its update_id."""
        number = next(self._update_numbers)
        self.history.append({"update_id": number, **kind})
        self._updates.append(self.history[-1])
        await self._wake()
        return number

    async def repeat(self, update_id: int) -> None:
        """Serves an update a second time."""
        told = next(each for each in self.history if each["update_id"] == update_id)
        self._repeats.append(told)
        await self._wake()

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # -- the wire ------------------------------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if self._down:
            return self._drop(request)
        method = request.match_info["method"]
        try:
            if request.match_info["token"] != self.token:
                raise Refused(401, "Unauthorized")
            values = await self._values(request)
            if method != "getUpdates":
                self.calls.append((method, values))
            trouble, seconds = self._troubles[method].popleft() if self._troubles[method] else ("", 0.0)
            match trouble:
                case "flood":
                    # "retry_after: In case of exceeding flood control, the number of seconds left to wait before the
                    # request can be repeated"
                    raise Refused(429, f"Too Many Requests: retry after {seconds:.0f}", retry_after=int(seconds))
                case "bad gateway":
                    return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>")
                case "hang":
                    await asyncio.sleep(seconds)
                    return self._drop(request)
                case "drop":
                    return self._drop(request)
            handle = getattr(self, f"on_{method}", None)
            if handle is None:
                raise Refused(404, "Not Found: method not found")
            result = await handle(values)
            await self._wake()
            if trouble == "drop after accepting" or self._down:
                return self._drop(request)
        except Refused as refused:
            # "In case of an unsuccessful request, 'ok' equals false and the error is explained in the 'description'.
            # An Integer 'error_code' field is also returned"
            answer = {"ok": False, "error_code": refused.code, "description": refused.description}
            if refused.parameters:
                answer["parameters"] = refused.parameters
            return web.json_response(answer, status=refused.code)
        # "If 'ok' equals True, the request was successful and the result of the query can be found in the 'result'
        # field."
        return web.json_response({"ok": True, "result": result})

    def _drop(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _values(self, request: web.Request) -> dict[str, Any]:
        """ "We support GET and POST HTTP methods. We support four ways of passing parameters: URL query string,
        application/x-www-form-urlencoded, application/json (except for uploading files), multipart/form-data" """
        if request.content_type == "application/json":
            return dict(await request.json())
        found: dict[str, Any] = dict(request.query)
        for name, value in (await request.post()).items():
            found[name] = value.file.read() if isinstance(value, web.FileField) else value
        return found

    async def _file(self, request: web.Request) -> web.Response:
        """ "The file can then be downloaded via the link https://api.telegram.org/file/bot<token>/<file_path>" """
        data = self.files.get(request.match_info["path"])
        if data is None or request.match_info["token"] != self.token:
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        return web.Response(body=data)

    # -- methods -------------------------------------------------------------------------------------------------

    @property
    def me(self) -> dict[str, Any]:
        return {
            "id": int(self.token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Trader",
            "username": "trader_bot",
        }

    async def on_getMe(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "Returns basic information about the bot in form of a User object." """
        flags = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries")
        return {**self.me, **dict.fromkeys(flags, False)}

    async def on_getUpdates(self, values: dict[str, Any]) -> list[dict[str, Any]]:
        """ "offset: Identifier of the first update to be returned. Must be greater by one than the highest among the
        identifiers of previously received updates. By default, updates starting with the earliest unconfirmed update
        are returned. An update is considered confirmed as soon as getUpdates is called with an offset higher than its
        update_id." "limit: Values between 1-100 are accepted. Defaults to 100." "timeout: Timeout in seconds for long
        polling. Defaults to 0" """
        offset, limit = int(values.get("offset", 0)), int(values.get("limit", 100))
        wanted = set(parsed(values.get("allowed_updates"), []))
        self._updates = [each for each in self._updates if each["update_id"] >= offset]
        self._polling += 1
        mine, end = self._polling, time.monotonic() + float(values.get("timeout", 0))

        def ready() -> list[dict[str, Any]]:
            fresh = [each for each in self._updates if not wanted or wanted & set(each)]
            return [*self._repeats, *fresh][:limit]

        async with self._changed:
            self._changed.notify_all()
            while not ready() and (left := end - time.monotonic()) > 0 and not self._down:
                try:
                    await asyncio.wait_for(self._changed.wait(), left)
                except TimeoutError:
                    break
                if mine != self._polling:
                    raise Refused(
                        409,
                        "Conflict: terminated by other getUpdates request; "
                        "make sure that only one bot instance is running",
                    )
        told = ready()
        self._repeats.clear()
        return told

    async def on_deleteWebhook(self, values: dict[str, Any]) -> bool:
        """ "Use this method to remove webhook integration if you decide to switch back to getUpdates. Returns True on
        success." "drop_pending_updates: Pass True to drop all pending updates" """
        if str(values.get("drop_pending_updates", "")).lower() == "true":
            self._updates.clear()
        return True

    async def on_setMyCommands(self, values: dict[str, Any]) -> bool:
        """ "commands: A JSON-serialized list of bot commands to be set as the list of the bot's commands. At most 100
        commands can be specified." "command: Text of the command; 1-32 characters. Can contain only lowercase English
        letters, digits and underscores." "description: Description of the command; 1-256 characters." """
        commands = parsed(values.get("commands"), [])
        if len(commands) > 100:
            raise Refused(400, "Bad Request: too many commands specified")
        for each in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", each["command"]):
                raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(each["description"]) <= 256:
                raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands = commands
        return True

    async def on_sendMessage(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "text: Text of the message to be sent, 1-4096 characters after entities parsing" """
        chat = self._chat(values)
        text, entities = text_of(values, "text", 4096)
        if not text:
            raise Refused(400, "Bad Request: message text is empty")
        sent = Sent(next(self._numbers), chat, text, entities, keyboard_of(values))
        self.messages.append(sent)
        return self._shown(sent)

    async def on_sendPhoto(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "The photo must be at most 10 MB in size. The photo's width and height must not exceed 10000 in total. Width
        and height ratio must be at most 20." "caption: Photo caption, 0-1024 characters after entities parsing" """
        chat, photo = self._chat(values), values.get("photo")
        if isinstance(photo, str) and photo.startswith("attach://"):
            photo = values.get(photo.removeprefix("attach://"))
        if not isinstance(photo, bytes) or not photo:
            raise Refused(400, "Bad Request: there is no photo in the request")
        if photo[:8] != b"\x89PNG\r\n\x1a\n" and photo[:2] != b"\xff\xd8":
            raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
        width, height = int.from_bytes(photo[16:20], "big"), int.from_bytes(photo[20:24], "big")
        if len(photo) > 10 * 2**20 or width + height > 10_000 or max(width, height) > 20 * min(width, height):
            raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        text, entities = text_of(values, "caption", 1024)
        sent = Sent(next(self._numbers), chat, text, entities, keyboard_of(values), photo)
        self.messages.append(sent)
        return self._shown(sent)

    async def on_sendDocument(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "Bots can currently send files of any type of up to 50 MB in size" """
        chat, document = self._chat(values), values.get("document")
        if isinstance(document, str) and document.startswith("attach://"):
            document = values.get(document.removeprefix("attach://"))
        if not isinstance(document, bytes) or not document:
            raise Refused(400, "Bad Request: there is no document in the request")
        if len(document) > 50 * 2**20:
            raise Refused(413, "Request Entity Too Large")
        text, entities = text_of(values, "caption", 1024)
        sent = Sent(next(self._numbers), chat, text, entities, keyboard_of(values), document=document)
        self.messages.append(sent)
        return self._shown(sent)

    async def on_editMessageText(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "On success, if the edited message is not an inline message, the edited Message is returned" """
        sent = self._message(values, "edit")
        text, entities = text_of(values, "text", 4096)
        keyboard = keyboard_of(values)
        if (text, entities, keyboard) == (sent.text, sent.entities, sent.buttons):
            raise not_modified()
        sent.text, sent.entities, sent.buttons, sent.edits = text, entities, keyboard, sent.edits + 1
        return self._shown(sent)

    async def on_editMessageReplyMarkup(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "Use this method to edit only the reply markup of messages." """
        sent = self._message(values, "edit")
        keyboard = keyboard_of(values)
        if keyboard == sent.buttons:
            raise not_modified()
        sent.buttons, sent.edits = keyboard, sent.edits + 1
        return self._shown(sent)

    async def on_deleteMessage(self, values: dict[str, Any]) -> bool:
        """ "Use this method to delete a message ... Returns True on success." """
        self._message(values, "delete").deleted = True
        return True

    async def on_answerCallbackQuery(self, values: dict[str, Any]) -> bool:
        """ "text: Text of the notification. If not specified, nothing will be shown to the user, 0-200 characters" """
        if values.get("callback_query_id") not in self._queries or self.old_queries:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if units(values.get("text", "")) > 200:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        self.answers[values["callback_query_id"]] = values
        return True

    async def on_answerInlineQuery(self, values: dict[str, Any]) -> bool:
        """ "On success, True is returned. No more than 50 results per query are allowed." """
        self.answers[values["inline_query_id"]] = values
        return True

    async def on_sendChatAction(self, values: dict[str, Any]) -> bool:
        """ "Returns True on success." """
        self._chat(values)
        return True

    async def on_getFile(self, values: dict[str, Any]) -> dict[str, Any]:
        """ "Use this method to get basic information about a file and prepare it for downloading." """
        path = f"documents/{values['file_id']}"
        if path not in self.files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        return {"file_id": values["file_id"], "file_unique_id": "u" + values["file_id"], "file_path": path}

    # -- values --------------------------------------------------------------------------------------------------

    def _chat(self, values: dict[str, Any]) -> int:
        chat = int(values.get("chat_id", 0))
        if chat not in self._chats:
            raise Refused(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return chat

    def _message(self, values: dict[str, Any], verb: str) -> Sent:
        chat, number = self._chat(values), int(values.get("message_id", 0))
        for each in self.messages:
            if (each.chat, each.id, each.deleted) == (chat, number, False):
                return each
        raise Refused(400, f"Bad Request: message to {verb} not found")

    def _shown(self, sent: Sent) -> dict[str, Any]:
        """The Message object."""
        shown: dict[str, Any] = {
            "message_id": sent.id, "from": self.me, "chat": self._chats[sent.chat], "date": int(time.time()),
        }  # fmt: skip
        if sent.photo is not None:
            size = {"file_id": f"p{sent.id}", "file_unique_id": f"u{sent.id}", "width": 900, "height": 600}
            shown |= {"photo": [size], "caption": sent.text, "caption_entities": sent.entities}
        else:
            shown |= {"text": sent.text, "entities": sent.entities}
        if sent.buttons:
            shown["reply_markup"] = {"inline_keyboard": sent.buttons}
        return shown

"""Person: somebody at a phone, who writes to the bot and reads what it says."""

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulators.telegram.message import Sent, label_in

if TYPE_CHECKING:
    from tests.simulators.telegram.server import TelegramServer


@dataclass(slots=True)
class Person:
    """Somebody at a phone."""

    server: "TelegramServer"
    id: int
    name: str
    _read: dict[int, int] = field(default_factory=dict)  # chat: messages already expected

    @property
    def user(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": "en"}

    async def send(self, text: str | None = None, *, chat: int | None = None, age: float = 0, **more: Any) -> int:
        """Writes to the bot (or into a group); returns the update's id. age: seconds ago."""
        server, place = self.server, chat or self.id
        message: dict[str, Any] = {
            "message_id": next(server._numbers), "from": self.user, "chat": server._chats[place],
            "date": int(time.time() - age), **more,
        }  # fmt: skip
        if text is not None:
            message["text"] = text
            if command := re.match(r"/\w+(@\w+)?", text):
                message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(command[0])}]
        return await server.update(message=message)

    async def press(self, label: str, message: Sent | None = None) -> str:
        """Presses the newest button of that label (or one that another person sees); returns the query's id."""
        shown = message or next(
            each for each in reversed(self.server.messages) if each.chat == self.id and label_in(each, label)
        )
        button = label_in(shown, label)
        assert button is not None, f"no button {label!r} among {shown.labels}"
        return await self.press_data(button["callback_data"], shown)

    async def press_data(self, data: str, message: Sent) -> str:
        """A press with any data: clients can be forged."""
        query = str(7_000_000 + next(self.server._numbers))
        self.server._queries[query] = self.id
        await self.server.update(
            callback_query={
                "id": query, "from": self.user, "message": self.server._shown(message),
                "chat_instance": "1", "data": data,
            }
        )  # fmt: skip
        return query

    async def expect(self, words: str, *, chat: int | None = None, seconds: float = 10) -> Sent:
        """The next message of the bot, not expected before, that holds these words."""
        place = chat or self.id

        def found() -> Sent | None:
            for each in self.server.in_chat(place):
                if each.id > self._read.get(place, 0) and words.lower() in each.text.lower():
                    return each
            return None

        try:
            sent: Sent = await self.server.until(found, seconds)
        except TimeoutError:
            said = [each.text for each in self.server.in_chat(place)][-5:]
            raise AssertionError(f"{words!r} did not come; the last messages are {said}") from None
        self._read[place] = sent.id
        return sent

    async def notice(self, query: str, seconds: float = 10) -> str:
        """What a press put on the screen, once it was answered."""
        answer: dict[str, Any] = await self.server.until(lambda: self.server.answers.get(query), seconds)
        return str(answer.get("text", ""))

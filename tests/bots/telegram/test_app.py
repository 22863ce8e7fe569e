"""The surface against a Bot API server: real python-telegram-bot, a conversation that answers what the test says."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bots.telegram.app import TelegramSurface, surface
from bots.telegram.wire import Buttons
from core.accounts import Role, User
from core.clock import SystemClock
from core.commands.context import Caller
from core.commands.registry import registry
from core.errors import ConfigError
from core.reply import Chart, Choice, Choices, Confirm, File, Pane, Progress, Reply, Series, Text, text
from core.settings import Settings
from core.store.deliveries import Delivery
from tests.simulators.telegram import TOKEN, TelegramServer

ANN = User("1", "Ann", Role.OWNER, True)


class Talk:
    """A conversation that knows Ann (10) and Bob (11), and answers from a table."""

    def __init__(self) -> None:
        self.registry = registry()
        self.lines: list[tuple[str, str]] = []
        self.replies: dict[str, Reply | Callable[[Any], Awaitable[Reply]]] = {}

    async def caller(
        self, surface: str, external_id: str, chat: str, *, private: bool = True, name: str = ""
    ) -> Caller:
        user = {"10": ANN, "11": User("2", "Bob", Role.TRADER, True)}.get(external_id)
        return Caller(user, surface, external_id, chat, private, name)

    async def answer(self, line: str, caller: Caller, progress: Any = None) -> Reply:
        if caller.user is None:
            return text(f"You are not allowed to use this assistant. Your telegram id is {caller.external_id}.")
        self.lines.append((caller.external_id, line))
        found = self.replies.get(line, text(f"answer to {line}"))
        return await found(progress) if callable(found) else found


@dataclass
class Post:
    """A notifier whose deliveries the test writes."""

    waiting: list[Delivery] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    failures: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, surface: str) -> None:
        await self.news.wait()
        self.news.clear()

    async def claim(self, surface: str) -> list[Delivery]:
        taken, self.waiting = self.waiting, []
        return taken

    async def sent(self, delivery: int) -> None:
        self.done.append(delivery)

    async def failed(self, delivery: int, error: str, **how: Any) -> None:
        self.failures.put_nowait({"id": delivery, "error": error, **how})

    async def failure(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.failures.get(), 10)

    def put(self, number: int, external_id: int, words: str) -> None:
        self.waiting.append(Delivery(number, "telegram", str(external_id), text(words), datetime.now(UTC)))
        self.news.set()


@asynccontextmanager
async def running(server: TelegramServer, talk: Talk, post: Post, **settings: Any) -> AsyncIterator[TelegramSurface]:
    given = {"token": server.token, "api_url": server.url} | settings
    services: Any = SimpleNamespace(settings=Settings(telegram=given), clock=SystemClock(), notifier=post)
    bot = surface(services, talk)  # type: ignore[arg-type]
    await bot.start()
    try:
        yield bot
    finally:
        await bot.stop()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def post() -> Post:
    return Post()


async def test_a_line_is_answered_once_and_escaped(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    talk.replies["price btc"] = text("BTC < 60,000 & rising <b>")
    async with running(telegram, talk, post):
        update = await ann.send("price btc")
        await ann.expect("BTC < 60,000 & rising <b>")
        await telegram.repeat(update)
        await ann.send("second")
        await ann.expect("answer to second")
    assert [line for _, line in talk.lines] == ["price btc", "second"]
    assert len(telegram.in_chat(10)) == 2


async def test_the_menu_is_made_of_the_registry(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    async with running(telegram, talk, post):
        await telegram.until(lambda: telegram.commands)
    names = {each["command"] for each in telegram.commands}
    assert {"price", "buy", "balance", "help"} <= names


async def test_a_stranger_reads_only_their_id(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    eve, ann = telegram.person(66, "Eve"), telegram.person(10)
    talk.replies["menu"] = [Choices("Well?", (Choice("Balance", "balance"),))]
    async with running(telegram, talk, post):
        await eve.send("balance")
        said = await eve.expect("66")
        await eve.send(voice={"file_id": "v", "file_unique_id": "v", "duration": 1})
        await eve.expect("66")
        await ann.send("menu")
        menu = await ann.expect("Well?")
        notice = await eve.notice(await eve.press("Balance", menu))
        inline = str(9_000_001)
        await telegram.update(inline_query={"id": inline, "from": eve.user, "query": "balance", "offset": ""})
        await telegram.until(lambda: inline in telegram.answers)
    assert "not allowed" in said.text
    assert "66" in notice
    assert telegram.answers[inline]["results"] in ("[]", [])
    assert talk.lines == [("10", "menu")]


async def test_a_preview_is_confirmed_by_its_button_and_loses_its_keyboard(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann = telegram.person(10)
    talk.replies["buy 0.1 btc"] = [Confirm("AbCd1234_-xy", "Buy 0.1 BTC?", (("Fee", "6 USDT"),), "PAPER")]
    async with running(telegram, talk, post):
        await ann.send("buy 0.1 btc")
        preview = await ann.expect("Buy 0.1 BTC?")
        query = await ann.press("Confirm")
        await ann.expect("answer to yes AbCd1234_-xy")
    assert query in telegram.answers
    assert "PAPER" in preview.text
    assert preview.buttons == []


async def test_in_a_group_only_the_one_who_was_asked_may_press(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann, bob, group = telegram.person(10), telegram.person(11, "Bob"), telegram.group(-500)
    talk.replies["/menu"] = [Choices("Well?", (Choice("Price", "price btc"),))]
    async with running(telegram, talk, post):
        await ann.send("good morning", chat=group)
        await ann.send("/menu@other_bot", chat=group)
        await ann.send("/menu@trader_bot", chat=group)
        menu = await ann.expect("Well?", chat=group)
        refused = await bob.notice(await bob.press("Price", menu))
        await ann.press("Price", menu)
        await ann.expect("answer to price btc", chat=group)
    assert "somebody else" in refused
    assert talk.lines == [("10", "/menu"), ("10", "price btc")]


async def test_a_button_of_an_earlier_process_is_refused_in_a_group(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann, group = telegram.person(10), telegram.group(-500)
    talk.replies["/menu"] = [Choices("Well?", (Choice("Price", "price btc"),))]
    async with running(telegram, talk, post):
        await ann.send("/menu", chat=group)
        menu = await ann.expect("Well?", chat=group)
    async with running(telegram, talk, post):
        assert "no longer know" in await ann.notice(await ann.press("Price", menu))
    assert talk.lines == [("10", "/menu")]


async def test_late_lines_that_move_money_are_not_done_but_told(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann = telegram.person(10)
    await ann.send("buy 0.1 btc", age=120)
    await ann.send("price btc", age=120)
    async with running(telegram, talk, post):
        late = await ann.expect("send it again")
        await ann.expect("answer to price btc")
        await ann.send("buy 0.1 btc")
        await ann.expect("answer to buy 0.1 btc")
    assert "buy 0.1 btc" in late.text
    assert [line for _, line in talk.lines] == ["price btc", "buy 0.1 btc"]


@pytest.mark.parametrize("line", ["yes", "yes all", "do it", "0.5", "all", "yes AbCdEfGh12"])
async def test_a_late_yes_or_value_confirms_nothing(
    telegram: TelegramServer, talk: Talk, post: Post, line: str
) -> None:
    ann = telegram.person(10)
    await ann.send(line, age=7200)
    async with running(telegram, talk, post):
        late = await ann.expect("send it again")
    assert line in late.text
    assert talk.lines == []


async def test_edited_messages_are_not_carried_out(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    async with running(telegram, talk, post):
        await ann.send("price btc")
        await ann.expect("answer to price btc")
        edited = telegram.history[-1]["message"] | {"text": "buy 9 btc", "edit_date": 1}
        await telegram.update(edited_message=edited)
        await ann.send("price eth")
        await ann.expect("answer to price eth")
    assert [line for _, line in talk.lines] == ["price btc", "price eth"]


async def test_pictures_and_voice_get_a_sentence(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    async with running(telegram, talk, post):
        await ann.send(voice={"file_id": "v", "file_unique_id": "v", "duration": 1})
        await ann.expect("text only")
    assert talk.lines == []


async def test_chats_do_not_wait_for_each_other_and_cancel_passes_slow_work(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann, bob = telegram.person(10), telegram.person(11, "Bob")
    gate = asyncio.Event()

    async def slow(progress: Any) -> Reply:
        await gate.wait()
        return text("slow is done")

    talk.replies["backtest"] = slow
    async with running(telegram, talk, post):
        await ann.send("backtest")
        await telegram.until(lambda: "sendChatAction" in [name for name, _ in telegram.calls])
        await ann.send("price btc")
        await bob.send("price eth")
        await bob.expect("answer to price eth")
        await ann.send("cancel 3")
        await ann.expect("answer to cancel 3")
        assert ("10", "price btc") not in talk.lines
        gate.set()
        await ann.expect("slow is done")
        await ann.expect("answer to price btc")


async def test_progress_is_one_message_that_is_taken_away(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)

    async def work(progress: Any) -> Reply:
        await progress(Progress("Working", 0.1))
        await telegram.until(lambda: any("10 %" in each.text for each in telegram.messages))
        for step in range(2, 10):
            await progress(Progress("Working", step / 10))
        await telegram.until(lambda: any("90 %" in each.text for each in telegram.messages))
        return text("finished")

    talk.replies["backtest"] = work
    async with running(telegram, talk, post):
        await ann.send("backtest")
        await ann.expect("finished")
    shown = [each for each in telegram.messages if "Working" in each.text]
    assert [(each.edits, each.deleted) for each in shown] == [(1, True)]


async def test_a_chart_arrives_as_a_photo(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    line = Series("line", "price", (0, 3_600_000), (1.0, 2.0))
    talk.replies["chart"] = [Chart("BTC/USDT", (Pane((line,)),), "SIMULATED", "It rose.")]
    async with running(telegram, talk, post):
        await ann.send("chart")
        photo = await ann.expect("It rose.")
    assert photo.photo is not None
    assert photo.text.startswith("BTC/USDT · SIMULATED")


async def test_a_file_arrives_as_a_document(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    talk.replies["export 1"] = [Text("Here it is."), File.of("result-1.html", "text/html", b"<!doctype html>")]
    async with running(telegram, talk, post):
        await ann.send("export 1")
        await ann.expect("Here it is.")
        sent = await ann.expect("result-1.html")
    assert sent.document == b"<!doctype html>"


async def test_flood_control_is_waited_out_and_a_lost_answer_is_not_repeated(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann = telegram.person(10)
    async with running(telegram, talk, post):
        telegram.misbehave("sendMessage", "flood", seconds=1)
        await ann.send("one")
        await ann.expect("answer to one")
        telegram.misbehave("sendMessage", "drop after accepting")
        await ann.send("two")
        await ann.expect("answer to two")
        telegram.misbehave("getUpdates", "bad gateway")
        await ann.send("three")
        await ann.expect("answer to three")
    texts = [each.text for each in telegram.in_chat(10)]
    assert texts == ["answer to one", "answer to two", "answer to three"]


async def test_notifications_report_what_became_of_them(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann, bob = telegram.person(10), telegram.person(11, "Bob")
    telegram.blocked.add(11)
    async with running(telegram, talk, post):
        post.put(1, 10, "Alert 1")
        await ann.expect("Alert 1")
        post.put(2, bob.id, "Alert 2")
        blocked = await post.failure()
        post.put(3, 999, "nobody")
        unknown_chat = await post.failure()
        telegram.misbehave("sendMessage", "flood", seconds=7)
        post.put(4, 10, "Alert 4")
        flooded = await post.failure()
        telegram.misbehave("sendMessage", "drop after accepting")
        post.put(5, 10, "Alert 5")
        await ann.expect("Alert 5")
        lost = await post.failure()
    assert post.done == [1]
    found = [(each["id"], each["permanent"], each["unknown"]) for each in (blocked, unknown_chat, flooded, lost)]
    assert found == [(2, True, False), (3, True, False), (4, False, False), (5, False, True)]
    assert flooded["retry_after"] == 7


async def test_telegram_down_at_the_start_holds_nothing_up(talk: Talk, post: Post) -> None:
    async with TelegramServer() as telegram:
        ann = telegram.person(10)
        await telegram.down()
        with capture_logs() as logs:
            async with running(telegram, talk, post):
                await telegram.up()
                await ann.send("price btc")
                await ann.expect("answer to price btc", seconds=30)
    assert [each["event"] for each in logs if "cannot be reached" in each["event"]] == [
        "Telegram cannot be reached; trying again until it answers"
    ]
    assert "Telegram is back" in [each["event"] for each in logs]


async def test_a_refused_token_is_one_sentence_without_the_token(
    telegram: TelegramServer, talk: Talk, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "987654321:AAwrong-wrong-wrong-wrong-wrong-wrong"
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as refused:
        async with running(telegram, talk, post, token=wrong):
            raise AssertionError("it started")
    assert "BotFather" in refused.value.sentence()
    assert wrong not in refused.value.sentence() + caplog.text


async def test_the_token_is_in_no_log_line(
    telegram: TelegramServer, talk: Talk, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    ann = telegram.person(10)
    with caplog.at_level(logging.INFO), capture_logs() as logs:
        async with running(telegram, talk, post):
            telegram.misbehave("sendMessage", "drop")
            await ann.send("one")
            await ann.send("two")
            await ann.expect("answer to two")
    assert TOKEN not in caplog.text + str(logs)


async def test_a_failure_of_ours_is_told_and_the_next_line_is_answered(
    telegram: TelegramServer, talk: Talk, post: Post
) -> None:
    ann = telegram.person(10)

    async def broken(progress: Any) -> Reply:
        raise ZeroDivisionError

    talk.replies["boom"] = broken
    async with running(telegram, talk, post):
        await ann.send("boom")
        await ann.expect("went wrong")
        await ann.send("price btc")
        await ann.expect("answer to price btc")


async def test_a_long_answer_comes_in_parts(telegram: TelegramServer, talk: Talk, post: Post) -> None:
    ann = telegram.person(10)
    words = [f"word{number}" for number in range(2000)]
    talk.replies["long"] = [Text(" ".join(words))]
    async with running(telegram, talk, post):
        await ann.send("long")
        await ann.expect("word1999")
    parts = telegram.in_chat(10)
    assert len(parts) > 2
    assert " ".join(part.text for part in parts).split() == words


def test_other_modes_are_refused_with_what_is_accepted() -> None:
    services: Any = SimpleNamespace(settings=Settings(telegram={"token": TOKEN, "mode": "webhook"}))
    with pytest.raises(ConfigError, match="webhook") as refused:
        surface(services, Talk())  # type: ignore[arg-type]
    assert "polling" in refused.value.sentence()


def test_long_lines_of_buttons_stay_on_our_side() -> None:
    buttons = Buttons()
    long = "backtest sma_cross btc/usdt 1h fast=20 slow=50 cash=100000 from=2024-01-01"
    assert len(buttons.data(long).encode()) <= 64
    assert buttons.line(buttons.data(long)) == long
    assert buttons.data("yes AbCd") == "yes AbCd"
    assert buttons.line("#99") is None

"""The console: lines through a pipe, a prompt on a terminal, and the running assistant through its socket."""

import asyncio
import io
import json
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console as Terminal
from websockets.asyncio.server import ServerConnection, serve

from bots.console import render
from bots.console.app import Console, store, write
from bots.console.partner import Remote
from bots.console.plot import plot
from core.errors import Unavailable
from core.events import AlertFired
from core.reply import Chart, Choice, Choices, Confirm, File, Pane, Progress, Series, Table, Text, to_json
from tests.dialog.conftest import Room


def shown(reply: Any, width: int = 100) -> str:
    out = io.StringIO()
    render.show(Terminal(file=out, width=width, highlight=False), reply)
    return out.getvalue()


WIDE = Table(
    "Positions",
    ("Pair", "Quantity", "Average", "Price", "Worth", "Open profit", "Share", "Protection"),
    (
        ("BTC/USDT", "0.12345678", "61,234.56", "60,000.01", "7,407.41 USDT", "-152.41 USDT", "12.3 %",
         "stop 55,000.00, target 70,000.00"),
        ("SHIB/USDT", "123,456,789.5", "0.00001234", "0.00001299", "1,603.70 USDT", "80.25 USDT", "2.7 %", "none"),
    ),
    (1, 2, 3, 4, 5, 6),
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 200])
def test_no_number_of_a_table_is_broken(width: int) -> None:
    text = shown([WIDE], width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for row in WIDE.rows:
        for number in WIDE.numeric:
            assert row[number] in text, row[number]


async def piped(room: Room, lines: str, as_json: bool = False) -> str:
    out = io.StringIO()
    console = Console(room.app.services, room.app.conversation)
    await asyncio.wait_for(console.piped(io.StringIO(lines), as_json, out), 60)
    return out.getvalue()


async def test_a_pipe_trades_like_a_chat(room: Room) -> None:
    said = await piped(room, "price btc\nbuy 0.01 btc\nyes\nbalance\nquit\nprice eth\n")
    assert "SIMULATED" in said
    assert "Bought 0.01 BTC" in said
    assert "ETH/USDT" not in said  # nothing is read after quit
    assert "\x1b" not in said


async def test_the_end_of_the_lines_ends_the_chat(room: Room) -> None:
    assert "BTC/USDT" in await piped(room, "\n\n  price btc")
    assert await piped(room, "") == ""


async def test_json_is_one_document_with_every_line_and_its_reply(room: Room) -> None:
    document = json.loads(await piped(room, "price btc\nchart btc\nnonsense\n", as_json=True))
    assert [each["line"] for each in document] == ["price btc", "chart btc", "nonsense"]
    assert [each["reply"][0]["type"] for each in document] == ["Facts", "Chart", "Text"]


async def test_a_number_picks_from_the_choices_just_shown(room: Room) -> None:
    said = await piped(room, "buy 100 of btc\n2\n")
    assert "Buy 0.002" in said


async def test_charts_are_saved_as_pictures_beside_the_drawing(room: Room) -> None:
    said = await piped(room, "chart btc 4h\n")
    pictures = list((room.app.settings.data_dir / "charts").glob("*.png"))
    assert len(pictures) == 1
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    assert "█" in said


def fired(room: Room, ident: str, symbol: str = "ETH/USDT", user: str = "owner") -> AlertFired:
    now = room.clock.now()
    return AlertFired(ident, user, now, 1, f"sandbox:{symbol}", "below", Decimal(2500), Decimal(2499), True)


async def test_what_happens_meanwhile_is_told_once(room: Room) -> None:
    heard: list[str] = []
    console = Console(room.app.services, room.app.conversation)

    async def hear(reply: Any) -> None:
        heard.append(shown(reply))

    await console._partner.open(hear)
    for event in (fired(room, "e1"), fired(room, "e1"), fired(room, "e2", user="someone")):
        await room.app.services.bus.publish(event)
    await console._partner.close()
    await room.app.services.bus.publish(fired(room, "e3"))
    assert len(heard) == 1
    assert "ETH" in heard[0]


async def test_what_happened_while_nobody_looked_is_told_at_the_next_opening_once_and_in_order(room: Room) -> None:
    for event in (fired(room, "e1", "ETH/USDT"), fired(room, "e2", "BTC/USDT")):
        await room.app.services.bus.publish(event)
    assert "away" not in await piped(room, "price btc\n", as_json=True)
    said = await piped(room, "price sol\n")
    assert said.index("While you were away:") < said.index("ETH/USDT") < said.index("BTC/USDT") < said.index("> price")
    assert "away" not in await piped(room, "price sol\n")


async def test_what_a_person_does_is_not_told_again_where_they_did_it(room: Room) -> None:
    heard: list[str] = []

    async def hear(reply: Any) -> bool:
        heard.append(shown(reply))
        return True

    close = await room.app.services.notifier.open("owner", "web", hear)
    said = await piped(room, "reset\nyes\nprice btc\n")
    assert "reset" in said
    assert "The paper account was reset" not in said.partition("> price btc")[2]
    for _ in range(100):  # the outbox delivers in a task of its own
        if heard:
            break
        await asyncio.sleep(0.05)
    close()
    assert "The paper account was reset to 10,000.00 USDT." in "".join(heard)
    assert "The paper account was reset" not in await piped(room, "price btc\n")


async def test_a_terminal_prompts_remembers_privately_and_leaves_on_quit(room: Room) -> None:
    out = io.StringIO()
    console = Console(room.app.services, room.app.conversation)
    console._terminal = Terminal(file=out, width=90)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("price btc\nquit\n")
        await asyncio.wait_for(console._interactive(), 60)
    assert "BTC/USDT" in out.getvalue()
    history = room.app.settings.data_dir / "console-history"
    assert "price btc" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


class Assistant:
    """A running assistant's chat socket, as dashboards.gateway.chat describes it."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.lines: list[str] = []

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.tokens.append(socket.request.headers.get("Authorization", ""))
        await socket.send(json.dumps({"notice": to_json([Text("An alert fired.")])}))
        async for message in socket:
            asked = json.loads(message)
            self.lines.append(asked["line"])
            if asked["line"] == "vanish":
                await socket.close()
                return
            await socket.send(json.dumps({"id": asked["id"], "progress": to_json(Progress("Working", 0.5))}))
            await socket.send(json.dumps({"id": asked["id"], "reply": to_json([Text(f"You said {asked['line']}.")])}))


async def test_a_running_assistant_is_joined_with_its_token(tmp_path: Path) -> None:
    assistant = Assistant()
    told: list[Any] = []
    steps: list[Progress] = []

    async def hear(reply: Any) -> None:
        told.append(reply[0].text)

    async def progress(block: Progress) -> None:
        steps.append(block)

    async with serve(assistant, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        partner = Remote(f"http://127.0.0.1:{port}", "secret-token", tmp_path)
        await partner.open(hear)
        reply = await asyncio.wait_for(partner.ask("price btc", progress), 10)
        assert reply == (Text("You said price btc."),)
        assert steps == [Progress("Working", 0.5)]
        assert told == ["An alert fired."]
        assert assistant.tokens == ["Bearer secret-token"]
        with pytest.raises(Unavailable):
            await asyncio.wait_for(partner.ask("vanish", progress), 10)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(partner.ask("still there?", progress), 10)
        await partner.close()


async def test_an_assistant_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    async def hear(reply: Any) -> None:
        raise AssertionError(reply)

    with pytest.raises(Unavailable, match="does not answer"):
        await Remote("http://127.0.0.1:9", "t", tmp_path).open(hear)


def test_nothing_that_is_shown_can_command_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;pwned\x07[bold]name[/bold]\u202e"
    said = shown([Text(evil), Table(evil, (evil,), ((evil,),)), Choices(evil, (Choice(evil, evil),))])
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert "[bold]name[/bold]" in said


def test_a_preview_says_how_to_answer_it() -> None:
    said = shown([Confirm("tok", "Buy 0.1 BTC?", (("Fee", "6 USDT"),), "PAPER", ("Careful.",), 60, "Buy BTC")])
    for part in ("Buy 0.1 BTC?", "[PAPER]", "Fee", "! Careful.", "yes to buy BTC", "60 seconds"):
        assert part in said


def test_candles_fill_their_rows_and_name_the_extremes() -> None:
    closes = np.linspace(100.0, 200.0, 300)
    values = np.column_stack((closes, closes + 5, closes - 5, closes))
    chart = Chart("x", (Pane((Series("candles", "BTC", list(range(0, 300_000, 1000)), values),)),))
    text = plot(chart, 80, 10).plain.splitlines()
    assert len(text) == 11
    assert max(len(line) for line in text) <= 80
    assert "205" in text[0]
    assert "95" in text[9]


def test_a_line_with_gaps_and_one_without_values_are_drawn() -> None:
    gaps = Chart("x", (Pane((Series("line", "equity", [0, 1000, 2000], [None, 1.0, 2.0]),)),))
    assert "█" in plot(gaps).plain
    assert plot(Chart("x", (Pane((Series("line", "equity", [], []),)),))).plain == ""


def test_only_the_latest_pictures_are_kept(tmp_path: Path) -> None:
    for number in range(55):
        store(tmp_path, f"{number}.png", b"x")
    assert len(list(tmp_path.glob("*.png"))) == 50


async def test_a_file_is_written_and_its_place_is_told(room: Room, tmp_path: Path) -> None:
    console = Console(room.app.services, room.app.conversation)
    out = io.StringIO()
    block = File.of("../result 1.html", "text/html", b"<p>")
    await console._show(Terminal(file=out, width=400, highlight=False), [block])
    path = next((room.app.services.settings.data_dir / "exports").iterdir())
    assert path.name == "result-1.html"
    assert path.read_bytes() == b"<p>"
    assert str(path) in out.getvalue()
    assert write(path.parent, path.name, b"2").name == "result-1-2.html"

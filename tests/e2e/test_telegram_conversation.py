"""The whole product on Telegram: the real application, the real library, a Bot API server, and two people."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from core.app import App, build
from core.events import AccountNotice, QuoteChanged
from core.settings import Market, Settings, Telegram
from core.trading.exchange import Quote
from tests.simulators.telegram import TelegramServer


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def app(telegram: TelegramServer, tmp_path: Path) -> AsyncIterator[App]:
    """A fresh product whose owner is nobody yet."""
    app = build(product(telegram, tmp_path), roles=["trader", "telegram"])
    await app.start()
    yield app
    await app.stop()


def product(telegram: TelegramServer, folder: Path, admins: tuple[int, ...] = ()) -> Settings:
    chat = Telegram(token=telegram.token, api_url=telegram.url, admins=admins)  # type: ignore[arg-type]
    return Settings(data_dir=folder, market=Market(source="sandbox"), telegram=chat)


async def claimed(app: App, telegram: TelegramServer) -> None:
    ann = telegram.person(10)
    code = await app.services.users.owner_code()
    await ann.send(f"/start {code}")
    await ann.expect("You are the owner")


async def moved(app: App, symbol: str, factor: str) -> None:
    """The market says another price, once."""
    market = app.services.market
    quote = await market.quote(await market.instrument(symbol))
    price = quote.last * Decimal(factor)
    await app.services.bus.publish(
        QuoteChanged(Quote(quote.instrument, price, price, price, quote.time, simulated=quote.simulated))
    )


async def test_the_first_with_the_code_becomes_the_owner_and_nobody_after(app: App, telegram: TelegramServer) -> None:
    ann, eve = telegram.person(10), telegram.person(66, "Eve")
    code = await app.services.users.owner_code()
    await eve.send("/start AAAA-BBBB-CCCC")
    await eve.expect("not right")
    await ann.send(str(code))
    await ann.expect("You are the owner")
    await eve.send(str(code))
    assert "not allowed" in (await eve.expect("66")).text
    await ann.send("balance")
    await ann.expect("USDT")


async def test_price_chart_and_a_confirmed_purchase(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann = telegram.person(10)
    await ann.send("price btc")
    assert "SIMULATED" in (await ann.expect("BTC")).text
    await ann.send("chart btc")
    photo = await telegram.until(lambda: next((each for each in telegram.in_chat(10) if each.photo), None), 60)
    assert photo is not None
    picture = Image.open(BytesIO(photo.photo or b""))
    picture.load()
    assert picture.size == (900, 600)
    assert "SIMULATED" in photo.text
    await ann.send("buy 0.01 btc")
    preview = await telegram.until(lambda: next((m for m in telegram.in_chat(10) if len(m.labels) == 2), None))
    assert "PAPER" in preview.text
    query = await ann.press("✅", preview)
    await telegram.until(lambda: query in telegram.answers)
    await ann.expect("0.01")
    await telegram.until(lambda: preview.buttons == [])
    again = await ann.press_data(button_of(telegram), preview)
    await telegram.until(lambda: again in telegram.answers)
    await ann.expect("Already done")
    await ann.send("balance")
    assert re.search(r"BTC\s+0\.01", (await ann.expect("BTC")).text)
    portfolio = await app.services.desk.portfolio((await app.services.users.owner()).id)
    assert [str(position.quantity) for position in portfolio.positions] == ["0.01"]


def button_of(telegram: TelegramServer) -> str:
    """The data of the confirm button as it was sent."""
    for _, values in reversed(telegram.calls):
        if "yes " in str(values.get("reply_markup", "")):
            return str(json.loads(values["reply_markup"])["inline_keyboard"][0][0]["callback_data"])
    raise AssertionError("no confirm button was sent")


async def test_a_stranger_can_neither_write_nor_press(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann, eve = telegram.person(10), telegram.person(66, "Eve")
    await eve.send("balance")
    refused = await eve.expect("66")
    assert "USDT" not in refused.text
    await ann.send("buy 0.01 btc")
    preview = await telegram.until(lambda: next((m for m in telegram.in_chat(10) if len(m.labels) == 2), None))
    assert "66" in await eve.notice(await eve.press("✅", preview))
    portfolio = await app.services.desk.portfolio((await app.services.users.owner()).id)
    assert not portfolio.positions
    assert preview.buttons


async def test_an_alert_fires_and_outlives_an_outage(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann = telegram.person(10)
    await ann.send("alert eth above 900000")
    await ann.expect("Alert 1 is set")
    await moved(app, "eth", "1000")
    fired = await ann.expect("Alert 1: ETH/USDT is above 900,000", seconds=20)
    assert "SIMULATED" in fired.text
    await ann.send("alert eth above 950000")
    await ann.expect("Alert 2 is set")
    await telegram.down()
    await moved(app, "eth", "1000")
    async with asyncio.timeout(10):
        while not await app.services.notifier.pending("telegram"):  # noqa: ASYNC110  the outbox's relay writes it
            await asyncio.sleep(0.02)
    await telegram.up()
    await ann.expect("Alert 2: ETH/USDT is above 950,000", seconds=60)


async def test_a_long_answer_comes_in_parts(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann = telegram.person(10)
    owner = await app.services.users.owner()
    words = " ".join(f"word{number}" for number in range(1500))
    await app.services.bus.publish(AccountNotice("long", owner.id, app.services.clock.now(), words))
    await ann.expect("word1499")
    parts = [each.text for each in telegram.in_chat(10) if "word" in each.text]
    assert len(parts) > 2
    assert all(len(part) <= 4096 for part in parts)


async def test_a_sweep_lets_other_lines_pass_and_is_stopped_by_a_word(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann = telegram.person(10)
    await ann.send("sweep sma_cross btc 1h 8y fast=2..60 slow=61..120")
    await ann.expect("Testing 3,540 settings", seconds=60)
    await ann.send("price btc")
    await ann.expect("BTC/USDT")
    await ann.send("cancel")
    await ann.expect("Stopping: Testing 3,540 settings")
    await ann.expect("topped", seconds=60)


async def test_kept_results_stay_out_of_a_group(app: App, telegram: TelegramServer) -> None:
    await claimed(app, telegram)
    ann, crowd = telegram.person(10), telegram.group(-500)
    for line in ("/results", "/result 1", "/export 1", "/compare 1 1"):
        await ann.send(line, chat=crowd)
        await ann.expect("That is private", chat=crowd)

"""A person with a browser: signs in, chats, opens the dashboard, backtests; on a desktop and on a phone."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, WebSocketRoute, async_playwright, expect

from core.app import App, build
from core.errors import AppError
from core.settings import Gateway, Market, Settings
from dashboards.client import Client
from tests.e2e.browsing import DESKTOP, PHONE, SWITCHES, fits, is_accessible, picture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 30_000  # ms; a shared machine may be slow


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    settings = Settings(data_dir=tmp_path / "data", gateway=Gateway(port=0), market=Market(source="sandbox"))
    product = build(settings)
    await product.start()
    yield product
    await product.stop()


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield started
        await started.close()


class Watched:
    """A page and everything that would be wrong about it."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.external: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._asked(request.url, base))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(PATIENCE)

    def _asked(self, url: str, base: str) -> None:
        if not url.startswith((base, base.replace("http", "ws"), "data:", "blob:")):
            self.external.append(url)

    def is_quiet(self) -> None:
        assert self.external == []
        assert self.errors == []


@pytest.fixture
async def visit(app: App, browser: Browser) -> AsyncIterator[Watched]:
    """A page of a signed-in owner on a desktop."""
    context = await browser.new_context(viewport=DESKTOP, timezone_id="UTC", locale="en-GB", color_scheme="light")  # type: ignore[arg-type]
    watched = Watched(await context.new_page(), app.url)
    await watched.page.goto(f"{app.url}/login?token={await app.services.users.login_link()}")
    yield watched
    await context.close()


async def scrolls_inside(table: Locator) -> None:
    """A table that is wider than the screen is moved within its card."""
    wider, ends, window = await table.evaluate(
        "table => [table.scrollWidth > table.clientWidth, table.getBoundingClientRect().right, window.innerWidth]"
    )
    assert wider
    assert ends <= window


async def in_the_dark(page: Page, name: str, tmp_path: Path) -> None:
    """The same page in a system's dark setting: its charts are drawn anew, and everything can be read."""
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator("[data-scheme=dark]").first).to_be_visible()
    await is_accessible(page)
    await picture(page, name, tmp_path)
    await page.emulate_media(color_scheme="light")
    await expect(page.locator("[data-scheme=light]").first).to_be_visible()


async def tabbed(page: Page, count: int) -> list[str]:
    """The names of what Tab reaches, one after another; each shows that it has the focus."""
    names = []
    for _ in range(count):
        await page.keyboard.press("Tab")
        name, width, style = await page.evaluate(
            "(() => { const on = document.activeElement, style = getComputedStyle(on);"
            " return [on.getAttribute('aria-label') || on.labels?.[0]?.innerText || on.innerText || on.tagName,"
            " parseFloat(style.outlineWidth), style.outlineStyle]; })()"
        )
        assert width >= 2, name
        assert style == "solid", name
        names.append(name.strip())
    return names


async def ask(page: Page, line: str) -> Any:
    """Types a line as a person does; the answer's element, complete."""
    await page.get_by_label("Message").fill(line)
    await page.keyboard.press("Enter")
    answer = page.locator("section.answer").last
    await expect(answer.locator(".thinking, .working")).to_have_count(0, timeout=PATIENCE)
    return answer


async def test_a_person_signs_in_and_chats(visit: Watched, app: App, tmp_path: Path) -> None:
    page = visit.page
    assert page.url == f"{app.url}/"  # the token is gone from the address
    await is_accessible(page)
    preview = await ask(page, "buy 0.01 btc")
    await expect(preview).to_contain_text("PAPER")
    await page.set_viewport_size({"width": 1280, "height": 720})
    await picture(page, "web-preview", tmp_path)
    await preview.locator("button.primary").click()
    await expect(page.locator("section.answer").last).to_contain_text("ought", timeout=PATIENCE)
    answer = await ask(page, "price btc")
    await expect(answer).to_contain_text("BTC/USDT")
    await expect(answer).to_contain_text("SIMULATED")
    await ask(page, "balance")
    chart = await ask(page, "chart btc 1h")
    await expect(chart.locator("[data-drawn=true]")).to_be_visible(timeout=PATIENCE)
    await page.wait_for_function("document.getElementById('log').scrollTop > 0")
    await is_accessible(page)
    await fits(page)
    await page.set_viewport_size({"width": 1280, "height": 820})
    await page.locator(".said").last.evaluate("line => line.scrollIntoView()")
    await picture(page, "web-chat", tmp_path)
    await in_the_dark(page, "web-chat-dark", tmp_path)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.locator(".said").last.evaluate("line => line.scrollIntoView()")
    await fits(page)
    await picture(page, "web-chat-phone", tmp_path)
    await page.set_viewport_size({"width": 360, "height": 640})
    await fits(page)
    visit.is_quiet()


async def test_a_kept_result_is_downloaded_as_a_file_with_its_name(visit: Watched, tmp_path: Path) -> None:
    page = visit.page
    await expect(await ask(page, "backtest sma_cross btc 1h period=30d")).to_contain_text("Kept as result 1.")
    for form, beginning in (("html", b"<!doctype html>"), ("csv", b'"time"')):
        answer = await ask(page, f"export 1 {form}")
        async with page.expect_download() as waiting:
            await answer.get_by_role("link", name=f"result-1.{form}").click()
        download = await waiting.value
        assert download.suggested_filename == f"result-1.{form}"
        await download.save_as(tmp_path / f"saved.{form}")
        assert (tmp_path / f"saved.{form}").read_bytes().startswith(beginning)
    await is_accessible(page)
    visit.is_quiet()


async def test_a_long_sweep_is_stopped_by_a_word_and_others_pass_it(visit: Watched) -> None:
    page = visit.page

    async def say(line: str) -> Locator:
        await page.get_by_label("Message").fill(line)
        await page.keyboard.press("Enter")
        return page.get_by_role("region", name=f"Answer to {line}")

    sweep = await say("sweep sma_cross btc 1h 8y fast=2..60 slow=61..120")
    await expect(sweep).to_contain_text("Testing 3,540 settings", timeout=60_000)
    await expect(await say("price btc")).to_contain_text("BTC/USDT", timeout=PATIENCE)
    await expect(await say("cancel")).to_contain_text("Stopping: Testing 3,540 settings")
    await expect(sweep).to_contain_text(re.compile("[Ss]topped"), timeout=60_000)
    visit.is_quiet()


async def test_the_history_comes_back_with_the_arrow_keys(visit: Watched) -> None:
    page = visit.page
    await ask(page, "price btc")
    await ask(page, "price eth")
    await page.get_by_label("Message").focus()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_label("Message")).to_have_value("price btc")


async def test_a_broken_connection_comes_back_by_itself(visit: Watched, app: App) -> None:
    page = visit.page
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    await page.route_web_socket("**/api/v1/chat*", pass_on)
    await page.reload()
    await ask(page, "price btc")
    await sockets[0].close(code=1001)
    await expect(page.locator("#connection")).to_have_text("Reconnecting…")
    await expect(page.locator("#connection")).to_be_empty(timeout=PATIENCE)
    await expect(await ask(page, "price eth")).to_contain_text("ETH")
    assert len(sockets) == 2


async def test_a_person_backtests_on_the_dashboard(visit: Watched, app: App, tmp_path: Path) -> None:
    page = visit.page
    await page.get_by_role("link", name="Market").click()
    chart = page.locator(".panel-chart [data-drawn=true]")
    await expect(chart).to_be_visible(timeout=60_000)
    await expect(page.locator(".panel-price")).to_contain_text("SIMULATED")
    await page.get_by_label("Strategy").select_option(label="SMA cross")
    await page.get_by_label("Fast").fill("10")
    await page.get_by_label("Slow").fill("30")
    await page.get_by_label("Slow").press("Tab")
    await page.get_by_role("button", name="Run backtest").click()
    await expect(page.locator(".panel-result")).to_contain_text("Buy and hold", timeout=PATIENCE)
    await expect(page.locator(".panel-chart [data-markers]")).to_be_visible(timeout=PATIENCE)
    await expect(page.locator(".panel-equity [data-drawn=true]")).to_be_visible(timeout=PATIENCE)
    await expect(page.get_by_role("button", name="Run backtest")).to_be_enabled(timeout=PATIENCE)
    await is_accessible(page)
    await fits(page)
    await page.evaluate("window.scrollTo(0, 0)")
    await picture(page, "web-dashboard", tmp_path)
    await in_the_dark(page, "web-dashboard-dark", tmp_path)
    await page.locator(".panel-result").evaluate("element => element.scrollIntoView()")
    await picture(page, "web-backtest", tmp_path)
    await page.evaluate("window.scrollTo(0, 0)")
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.wait_for_function(
        "(() => { const plot = document.querySelector('.panel-chart .plot');"
        " return plot.querySelector('table').clientWidth <= plot.clientWidth; })()"
    )
    await fits(page)
    await picture(page, "web-dashboard-phone", tmp_path)
    await page.locator(".panel-result").evaluate("element => element.scrollIntoView()")
    await expect(page.locator(".panel-result .headline")).to_be_in_viewport()
    await scrolls_inside(page.locator(".panel-trades .scroller"))
    await picture(page, "web-backtest-phone", tmp_path)
    await is_accessible(page)
    visit.is_quiet()


async def test_a_refused_backtest_is_one_sentence_on_the_page(visit: Watched, app: App) -> None:
    page = visit.page
    await page.goto(f"{app.url}/dashboards/")
    await expect(page.locator(".panel-chart [data-drawn=true]")).to_be_visible(timeout=60_000)
    await page.get_by_label("Fast").fill("90")
    await page.get_by_label("Slow").fill("30")
    await page.get_by_label("Slow").press("Tab")
    await page.get_by_role("button", name="Run backtest").click()
    await expect(page.get_by_role("alert")).to_be_visible(timeout=PATIENCE)
    visit.is_quiet()


async def test_the_last_bar_moves_by_itself(visit: Watched, app: App) -> None:
    page = visit.page
    await page.goto(f"{app.url}/dashboards/")
    price = page.locator(".panel-price .price")
    await expect(price).to_be_visible(timeout=60_000)
    before = await price.inner_text()
    await expect(price).not_to_have_text(before, timeout=PATIENCE)


async def test_a_notebook_on_the_machine_joins_the_running_instance(app: App) -> None:
    client = Client.joined(app.settings.data_dir)
    found = await asyncio.to_thread(client.backtest, "sma_cross", {"fast": 5, "slow": 20}, instrument="eth", bars=400)
    assert found["instrument"] == "ETH/USDT"
    assert found["stats"]["bars"] == 400
    with pytest.raises(AppError, match="nocoin"):
        await asyncio.to_thread(client.quote, "nocoin")


async def test_a_stranger_reads_how_to_come_in(app: App, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(app.url)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await is_accessible(page)
    await page.goto(f"{app.url}/login?token=used")
    await expect(page.get_by_role("alert")).to_contain_text("used or has expired")
    await page.close()


async def test_the_chat_is_reached_with_the_tab_key(visit: Watched) -> None:
    page = visit.page
    await page.get_by_role("link", name="Skip to the input").focus()
    names = await tabbed(page, 12)
    assert names[:5] == ["CryptoOrchestrator", "Chat", "Market", "Sign out", "Conversation"]
    assert names[5] == "price btc"
    assert names[-2:] == ["Message", "Send"]


async def test_the_dashboard_is_reached_with_the_tab_key(visit: Watched, app: App) -> None:
    page = visit.page
    await page.goto(f"{app.url}/dashboards/")
    await expect(page.locator(".panel-chart [data-drawn=true]")).to_be_visible(timeout=60_000)
    await page.get_by_label("Instrument").focus()
    names = await tabbed(page, 10)
    assert names == [
        "Timeframe", "Charts by TradingView", "Strategy", "Fast", "Slow", "Bars to test", "Starting cash",
        "Fee per trade, %", "Slippage, %", "Run backtest",
    ]  # fmt: skip
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Done", timeout=PATIENCE)


async def test_the_description_of_the_api_is_drawn_without_another_site(visit: Watched, app: App) -> None:
    page = visit.page
    await page.goto(f"{app.url}/api/docs")
    for path in ("/api/v1/quote", "/api/v1/backtests", "/health/ready"):
        await expect(page.locator(f'.opblock [data-path="{path}"]')).to_be_visible(timeout=PATIENCE)
    await page.locator('.opblock-summary-control:has([data-path="/api/v1/quote"])').click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_placeholder("instrument").fill("eth")
    await page.get_by_role("button", name="Execute").click()
    await expect(page.locator(".live-responses-table .response").first).to_contain_text("ETH/USDT", timeout=PATIENCE)
    visit.is_quiet()

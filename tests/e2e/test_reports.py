"""Reports in a browser: they ask for nothing, fit a phone and can be read in the dark. Pictures of the guides."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from core.market.bars import Bars
from core.market.synthetic import SandboxMarket
from core.research.archive import Archive
from core.research.backtest import Result, backtest
from core.research.compare import compare, side_of
from core.research.monte_carlo import monte_carlo
from core.research.monte_carlo_report import write_bands
from core.research.report import write_report
from core.research.result import Trials
from core.research.saved_report import write_comparison
from core.research.sweep import SweepResult, sweep
from core.research.walk_forward import walk_forward
from core.strategies import EmaCross, SmaCross
from tests.e2e.browsing import PHONE, SWITCHES, fits, is_accessible, picture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

END, DAY = 1_735_689_600_000, 86_400_000
GRID = {"fast": range(5, 55, 5), "slow": range(20, 220, 20)}
WIDE = {"width": 1000, "height": 800}


@pytest.fixture(scope="module")
def bars() -> Bars:
    """Three years of four hours of a market that is made up, and the same whenever this runs."""
    return SandboxMarket(seed=5).bars("ETH/USDT", "4h", END - 3 * 365 * DAY, END)


@pytest.fixture(scope="module")
def found(bars: Bars) -> SweepResult:
    return sweep(SmaCross, bars, GRID)


@pytest.fixture(scope="module")
def result(bars: Bars, found: SweepResult) -> Result:
    """The best trial of the sweep, which is not forgotten."""
    best = backtest(SmaCross(**found.best.parameters), bars)
    table = found.frames()["table"]
    best.tried = Trials(len(table["sharpe"]), tuple(table["sharpe"]))
    return best


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield started
        await started.close()


async def shown(
    browser: Browser, path: Path, name: str, tmp_path: Path, height: int, kept: Sequence[str] = ("",)
) -> None:
    """Opens a report wide and narrow, light and dark. kept: those of which a picture is made."""
    page: Page = await browser.new_page(viewport=WIDE, color_scheme="light")  # type: ignore[arg-type]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for suffix, size, scheme in (("", WIDE, "light"), ("-phone", PHONE, "light"), ("-dark", WIDE, "dark")):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": size["width"], "height": height if size is WIDE else size["height"]})
        await page.goto(path.as_uri())
        await fits(page)
        await is_accessible(page)
        if suffix in kept:
            await picture(page, f"{name}{suffix}", tmp_path)
    assert set(asked) == {path.as_uri()}
    await page.close()


async def test_a_backtest_is_read_anywhere(browser: Browser, result: Result, tmp_path: Path) -> None:
    path = write_report(result, tmp_path / "report.html")
    await shown(browser, path, "report-backtest", tmp_path, 890)


async def test_a_sweep_is_read_anywhere(browser: Browser, found: SweepResult, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "results")
    archive.save(kind="sweep", document=found.document(), frames=found.frames())
    path = archive.export(1, tmp_path / "sweep.html")
    assert "Probability of overfitting" in path.read_text()
    await shown(browser, path, "report-sweep", tmp_path, 950, ("", "-phone"))


async def test_a_walk_forward_is_read_anywhere(browser: Browser, bars: Bars, tmp_path: Path) -> None:
    found = walk_forward(SmaCross, bars, GRID, train="360d", test="90d")
    archive = Archive(tmp_path / "results")
    archive.save(kind="walk-forward", document=found.document(), frames=found.frames())
    path = archive.export(1, tmp_path / "walk.html")
    await shown(browser, path, "report-walk-forward", tmp_path, 1230, ("", "-dark"))
    page: Page = await browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
    await page.goto(path.as_uri())
    box = page.get_by_role("region", name="Windows")
    assert await box.evaluate("each => each.scrollWidth <= each.clientWidth")  # all columns can be seen at once
    await page.close()


async def test_simulated_histories_are_read_anywhere(browser: Browser, result: Result, tmp_path: Path) -> None:
    path = write_bands(monte_carlo(result, "blocks", 500), tmp_path / "bands.html")
    await shown(browser, path, "report-monte-carlo", tmp_path, 960)


async def test_results_side_by_side_are_read_anywhere(browser: Browser, result: Result, tmp_path: Path) -> None:
    sides = [side_of(result), side_of(backtest(EmaCross(), next(iter(result.bars.values()))))]
    path = write_comparison(compare(sides), tmp_path / "beside.html")
    assert "SIMULATED MARKET" in path.read_text()
    await shown(browser, path, "report-compare", tmp_path, 860)

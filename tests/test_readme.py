"""The README keeps its promises: its strategy runs, its links and pictures exist, its verbs are known."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.app import build
from core.cli import VERBS
from core.clock import SimulatedClock
from core.exchanges.sandbox import SandboxData
from core.market.synthetic import SandboxMarket
from core.reply import Confirm
from core.research.backtest import backtest
from core.research.causality import causality
from core.settings import Settings
from core.strategies import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DAY = 86_400_000


def test_the_strategy_of_the_readme_runs(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)
    assert code is not None
    path = tmp_path / "dip.py"
    path.write_text(code.group(1))
    start = 1_700_000_000_000 // DAY * DAY
    bars = SandboxMarket(seed=7).bars("BTC/USDT", "1h", start, start + 120 * DAY)
    result = backtest(load(f"{path}:Dip", {"period": 10}), bars)
    assert result.stats["trades"] > 0
    assert len(result.equity) == len(bars)


def test_the_strategy_that_peeks_is_caught_as_the_guides_show(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "overfitting.md").read_text()
    code = re.search(r"```python\n(.+?)```", guide, re.DOTALL)
    assert code is not None
    path = tmp_path / "tomorrow.py"
    path.write_text(code.group(1))
    found = causality(load(f"{path}:Tomorrow"))
    assert not found.causal
    assert found.sentence in README
    assert found.sentence in guide


def test_the_readme_begins_with_its_two_commands() -> None:
    first = re.search(r"```sh\n(.+?)```", README, re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first.group(1).splitlines()] == ["make run", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_picture_of_the_guides_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", page.read_text())
    local = [link or picture for link, picture in targets if "://" not in (link or picture)]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


def test_every_verb_the_guides_show_exists() -> None:
    shown = {
        verb for page in PAGES for verb in re.findall(r"`{1,3}[^`]*?\borchestrator ([a-z][a-z-]+)", page.read_text())
    }
    assert shown
    assert shown <= set(VERBS)


async def test_the_session_of_the_readme_is_what_the_product_shows(tmp_path: Path) -> None:
    clock = SimulatedClock(datetime(2026, 3, 2, 12, 0, 7, tzinfo=UTC))
    app = build(Settings(data_dir=tmp_path), clock=clock, roles=("trader",), sources=[SandboxData(clock, 1)])
    await app.start()
    try:
        caller = await app.conversation.caller("console", "local", "local")
        preview = (await app.conversation.answer("buy 0.01 btc", caller))[0]
    finally:
        stopping = asyncio.ensure_future(app.stop())
        while not stopping.done():
            await clock.advance(1.0)
            await asyncio.sleep(0.005)
        await stopping
    assert isinstance(preview, Confirm)
    session = re.search(r"```\n> buy 0\.01 btc\n(.+?)```", README, re.DOTALL)
    assert session is not None
    question, *lines = session.group(1).splitlines()
    assert question == f"{preview.question}  [{preview.mode}]"
    rows = [re.split(r" {2,}", line.strip(), maxsplit=1) for line in lines if line.startswith("  ")]
    assert [row[0] for row in rows] == [name for name, _ in preview.facts]
    shapes = [
        (re.sub(r"[\d.,]+", "0", shown), re.sub(r"[\d.,]+", "0", told))
        for (_, shown), (_, told) in zip(rows, preview.facts, strict=True)
    ]
    assert [shown for shown, told in shapes if not told.startswith(shown.partition(" …")[0].rstrip("0"))] == []
    yes = preview.yes.lower().replace("btc", "BTC")
    assert f"Write yes to {yes}, or no. It waits {preview.expires_in} seconds." in lines

"""The README keeps its promises: its strategy runs, its links and pictures exist, its verbs are known."""

import re
from pathlib import Path

import pytest

from core.cli import VERBS
from core.market.synthetic import SandboxMarket
from core.research.backtest import backtest
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

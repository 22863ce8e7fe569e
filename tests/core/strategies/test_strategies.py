"""The shipped strategies: what they signal, what they refuse, and how a user's own file is loaded."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import AppError
from core.research.backtest import backtest
from core.strategies import BollingerBreakout, BuyAndHold, Donchian, SmaCross, catalogue, load
from core.strategies.loading import own
from core.trading.strategy import Context, SignalStrategy
from tests.core.simulation.market import walk

OWN = """
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from core.trading.strategy import Parameter, Signals, check

@dataclass(frozen=True)
class Mine:
    name: ClassVar[str] = "mine"
    summary: ClassVar[str] = "Mine."
    parameters: ClassVar = {"level": Parameter(100.0, 1.0, 1000.0)}
    level: float = 100.0

    def __post_init__(self):
        check(self)

    def warmup(self):
        return 1

    def signals(self, bars, context):
        return Signals(np.where(bars.close > self.level, 1.0, 0.0))
"""


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_shipped_strategy_describes_itself_trades_and_signals_only_changes(name: str) -> None:
    kind = catalogue()[name]
    strategy = kind()
    assert strategy.name == name
    assert strategy.summary.endswith(".")
    for key, parameter in strategy.parameters.items():
        assert getattr(strategy, key) == parameter.default
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.help
    bars = walk(600, 3)
    if not isinstance(strategy, SignalStrategy):
        assert len(backtest(strategy, bars).fills) > 0
        return
    given = strategy.signals(bars, Context()).exposure
    changes = given[~np.isnan(given)]
    assert len(changes) > 0
    assert changes[0] == 1.0 or name in {"sma_cross", "ema_cross", "macd"}
    assert (np.diff(changes) != 0).all()
    assert np.isnan(given[: strategy.warmup() - 1]).all()


def test_donchian_buys_above_the_earlier_highs_and_stops_below() -> None:
    bars = walk(400, 9)
    strategy = Donchian(5, 3, 2.0, 5)
    signals = strategy.signals(bars, Context())
    for t in np.flatnonzero(signals.exposure == 1.0):
        assert bars.close[t] > bars.high[t - 5 : t].max()
        assert signals.stop is not None
        assert signals.stop[t] < bars.close[t]
    for t in np.flatnonzero(signals.exposure == 0.0):
        assert bars.close[t] < bars.low[t - 3 : t].min()
    assert Donchian(5, 3, 0.0).signals(bars, Context()).stop is None


def test_names_classes_and_texts_are_understood() -> None:
    assert load("SmaCross", {"fast": "5", "slow": 9.0}) == SmaCross(5, 9)
    assert load("buy-and-hold") == BuyAndHold()
    assert load("bollinger_breakout", {"width": "2.5"}) == BollingerBreakout(20, 2.5)


def test_the_files_of_a_folder_are_listed_and_a_broken_one_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "broken.py").write_text("x = 1\ny = 1 / 0\n")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "half.py").write_text("class Half:\n    def signals(self, bars, context): ...\n")
    (tmp_path / "_helpers.py").write_text("raise ValueError")
    found, failed = own(tmp_path)
    assert {name: kind.summary for name, kind in found.items()} == {"mine.py:Mine": "Mine."}
    assert failed == (
        "broken.py, line 2: ZeroDivisionError: division by zero",
        "empty.py: no class with a method signals(bars, context), on_bar(view) or allocate(bars, context).",
        "half.py: Half lacks name, summary, parameters, warmup.",
    )
    assert own(tmp_path / "missing") == ({}, ())


def test_a_users_own_file_is_loaded_and_tested(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    strategy = load(f"{path}:Mine", {"level": "101"})
    assert strategy.parameters["level"].kind is float
    assert len(backtest(strategy, walk(300, 1)).equity) == 300
    assert load("mine.py", folder=tmp_path).name == "mine"


WRONG = [
    ("sma_cros", {}, "Did you mean sma_cross"),
    ("zzz", {}, "There are: sma_cross"),
    ("sma_cross", {"fasst": 5}, "Did you mean fast?"),
    ("sma_cross", {"fast": "quick"}, "a whole number from 1 to 5000, not 'quick'"),
    ("sma_cross", {"fast": 2.5}, "a whole number"),
    ("sma_cross", {"fast": 0}, "from 1 to 5000, not 0"),
    ("sma_cross", {"fast": 50}, "fast 50 must be below slow 50"),
    ("buy_and_hold", {"x": 1}, "It takes none"),
    ("nowhere.py:X", {}, "There is no strategy file"),
    ("{folder}/syntax.py:X", {}, "syntax.py, line 2"),
    ("{folder}/broken.py:X", {}, "broken.py, line 3: ZeroDivisionError"),
    ("{folder}/mine.py:Other", {}, "It has: Mine"),
    ("{folder}/empty.py", {}, "no class with a method signals"),
    ("{folder}/half.py:Half", {}, "lacks name, summary, parameters, warmup"),
]


@pytest.mark.parametrize(("name", "parameters", "sentence"), WRONG, ids=[row[0] + str(row[1]) for row in WRONG])
def test_what_cannot_be_loaded_is_told_in_a_sentence(
    name: str, parameters: dict[str, float], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "syntax.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "broken.py").write_text("x = 1\n\ny = 1 / 0\n")
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "half.py").write_text("class Half:\n    def signals(self, bars, context): ...\n")
    with pytest.raises(AppError) as refused:
        load(name.format(folder=tmp_path), parameters)
    assert sentence in refused.value.sentence()
    assert "\n" not in refused.value.sentence()

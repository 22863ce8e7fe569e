"""`@strategy`: a class of parameters and signals becomes a strategy that every surface can list, check and run."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from core.research.backtest import backtest
from core.strategies import load
from core.trading.costs import Costs
from core.trading.portfolio import fold
from core.trading.strategy import Context, Parameter, Signals, SignalStrategy, describe, strategy
from tests.core.simulation.market import walk
from tests.trading import ACCOUNT, BTC, Room, facts, synthetic_bars

OWN = '''
import numpy as np
from core.trading.strategy import Parameter, Signals, strategy


@strategy
class EveryOther:
    """Holds for `every` bars, then not for as many.

    More than one line.
    """

    every: int = Parameter(3, 1, 50)
    share = Parameter(0.5, 0.1, 1.0, 0.1, "of equity")
    SHIFT = 1

    def signals(self, bars, context):
        phase = (bars.timestamp // 3_600_000 + self.SHIFT) // self.every % 2
        return Signals(np.where(phase == 1, self.share, 0.0))
'''


@pytest.fixture
def kind(tmp_path: Path) -> type[SignalStrategy]:
    (tmp_path / "own.py").write_text(OWN)
    return type(load(f"{tmp_path}/own.py:EveryOther"))


def test_what_is_not_written_gets_its_usual_value(kind: type[SignalStrategy]) -> None:
    made = kind()
    assert isinstance(made, SignalStrategy)
    assert made.name == "every_other"
    assert made.summary == "Holds for `every` bars, then not for as many."
    assert describe(made) == {"name": "every_other", "parameters": {"every": 3, "share": 0.5}}
    assert made.warmup() == 4
    assert kind(every=20).warmup() == 21  # type: ignore[call-arg]  # its parameters are not known to a type checker
    assert made == kind(3, 0.5)  # type: ignore[call-arg]
    assert made.parameters["share"].help == "of equity"


def test_what_is_written_stays() -> None:
    @strategy
    class Named:
        name = "other_name"
        summary = "Told."
        width = Parameter(2.0, 0.0, 9.0)

        def warmup(self) -> int:
            return 7

        def signals(self, bars: object, context: Context) -> Signals:
            return Signals(np.zeros(1))

    made = load_of(Named)
    assert (made.name, made.summary, made.warmup()) == ("other_name", "Told.", 7)


def load_of(kind: type) -> SignalStrategy:
    made: SignalStrategy = kind()
    return made


def test_without_whole_numbers_one_bar_is_enough_to_begin() -> None:
    @strategy
    class Bare:
        def signals(self, bars: object, context: Context) -> Signals:
            return Signals(np.zeros(1))

    assert load_of(Bare).warmup() == 1
    assert load_of(Bare).summary == ""
    assert load_of(Bare).parameters == {}


def test_a_strategy_may_be_built_on_another(kind: type[SignalStrategy]) -> None:
    derived = strategy(type("Derived", (kind,), {"extra": Parameter(9, 1, 99)}))
    made = load_of(derived)
    assert describe(made) == {"name": "derived", "parameters": {"every": 3, "share": 0.5, "extra": 9}}
    assert made.warmup() == 10


def test_a_class_without_signals_is_refused_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Mute has no method signals"):
        strategy(type("Mute", (), {}))
    (tmp_path / "mute.py").write_text("from core.trading.strategy import strategy\n@strategy\nclass Mute: ...\n")
    with pytest.raises(InvalidInput, match=r"mute\.py: The strategy Mute has no method signals") as refused:
        load(f"{tmp_path}/mute.py:Mute")
    assert "\n" not in refused.value.sentence()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"every": 51}, "every takes a whole number from 1 to 50, not 51"),
        ({"every": 2.5}, "a whole number"),
        ({"share": "lots"}, "share takes a number from 0.1 to 1.0, not 'lots'"),
        ({"share": float("nan")}, "a number"),
        ({"every": True}, "a whole number"),
    ],
)
def test_a_parameter_out_of_range_is_refused(
    kind: type[SignalStrategy], given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        kind(**given)
    assert sentence in refused.value.sentence()


def test_an_attribute_that_is_no_parameter_is_a_constant(kind: type[SignalStrategy], tmp_path: Path) -> None:
    assert "SHIFT" not in kind.parameters
    assert kind().SHIFT == 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        kind(SHIFT=2)  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="no parameter 'SHIFT'"):
        load(f"{tmp_path}/own.py:EveryOther", {"SHIFT": 2})


def test_it_is_frozen(kind: type[SignalStrategy]) -> None:
    made = kind()
    with pytest.raises(AttributeError):
        made.every = 4  # type: ignore[attr-defined]


def test_it_runs_from_its_file_in_a_backtest(kind: type[SignalStrategy], tmp_path: Path) -> None:
    made = load(f"{tmp_path}/own.py:EveryOther", {"every": "5", "share": "0.9"})
    assert describe(made)["parameters"] == {"every": 5, "share": 0.9}
    assert backtest(made, walk(200, 1, timeframe="1h")).stats["trades"] > 5


async def test_it_trades_on_paper_as_in_its_backtest(kind: type[SignalStrategy], tmp_path: Path) -> None:
    bars = synthetic_bars(4, 60)
    made = load(f"{tmp_path}/own.py:EveryOther")
    room = await Room(tmp_path, [bars], Costs()).open()
    try:
        cash = fold(await room.record.entries(ACCOUNT)).balances["USDT"]
        started = await room.engine.trader.start(ACCOUNT, made, BTC, "1h", cash)
        assert started.source == f"{tmp_path}/own.py:EveryOther"
        await room.play()
        fills = facts(await room.fills(started.ledger))
    finally:
        await room.close()
    wanted = backtest(made, bars, float(Decimal(cash)), Costs()).fills
    assert len(fills) > 5
    assert [(fill[0], fill[2], fill[3]) for fill in fills] == [
        (int(row.time.value // 1_000_000), row.price, row.quantity) for row in wanted.itertuples()
    ]

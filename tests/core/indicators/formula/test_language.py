"""What a formula means: precedence, kinds, names, parameters, windows and what is unknown."""

import inspect

import numpy as np
import pytest

from core import indicators
from core.errors import InvalidInput
from core.indicators.formula import FormulaError, parse
from core.indicators.formula.functions import COLUMNS, FUNCTIONS
from core.indicators.formula.graph import Graph
from core.market.bars import Bars
from core.market.higher import higher
from tests.core.market.made import BTC, START, bars

MARKET = bars(400, seed=3)
HOUR = 3_600_000


def value(text: str, market: Bars = MARKET, **parameters: float) -> np.ndarray:
    return parse(text).evaluate(market, **parameters)


def close_bars(*prices: float, timeframe: str = "1h") -> Bars:
    closes = np.array(prices, dtype=float)
    times = START + np.arange(len(closes)) * HOUR
    return Bars.checked(BTC, timeframe, times, closes, closes, closes, closes, np.ones(len(closes)))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("2 ^ 3 ^ 2", 512), ("2 ** 3", 8), ("-2 ^ 2", -4), ("10 - 4 - 3", 3),
        ("8 / 4 / 2", 1), ("5%", 0.05), ("2.5e2", 250), (".5", 0.5), ("mod(7, 3)", 1), ("mod(-7, 3)", 2),
        ("abs(-3)", 3), ("min(3, 1, 2)", 1), ("max(3, 1, 2)", 3), ("round(2.345, 1)", 2.3), ("sign(-8)", -1),
        ("floor(-1.5)", -2), ("ceil(1.2)", 2), ("sqrt(9)", 3), ("log(exp(2))", 2), ("if(2 > 1, 5, 6)", 5),
        ("true or false and false", True), ("not true or true", True), ("not (true or true)", False),
        ("not 1 > 2", True), ("1 < 2 and 2 < 3", True), ("1 == 1", True), ("1 != 1", False), ("1 - -1", 2),
        ("# a remark\n1 # another\n + 1", 2), ("ABS(-1)", 1),
    ],
)  # fmt: skip
def test_constants_are_computed_as_written(text: str, result: float) -> None:
    assert value(text)[0] == pytest.approx(result)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_column_is_the_bars_own(name: str) -> None:
    assert np.array_equal(value(name), getattr(MARKET, name))


def test_time_is_that_of_the_bars_opening() -> None:
    times = MARKET.to_pandas().index
    assert np.array_equal(value("hour"), times.hour)
    assert np.array_equal(value("minute"), times.minute)
    assert np.array_equal(value("weekday"), times.isocalendar().day)
    assert np.array_equal(value("day"), times.day)
    assert np.array_equal(value("month"), times.month)


@pytest.mark.parametrize("name", sorted(set(indicators.catalogue()) - set(FUNCTIONS)))
def test_every_indicator_is_a_function_of_formulas(name: str) -> None:
    told = indicators.catalogue()[name]
    columns = {"other": MARKET.high} | {each: getattr(MARKET, each) for each in told.inputs if each != "other"}
    expected = told.compute(columns)
    inputs = ", ".join({"other": "high"}.get(each, each) for each in told.inputs)
    known = [each for each in told.inputs if each != "timestamp"]
    for place, output in enumerate(told.outputs):
        called = f"{name}({inputs})" if len(known) == len(told.inputs) else f"{name}()"
        found = value(f"{called}.{output.name}" if len(told.outputs) > 1 else called)
        assert np.array_equal(found, expected[place], equal_nan=True)


def test_the_columns_of_an_indicator_may_be_left_away() -> None:
    assert np.array_equal(value("atr(14)"), value("atr(high, low, close, period=14)"), equal_nan=True)
    assert np.array_equal(value("rsi"), value("rsi(close)"), equal_nan=True)
    assert np.array_equal(value("rsi(period=7)"), value("rsi(close, 7)"), equal_nan=True)


def test_an_indicator_of_several_lines_gives_the_one_of_its_name() -> None:
    assert np.array_equal(value("macd"), value("macd(close).macd"), equal_nan=True)


def test_names_bound_before_stand_for_their_formula() -> None:
    assert np.array_equal(value("a = ema(close, 5); b = a - 1; a > b"), value("ema(close, 5) > ema(close, 5) - 1"))


def test_a_parameter_has_a_default_a_range_and_can_be_set() -> None:
    text = "param fast = 12 [2 .. 200 step 2]; param level = 0.5 [0 .. 1]; ema(close, fast) * level"
    formula = parse(text)
    fast, level = formula.parameters["fast"], formula.parameters["level"]
    assert (fast.default, fast.low, fast.high, fast.step, fast.whole) == (12, 2, 200, 2, True)
    assert (level.whole, level.step) == (False, 0.05)
    assert np.array_equal(value(text, fast=5), value("ema(close, 5) * 0.5"), equal_nan=True)
    with pytest.raises(InvalidInput, match="fast takes a whole number from 2 to 200, not 1"):
        value(text, fast=1)
    with pytest.raises(InvalidInput, match="no parameter 'slow'"):
        value(text, slow=1)


def test_a_parameter_that_an_indicator_refuses_is_told_when_it_is_set() -> None:
    text = "param fast = 5 [2 .. 50]; macd(close, fast, 26)"
    with pytest.raises(FormulaError, match="fast 30 must be below slow 26"):
        value(text, fast=30)


def test_equal_is_not_above_for_a_crossing() -> None:
    market = close_bars(1, 2, 3, 3, 2, 3)
    assert value("cross(close, 2)", market).tolist() == [False, False, True, False, False, True]
    assert value("crossunder(close, 3)", market).tolist() == [False, False, False, False, True, False]


def test_nothing_crosses_where_the_bar_before_is_unknown() -> None:
    market = close_bars(1, 2, 3, 4)
    assert not value("cross(sma(close, 2), 0)", market).any()


def test_an_earlier_value_is_unknown_before_the_first_bar() -> None:
    market = close_bars(1, 2, 3)
    assert np.array_equal(value("close[1]", market), [np.nan, 1, 2], equal_nan=True)
    assert np.array_equal(value("previous(close, 5)", market), [np.nan] * 3, equal_nan=True)
    assert value("(close > 0)[1]", market).tolist() == [False, True, True]
    assert np.array_equal(value("change(close, 2)", market), [np.nan, np.nan, 2], equal_nan=True)


def test_a_comparison_with_what_is_unknown_is_false_either_way() -> None:
    market = close_bars(1, 2)
    for sign in ("<", "<=", ">", ">=", "==", "!="):
        assert not value(f"if(close > 0, nan, 1) {sign} 1", market).any()


def test_arithmetic_with_what_is_unknown_is_unknown_and_so_is_what_is_not_finite() -> None:
    market = close_bars(1, 2)
    for text in (
        "close / (close - 1)",
        "log(close - 1)",
        "sqrt(close - 2)",
        "(close - 1) ^ -1",
        "mod(close, close - 1)",
    ):
        assert np.isnan(value(text, market)[0])
    assert np.isnan(value("close * 1e15 ^ 20 * 1e15 ^ 5", market)).all()
    assert np.array_equal(value("nz(log(close - 1), 7)", market), [7, 0])
    assert np.array_equal(value("fill(if(close == 1, close, nan))", market), [1, 1])
    assert value("known(log(close - 1))", market).tolist() == [False, True]


def test_a_truth_is_false_in_the_warm_up_even_when_negated() -> None:
    assert not value("not (sma(close, 5) > 0)").any()
    assert value("not (sma(close, 5) < 0)").tolist() == [False] * 4 + [True] * 396


SLOW = {
    "highest": np.max, "lowest": np.min, "sum": np.sum, "mean": np.mean, "stdev": np.std,
    "since_highest": lambda window: np.argmax(window[::-1]), "since_lowest": lambda window: np.argmin(window[::-1]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("n", [1, 2, 3, 7, 50, 399, 400, 401, 10_000])
def test_a_window_is_what_a_loop_over_it_gives(name: str, n: int) -> None:
    series = np.round(MARKET.close * 4) / 4  # equal values occur
    series[40], series[200] = np.nan, np.nan
    found = FUNCTIONS[name].run(series, n)
    for t in range(len(series)):
        window = series[max(0, t - n + 1) : t + 1]
        if len(window) < n or np.isnan(window).any():
            assert np.isnan(found[t])
        else:
            assert found[t] == pytest.approx(SLOW[name](window), rel=1e-12, abs=1e-12)


def test_the_deviation_of_equal_values_is_exactly_nothing() -> None:
    assert not value("stdev(if(close > 0, 123456.789, 0), 20)")[19:].any()


def test_counts_and_runs_of_conditions() -> None:
    market = close_bars(1, 2, 3, 2, 4, 5, 6)
    known = [np.nan, 1, 2, 1, 1, 2, 2]
    assert np.array_equal(value("count(close > close[1], 2)", market), [np.nan, *known[1:]], equal_nan=True)
    assert value("rising(close, 2)", market).tolist() == [False, False, True, False, False, True, True]
    assert value("falling(close)", market).tolist() == [False, False, False, True, False, False, False]
    since = [np.nan, np.nan, 0, 1, 2, 3, 4]
    assert np.array_equal(value("barssince(close == 3)", market), since, equal_nan=True)


@pytest.mark.parametrize("text", ["highest(5, 3)", "if(close > 0, 1, 2)", "7", "max(close, 3, 2)", "cross(5, 3)"])
def test_a_constant_does_where_a_series_is_meant(text: str) -> None:
    assert len(value(text)) == len(MARKET)


def test_a_higher_timeframe_is_seen_after_its_bar_has_closed() -> None:
    whole = higher(MARKET, "4h")
    expected = whole.expand(indicators.ema(whole.bars.close, 5))
    assert np.array_equal(value('at("4h", ema(close, 5))'), expected, equal_nan=True)
    rule = value('at("4h", close > open)')
    assert rule.dtype == bool
    assert np.array_equal(rule, whole.expand(whole.bars.close > whole.bars.open) == 1.0)


def test_a_name_inside_at_is_meant_on_the_higher_bars() -> None:
    assert np.array_equal(
        value('slow = ema(close, 5); at("4h", slow)'), value('at("4h", ema(close, 5))'), equal_nan=True
    )


def test_at_its_own_timeframe_is_the_plain_value_and_a_lower_one_is_refused() -> None:
    assert np.array_equal(value('at("1h", close[1])'), value("close[1]"), equal_nan=True)
    with pytest.raises(InvalidInput, match="1h"):
        value('at("5m", close)')


def test_bars_of_none_give_a_value_of_none() -> None:
    assert np.isnan(
        value('at("1d", stdev(close, 5) + since_highest(fill(close), 2) + sum(close, 3))', MARKET[:5])
    ).all()
    for text in ("close", "stdev(close, 5)", "since_highest(close, 5)", "rsi", 'at("4h", fill(close))', "1"):
        assert len(value(text, MARKET[:0])) == 0


def test_what_is_written_twice_is_computed_once() -> None:
    graph, _ = parse("ema(close, 12) + ema(close, 12) * (ema(close, 12) + 1)")._lowered({})
    assert [step.work for step in graph.steps].count("indicator") == 1


@pytest.mark.parametrize(
    ("text", "bars_before"),
    [
        ("close", 0), ("close[3]", 3), ("sma(close, 20)", 19), ("sma(close, 20)[5]", 24), ("rsi(close, 14)", 14),
        ("cross(sma(close, 20), close)", 20), ("highest(rsi(close, 14), 10)", 23), ("barssince(close > open)", 0),
    ],
)  # fmt: skip
def test_the_warm_up_is_the_first_known_bar(text: str, bars_before: int) -> None:
    formula = parse(text)
    assert formula.warmup() == bars_before
    if formula.kind == "number" and "since" not in text:
        assert np.flatnonzero(~np.isnan(formula.evaluate(MARKET)))[0] == bars_before


def test_the_warm_up_of_a_higher_timeframe_is_counted_in_the_bars_given() -> None:
    formula = parse('at("4h", sma(close, 5))')
    known = np.flatnonzero(~np.isnan(formula.evaluate(MARKET)))[0]
    assert known <= formula.warmup("1h") <= known + 4
    assert formula.frames() == ("4h",)


def test_rules_come_under_their_labels() -> None:
    formula = parse("entry: close > open; exit: close < open; stop: 5%; target: close * 1.1; exposure: 0.5")
    found = formula.rules(MARKET)
    assert formula.kind == "rules"
    assert found["stop"] == 0.05
    assert found["exposure"] == 0.5
    assert np.array_equal(found["target"], MARKET.close * 1.1)
    with pytest.raises(InvalidInput, match="no value of their own"):
        formula.evaluate(MARKET)


def test_the_result_may_be_written_into_without_harm() -> None:
    value("close")[:] = 0.0
    assert MARKET.close[0] > 0.0


def test_too_much_work_for_the_bars_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.indicators.formula.graph.MOST_WORK", 1_000)
    with pytest.raises(InvalidInput, match="too much for 400 bars"):
        value("rsi(close, 14) + ema(close, 5)")


def test_too_long_a_computation_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.indicators.formula.graph.MOST_SECONDS", 0.0)
    with pytest.raises(InvalidInput, match="too much for 400 bars"):
        value("rsi(close, 14) + ema(close, 5)")


def test_only_what_is_still_needed_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.indicators.formula.graph.MOST_HELD", 400 * 8 * 4)
    assert len(value(" + ".join(f"sma(close, {n})" for n in range(1, 30)))) == 400
    with pytest.raises(InvalidInput, match="too much"):
        value("+".join(f"(sma(close, {n}) + (high - {n}))" for n in range(1, 9)).replace("+(", "^("))


def test_no_function_means_something_else_than_the_indicator_of_its_name() -> None:
    both = set(FUNCTIONS) & set(indicators.catalogue())
    assert both == {"highest", "lowest"}
    for name in both:
        assert np.array_equal(
            value(f"{name}(close, period=9)"), getattr(indicators, name)(MARKET.close, 9), equal_nan=True
        )
    assert not set(COLUMNS) & set(indicators.catalogue())


def test_the_language_neither_evaluates_nor_imports_what_is_written() -> None:
    import core.indicators.formula.formula as formula
    import core.indicators.formula.lowering as lowering
    import core.indicators.formula.names as names
    import core.indicators.formula.parser as parser

    for module in (formula, lowering, names, parser, inspect.getmodule(Graph)):
        source = inspect.getsource(module)  # type: ignore[arg-type]
        assert not any(word in source for word in ("eval(", "exec(", "compile(", "__import__", "importlib"))

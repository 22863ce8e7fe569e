"""What holds for every formula: no look-ahead, a prefix gives the prefix, and whatever is typed is answered."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.indicators.formula import FormulaError, parse
from core.strategies.formula import formula_strategy
from core.trading.strategy import Context
from tests.core.market.made import any_bars

sizes = st.integers(1, 30).map(str)
columns = st.sampled_from(["open", "high", "low", "close", "volume", "hl2", "hlc3", "ohlc4", "hour", "weekday", "nan"])


def numbers(inner: st.SearchStrategy[str], truths: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def call(names: list[str], *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(st.sampled_from(names), *parts).map(lambda all: f"{all[0]}({', '.join(all[1:])})")

    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda all: f"({' '.join(all)})"),
        call(["highest", "lowest", "sum", "mean", "stdev", "since_highest", "since_lowest", "change"], inner, sizes),
        call(["ema", "sma", "wma", "roc", "macd"], inner),
        call(["rsi", "sma", "ema"], inner, sizes.map(lambda n: f"{n} + 1")),
        call(["abs", "sqrt", "log", "exp", "sign", "round", "fill", "nz", "floor"], inner),
        call(["min", "max", "mod", "nz"], inner, inner),
        call(["if"], truths, inner, inner),
        call(["barssince"], truths),
        call(["count"], truths, sizes),
        st.tuples(inner, sizes).map(lambda all: f"{all[0]}[{all[1]}]"),
        call(["at"], st.sampled_from(['"2h"', '"4h"', '"1d"']), inner.filter(lambda text: "at(" not in text)),
        st.sampled_from(["atr", "adx(7)", "donchian(9).upper", "stochastic().d", "bollinger(close, 5).lower", "obv"]),
    )


def conditions(inner: st.SearchStrategy[str], plain: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(plain, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), plain).map(
            lambda all: f"({' '.join(all)})"
        ),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda all: f"({' '.join(all)})"),
        inner.map(lambda text: f"(not {text})"),
        st.tuples(st.sampled_from(["cross", "crossunder"]), plain, plain).map(
            lambda all: f"{all[0]}({all[1]}, {all[2]})"
        ),
        st.tuples(st.sampled_from(["rising", "falling"]), plain, sizes).map(
            lambda all: f"{all[0]}({all[1]}, {all[2]})"
        ),
    )


leaves = st.one_of(columns, st.sampled_from(["1", "0.5", "-3", "100", "1e9"]))
some_truths = conditions(st.just("(close > open)"), leaves)
some_numbers = st.recursive(leaves, lambda inner: numbers(inner, some_truths), max_leaves=8)
formulas = st.one_of(
    some_numbers, st.recursive(some_truths, lambda inner: conditions(inner, some_numbers), max_leaves=4)
)


@settings(max_examples=150)
@given(formulas, any_bars(most=150), st.data())
def test_a_formula_of_a_prefix_is_the_prefix_of_the_formula(text: str, bars, data) -> None:  # type: ignore[no-untyped-def]
    try:
        formula = parse(text)
    except FormulaError:
        return  # constants that have no value, such as log(-3)
    whole = formula.evaluate(bars)
    cut = data.draw(st.integers(1, len(bars)))
    assert np.array_equal(formula.evaluate(bars[:cut]), whole[:cut], equal_nan=whole.dtype != bool), text
    assert len(whole) == len(bars)
    if whole.dtype != bool:
        assert not np.isinf(whole).any()


@settings(max_examples=60)
@given(some_numbers, any_bars(most=120))
def test_nothing_is_known_before_the_warm_up(text: str, bars) -> None:  # type: ignore[no-untyped-def]
    if any(
        name in text for name in ("nz(", "at(", "if(", "nan", "count(", "since(")
    ):  # known earlier, or counted with a margin
        return
    try:
        formula = parse(text)
    except FormulaError:
        return
    assert np.isnan(formula.evaluate(bars)[: formula.warmup(bars.timeframe)]).all(), text


words = st.lists(
    st.sampled_from(
        [
            "close",
            "ema",
            "macd",
            "param",
            "a",
            "=",
            "==",
            ";",
            ":",
            "entry",
            "exit",
            "(",
            ")",
            "[",
            "]",
            ",",
            ".",
            "..",
            "1",
            "0.5",
            "5%",
            "-",
            "+",
            "*",
            "/",
            "^",
            "and",
            "or",
            "not",
            "if",
            "at",
            '"4h"',
            "<",
            ">",
            "true",
            "nan",
            "cross",
            "#",
            "\n",
            "1e999",
            "é",
            "\0",
            "stop",
            "'",
        ]
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), words.map(" ".join), words.map("".join)))
def test_whatever_is_typed_is_a_formula_or_one_sentence(text: str) -> None:
    refused = None
    try:
        parse(text)
    except FormulaError as wrong:
        refused = wrong
    if refused is not None:
        assert 0 <= refused.position <= len(text)
        assert refused.pointed().endswith("^")
        assert len(refused.sentence()) < 300


@settings(max_examples=60)
@given(formulas, st.integers(0, 3))
def test_a_formula_written_again_means_the_same(text: str, spaces: int) -> None:
    try:
        formula = parse(text)
    except InvalidInput:
        return
    again = parse(text.replace("(", "(" + " " * spaces).upper().replace('"2H"', '"2h"'))
    assert (again.kind, again.warmup("1h")) == (formula.kind, formula.warmup("1h"))


PROTECTED = st.sampled_from(
    ["", "; stop: 5%; target: 0.1", "; stop: close - 2 * atr(5); trail: 0.1", "; limit: 1%; exposure: 0.5"]
)


@settings(max_examples=60)
@given(st.lists(some_truths, min_size=4, max_size=4), PROTECTED, any_bars(most=120), st.data())
def test_the_signals_of_a_prefix_are_the_prefix_of_the_signals(rules, protection, bars, data) -> None:  # type: ignore[no-untyped-def]
    labels = data.draw(
        st.sampled_from([("entry",), ("entry", "exit"), ("entry", "short"), ("entry", "exit", "short", "cover")])
    )
    text = "; ".join(f"{label}: {rule}" for label, rule in zip(labels, rules, strict=False)) + protection
    strategy = formula_strategy(text)()
    cut = data.draw(st.integers(1, len(bars)))
    whole, part = strategy.signals(bars, Context()), strategy.signals(bars[:cut], Context())
    for name in ("exposure", "limit", "stop", "take_profit", "trail"):
        one, other = getattr(whole, name), getattr(part, name)
        assert (one is None and other is None) or np.array_equal(other, one[:cut], equal_nan=True), (text, name)
    assert not (np.abs(whole.exposure) > 1.0).any()

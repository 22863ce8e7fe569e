"""Every indicator of the catalogue keeps what its description promises."""

import inspect
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core import indicators
from core.errors import InvalidInput, NotFound
from core.indicators.described import CATEGORIES, Indicator
from core.market.bars import COLUMNS, Bars

CATALOGUE = indicators.catalogue()
MONDAY = 1_704_067_200_000  # 2024-01-01 00:00 UTC
HOUR = 3_600_000
every = pytest.mark.parametrize("told", [pytest.param(each, id=name) for name, each in CATALOGUE.items()])
Columns = dict[str, NDArray[Any]]


def market(n: int, seed: int = 1) -> Columns:
    """Hourly bars that walk, from a Monday on, and another series."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open = np.r_[100.0, close[:-1]][:n] * np.exp(rng.normal(0, 0.001, n))
    return {
        "timestamp": MONDAY + np.arange(n) * HOUR,
        "open": open,
        "high": np.maximum(open, close) * np.exp(np.abs(rng.normal(0, 0.003, n))),
        "low": np.minimum(open, close) * np.exp(-np.abs(rng.normal(0, 0.003, n))),
        "close": close,
        "volume": rng.random(n) * 10 + 0.1,
        "other": 50 * np.exp(np.cumsum(rng.normal(0, 0.01, n))),
    }


def inputs(told: Indicator, columns: Columns) -> list[NDArray[Any]]:
    return [columns[name] for name in told.inputs]


def variants(told: Indicator) -> Iterator[dict[str, Any]]:
    """The defaults, and each parameter at its least, a little more and twice as much, where all go together."""
    yield {}
    for name, each in told.parameters.items():
        for value in (each.low, each.default + 1, each.default * 2):
            if each.low <= value <= each.high:
                try:
                    short = told.warmup(**{name: value}) < 400
                except InvalidInput:
                    continue
                if short:
                    yield {name: value}


def known_from(told: Indicator, first: int) -> int:
    """Levels of sessions before are known when one is over: 24 bars, a week, January."""
    return {"pivots": 24, "weekly_pivots": 168, "monthly_pivots": 744}.get(told.name, first)


@every
def test_a_description_is_complete(told: Indicator) -> None:
    function = getattr(indicators, told.name)
    assert function is told.function
    assert list(inspect.signature(function).parameters) == [*told.inputs, *told.parameters]
    assert told.category in CATEGORIES
    assert re.fullmatch(r"[A-Z].*\.", told.summary)
    assert all(each.low <= each.default <= each.high and each.help for each in told.parameters.values())
    assert all(each.unit for each in told.outputs)
    assert len({each.name for each in told.outputs}) == len(told.outputs)
    assert told.warmup() >= 0
    assert pickle.loads(pickle.dumps(told)) is told
    assert pickle.loads(pickle.dumps(function)) is function


def test_there_are_many_of_every_category() -> None:
    assert len(CATALOGUE) >= 180
    assert {each.category for each in CATALOGUE.values()} == set(CATEGORIES)


@every
def test_the_warm_up_is_exact_and_nothing_is_unknown_after_it(told: Indicator) -> None:
    columns = market(800)
    for parameters in variants(told):
        found = told.compute(columns, **parameters)
        first = known_from(told, told.warmup(**parameters))
        assert len(found) == len(told.outputs)
        for line in found:
            assert line.dtype == np.float64
            assert line.shape == (800,)
            assert np.isnan(line[:first]).all(), parameters
            assert np.isfinite(line[first:]).all(), parameters


@every
def test_what_comes_later_changes_nothing(told: Indicator) -> None:
    columns = market(300, seed=4)
    for parameters in variants(told):
        whole = told.compute(columns, **parameters)
        for cut in (0, 1, 2, told.warmup(**parameters), told.warmup(**parameters) + 1, 150, 299):
            part = told.compute({name: column[:cut] for name, column in columns.items()}, **parameters)
            for line, shorter in zip(whole, part, strict=True):
                np.testing.assert_array_equal(shorter, line[:cut])


@pytest.mark.parametrize("name", [name for name, each in CATALOGUE.items() if each.settles() is not None])
def test_where_the_data_begins_no_longer_matters_once_it_has_settled(name: str) -> None:
    told, late = CATALOGUE[name], 200
    settled = told.settles() or 0
    columns = market(late + settled + 60, seed=9)
    whole = told.compute(columns)
    part = told.compute({name: column[late:] for name, column in columns.items()})
    assert settled >= told.warmup()
    for line, shorter in zip(whole, part, strict=True):
        scale = np.nanmax(np.abs(line[late:]))
        np.testing.assert_allclose(shorter[settled:], line[late + settled :], rtol=1e-6, atol=1e-6 * scale)


@every
def test_unknown_values_at_the_head_lengthen_the_warm_up(told: Indicator) -> None:
    columns = market(200, seed=2)
    plain = told.compute(columns)
    late = {
        name: np.r_[column[:7] - 7 * HOUR if name == "timestamp" else np.full(7, np.nan), column]
        for name, column in columns.items()
    }
    if all(name == "timestamp" or np.isnan(late[name][0]) for name in told.inputs):
        for line, moved in zip(plain, told.compute(late), strict=True):
            assert np.isnan(moved[:7]).all()
            np.testing.assert_array_equal(moved[7:], line)


@every
def test_an_unknown_value_further_on_makes_the_rest_unknown_and_nothing_before(told: Indicator) -> None:
    columns = market(200, seed=3)
    plain = told.compute(columns)
    for hole in (np.nan, np.inf):
        broken = {
            name: column if name == "timestamp" else np.r_[column[:150], hole, column[151:]]
            for name, column in columns.items()
        }
        for line, cut in zip(plain, told.compute(broken), strict=True):
            np.testing.assert_array_equal(cut[:150], line[:150])
            assert np.isnan(cut[150:]).all()


@every
def test_arrays_of_any_layout_and_number_give_the_same(told: Indicator) -> None:
    columns = {name: np.rint(column) if name != "timestamp" else column for name, column in market(160).items()}
    expected = told.compute(columns)
    apart = {name: np.repeat(column, 2)[::2] for name, column in columns.items()}
    fixed = {name: column.copy() for name, column in columns.items()}
    for column in fixed.values():
        column.flags.writeable = False
    whole = {name: column.astype(np.int64) for name, column in columns.items()}
    single = {name: column.astype(np.float32) if name != "timestamp" else column for name, column in columns.items()}
    listed = {name: column.tolist() for name, column in columns.items()}
    for given in (apart, fixed, whole, single, listed):
        for line, same in zip(expected, told.compute(given), strict=True):
            np.testing.assert_array_equal(same, line)
    for name, column in fixed.items():
        np.testing.assert_array_equal(column, columns[name])


@every
def test_an_indicator_gives_arrays_of_its_own(told: Indicator) -> None:
    columns = market(120, seed=5)
    for parameters in variants(told):
        before = {name: column.copy() for name, column in columns.items()}
        for line in told.compute(columns, **parameters):
            line[:] = -1.0
        for name, column in columns.items():
            np.testing.assert_array_equal(column, before[name])


@every
@pytest.mark.parametrize("kind", ["constant", "silent", "both", "huge", "tiny"])
def test_prices_that_stand_still_and_bars_without_volume_give_finite_values(told: Indicator, kind: str) -> None:
    columns = market(760, seed=6)
    for name in columns:
        if name == "volume":
            columns[name] *= 0.0 if kind in ("silent", "both") else 1.0
        elif name != "timestamp":
            scale = {"huge": 1e9, "tiny": 1e-9}.get(kind, 1.0)
            columns[name] = np.full(760, 100.1) if kind in ("constant", "both") else columns[name] * scale
    first = known_from(told, told.warmup())
    for line in told.compute(columns):
        assert np.isfinite(line[first:]).all()


@every
def test_a_wrong_parameter_is_one_sentence_that_names_it_and_the_range(told: Indicator) -> None:
    columns = market(60)
    with pytest.raises(InvalidInput, match=rf"^{told.name} has no parameter 'colour'; it has .*\.$"):
        told.compute(columns, colour=1)
    for name, each in told.parameters.items():
        kind = "whole number" if each.kind is int else "number"
        wrong: tuple[Any, ...] = (each.low - 1, each.high + 1, float("nan"), float("inf"), "many", None, True, [2])
        for value in wrong + ((each.default + 0.5,) if each.kind is int else ()):
            with pytest.raises(InvalidInput) as refused:
                told.compute(columns, **{name: value})
            assert refused.value.message == f"{name} {value} is not a {kind} from {each.low} to {each.high}."


@every
def test_wrong_arrays_are_one_sentence(told: Indicator) -> None:
    columns = market(60)
    given = inputs(told, columns)
    for wrong in (np.ones((60, 2)), np.array(["a"] * 60), np.array(1.0), np.ones(60, dtype=bool), [None, "x"], {}):
        with pytest.raises(InvalidInput, match=r"^\w+ takes .*, and \w+ .*\.$"):
            told.function(*given[:-1], wrong)
    if len(given) > 1:
        with pytest.raises(InvalidInput, match=r"different lengths: .*\.$"):
            told.function(*given[:-1], given[-1][1:])
    with pytest.raises(InvalidInput, match=r"^\w+\(.*\): missing a required argument: '\w+'\.$"):
        told.function(*given[:-1])
    with pytest.raises(InvalidInput, match=rf"^{told.name} needs .*, and '{told.inputs[-1]}' is not given\.$"):
        told.compute({name: columns[name] for name in told.inputs[:-1]})


def test_parameters_that_do_not_go_together_are_refused_by_the_warm_up_too() -> None:
    for ask in (CATALOGUE["macd"].warmup, CATALOGUE["macd"].settles):
        with pytest.raises(InvalidInput, match=r"^fast 30 must be below slow 26\.$"):
            ask(fast=30)


def test_an_unknown_name_is_answered_with_those_most_like_it() -> None:
    with pytest.raises(NotFound) as unknown:
        indicators.named("bolinger")
    assert "Did you mean bollinger" in unknown.value.sentence()
    assert indicators.named(" Stochastic-RSI ").name == "stochastic_rsi"


def test_importing_the_package_loads_neither_ta_lib_nor_numba() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from core.indicators import catalogue, rsi, supertrend; catalogue(); "
        "print({'talib', 'numba', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_threads_at_once_get_what_one_alone_gets() -> None:
    columns = market(2_000, seed=8)
    alone = {name: told.compute(columns) for name, told in CATALOGUE.items()}
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda told: (told.name, told.compute(columns)), list(CATALOGUE.values()) * 3))
    for name, lines in found:
        np.testing.assert_array_equal(lines, alone[name])


@pytest.mark.realdata
def test_every_indicator_is_known_on_real_hours_and_within_its_bounds(shared_data: Path) -> None:
    folder = shared_data / "market" / "binance" / "1h"
    bars, other = Bars.read(folder / "BTCUSDT.parquet")[:5_000], Bars.read(folder / "ETHUSDT.parquet")[:5_000]
    columns = {name: getattr(bars, name) for name in COLUMNS} | {"other": other.close}
    bounds = {"0 to 100": (0, 100), "-100 to 100": (-100, 100), "-100 to 0": (-100, 0), "0 to 1": (0, 1),
              "-1 to 1": (-1, 1), "-1, 0 or 1": (-1, 1), "price": (0, np.inf)}  # fmt: skip
    for name, told in CATALOGUE.items():
        for each, line in zip(told.outputs, told.compute(columns), strict=True):
            values = line[~np.isnan(line)]
            assert len(values) > 0, name
            assert np.isfinite(line[told.warmup() :]).all() or told.waits, name
            low, high = bounds.get(each.unit, (-np.inf, np.inf))
            assert low - 1e-6 <= values.min(), (name, each.name, values.min())
            assert values.max() <= high + 1e-6, (name, each.name, values.max())

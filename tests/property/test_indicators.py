"""What holds for every indicator on any market and with any parameters: none sees the future."""

from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.indicators import catalogue
from core.market.bars import COLUMNS
from tests.core.simulation.market import walk


@settings(max_examples=150)
@given(st.data(), st.sampled_from(sorted(catalogue())), st.integers(0, 1000), st.integers(0, 240))
def test_no_indicator_sees_the_future(data: st.DataObject, name: str, seed: int, cut: int) -> None:
    told = catalogue()[name]
    parameters: dict[str, Any] = {
        key: data.draw(
            st.integers(int(each.low), int(min(each.high, 80)))
            if each.kind is int
            else st.floats(each.low, min(each.high, 50.0))
        )
        for key, each in told.parameters.items()
    }
    bars = walk(240, seed, timeframe="1h")
    columns = {column: getattr(bars, column) for column in COLUMNS} | {"other": walk(240, seed + 1).close}
    try:
        whole = told.compute(columns, **parameters)
    except InvalidInput:
        assume(False)  # a fast period above the slow one
    part = told.compute({column: values[:cut] for column, values in columns.items()}, **parameters)
    for line, shorter in zip(whole, part, strict=True):
        np.testing.assert_array_equal(shorter, line[:cut])

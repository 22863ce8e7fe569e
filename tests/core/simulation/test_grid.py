"""The kernel's grids decide as core.money does, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import decimal_of, quantise_price, quantise_quantity
from core.simulation.grid import against, down, fraction_of, nearest

STEPS = ["0.1", "0.01", "0.05", "0.00001", "0.025", "0.5", "1", "10", "2.5", "0.001", "0"]
values = st.one_of(
    st.floats(1e-6, 1e6),
    st.decimals(Decimal("0.0001"), Decimal(100_000), places=4).map(float),
    st.tuples(st.integers(1, 100_000), st.sampled_from(STEPS[:-1])).map(lambda pair: float(pair[0] * Decimal(pair[1]))),
)


@given(values, st.sampled_from(STEPS))
def test_quantities_and_prices_round_as_money_does(value: float, step: str) -> None:
    grid, exact = fraction_of(Decimal(step)), decimal_of(value)
    assert down(value, *grid) == float(quantise_quantity(exact, Decimal(step)))
    assert nearest(value, *grid) == float(quantise_price(exact, Decimal(step)))
    assert against(value, 1.0, *grid) == float(quantise_price(exact, Decimal(step), 1))
    assert against(value, -1.0, *grid) == float(quantise_price(exact, Decimal(step), -1))


@pytest.mark.parametrize(("value", "lots"), [(0.3, 0.3), (0.1 + 0.2, 0.3), (0.29, 0.2), (0.05, 0.0)])
def test_three_tenths_are_three_lots(value: float, lots: float) -> None:
    assert down(value, *fraction_of(Decimal("0.1"))) == lots

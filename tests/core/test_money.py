"""Money: exact, and on the venue's grids."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.money import decimal_of, plain, quantise_price, quantise_quantity

AMOUNTS = st.decimals("0", "1e12", allow_nan=False, places=12)
GRIDS = st.sampled_from([Decimal("0.01"), Decimal("0.00001"), Decimal("0.25"), Decimal(1), Decimal(10)])


@given(AMOUNTS, GRIDS)
def test_a_quantity_goes_down_onto_its_grid_by_less_than_a_step(amount: Decimal, lot: Decimal) -> None:
    rounded = quantise_quantity(amount, lot)
    assert 0 <= amount - rounded < lot
    assert rounded % lot == 0
    assert quantise_quantity(rounded, lot) == rounded


@given(AMOUNTS, GRIDS)
def test_a_price_stays_between_the_grid_lines_around_it(price: Decimal, tick: Decimal) -> None:
    low, near, high = (quantise_price(price, tick, direction) for direction in (-1, 0, 1))
    assert low <= price <= high
    assert near in (low, high)
    assert abs(near - price) * 2 <= tick


def test_no_grid_means_no_change() -> None:
    assert quantise_quantity(Decimal("0.123456789"), Decimal(0)) == Decimal("0.123456789")
    assert quantise_price(Decimal("0.123456789"), Decimal(0)) == Decimal("0.123456789")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_is_written_for_it(value: float) -> None:
    assert str(float(decimal_of(value))) == str(value)


@pytest.mark.parametrize("wrong", ["", "abc", "1,5", float("nan"), "inf", Decimal("NaN")])
def test_what_is_no_finite_number_is_refused(wrong: float | str | Decimal) -> None:
    with pytest.raises(InvalidInput):
        decimal_of(wrong)


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.00010", "0.0001"), ("1E+3", "1000"), ("-0", "0"), ("0E-8", "0"), ("12.50", "12.5"), ("-0.10", "-0.1")],
)
def test_numbers_are_written_plainly(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@given(AMOUNTS)
def test_plain_numbers_read_back_the_same(amount: Decimal) -> None:
    assume(amount.is_finite())
    assert Decimal(plain(amount)) == amount

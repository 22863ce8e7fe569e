"""Decimal money, and the one rule that quantises between floats and venue grids."""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

from core.errors import InvalidInput

ZERO = Decimal(0)
ONE = Decimal(1)


def decimal_of(value: float | int | str | Decimal) -> Decimal:
    """The exact decimal a person means by `value`: floats by their shortest repr. Raises InvalidInput."""
    if isinstance(value, Decimal):
        number = value
    else:
        try:
            number = Decimal(repr(value) if isinstance(value, float) else str(value).strip().replace("_", ""))
        except InvalidOperation:
            raise InvalidInput(f"'{value}' is not a number.", value=str(value)) from None
    if not number.is_finite():
        raise InvalidInput(f"'{value}' is not a finite number.", value=str(value))
    return number


def quantise_quantity(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """Quantity towards zero onto the lot grid; lot_size 0 means no grid."""
    if lot_size == 0:
        return quantity
    with localcontext() as context:
        context.prec = 60
        return (quantity / lot_size).to_integral_value(ROUND_DOWN) * lot_size


def quantise_price(price: Decimal, tick_size: Decimal, direction: int = 0) -> Decimal:
    """Price onto the tick grid: nearest (half to even), or up (+1), or down (-1); tick_size 0 means no grid."""
    if tick_size == 0:
        return price
    rounding = {0: ROUND_HALF_EVEN, 1: ROUND_CEILING, -1: ROUND_FLOOR}[direction]
    with localcontext() as context:
        context.prec = 60
        return (price / tick_size).to_integral_value(rounding) * tick_size


def plain(number: Decimal) -> str:
    """The number without exponent or trailing zeros: 0.00010 -> '0.0001', 1E+3 -> '1000'."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text

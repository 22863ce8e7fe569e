"""Numbers and times for people: prices by their tick, amounts without noise, percentages with a sign."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Protocol

from core.money import plain

Number = Decimal | float | int
SIMULATED = "SIMULATED"


class Grid(Protocol):
    """What has a price grid: an instrument."""

    @property
    def tick_size(self) -> Decimal: ...


# Words must not depend on what else rounded in the same thread
STEADY = Context(prec=60, rounding=ROUND_HALF_EVEN)


def rounded(number: Decimal, places: int) -> Decimal:
    """The number at so many decimals, half to even whatever the context of the thread says."""
    with localcontext(STEADY):
        return round(number, places)


def grouped(value: Decimal, places: int | None = None) -> str:
    """1234.5 as '1,234.5'; with `places` as exactly so many decimals."""
    with localcontext(STEADY):
        text = plain(value) if places is None else f"{value:.{places}f}"
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = digits.partition(".")
    return f"{sign}{int(whole):,}{point}{rest}"


def price(value: Number, instrument: Grid | None = None) -> str:
    """A price with the decimals of the instrument's tick, else with about six significant digits."""
    number = exact(value)
    if instrument is not None and instrument.tick_size > 0:
        return grouped(number, max(0, -int(instrument.tick_size.normalize().as_tuple().exponent)))
    if number == 0:
        return "0"
    places = min(10, max(2, 5 - number.adjusted())) if abs(number) < 1000 else 2
    return grouped(rounded(number, places))


def quantity(value: Number, asset: str = "") -> str:
    """An amount of a coin without trailing zeros, at most eight decimals, never rounded up: '0.015 BTC'."""
    number = exact(value).quantize(Decimal("1e-8"), ROUND_DOWN)
    return f"{grouped(number)} {asset}".strip()


def money(value: Number, currency: str = "USDT") -> str:
    """Two decimals and the currency: '9,950.12 USDT'."""
    number = exact(value)
    if 0 < abs(number) < Decimal("0.01"):
        return f"{'-' if number < 0 else ''}<0.01 {currency}".strip()
    return f"{grouped(number.quantize(Decimal('0.01'), ROUND_HALF_EVEN) + 0, 2)} {currency}".strip()


def signed(value: Number, currency: str = "USDT") -> str:
    """Money with its sign: '+12.30 USDT'."""
    number = exact(value).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return f"{'+' if number > 0 else ''}{money(number, currency)}"


def percent(fraction: Number | None, places: int = 2, sign: bool = False) -> str:
    """0.0512 as '5.12 %'; None and NaN as '–'."""
    if fraction is None or fraction != fraction:
        return "–"
    number = exact(fraction) * 100
    text = grouped(rounded(number, places) + 0, places)
    return f"{'+' if sign and number > 0 and text.strip('0.') else ''}{text} %"


def rate(fraction: Number) -> str:
    """0.03 as '3.0 %', 0.0002 as '0.02 %': every digit of a share that somebody chose, one at least."""
    digits = -int((exact(fraction) * 100).normalize().as_tuple().exponent)
    return percent(fraction, max(1, digits))


def exact(value: Number) -> Decimal:
    """The decimal of a number; NaN and infinities as zero, so that an answer is never cut short by one."""
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else Decimal(0)


def moment(time: datetime | int) -> str:
    """'2026-03-01 14:05 UTC' of a time or of UTC milliseconds."""
    stamp = datetime.fromtimestamp(time / 1000, UTC) if isinstance(time, int) else time.astimezone(UTC)
    return f"{stamp:%Y-%m-%d %H:%M} UTC"


def day(time: datetime | int) -> str:
    """'2026-03-01' of a time or of UTC milliseconds."""
    return moment(time)[:10]


def plural(count: int, noun: str) -> str:
    """'1 order', '2 orders'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(items: list[str], last: str = "and") -> str:
    """'a, b and c'."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def badge(mode: str, simulated: bool) -> str:
    """'PAPER, SIMULATED prices' or 'PAPER': stands in every answer about money."""
    return f"{mode}, {SIMULATED} prices" if simulated else mode

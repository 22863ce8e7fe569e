"""Limits: pure checks before every order, each with its numbers.

An order that only reduces a position passes what protects against trading too much (rate, size, collar, kill switch),
never what it cannot do (more than is held).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.errors import RiskRefused
from core.market.instrument import Instrument
from core.money import ZERO, plain
from core.trading.orders import Side


class InsufficientFunds(RiskRefused):
    """The ledger does not hold what the order needs."""

    code = "insufficient_funds"

    def __init__(self, asset: str, *, allowed: Decimal, asked: Decimal, hint: str | None = None) -> None:
        super().__init__("available " + asset, allowed=amount(allowed, asset), asked=amount(asked, asset), hint=hint)
        self.message = f"This needs {amount(asked, asset)}, and {amount(allowed, asset)} is free."
        self.args = (self.message,)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do. Every figure is a ceiling; None sets none.

    order_notional, position_notional: quote; exposure: share of the ledger's equity; collar: how far, as a fraction,
    a limit price may lie on the losing side of the market
    """

    order_notional: Decimal | None = Decimal(1_000_000)
    position_notional: Decimal | None = Decimal(5_000_000)
    exposure: Decimal | None = Decimal("1.01")
    orders_per_minute: int | None = 120
    collar: Decimal | None = Decimal("0.10")


PAPER = Limits()


@dataclass(frozen=True, slots=True)
class Check:
    """One limit that was looked at. allowed and asked are plain numbers with their unit, e.g. '9950 USDT'."""

    name: str
    allowed: str
    asked: str
    passed: bool = True
    hint: str | None = None
    funds: tuple[str, Decimal, Decimal] | None = None  # asset, free, needed

    def demand(self) -> None:
        """Raises RiskRefused when it did not pass."""
        if self.passed:
            return
        if self.funds is not None:
            asset, free, needed = self.funds
            raise InsufficientFunds(asset, allowed=free, asked=needed, hint=self.hint)
        raise RiskRefused(self.name, allowed=self.allowed, asked=self.asked, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the limits look at. Quantities in base, amounts in quote.

    price: expected fill; last: the market; limit: the order's own price, None at market
    cost: quote a buy needs, fee included; cash, held: free of reservations; position: signed, before
    equity: of the ledger; recent: orders of the account in the last minute; short: the ledger may go below zero
    """

    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    last: Decimal
    cost: Decimal
    cash: Decimal
    held: Decimal
    position: Decimal
    equity: Decimal
    recent: int = 0
    halted: bool = False
    limit: Decimal | None = None
    reducing: bool = False
    strategic: bool = False  # of a strategy: the venue itself says what is too small, at the fill, as in a backtest
    sized: bool = False  # by exposure: the quantity is an estimate, the venue resolves it within the ledger's means


def checks(situation: Situation, limits: Limits = PAPER) -> tuple[Check, ...]:
    """Every limit that concerns the order, passed or not, the gravest first."""
    return tuple(_checks(situation, limits))


def demand(looked_at: Iterable[Check]) -> None:
    """Raises the first refusal: RiskRefused or InsufficientFunds, with its numbers."""
    for check in looked_at:
        check.demand()


def reduces(position: Decimal, side: Side, quantity: Decimal) -> bool:
    """Whether the trade only brings the position nearer to zero."""
    return position != 0 and (position > 0) != (side is Side.BUY) and quantity <= abs(position)


def _checks(now: Situation, limits: Limits) -> Iterable[Check]:
    base, quote = now.instrument.base, now.instrument.quote
    reducing = now.reducing or reduces(now.position, now.side, now.quantity)
    notional = now.quantity * now.price
    if not reducing:
        yield Check(
            "kill switch",
            "no new exposure" if now.halted else "trading",
            f"{now.side.value} {amount(now.quantity, base)}",
            not now.halted,
            "Trading is stopped by panic; resume lifts it." if now.halted else None,
        )
    if not now.sized:
        if now.side is Side.BUY:
            hint = f"Buy for at most {amount(max(now.cash, ZERO), quote)}, or free cash by cancelling an order."
            yield Check(
                "available " + quote, amount(now.cash, quote), amount(now.cost, quote), now.cost <= now.cash, hint,
                (quote, now.cash, now.cost),
            )  # fmt: skip
        else:
            most = f"Sell at most {amount(max(now.held, ZERO), base)}." if now.held > 0 else None
            yield Check(
                "available " + base, amount(now.held, base), amount(now.quantity, base), now.quantity <= now.held, most,
                (base, now.held, now.quantity),
            )  # fmt: skip
        smallest = now.instrument.min_notional
        if smallest and not now.strategic:
            yield Check(
                "minimum notional", f"at least {amount(smallest, quote)}", amount(notional, quote),
                notional >= smallest, f"The smallest order of {now.instrument.symbol} is {amount(smallest, quote)}.",
            )  # fmt: skip
    if reducing:
        return
    yield from _ceilings(now, limits, notional)


def _ceilings(now: Situation, limits: Limits, notional: Decimal) -> Iterable[Check]:
    quote = now.instrument.quote
    after = abs(now.position + now.quantity * now.side.sign) * now.price
    if limits.order_notional is not None:
        yield Check(
            "order notional", amount(limits.order_notional, quote), amount(notional, quote),
            notional <= limits.order_notional,
        )  # fmt: skip
    if limits.position_notional is not None:
        yield Check(
            "position notional", amount(limits.position_notional, quote), amount(after, quote),
            after <= limits.position_notional,
        )  # fmt: skip
    if limits.exposure is not None and now.equity > 0:
        share = after / now.equity
        yield Check("exposure", percent(limits.exposure), percent(share), share <= limits.exposure)
    if limits.orders_per_minute is not None:
        yield Check(
            "orders per minute", str(limits.orders_per_minute), str(now.recent + 1),
            now.recent < limits.orders_per_minute, "Wait a minute, then try again.",
        )  # fmt: skip
    if limits.collar is not None and now.limit is not None and now.last > 0:
        worse = (now.limit / now.last - 1) * now.side.sign
        yield Check(
            "distance of the limit price from the market", percent(limits.collar), percent(max(worse, ZERO)),
            worse <= limits.collar,
            f"{now.instrument.symbol} trades at {plain(now.last)} {quote}, the limit is {plain(now.limit)}.",
        )  # fmt: skip


def amount(value: Decimal, unit: str) -> str:
    """'9950.12 USDT': at most 8 decimals, no exponent."""
    rounded = value.quantize(Decimal("1e-8")) if value == value and abs(value) < Decimal("1e18") else value
    return f"{plain(rounded)} {unit}"


def percent(share: Decimal) -> str:
    """'12.5 %'."""
    return f"{plain((share * 100).quantize(Decimal('0.01')))} %"

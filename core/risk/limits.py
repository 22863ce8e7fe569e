"""Limits: pure checks before every order, each with its numbers.

An order that only reduces a position passes what protects against trading too much (rate, size, loss, instruments,
collar, kill switch), never what it cannot do (more than is held).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from decimal import ROUND_CEILING, Decimal

from core import wording
from core.market.instrument import Instrument
from core.money import ZERO
from core.risk.check import Check, InsufficientFunds, amount, demand, pair, percent
from core.risk.exposure import Exposure, Standing
from core.trading.orders import Side

__all__ = [
    "LIVE", "PAPER", "Check", "InsufficientFunds", "Limits", "Situation", "amount", "checks", "demand", "listed",
    "loosened", "percent", "reduces", "tightest",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do. Every figure is a ceiling; None sets none.

    order_notional, position_notional: quote; exposure: share of the ledger's equity; collar: how far, as a fraction,
    the price may lie on the losing side of the book
    asset_exposure, total_exposure: share of all the person's equity; daily_loss: fraction lost since 00:00 UTC
    drawdown: fraction below the peak; instruments: coins or pairs that alone may be traded; forbidden: those that
    may not
    """

    order_notional: Decimal | None = Decimal(1_000_000)
    position_notional: Decimal | None = Decimal(5_000_000)
    exposure: Decimal | None = Decimal("1.01")
    orders_per_minute: int | None = 120
    collar: Decimal | None = Decimal("0.10")
    asset_exposure: Decimal | None = None
    total_exposure: Decimal | None = None
    daily_loss: Decimal | None = None
    drawdown: Decimal | None = None
    instruments: tuple[str, ...] | None = None
    forbidden: tuple[str, ...] = ()


PAPER = Limits()
LIVE = Limits(  # no ceiling on a position: arming caps what is added to the coins that were there before
    order_notional=Decimal(10_000),
    position_notional=None,
    orders_per_minute=60,
    collar=Decimal("0.05"),
    total_exposure=Decimal("1.01"),
    daily_loss=Decimal("0.10"),
    drawdown=Decimal("0.25"),
)


def tightest(first: Limits, second: Limits) -> Limits:
    """Limits that allow only what both allow."""
    found: dict[str, object] = {}
    for field in fields(Limits):
        one, two = getattr(first, field.name), getattr(second, field.name)
        if field.name == "forbidden":
            found[field.name] = (*one, *(each for each in two if each not in one))
        elif one is None or two is None:
            found[field.name] = two if one is None else one
        elif field.name == "instruments":
            both = [each for each in one if _named(each, two)] + [each for each in two if _named(each, one)]
            found[field.name] = tuple(dict.fromkeys(both))
        else:
            found[field.name] = min(one, two)
    return replace(first, **found)  # type: ignore[arg-type]


def loosened(before: Limits, after: Limits) -> tuple[str, ...]:
    """Names of the limits under which more is allowed than before."""
    return tuple(field.name for field in fields(Limits) if _looser(field.name, before, after))


def _looser(name: str, before: Limits, after: Limits) -> bool:
    old, new = getattr(before, name), getattr(after, name)
    if name == "forbidden":
        return not all(_named(each, new) for each in old)
    if old is None or new is None:
        return old is not None
    if name == "instruments":
        return not all(_named(each, old) for each in new)
    return bool(new > old)


def listed(instrument: Instrument, names: Iterable[str]) -> bool:
    """Whether the instrument is meant by one of the names: a coin (BTC) or a pair (BTC/USDT)."""
    return instrument.base in names or instrument.symbol in names


def _named(name: str, names: Iterable[str]) -> bool:
    """Whether the coin or pair is covered by the names."""
    return name in names or name.partition("/")[0] in names


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the limits look at. Quantities in base, amounts in quote.

    price: expected fill; last: the market; limit: the order's own price, None at market
    cost: quote a buy needs, fee included; cash, held: free of reservations; position: signed, before
    equity: of the ledger; recent: orders of the person in the last minute; short: the ledger may go below zero
    best: the best price on the other side of the book (ask of a buy), None where it is not known
    after: what the person would have at stake, wealth: what all their accounts are worth; None where it is not known
    standing: what they lost; more: further checks, made already, that do not concern an order that reduces
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
    best: Decimal | None = None
    after: Exposure | None = None
    wealth: Decimal | None = None
    standing: Standing | None = None
    more: tuple[Check, ...] = ()


def checks(situation: Situation, limits: Limits = PAPER) -> tuple[Check, ...]:
    """Every limit that concerns the order, passed or not, the gravest first."""
    return tuple(_checks(situation, limits))


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
            "Panic switched it on; resume lifts it." if now.halted else None,
            told="The kill switch is on: only orders that reduce a position are taken.",
        )
        yield from now.more
        yield from _instruments(now.instrument, limits)
    if not now.sized:
        if now.side is Side.BUY:
            hint = f"Buy for at most {amount(max(now.cash, ZERO), quote)}, or free cash by cancelling an order."
            yield Check(
                "available " + quote, *pair(now.cash, now.cost, quote), now.cost <= now.cash, hint,
                (quote, now.cash, now.cost),
            )  # fmt: skip
        else:
            most = f"Sell at most {amount(max(now.held, ZERO), base)}." if now.held > 0 else None
            yield Check(
                "available " + base, *pair(now.held, now.quantity, base), now.quantity <= now.held, most,
                (base, now.held, now.quantity),
            )  # fmt: skip
        smallest = now.instrument.min_notional
        if smallest and not now.strategic:
            least, asked = pair(smallest, notional, quote)
            yield Check(
                "minimum notional", f"at least {least}", asked, notional >= smallest,
                f"The smallest order of {now.instrument.symbol} is {least}.",
            )  # fmt: skip
    if reducing:
        return
    yield from _ceilings(now, limits, notional)
    yield from _losses(now, limits)
    yield from _collar(now, limits)


def _instruments(instrument: Instrument, limits: Limits) -> Iterable[Check]:
    if limits.instruments is None and not limits.forbidden:
        return
    told = None
    allowed = "every instrument" if limits.instruments is None else wording.listed(list(limits.instruments))
    if listed(instrument, limits.forbidden):
        told = f"{instrument.symbol} is among the instruments you forbid: {wording.listed(list(limits.forbidden))}."
        allowed = f"all but {wording.listed(list(limits.forbidden))}"
    elif limits.instruments is not None and not listed(instrument, limits.instruments):
        told = f"{instrument.symbol} is not among the instruments you allow: {allowed or 'none'}."
    yield Check("instruments", allowed, instrument.symbol, told is None, "limits shows what you may trade.", told=told)


def _ceilings(now: Situation, limits: Limits, notional: Decimal) -> Iterable[Check]:
    quote = now.instrument.quote
    after = abs(now.position + now.quantity * now.side.sign) * now.price
    if limits.order_notional is not None:
        yield Check(
            "order notional", *pair(limits.order_notional, notional, quote), notional <= limits.order_notional,
            raised("order", notional),
        )  # fmt: skip
    if limits.position_notional is not None:
        whole = after if now.after is None else max(after, now.after.position)
        yield Check(
            "position notional", *pair(limits.position_notional, whole, quote), whole <= limits.position_notional,
            raised("position", whole),
        )  # fmt: skip
    if limits.exposure is not None and now.equity > 0:
        share = after / now.equity
        yield Check("exposure", percent(limits.exposure), percent(share), share <= limits.exposure)
    if now.after is not None and now.wealth is not None:
        base = now.instrument.base
        for name, ceiling, value, what, kind in (
            (f"exposure in {base}", limits.asset_exposure, now.after.asset, f"Your {base}", "one asset"),
            ("exposure in all", limits.total_exposure, now.after.total, "All your coins", "all assets together"),
        ):
            if ceiling is not None:
                share = value / now.wealth if now.wealth > 0 else Decimal("Infinity")
                yield Check(
                    name, percent(ceiling), percent(share) if share.is_finite() else "more than there is",
                    share <= ceiling,
                    told=f"{what} would come to {amount(value, quote)} with all open orders, "
                    f"and {percent(ceiling)} of the {amount(now.wealth, quote)} that your accounts are worth "
                    f"may be in {kind}.",
                )  # fmt: skip
    if limits.orders_per_minute is not None:
        yield Check(
            "orders per minute", str(limits.orders_per_minute), str(now.recent + 1),
            now.recent < limits.orders_per_minute, "Wait a minute, then try again.",
        )  # fmt: skip


def raised(name: str, needed: Decimal) -> str | None:
    """What to write for a limit that lets this much pass, with two figures of room."""
    if not needed.is_finite() or needed <= 0:
        return None
    step = Decimal(1).scaleb(max(needed.adjusted() - 1, 0))
    enough = (needed / step).to_integral_value(ROUND_CEILING) * step
    return f"Order less, or write limits {name} {enough:f} to allow it."


def _losses(now: Situation, limits: Limits) -> Iterable[Check]:
    quote, standing = now.instrument.quote, now.standing
    if standing is None:
        return
    only = "Orders that reduce a position still pass"
    if limits.daily_loss is not None:
        share = standing.lost_share
        yield Check(
            "daily loss", percent(limits.daily_loss), percent(share), share <= limits.daily_loss,
            f"{only}; the next day begins at 00:00 UTC.",
            told=f"You lost {amount(standing.lost, quote)} ({percent(share)}) since 00:00 UTC, "
            f"and the daily loss limit is {percent(limits.daily_loss)}.",
        )  # fmt: skip
    if limits.drawdown is not None:
        share = standing.drawdown
        yield Check(
            "drawdown", percent(limits.drawdown), percent(share), share <= limits.drawdown,
            f"{only}; limits drawdown changes the limit.",
            told=f"Your accounts are worth {amount(standing.equity, quote)}, {percent(share)} below their peak of "
            f"{amount(standing.peak, quote)}, and the drawdown limit is {percent(limits.drawdown)}.",
        )  # fmt: skip


def _collar(now: Situation, limits: Limits) -> Iterable[Check]:
    """How far the price lies on the losing side: a limit price of the best price, a market's best price of the last."""
    best = now.best if now.best is not None and now.best > 0 else now.last
    of, price = (best, now.limit) if now.limit is not None else (now.last, best)
    if limits.collar is None or of <= 0:
        return
    worse = (price / of - 1) * now.side.sign
    show, where = now.instrument, "above" if now.side is Side.BUY else "below"
    book = f"the best {'offer' if now.side is Side.BUY else 'bid'} of {wording.price(best, show)}"
    if now.limit is not None:
        told = f"The limit price {wording.price(now.limit, show)} lies {percent(worse)} {where} {book}"
    else:
        told = f"Only at {wording.price(best, show)} could this trade, {percent(worse)} {where} the last price " \
               f"{wording.price(now.last, show)}"  # fmt: skip
    yield Check(
        "price collar", percent(limits.collar), percent(max(worse, ZERO)), worse <= limits.collar,
        told=f"{told}, and the price collar allows {percent(limits.collar)}.",
    )  # fmt: skip

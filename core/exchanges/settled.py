"""Fills from the trades of an account, with fees in any asset told in the quote currency of the pair.

A fee taken in quote is the fee. A fee taken in base changes how many coins arrived: a buy of 1 coin at 100 with 0.001
coins of fee is a fill of 0.999 coins at 100 with a fee of 0.1, which leaves exactly what the venue leaves: 0.999 coins
more and 100 less of quote. A fee taken in a third asset (BNB, KCS) is told at what that asset was worth in quote; the
quote balance at the venue is then higher than the journal's by that fee, and the balance of the token lower.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from core.exchanges.mapping import decimal
from core.market.instrument import Instrument
from core.money import ZERO
from core.trading.orders import Side
from core.trading.portfolio import Fill


def fill_of(
    trade: Any,
    instrument: Instrument,
    *,
    order: str,
    account: str,
    ledger: str,
    worth: Mapping[str, Decimal],
) -> Fill | None:
    """The fill in a trade of ccxt's; None for one without price or quantity.

    worth: quote per unit of each third asset that fees were taken in
    """
    price, quantity = decimal(trade.get("price")), decimal(trade.get("amount"))
    if not price or not quantity:
        return None
    side = Side.SELL if trade.get("side") == "sell" else Side.BUY
    fee = ZERO
    for asset, amount in fees_of(trade, instrument).items():
        if asset == instrument.quote:
            fee += amount
        elif asset == instrument.base:
            fee += amount * price
            quantity -= amount * side.sign
        else:
            fee += amount * worth.get(asset, ZERO)
    return Fill(
        f"{account}:{instrument.symbol}:{trade['id']}:{side.value}",
        order,
        account,
        ledger,
        instrument.key,
        side,
        price,
        quantity,
        fee,
        from_ms(int(trade.get("timestamp") or 0)),
        maker=trade.get("takerOrMaker") == "maker",
    )


def fees_of(trade: Any, instrument: Instrument) -> dict[str, Decimal]:
    """What was paid, by asset; negative is a rebate."""
    found: dict[str, Decimal] = {}
    listed = trade.get("fees") or []
    for fee in listed or [trade.get("fee") or {}]:
        cost = decimal(fee.get("cost"))
        if cost:
            asset = str(fee.get("currency") or instrument.quote)
            found[asset] = found.get(asset, ZERO) + cost
    return found


def third_assets(trades: list[Any], instrument: Instrument) -> set[str]:
    """Assets, neither base nor quote, in which fees of these trades were taken."""
    return {asset for trade in trades for asset in fees_of(trade, instrument)} - {instrument.base, instrument.quote}

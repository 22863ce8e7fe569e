"""Fills from the trades of an account: what was traded, what the fee was worth in quote, and in what it was taken.

The quantity is the venue's own, before any fee. A fee taken in the coins that were bought, or in a token (BNB, KCS),
is named beside it, so that the journal takes exactly what the venue took. Should a venue take several assets for one
trade, the one that cost most is named; the others show as changes of the balances.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from core.exchanges.mapping import decimal
from core.market.instrument import Instrument
from core.money import ONE, ZERO
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
    fees = fees_of(trade, instrument)
    prices = {**worth, instrument.quote: ONE, instrument.base: price}
    costs = {asset: amount * prices.get(asset, ZERO) for asset, amount in fees.items()}
    in_kind = max(
        (asset for asset in fees if asset != instrument.quote), key=lambda each: abs(costs[each]), default=None
    )
    return Fill(
        f"{account}:{instrument.symbol}:{trade['id']}:{side.value}",
        order,
        account,
        ledger,
        instrument.key,
        side,
        price,
        quantity,
        sum(costs.values(), ZERO),
        from_ms(int(trade.get("timestamp") or 0)),
        maker=trade.get("takerOrMaker") == "maker",
        fee_asset=in_kind,
        fee_amount=ZERO if in_kind is None else fees[in_kind],
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

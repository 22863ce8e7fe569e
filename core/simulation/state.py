"""Fresh state vectors of the kernel, from Costs and Instruments."""

import math

import numpy as np
from numpy.typing import NDArray

from core.market.instrument import Instrument
from core.simulation import fields
from core.simulation.grid import fraction_of
from core.trading.costs import Costs
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, Sizing, VolatilityTarget

Floats = NDArray[np.float64]
UNKNOWN = (
    fields.B_MARK, fields.B_STOP, fields.B_TARGET, fields.B_TRAIL, fields.B_DISTANCE, fields.B_PEAK, fields.B_FUNDING,
)  # fmt: skip


HOURLY = 8766.0  # bars per year


def new_account(cash: float, costs: Costs, sizing: Sizing | None = None, bars_per_year: float = HOURLY) -> Floats:
    """The account vector with this cash under these costs. bars_per_year: of the bars it is stepped with."""
    account = np.zeros(fields.ACCOUNT)
    account[fields.A_CASH] = cash
    apply_costs(account, costs)
    apply_sizing(account, sizing, bars_per_year)
    return account


def apply_costs(account: Floats, costs: Costs) -> None:
    """Writes the cost rules into the account vector."""
    account[fields.A_TAKER] = costs.taker_fee
    account[fields.A_MAKER] = costs.maker_fee
    account[fields.A_SLIPPAGE] = costs.slippage
    account[fields.A_MODEL] = fields.MODELS.index(costs.slippage_model)
    account[fields.A_SHARE] = costs.volume_share
    account[fields.A_LATENCY] = costs.latency
    account[fields.A_TOUCH] = float(costs.fill_on_touch)
    account[fields.A_LEVERAGE] = costs.leverage
    account[fields.A_MAINTENANCE] = costs.maintenance_margin
    account[fields.A_LIQUIDATION] = costs.liquidation_fee
    account[fields.A_BORROW] = costs.borrow_rate
    account[fields.A_RATE] = costs.funding_rate


def apply_sizing(account: Floats, sizing: Sizing | None, bars_per_year: float, parts: int = 1) -> None:
    """Writes the rule of sizing into the account vector.

    bars_per_year, parts: of the bars the kernel steps through, and how many of them are one of the strategy's bars,
    in which a lookback counts
    """
    size = span = most = 0.0
    match sizing:
        case None:
            rule = fields.AS_GIVEN
        case FixedCash(amount):
            rule, size = fields.FIXED_CASH, amount
        case FixedQuantity(quantity):
            rule, size = fields.FIXED_QUANTITY, quantity
        case Fraction(fraction):
            rule, size = fields.FRACTION, fraction
        case VolatilityTarget(annual, lookback, most):
            rule, size, span = fields.VOLATILITY, annual / math.sqrt(bars_per_year), float(lookback * parts)
        case Kelly(fraction, least_trades, most):
            rule, size, span = fields.KELLY, fraction, float(least_trades)
    account[fields.A_SIZING] = rule
    account[fields.A_SIZE] = size
    account[fields.A_SPAN] = span
    account[fields.A_MOST] = most
    account[fields.A_OBSERVES] = float(rule == fields.VOLATILITY)


def new_row(instrument: Instrument) -> Floats:
    """The book row of an instrument that is not held."""
    row = np.zeros(fields.BOOK)
    row[fields.B_TICK], row[fields.B_TICK_PER] = fraction_of(instrument.tick_size)
    row[fields.B_LOT], row[fields.B_LOT_PER] = fraction_of(instrument.lot_size)
    row[fields.B_MIN_NOTIONAL] = float(instrument.min_notional)
    row[fields.B_PERPETUAL] = float(instrument.kind == "perpetual")
    for column in UNKNOWN:
        row[column] = np.nan
    return row


def new_orders(slots: int) -> Floats:
    """Free order slots."""
    return np.zeros((slots, fields.ORDER))

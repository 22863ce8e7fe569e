"""Fresh state vectors of the kernel, from Costs and Instruments."""

import numpy as np
from numpy.typing import NDArray

from core.market.instrument import Instrument
from core.simulation import fields
from core.simulation.grid import fraction_of
from core.trading.costs import Costs

Floats = NDArray[np.float64]


def new_account(cash: float, costs: Costs) -> Floats:
    """The account vector with this cash under these costs."""
    account = np.zeros(fields.ACCOUNT)
    account[fields.A_CASH] = cash
    apply_costs(account, costs)
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


def new_row(instrument: Instrument) -> Floats:
    """The book row of an instrument that is not held."""
    row = np.zeros(fields.BOOK)
    row[fields.B_TICK], row[fields.B_TICK_PER] = fraction_of(instrument.tick_size)
    row[fields.B_LOT], row[fields.B_LOT_PER] = fraction_of(instrument.lot_size)
    row[fields.B_MIN_NOTIONAL] = float(instrument.min_notional)
    for column in (fields.B_MARK, fields.B_STOP, fields.B_TARGET, fields.B_TRAIL, fields.B_PEAK):
        row[column] = np.nan
    return row


def new_orders(slots: int) -> Floats:
    """Free order slots."""
    return np.zeros((slots, fields.ORDER))

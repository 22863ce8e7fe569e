"""Round trips and fills of a run as columns of plain arrays, and trades one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import from_ms
from core.simulation import fields, trips

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]
NEVER = np.iinfo(np.int64).min  # the exit time of an open trade, as NumPy's NaT


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip from flat to flat. return_: profit per entry notional; bars: from the entry's to the exit's bar.

    pnl: quote, net of fees and of financing (funding and interest paid while it was held, below zero when received);
    of an open trade at the last close. exit_reason: exit, stop, target, trail, liquidation or open.
    """

    entry_time: datetime
    exit_time: datetime | None
    symbol: str
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    pnl: float
    return_: float
    fees: float
    financing: float
    bars: int
    exit_reason: str
    open: bool

    def document(self) -> dict[str, Any]:
        """Plain values, times as ISO texts."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["return"] = values.pop("return_")
        for name in ("entry_time", "exit_time"):
            values[name] = None if values[name] is None else values[name].isoformat()
        return {name: finite(value) for name, value in values.items()}


def trade_columns(
    rows: Floats, symbols: Sequence[str], closes: Floats, opens: Sequence[Integers], paid: Floats
) -> Columns:
    """The columns of `Trade` from (trades, TRIP) rows in order of entry; times in ms, NEVER for what is still open.

    closes: (instruments,) last closes, at which open trades are valued; opens: the times of each instrument's bars
    paid: (instruments,) funding and interest of what is still open since its last fill
    """
    instrument = rows[:, trips.T_INSTRUMENT].astype(np.int64)
    still = rows[:, trips.T_OPEN] != 0.0
    began = rows[:, trips.T_ENTRY_TIME].astype(np.int64)
    ended = np.where(still, 0.0, rows[:, trips.T_EXIT_TIME]).astype(np.int64)
    bars = np.zeros(len(rows), dtype=np.int64)
    last = max((int(times[-1]) for times in opens if len(times)), default=0)
    for i, times in enumerate(opens):
        mine = instrument == i
        until = np.where(still[mine], last, ended[mine])
        bars[mine] = np.searchsorted(times, until, side="right") - np.searchsorted(times, began[mine], side="right")
    financing = rows[:, trips.T_PAID] + np.where(still, paid[instrument], 0.0)
    profit = profits(rows, closes) - np.where(still, paid[instrument], 0.0)
    left = np.where(still, closes[instrument], 0.0)
    shut = ~still
    left[shut] = rows[shut, trips.T_EXIT_NOTIONAL] / rows[shut, trips.T_CLOSED]
    reasons = np.array(["open", *(fields.REASONS.get(code, "") for code in range(1, 1 + max(fields.REASONS)))], object)
    return {
        "entry_time": began,
        "exit_time": np.where(still, NEVER, ended),
        "symbol": np.array(symbols, dtype=object)[instrument],
        "side": np.where(rows[:, trips.T_SIDE] > 0, "long", "short").astype(object),
        "quantity": rows[:, trips.T_BOUGHT],
        "entry_price": rows[:, trips.T_ENTRY_NOTIONAL] / rows[:, trips.T_BOUGHT],
        "exit_price": left,
        "pnl": profit,
        "return": profit / rows[:, trips.T_ENTRY_NOTIONAL],
        "fees": rows[:, trips.T_FEES],
        "financing": financing,
        "bars": bars,
        "exit_reason": reasons[np.where(still, 0, rows[:, trips.T_REASON]).astype(np.int64)],
        "open": still,
    }


def profits(rows: Floats, closes: Floats) -> Floats:
    """(trades,) net of fees, funding and interest, what is still open valued at the last close of its instrument.

    Of what is still open the funding and interest since its last fill are not in it.
    """
    value = closes[rows[:, trips.T_INSTRUMENT].astype(np.int64)]
    left = np.where(rows[:, trips.T_OPEN] != 0.0, (rows[:, trips.T_BOUGHT] - rows[:, trips.T_CLOSED]) * value, 0.0)
    gained = rows[:, trips.T_EXIT_NOTIONAL] + left - rows[:, trips.T_ENTRY_NOTIONAL]
    found: Floats = rows[:, trips.T_SIDE] * gained - rows[:, trips.T_FEES] - rows[:, trips.T_PAID]
    return found


def trades_of(columns: Columns) -> list[Trade]:
    """The trades one by one."""
    rows: Any = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [Trade(from_ms(row[0]), None if row[-1] else from_ms(row[1]), *row[2:]) for row in rows]


def documents_of(columns: Columns) -> list[dict[str, Any]]:
    """What `Trade.document` tells of each trade, without making the trades."""
    told = {name: _plain(name, values) for name, values in columns.items()}
    told["exit_time"] = [None if still else time for time, still in zip(told["exit_time"], told["open"], strict=True)]
    told["return"] = told.pop("return")  # the last, as there
    names = tuple(told)
    return [dict(zip(names, row, strict=True)) for row in zip(*told.values(), strict=True)]


def _plain(name: str, values: NDArray[Any]) -> list[Any]:
    """The column as `Trade.document` has it."""
    if name in ("entry_time", "exit_time"):
        known = np.where(values == NEVER, 0, values)
        if (known % 1000).any():
            return [from_ms(int(time)).isoformat() for time in known]
        texts: list[str] = np.datetime_as_string((known // 1000).astype("datetime64[s]")).tolist()
        return [f"{text}+00:00" for text in texts]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return [finite(value) for value in values.tolist()]
    plain: list[Any] = values.tolist()
    return plain


def fill_columns(rows: Floats, symbols: Sequence[str]) -> Columns:
    """Every fill: time (ms), symbol, side, price, quantity, fee, maker, reason, remaining, order."""
    filled = rows[rows[:, fields.F_QUANTITY] > 0.0]
    reasons = np.array([fields.REASONS.get(code, "") for code in range(1 + max(fields.REASONS))], dtype=object)
    return {
        "time": filled[:, fields.F_TIME].astype(np.int64),
        "symbol": np.array(symbols, dtype=object)[filled[:, fields.F_INSTRUMENT].astype(np.int64)],
        "side": np.where(filled[:, fields.F_SIDE] > 0, "buy", "sell").astype(object),
        "price": filled[:, fields.F_PRICE],
        "quantity": filled[:, fields.F_QUANTITY],
        "fee": filled[:, fields.F_FEE],
        "maker": filled[:, fields.F_MAKER] != 0.0,
        "reason": reasons[filled[:, fields.F_REASON].astype(np.int64)],
        "remaining": filled[:, fields.F_REMAINING],
        "order": filled[:, fields.F_REF].astype(np.int64),
    }


def finite(value: Any) -> Any:
    """The value, or None in place of a NaN or an infinity."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value

"""backtest: a strategy on recorded bars under the fill model, and its Result."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.analytics import measures
from core.clock import from_ms, to_ms
from core.errors import AppError, InvalidInput
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.simulation import fields, trips
from core.simulation.kernel import extent, run
from core.simulation.state import new_account, new_orders, new_row
from core.trading.costs import Costs
from core.trading.strategy import Context, Signals, SignalStrategy, describe

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Moment = datetime | str | int | None
SIGNALS = ("exposure", "limit", "stop", "take_profit", "trail")


def backtest(
    strategy: SignalStrategy,
    bars: Bars | Mapping[str, Bars],
    cash: float = 10_000.0,
    costs: Costs | None = None,
    *,
    instruments: Mapping[str, Instrument] | None = None,
    progress: Callable[[float], None] | None = None,
    start: Moment = None,
    end: Moment = None,
) -> "Result":
    """The strategy's trades and equity on these bars: decided at each close, filled from the next open on.

    bars: one instrument's, or {symbol: bars} that share the cash; each then gets an equal share of the exposure
    instruments: other grids and minimums than those of the bars, by the same symbols
    start, end: trading starts at the first bar at or after `start` (ISO date, datetime or ms; earlier bars only warm
        the strategy up) and stops before `end`
    progress: told the fraction done, 0 to 1
    Raises InvalidInput when the cash, the bars or the strategy's signals cannot be used.
    """
    began = time.perf_counter()
    costs = Costs() if costs is None else costs
    if not 0.0 < cash < 1e15:
        raise InvalidInput(f"Starting cash {cash} is not between 0 and 1e15.")
    held = {bars.instrument.symbol: bars} if isinstance(bars, Bars) else dict(bars)
    if not held:
        raise InvalidInput("A backtest needs the bars of at least one instrument.")
    frames = {each.timeframe for each in held.values()}
    if len(frames) > 1:
        raise InvalidInput(f"All instruments must have one timeframe; these have {', '.join(sorted(frames))}.")
    if instruments:
        held = {name: replace(each, instrument=instruments.get(name, each.instrument)) for name, each in held.items()}
    first, last = moment(start), moment(end)
    warnings: list[str] = []
    known = {name: each.between(None, last) for name, each in held.items()}
    needed = strategy.warmup()
    for name, each in known.items():
        if len(each) <= needed:
            raise InvalidInput(
                f"{strategy.name} needs more than {needed} bars and {name} has {len(each)}.",
                needed=needed,
                bars=len(each),
            )
    if progress:
        progress(0.0)
    traded: dict[str, Bars] = {}
    signals: list[dict[str, Floats | None]] = []
    for name, each in known.items():
        others = {key: other for key, other in known.items() if key != name}
        found = _checked(strategy, strategy_signals(strategy, each, Context(others)), len(each))
        skip = 0 if first is None else int(np.searchsorted(each.timestamp, first))
        if skip >= len(each):
            raise InvalidInput(f"{name} has no bars from {from_ms(first or 0):%Y-%m-%d %H:%M} on.")
        traded[name] = each[skip:]
        signals.append({key: None if array is None else array[skip:] for key, array in found.items()})
    if progress:
        progress(0.4)
    result = _run(strategy, traded, signals, cash, costs, warnings)
    result.seconds = time.perf_counter() - began
    if progress:
        progress(1.0)
    return result


def strategy_signals(strategy: SignalStrategy, bars: Bars, context: Context) -> Signals:
    """The strategy's signals; what goes wrong inside a user's own code is told in one sentence with its place."""
    try:
        return strategy.signals(bars, context)
    except AppError:
        raise
    except Exception as broken:  # a user's strategy may fail in any way
        import traceback

        place = traceback.extract_tb(broken.__traceback__)[-1]
        raise InvalidInput(
            f"{strategy.name} failed in {place.filename}, line {place.lineno}: {type(broken).__name__}: {broken}"
        ) from broken


def moment(given: Moment) -> int | None:
    """UTC ms of a date, ISO time, datetime or ms. Raises InvalidInput."""
    if given is None or isinstance(given, int):
        return given
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise InvalidInput(f"'{given}' is not a date; write it like 2024-01-31 or 2024-01-31T12:00.") from None
    return to_ms(given if given.tzinfo else given.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip from flat to flat. return_: profit per entry notional; bars: from the entry's to the exit's bar.

    pnl: quote, net of fees; of an open trade at the last close. exit_reason: exit, stop, target, trail or open.
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


class Result:
    """What a backtest found. Statistics and tables are computed when first read.

    equity: (n,) quote, at each close; timestamps: (n,) UTC ms of the bars' opens; raw_fills: the kernel's rows
    """

    def __init__(
        self, strategy: SignalStrategy, bars: dict[str, Bars], cash: float, costs: Costs, equity: Floats,
        timestamps: Integers, raw_fills: Floats, account: Floats, warnings: list[str],
        signals: list[dict[str, Floats | None]],
    ) -> None:  # fmt: skip
        self.strategy = strategy
        self.bars = bars
        self.cash = cash
        self.costs = costs
        self.equity = equity
        self.timestamps = timestamps
        self.raw_fills = raw_fills
        self.account = account
        self.warnings = warnings
        self.signals = signals
        self.seconds = 0.0

    @cached_property
    def returns(self) -> Floats:
        """(n,) simple returns per bar; the first is measured from the starting cash."""
        return measures.returns_of(np.concatenate(([self.cash], self.equity)))[1:]

    @property
    def periods_per_year(self) -> float:
        return timeframes.per_year(next(iter(self.bars.values())).timeframe)

    @cached_property
    def trips(self) -> Floats:
        """(trades, TRIP) rows of core.simulation.trips."""
        return trips.round_trips(self.raw_fills, len(self.bars))

    @cached_property
    def round_trips(self) -> list[Trade]:
        """The trades in order of entry; those still open at the end come with open=True."""
        symbols = list(self.bars)
        closes = [float(each.close[-1]) for each in self.bars.values()]
        trades = []
        for row in self.trips:
            i = int(row[trips.T_INSTRUMENT])
            open_ = bool(row[trips.T_OPEN])
            began, ended = int(row[trips.T_ENTRY_TIME]), row[trips.T_EXIT_TIME]
            until = self.timestamps[-1] if open_ else int(ended)
            first, last = np.searchsorted(self.bars[symbols[i]].timestamp, [began, until])
            closed = row[trips.T_CLOSED]
            trades.append(
                Trade(
                    entry_time=from_ms(began),
                    exit_time=None if open_ else from_ms(int(ended)),
                    symbol=symbols[i],
                    side="long" if row[trips.T_SIDE] > 0 else "short",
                    quantity=float(row[trips.T_BOUGHT]),
                    entry_price=float(row[trips.T_ENTRY_NOTIONAL] / row[trips.T_BOUGHT]),
                    exit_price=closes[i] if open_ else float(row[trips.T_EXIT_NOTIONAL] / closed),
                    pnl=_profit(row, closes[i]),
                    return_=_profit(row, closes[i]) / float(row[trips.T_ENTRY_NOTIONAL]),
                    fees=float(row[trips.T_FEES]),
                    bars=int(last - first),
                    exit_reason="open" if open_ else fields.REASONS[int(row[trips.T_REASON])],
                    open=open_,
                )
            )
        return trades

    @cached_property
    def trades(self) -> "pandas.DataFrame":
        """The round trips as a frame."""
        import pandas

        names = [name.rstrip("_") for name in Trade.__dataclass_fields__]
        rows = [[getattr(trade, name) for name in Trade.__dataclass_fields__] for trade in self.round_trips]
        return pandas.DataFrame(rows, columns=names)

    @cached_property
    def fills(self) -> "pandas.DataFrame":
        """Every fill: time, symbol, side, price, quantity, fee, maker, reason, remaining, order."""
        import pandas

        rows = self.raw_fills[self.raw_fills[:, fields.F_QUANTITY] > 0.0]
        symbols = np.array(list(self.bars), dtype=object)
        return pandas.DataFrame(
            {
                "time": pandas.to_datetime(rows[:, fields.F_TIME].astype(np.int64), unit="ms", utc=True),
                "symbol": symbols[rows[:, fields.F_INSTRUMENT].astype(np.int64)],
                "side": np.where(rows[:, fields.F_SIDE] > 0, "buy", "sell"),
                "price": rows[:, fields.F_PRICE],
                "quantity": rows[:, fields.F_QUANTITY],
                "fee": rows[:, fields.F_FEE],
                "maker": rows[:, fields.F_MAKER] != 0.0,
                "reason": [fields.REASONS[int(code)] for code in rows[:, fields.F_REASON]],
                "remaining": rows[:, fields.F_REMAINING],
                "order": rows[:, fields.F_REF].astype(np.int64),
            }
        )

    @cached_property
    def buy_and_hold(self) -> Floats:
        """(n,) equity of buying at the start with everything, in equal parts, at the same costs."""
        from core.strategies import BuyAndHold

        held = BuyAndHold()
        if isinstance(self.strategy, BuyAndHold):
            return self.equity
        signals = [_checked(held, held.signals(each, Context()), len(each)) for each in self.bars.values()]
        return _run(held, self.bars, signals, self.cash, self.costs, []).equity

    @cached_property
    def stats(self) -> dict[str, Any]:
        """The measures of core.analytics; None where one is not defined. Losses are positive fractions."""
        year, returns = self.periods_per_year, self.returns
        curve = np.concatenate(([self.cash], self.equity))
        last = [float(each.close[-1]) for each in self.bars.values()]
        closed = [_profit(row, 0.0) for row in self.trips if not row[trips.T_OPEN]]
        still = [_profit(row, last[int(row[trips.T_INSTRUMENT])]) for row in self.trips if row[trips.T_OPEN]]
        final = float(self.equity[-1])
        values: dict[str, Any] = {
            "total_return": final / self.cash - 1.0,
            "cagr": measures.cagr(returns, year),
            "sharpe": measures.sharpe_ratio(returns, year),
            "sortino": measures.sortino_ratio(returns, year),
            "calmar": measures.calmar_ratio(curve, year),
            "max_drawdown": measures.max_drawdown(curve),
            "max_drawdown_duration": measures.max_drawdown_duration(curve),
            "var_95": measures.value_at_risk(returns, 0.95),
            "cvar_95": measures.conditional_value_at_risk(returns, 0.95),
            "volatility": measures.volatility(returns, year),
            "trades": len(closed),
            "open_trades": len(still),
            "win_rate": measures.win_rate(closed),
            "profit_factor": measures.profit_factor(closed),
            "expectancy": measures.expectancy(closed),
            "exposure": float(self.account[fields.A_EXPOSED]) / len(self.equity),
            "turnover": float(self.account[fields.A_TURNOVER]) / self.cash,
            "fees_paid": float(self.account[fields.A_FEES]),
            "final_equity": final,
            "initial_cash": self.cash,
            "buy_and_hold": float(self.buy_and_hold[-1]) / self.cash - 1.0,
            "bars": len(self.equity),
            "start": from_ms(int(self.timestamps[0])).isoformat(),
            "end": from_ms(int(self.timestamps[-1])).isoformat(),
        }
        return {name: finite(value) for name, value in values.items()} | {"warnings": list(self.warnings)}

    def document(self) -> dict[str, Any]:
        """{"stats", "trades", "strategy", "data", "seconds"} in plain values, as `--json` prints it."""
        return {
            "stats": self.stats,
            "trades": [trade.document() for trade in self.round_trips],
            "strategy": describe(self.strategy),
            "data": [
                {
                    "symbol": name,
                    "instrument": each.instrument.key,
                    "timeframe": each.timeframe,
                    "bars": len(each),
                    "fingerprint": each.fingerprint(),
                }
                for name, each in self.bars.items()
            ],
            "costs": {name: getattr(self.costs, name) for name in self.costs.__dataclass_fields__},
            "seconds": self.seconds,
        }

    def to_json(self) -> str:
        """The document as JSON text, without NaN or infinity."""
        return json.dumps(self.document(), allow_nan=False)

    def rerun(self, costs: Costs) -> "Result":
        """The same signals on the same bars from the same cash under other costs."""
        return _run(self.strategy, self.bars, self.signals, self.cash, costs, [])


def finite(value: Any) -> Any:
    """The value, or None in place of a NaN or an infinity."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def _profit(row: Floats, close: float) -> float:
    """Profit of a trip net of fees, what is still open valued at `close`."""
    left = (row[trips.T_BOUGHT] - row[trips.T_CLOSED]) * close if row[trips.T_OPEN] else 0.0
    gained = row[trips.T_EXIT_NOTIONAL] + left - row[trips.T_ENTRY_NOTIONAL]
    return float(row[trips.T_SIDE] * gained - row[trips.T_FEES])


def _checked(strategy: SignalStrategy, signals: Signals, n: int) -> dict[str, Floats | None]:
    """The signal arrays by name. Raises InvalidInput for wrong lengths and values."""
    arrays: dict[str, Floats | None] = {}
    for name in SIGNALS:
        given = getattr(signals, name)
        array = None if given is None else np.ascontiguousarray(given, dtype=np.float64)
        if array is not None and array.shape != (n,):
            raise InvalidInput(f"{strategy.name} gave {array.shape} values of {name} for {n} bars.")
        if array is not None and not array.flags.writeable:
            array = array.copy()  # the kernel is compiled for one kind of array
        arrays[name] = array
    exposure = arrays["exposure"]
    if exposure is None:
        raise InvalidInput(f"{strategy.name} gave no exposure.")
    for name, array in arrays.items():
        if array is None:
            continue
        low, high = (-1.0, 1.0) if name == "exposure" else (0.0, 1.0 if name == "trail" else np.inf)
        least, most = extent(array)
        if least < low or most > high or (name != "exposure" and least <= 0.0) or most == np.inf:
            raise InvalidInput(f"{strategy.name} gave a {name} outside {low:g} to {high:g}: {least:g} to {most:g}.")
    return arrays


def _run(
    strategy: SignalStrategy, bars: dict[str, Bars], signals: list[dict[str, Floats | None]], cash: float,
    costs: Costs, warnings: list[str],
) -> Result:  # fmt: skip
    """Lays the bars out for the kernel and runs it."""
    every = list(bars.values())
    lengths = [len(each) for each in every]
    book = np.array([new_row(each.instrument) for each in every])
    account = new_account(cash, costs)
    volumes = []
    for name, each in bars.items():
        if each.volume.any():
            volumes.append(each.volume)
        else:
            warnings.append(f"{name} has no volume, so that fills are not limited by it.")
            volumes.append(np.full(len(each), np.nan))
    total = sum(lengths)
    lone = len(every) == 1
    equity, times = np.empty(total), np.empty(0 if lone else total, np.int64)
    exposure, limit, stop, target, trail = (_joined([found[name] for found in signals], lengths) for name in SIGNALS)
    if len(every) > 1:
        exposure = exposure / len(every)
    raw, steps = run(
        account, book, new_orders(2 * len(every) + 2), np.cumsum([0, *lengths], dtype=np.int64),
        _flat([each.timestamp for each in every]),
        _flat([each.open for each in every]), _flat([each.high for each in every]),
        _flat([each.low for each in every]), _flat([each.close for each in every]), _flat(volumes),
        exposure, limit, stop, target, trail, equity, times,
    )  # fmt: skip
    timestamps = every[0].timestamp if lone else times[:steps]
    return Result(strategy, bars, cash, costs, equity[:steps], timestamps, raw, account, warnings, signals)


def _flat(arrays: list[Any]) -> Any:
    """One read-only array of all, without a copy when there is one: the kernel compiles for one kind of array."""
    flat = (arrays[0] if len(arrays) == 1 else np.concatenate(arrays)).view()
    flat.flags.writeable = False
    return flat


def _joined(arrays: list[Floats | None], lengths: list[int]) -> Floats:
    """The signals of all instruments one after the other; empty when none gives any."""
    if all(array is None for array in arrays):
        return np.empty(0)
    filled = [
        np.full(length, np.nan) if array is None else array for array, length in zip(arrays, lengths, strict=True)
    ]
    return filled[0] if len(filled) == 1 else np.concatenate(filled)

"""vectorbt on the cases."""

import cases
import numpy as np
import pandas as pd
import vectorbt as vbt

vbt.settings.array_wrapper["freq"] = "1min"


def late(signals):
    """Decided at a close, filled at the next open."""
    moved = np.zeros_like(signals)
    moved[1:] = signals[:-1]
    return moved


def averages(close, windows):
    return {window: vbt.MA.run(close, window).ma.to_numpy().reshape(-1) for window in windows}


def sma(data):
    close, opened = pd.Series(data["close"]), pd.Series(data["open"])

    def work():
        known = averages(close, (20, 50))
        entries, exits = cases.crossings(known[20], known[50])
        held = vbt.Portfolio.from_signals(
            close, late(entries), late(exits), price=opened, fees=cases.FEE, slippage=cases.SLIPPAGE,
            init_cash=cases.CASH,
        )  # fmt: skip
        return held.value().iloc[-1] if len(held.trades.records) else np.nan

    return work


def sweep(data):
    close, opened = pd.Series(data["close"]), data["open"][:, None]
    pairs = [(fast, slow) for fast in cases.FAST for slow in cases.SLOW]

    def work():
        known = averages(close, [*cases.FAST, *cases.SLOW])
        entries, exits = np.empty((len(close), len(pairs)), bool), np.empty((len(close), len(pairs)), bool)
        for i, (fast, slow) in enumerate(pairs):
            first, second = cases.crossings(known[fast], known[slow])
            entries[:, i], exits[:, i] = late(first), late(second)
        held = vbt.Portfolio.from_signals(
            close, entries, exits, price=opened, fees=cases.FEE, slippage=cases.SLIPPAGE, init_cash=cases.CASH,
        )  # fmt: skip
        held.sharpe_ratio(), held.max_drawdown()
        return held.final_value().to_numpy()

    return work


def rotation(data):
    close, opened = pd.DataFrame(data["close"]), pd.DataFrame(data["open"])

    def work():
        rows, weights = cases.chosen(data["close"])
        size = np.full(data["close"].shape, np.nan)
        inside = rows + 1 < len(size)
        size[rows[inside] + 1] = weights[inside]
        held = vbt.Portfolio.from_orders(
            close, size=size, size_type="targetpercent", price=opened, val_price=opened, group_by=True,
            cash_sharing=True, call_seq="auto", init_cash=cases.CASH,
        )  # fmt: skip
        return held.value().iloc[-1] if len(held.orders.records) else np.nan

    return work


CASES = {"sma": sma, "sweep": sweep, "rotation": rotation}

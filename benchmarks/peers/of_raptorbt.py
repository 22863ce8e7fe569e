"""raptorbt on the cases."""

import cases
import numpy as np
import raptorbt

COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def config():
    return raptorbt.BacktestConfig(
        initial_capital=cases.CASH, fees=cases.FEE, slippage=cases.SLIPPAGE, fill_timing="next_bar_open"
    )


def sma(data):
    columns = [data[name] for name in COLUMNS]
    columns[0] = columns[0] * 1_000_000  # nanoseconds
    close = data["close"]

    def work():
        entries, exits = cases.crossings(raptorbt.sma(close, 20), raptorbt.sma(close, 50))
        found = raptorbt.run_single_backtest(*columns, entries, exits, 1, 1.0, "BTC", config())
        return found.equity_curve()[-1] if len(found.trades()) else np.nan

    return work


def sweep(data):
    columns = [data[name] for name in COLUMNS]
    columns[0] = columns[0] * 1_000_000
    close = data["close"]
    pairs = [(fast, slow) for fast in cases.FAST for slow in cases.SLOW]

    def work():
        known = {window: raptorbt.sma(close, window) for window in (*cases.FAST, *cases.SLOW)}
        items = [
            raptorbt.BatchSingleItem(str(i), *cases.crossings(known[fast], known[slow]), 1, 1.0, "BTC")
            for i, (fast, slow) in enumerate(pairs)
        ]
        found = dict(raptorbt.batch_single_backtest(*columns, items, config()))
        return [found[str(i)].equity_curve()[-1] for i in range(len(pairs))]

    return work


CASES = {"sma": sma, "sweep": sweep}

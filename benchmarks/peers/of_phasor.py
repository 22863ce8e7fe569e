"""phasor-trader on the cases."""

import cases
import numpy as np
import phasor
import talib


def average(close, window):
    return np.asarray(phasor.indicators.ma(close, window).ma).reshape(-1)


def sma(data):
    close, opened = data["close"], data["open"]

    def work():
        entries, exits = cases.crossings(average(close, 20), average(close, 50))
        held = phasor.from_signals(
            close, entries, exits, open=opened, price="nextopen", size=np.inf, fees=cases.FEE,
            slippage=cases.SLIPPAGE, init_cash=cases.CASH,
        )  # fmt: skip
        return held.value()[-1] if len(held.trades()["pnl"]) else np.nan

    return work


def sweep(data):
    close, opened = data["close"], data["open"]
    pairs = [(fast, slow) for fast in cases.FAST for slow in cases.SLOW]

    def work():
        known = {window: average(close, window) for window in (*cases.FAST, *cases.SLOW)}
        entries = np.empty((len(close), len(pairs)), bool, order="F")
        exits = np.empty((len(close), len(pairs)), bool, order="F")
        for i, (fast, slow) in enumerate(pairs):
            entries[:, i], exits[:, i] = cases.crossings(known[fast], known[slow])
        held = phasor.from_signals(
            close, entries, exits, open=opened, price="nextopen", size=np.inf, fees=cases.FEE,
            slippage=cases.SLIPPAGE, init_cash=cases.CASH, column_map=[0] * len(pairs), threads=2,
        )  # fmt: skip
        held.metrics()
        return cases.CASH * (1.0 + np.asarray(held.total_return()))

    return work


def rsi(data):
    close, opened, high, low = (data[name] for name in ("close", "open", "high", "low"))
    rule = cases.RSI

    def work():
        strength = talib.RSI(close, rule["period"])  # its own RSI is not Wilder's
        entries = np.zeros(len(close), bool)
        entries[cases.purchases(strength)] = True
        held = phasor.from_signals(
            close, entries, np.zeros(len(close), bool), open=opened, high=high, low=low, size=np.inf, fees=cases.FEE,
            init_cash=cases.CASH, order_type="limit", limit_delta=rule["below"], sl_stop=rule["stop"],
            tp_stop=rule["target"], tsl_stop=rule["trail"], stop_entry_price="fillprice",
            stop_exit_price="stopmarket", upon_adj_limit_conflict="cancelexecute",
            upon_adj_stop_conflict="keepexecute", upon_opp_stop_conflict="keepexecute",
        )  # fmt: skip
        return held.value()[-1] if len(held.trades()["pnl"]) else np.nan

    return work


def rotation(data):
    close, opened = np.asfortranarray(data["close"]), np.asfortranarray(data["open"])

    def work():
        rows, weights = cases.chosen(close)
        size = np.full(close.shape, np.nan, order="F")
        size[rows] = weights
        held = phasor.from_orders(
            close, size=size, open=opened, size_type="targetpercent", price="nextopen", cash_sharing=True,
            call_seq="auto", init_cash=cases.CASH,
        )  # fmt: skip
        return held.value(group=0)[-1] if len(held.orders()["price"]) else np.nan

    return work


CASES = {"sma": sma, "sweep": sweep, "rsi": rsi, "rotation": rotation}

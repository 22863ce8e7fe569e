"""backtesting.py on the cases: it buys whole units unless told otherwise, and keeps its equity per bar."""

import cases
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy


class Cross(Strategy):
    def init(self):
        close = pd.Series(self.data.Close)
        fast, slow = close.rolling(20).mean().to_numpy(), close.rolling(50).mean().to_numpy()
        entries, exits = cases.crossings(fast, slow)
        self.entries = self.I(lambda: entries.astype(float), plot=False)
        self.exits = self.I(lambda: exits.astype(float), plot=False)

    def next(self):
        if self.entries[-1]:
            self.buy(size=0.9999)
        elif self.exits[-1]:
            self.position.close()


def sma(data):
    frame = pd.DataFrame(
        {name.title(): data[name] / 1e6 for name in ("open", "high", "low", "close")},
        index=pd.to_datetime(data["timestamp"], unit="ms"),
    )

    def work():
        found = Backtest(frame, Cross, cash=cases.CASH, commission=cases.FEE, spread=cases.SLIPPAGE).run()
        return found["_equity_curve"]["Equity"].iloc[-1] if len(found["_trades"]) else np.nan

    return work


CASES = {"sma": sma}

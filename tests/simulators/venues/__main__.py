"""`python -m tests.simulators.venues --port 8900 --seed 1`: a lively market on every loopback venue, to try by hand."""

import argparse
import asyncio
import contextlib
import math
import random
from decimal import Decimal

from core.clock import SystemClock
from tests.simulators.venues.candles import DAY, MINUTE, Candle
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import Venue

HOUR = 60 * MINUTE
KEY, SECRET, PASSPHRASE = "demo-key-of-the-loopback", "demo-secret-of-the-loopback", "demo-passphrase"
PRICES = {  # USDT; tick and lot follow from it
    "BTC": 64_000.0, "ETH": 3_200.0, "SOL": 150.0, "BNB": 580.0, "XRP": 0.55, "ADA": 0.45, "DOGE": 0.12,
    "LTC": 80.0, "LINK": 14.0, "KCS": 10.0,
}  # fmt: skip
BALANCES = {"USDT": "100000", "BTC": "2", "ETH": "20", "SOL": "100", "BNB": "10", "KCS": "100"}
FEES = {"kraken": {"maker": "0.0025", "taker": "0.004"}, "coinbase": {"maker": "0.006", "taker": "0.012"}}
PACE = 0.5  # seconds between two moves of every market


class Market:
    """Prices of all pairs on all venues: one walk each, and a small gap to it at each venue that closes again."""

    def __init__(self, venues: Loopback, seed: int) -> None:
        self._random = random.Random(seed)
        self._venues = venues
        self.prices = dict(PRICES)
        self._gaps = {(name, asset): 0.0 for name in venues.venues for asset in PRICES}

    def open(self) -> None:
        """Lists every pair with two months of history: hours, the last day in minutes."""
        now = SystemClock().now_ms()
        for asset, price in self.prices.items():
            rows = self._history(price, now)
            self.prices[asset] = float(rows[-1].close)
            for venue in self._venues.venues.values():
                tick = Decimal(1).scaleb(max(-6, math.floor(math.log10(price)) - 5))
                lot = Decimal(1).scaleb(min(0, -math.floor(math.log10(price)) - 1))
                venue.list(f"{asset}/USDT", tick, lot, "5", **FEES.get(venue.name, {}))
                venue.candles[f"{asset}/USDT"].seed(
                    Candle(r.time, r.open, r.high, r.low, r.close, r.volume, r.turnover, r.trades) for r in rows
                )
        for venue in self._venues.venues.values():
            venue.list("ETH/BTC", "0.00001", "0.0001", "0.0001", **FEES.get(venue.name, {}))
        self.move()

    def move(self) -> None:
        for asset in self.prices:
            self.prices[asset] *= math.exp(self._random.gauss(0, 0.0002))
        for name, venue in self._venues.venues.items():
            for asset, price in self.prices.items():
                gap = self._gaps[name, asset] * 0.97 + self._random.gauss(0, 0.0004)
                self._gaps[name, asset] = gap
                self._trade(venue, f"{asset}/USDT", price * (1 + gap), 50_000 / price)
            self._trade(venue, "ETH/BTC", self.prices["ETH"] / self.prices["BTC"] * self._random.gauss(1, 0.0005), 15)

    def _trade(self, venue: Venue, symbol: str, price: float, size: float) -> None:
        listing = venue.matching.listings[symbol]
        at = (Decimal(price) / listing.tick).to_integral_value() * listing.tick
        amount = (Decimal(size * self._random.uniform(0.3, 1.5)) / listing.lot).to_integral_value() * listing.lot
        venue.trade_through(symbol, at, max(amount, listing.lot), levels=25)

    def _history(self, price: float, now: int) -> list[Candle]:
        day = now - now % HOUR - DAY
        times = [(day - HOUR * n, HOUR) for n in range(60 * 24, 0, -1)]
        times += [(t, MINUTE) for t in range(day, now - now % MINUTE, MINUTE)]
        steps = [self._random.gauss(0, 0.0075 if span == HOUR else 0.001) for _, span in times]
        level = price * math.exp(-sum(steps) * 0.5)
        rows = []
        for (time, span), step in zip(times, steps, strict=True):
            opened, level = level, level * math.exp(step * 0.5)
            wick = abs(self._random.gauss(0, 0.003 if span == HOUR else 0.0004))
            traded = self._random.uniform(0.5, 1.5) * 3_000_000 / price * (span / HOUR)
            figures = (opened, max(opened, level) * (1 + wick), min(opened, level) * (1 - wick), level)
            open_, high, low, close = (Decimal(f"{each:.6g}") for each in figures)
            volume = Decimal(f"{traded:.4f}")
            rows.append(Candle(time, open_, max(high, open_, close), min(low, open_, close), close, volume))
            rows[-1].turnover, rows[-1].trades = volume * close, 100
        return rows


async def serve(port: int, seed: int) -> None:
    async with Loopback(port=port) as venues:
        market = Market(venues, seed)
        market.open()
        for name, venue in venues.venues.items():
            key, secret = getattr(venue.dialect, "demo_keys", (KEY, SECRET))
            venue.user(key, secret, PASSPHRASE, BALANCES)
            prefix = f"export ORCHESTRATOR_EXCHANGES__{name.upper()}__"
            print(f"{prefix}ENDPOINT_BASE={venues.base}")
            print(f"{prefix}API_KEY={key}\n{prefix}SECRET='{secret}'")
            if name in ("kucoin",):
                print(f"{prefix}PASSPHRASE={PASSPHRASE}")
        print(f"\nServing {', '.join(venues.venues)} at {venues.base}; Ctrl-C ends.", flush=True)
        while True:
            await asyncio.sleep(PACE)
            market.move()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.venues", description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(chosen.port, chosen.seed))


if __name__ == "__main__":
    main()

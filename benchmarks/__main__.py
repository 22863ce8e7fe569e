"""`make bench`: the speed figures, as a table. Exits 1 when a promise is broken."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import arbitrage, books
from benchmarks.plain_loop import lean_loop, plain_loop
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.research.backtest import backtest
from core.simulation import fields
from core.strategies import SmaCross
from core.trading.costs import Costs

BARS = 1_000_000
ROUNDS = 15
MOST_RATIO = 3.0  # to the plain loop, which does the same sums and the same fills with nothing around them
MOST_HELP = 0.4  # seconds of CPU
# The default fees trade this strategy to dust within a million bars; dust compares badly, so these are a hundredth.
CHEAP = Costs(taker_fee=0.00001, maker_fee=0.00001, slippage=0.000005)


def market(n: int) -> Bars:
    """A million one-minute bars on a grid of 0.01, with volume."""
    rng = np.random.default_rng(7)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 0.0005, n))), 2)
    opened = np.round(np.r_[close[0], close[:-1]] * np.exp(rng.normal(0, 0.0001, n)), 2)
    high, low = np.maximum(opened, close) + 1.0, np.minimum(opened, close) - 1.0
    instrument = Instrument("bench", "BTC", "USDT")
    return Bars.checked(
        instrument, "1m", np.arange(n) * 60_000, opened, high, low, close, np.round(rng.uniform(5, 50, n), 3)
    )


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def kernel_against_plain_loop() -> bool:
    bars = market(BARS)

    def plain() -> tuple[np.ndarray, np.ndarray]:
        costs = (CHEAP.taker_fee, CHEAP.slippage, CHEAP.volume_share)
        equity, fills = plain_loop(bars.open, bars.close, bars.volume, 100.0, 20, 50, 10_000.0, *costs)
        return equity, fills

    def lean() -> object:
        return lean_loop(bars.open, bars.close, 20, 50, 10_000.0, CHEAP.taker_fee, CHEAP.slippage)

    def ours() -> object:
        return backtest(SmaCross(20, 50), bars, costs=CHEAP).trips

    result = backtest(SmaCross(20, 50), bars, costs=CHEAP)
    equity, fills = plain()
    rows = result.raw_fills[result.raw_fills[:, fields.F_QUANTITY] > 0]
    same = len(rows) == len(fills) and bool(
        np.allclose(result.equity, equity, rtol=1e-9, atol=0)
        and np.allclose(rows[:, fields.F_QUANTITY], fills[:, 3], rtol=1e-9, atol=0)
    )
    lean()
    times: dict[str, list[float]] = {"plain": [], "lean": [], "own": [], "told": []}
    for _ in range(ROUNDS):
        times["plain"].append(milliseconds(plain))
        times["lean"].append(milliseconds(lean))
        times["own"].append(milliseconds(ours))
        times["told"].append(milliseconds(lambda: backtest(SmaCross(20, 50), bars, costs=CHEAP, progress=abs).trips))
    least = {name: min(each) for name, each in times.items()}  # what else the machine does only adds to a time
    ratios = least["own"] / least["plain"], least["own"] / least["lean"]
    print(f"SMA 20/50 on {BARS:,} one-minute bars, the least of {ROUNDS} rounds each")
    row("plain loop: exact sums, fee, slippage, volume cap", f"{least['plain']:.1f} ms")
    row("lean loop: float sums, fee, slippage, no volume cap", f"{least['lean']:.1f} ms")
    row("backtest(): equity, fills and round trips kept", f"{least['own']:.1f} ms")
    row("the same, telling its progress", f"{least['told']:.1f} ms")
    row(f"ratio to the plain loop (promise: under {MOST_RATIO:g})", f"{ratios[0]:.2f}")
    row("ratio to the lean loop", f"{ratios[1]:.2f}")
    row("equity and fills equal to the plain loop's, to 1e-9", f"{'yes' if same else 'NO'} ({len(fills):,} fills)")
    detailed()
    return same and ratios[0] < MOST_RATIO


def detailed() -> None:
    """Hours whose orders are matched with a million minutes."""
    minutes = market(BARS)
    hours = minutes.resample("1h")
    backtest(SmaCross(20, 50), hours, detail=minutes)
    spent = statistics.median(milliseconds(lambda: backtest(SmaCross(20, 50), hours, detail=minutes)) for _ in range(5))
    row(f"backtest() of {len(hours):,} hours with the minutes as detail", f"{spent:.0f} ms")


def fresh_process() -> None:
    """The first backtest of a process that finds its kernels compiled."""
    code = (
        "import time; began = time.perf_counter();"
        "from benchmarks.__main__ import market; from core.research.backtest import backtest;"
        "from core.strategies import SmaCross; bars = market(10_000);"
        "ready = time.perf_counter(); backtest(SmaCross(20, 50), bars);"
        "print(time.perf_counter() - ready, time.perf_counter() - began)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    row("fresh process, cached kernels: first backtest", f"{float(answer[0]) * 1e3:.0f} ms")
    row("fresh process, imports included", f"{float(answer[1]):.2f} s")


def cold_help() -> bool:
    program = Path(sys.executable).parent / "orchestrator"
    spent = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--help"], check=True, capture_output=True, env={**os.environ, "COLUMNS": "100"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    row(f"orchestrator --help, CPU (promise: under {MOST_HELP:g} s)", f"{statistics.median(spent):.2f} s")
    return statistics.median(spent) < MOST_HELP


def row(name: str, figure: str) -> None:
    print(f"{name:56} {figure:>20}", flush=True)


def main() -> int:
    kept = [kernel_against_plain_loop(), cold_help()]
    fresh_process()
    kept += [books.main() == 0, arbitrage.main() == 0]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

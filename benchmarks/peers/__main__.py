"""`python -m benchmarks.peers [CASE …] [--rounds N] [--growth]`: other engines' same work, beside ours.

Every engine runs in a process and an environment of its own and is asked in turn, round after round, so that whatever
else the machine does falls on all. Medians after a warm-up are printed; an engine whose results differ from ours by
more than 1e-9 gets no figure. Exits 1 when a promise is broken.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import cases
from benchmarks.peers.environments import HERE, program_of, python_of

ROOT = HERE.parent.parent
ENGINES = {
    "sma": ("vectorbt", "raptorbt", "phasor", "backtesting"),
    "sweep": ("vectorbt", "raptorbt", "phasor"),
    "rsi": ("phasor",),
    "rotation": ("phasor", "vectorbt"),
}
# times as fast as the engine, at least
PROMISES = {
    ("sma", "vectorbt"): 10.0,
    ("sweep", "vectorbt"): 20.0,
    ("sweep", "raptorbt"): 8.0,
    ("rsi", "phasor"): 8.0,
    ("rotation", "phasor"): 10.0,
}
SLOW = {"backtesting": 1, ("sweep", "vectorbt"): 2}  # rounds of engines that take many seconds
MOST_MIB = 500  # peak memory of our sweep


class Engine:
    """One engine at one case: a process that does the work once whenever it is asked."""

    def __init__(self, name: str, case: str, data: Path) -> None:
        self.name, self.case = name, case
        self.spent: list[float] = []
        self.found: Any = None
        self.peak = 0.0
        python = python_of(name)
        self._process = None if python is None else subprocess.Popen(
            [python, HERE / "serve.py", program_of(name), data, case], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT) if name == "ours" else ""},
        )  # fmt: skip
        if self._process is not None and self._read() is None:
            self.close()

    @property
    def runs(self) -> bool:
        return self._process is not None

    def ask(self, keep: bool = True) -> None:
        """Does the work once; keep: whether its time counts."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._read()
        if answer is None:
            self.close()
            return
        self.found, self.peak = np.array(answer["found"]), answer["peak_mib"]
        if keep:
            self.spent.append(answer["ms"])

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process and self._process.stdout else ""
        return json.loads(line) if line.startswith("{") else None


@contextmanager
def engines(case: str, names: Sequence[str], factor: float = 1.0) -> Iterator[list[Engine]]:
    """The engines, ready for the case."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / f"{case}.npz"
        np.savez(data, **cases.data_of(case, factor))
        started = [Engine(name, case, data) for name in names]
        try:
            yield started
        finally:
            for each in started:
                each.close()


def measure(case: str, rounds: int) -> bool:
    """Prints the table of a case. Returns whether its promises are kept."""
    shape = cases.data_of(case, 0.01)["close"].shape[0] * 100
    print(f"\n{cases.TITLES[case].format(bars=shape, pairs=len(cases.FAST) * len(cases.SLOW))}")
    kept = True
    with engines(case, ("ours", *ENGINES[case])) as started:
        for each in started:
            each.ask(keep=False)
        for number in range(rounds):
            for each in started:
                most = min(SLOW.get(each.name, rounds), SLOW.get((case, each.name), rounds))
                if number < most:
                    each.ask()
        own = started[0]
        base = statistics.median(own.spent)
        row("ours", f"{base:,.1f} ms", "", f"{own.peak:,.0f} MiB")
        for each in started[1:]:
            if not each.spent:
                row(each.name, "not installed here")
                continue
            same = each.found.shape == own.found.shape and bool(np.allclose(each.found, own.found, rtol=1e-9, atol=0))
            if not same:
                row(each.name, "another result: no figure")
                kept = kept and (case, each.name) not in PROMISES
                continue
            spent = statistics.median(each.spent)
            ratio, promise = spent / base, PROMISES.get((case, each.name))
            told = f"{ratio:,.1f}x" + (f" (promise {promise:g}x)" if promise else "")
            row(each.name, f"{spent:,.1f} ms", told, f"{each.peak:,.0f} MiB")
            kept = kept and (promise is None or ratio >= promise)
        if case == "sweep":
            kept = kept and own.peak < MOST_MIB
    return kept


def growth(rounds: int) -> None:
    """Our sweep on one, two and four times the bars: time must grow with them, memory little."""
    print("\nThe sweep as it grows, 500 pairs")
    first = None
    for factor in (1, 2, 4):
        with engines("sweep", ("ours",), factor) as started:
            started[0].ask(keep=False)
            for _ in range(rounds):
                started[0].ask()
            spent = statistics.median(started[0].spent)
            first = first or spent
            row(
                f"{100_000 * factor:,} bars", f"{spent:,.1f} ms", f"{spent / first:.2f}x", f"{started[0].peak:,.0f} MiB"
            )
    print("and by pairs, 100,000 bars")
    first = None
    for factor in (1, 2, 4):
        os.environ["BENCHMARK_PAIRS"] = str(500 * factor)
        with engines("sweep", ("ours",)) as started:
            started[0].ask(keep=False)
            for _ in range(rounds):
                started[0].ask()
            spent = statistics.median(started[0].spent)
            first = first or spent
            row(f"{500 * factor:,} pairs", f"{spent:,.1f} ms", f"{spent / first:.2f}x", f"{started[0].peak:,.0f} MiB")
    del os.environ["BENCHMARK_PAIRS"]


def row(name: str, *figures: str) -> None:
    print(f"  {name:18}" + "".join(f"{figure:>24}" for figure in figures), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Other engines' same work, beside ours.")
    parser.add_argument("cases", nargs="*", choices=[*ENGINES, []], help="which cases; all unless named")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--growth", action="store_true", help="the sweep on more bars and more pairs too")
    options = parser.parse_args()
    kept = [measure(case, options.rounds) for case in options.cases or ENGINES]
    if options.growth:
        growth(max(3, options.rounds // 3))
    print("\nEvery promise is kept." if all(kept) else "\nA promise is broken.")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

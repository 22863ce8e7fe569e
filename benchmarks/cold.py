"""`python -m benchmarks.cold`: the first backtest of a fresh process, from the command to its end, as a table.

Everything counts: the interpreter's start, imports, reading the file, the run, the printing and the keeping.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers.cases import market
from core.market.files import write

BARS = 1_000_000
ROUNDS = 7
MOST_SECONDS, MOST_MB = 1.5, 350.0
KINDS = ("parquet", "arrow")
SAVING = ("--save", "--no-save")


def once(command: list[str], folder: Path) -> tuple[float, float, float]:
    """(wall seconds, CPU seconds, MB at most resident) of a command in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment | {
        "ORCHESTRATOR_DATA_DIR": str(folder), "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
    }) as process:  # fmt: skip
        told = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    spent = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(told.decode(errors="replace"))
    return spent, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024.0


def measured(file: Path, saving: str, folder: Path) -> tuple[float, float, float]:
    """The medians of a backtest of this file."""
    program = str(Path(sys.executable).parent / "orchestrator")
    command = [program, "backtest", "sma_cross", "--data", str(file), "--param", "fast=20", "--param", "slow=50"]
    command += ["--json", saving]
    once(command, folder)  # compiles what no process has compiled before
    rounds = [once(command, folder) for _ in range(ROUNDS)]
    return tuple(statistics.median(each) for each in zip(*rounds, strict=True))


def main() -> int:
    """Prints the table; 1 when a promise is broken."""
    kept = True
    print(f"orchestrator backtest sma_cross, {BARS:,} one-minute bars, a fresh process each, medians of {ROUNDS}")
    print(f"{'file':10}{'result':12}{'wall':>10}{'CPU':>10}{'most memory':>14}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in KINDS:
            file = write(folder / f"BTCUSDT-1m.{kind}", market(BARS))
            for saving in SAVING:
                wall, cpu, most = measured(file, saving, folder / "data")
                told = "kept" if saving == "--save" else "not kept"
                print(f"{kind:10}{told:12}{wall:8.2f} s{cpu:8.2f} s{most:11.0f} MB", flush=True)
                kept = kept and wall < MOST_SECONDS and most < MOST_MB
    print(f"promised: under {MOST_SECONDS:g} s and {MOST_MB:g} MB: {'kept' if kept else 'BROKEN'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.simulation`: many seeds on all cores. The last line tells seeds and violations; exit 1 on any.

With one seed, its whole history is printed.
"""

import argparse
import gc
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator

SHOWN = 5  # failing seeds told in full
LAST_LINES = 25  # of their histories
HASHES = "0"  # sets of texts are walked through in the same order everywhere


def main() -> int:
    arguments = parsed()
    # A process that dies in the middle of things leaves some of them unbegun.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    if os.environ.get("PYTHONHASHSEED") != HASHES:
        os.environ["PYTHONHASHSEED"] = HASHES
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    if arguments.seeds == 1:
        return replay(arguments.first_seed)
    began, failed, happened, seconds = time.perf_counter(), [], Counter(), 0.0
    for done, (seed, violations, counts, simulated) in enumerate(
        outcomes(arguments.first_seed, arguments.seeds, arguments.processes), 1
    ):
        happened.update(counts)
        seconds += simulated
        if violations:
            failed.append((seed, violations))
            if len(failed) <= SHOWN:
                told(seed, violations)
        progress(done, arguments.seeds, len(failed), time.perf_counter() - began)
    print(f"{seconds / 3600:.0f} hours of trading simulated in {time.perf_counter() - began:.0f} s. What happened:")
    for kind, count in sorted(happened.items()):
        print(f"  {count:>9,} {kind}")
    if failed:
        print("Seeds that failed:", *sorted(seed for seed, _ in failed)[:50])
    print(f"{arguments.seeds} seeds, {sum(len(violations) for _, violations in failed)} violations")
    return 1 if failed else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first-seed", type=int, default=1, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at a time")
    return parser.parse_args()


def outcomes(first: int, count: int, processes: int) -> Iterator[tuple[int, list[str], Counter[str], float]]:
    """What became of each seed, as they end."""
    seeds = range(first, first + count)
    if processes <= 1:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("fork").Pool(processes, initializer=prepared) as pool:
        yield from pool.imap_unordered(one, seeds, chunksize=4)


def prepared() -> None:
    import tests.simulation.harness  # noqa: F401  loaded once, before the first seed

    gc.collect()
    gc.freeze()


def one(seed: int) -> tuple[int, list[str], Counter[str], float]:
    from tests.simulation.harness import simulate

    outcome = simulate(seed)
    gc.collect(1)
    return seed, outcome.violations, outcome.happened, outcome.seconds


def replay(seed: int) -> int:
    """The whole history of one seed."""
    from tests.simulation.harness import simulate

    outcome = simulate(seed)
    print(*outcome.trace, sep="\n")
    print(f"history {outcome.digest}: {outcome.steps} steps, {outcome.seconds:.0f} s simulated")
    print(f"1 seeds, {len(outcome.violations)} violations")
    return 1 if outcome.violations else 0


def told(seed: int, violations: list[str]) -> None:
    print(f"\nSeed {seed} (make simulate SEEDS=1 FIRST_SEED={seed} prints its history):")
    for violation in violations[:LAST_LINES]:
        print(f"  {violation}")


def progress(done: int, total: int, failed: int, seconds: float) -> None:
    if sys.stderr.isatty() and (done % 20 == 0 or done == total):
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} seeds, {failed} failed, {done / seconds:.0f} a second ", end=end, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

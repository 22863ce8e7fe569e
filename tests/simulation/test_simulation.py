"""Two hundred histories without a violation, the same history twice, and planted faults that are found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.harness import simulate
from tests.simulation.mutations import MUTATIONS, RACING

SEEDS = 200
ENOUGH = 250  # seeds in which a planted fault must have shown
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, hashes: str = "1") -> subprocess.CompletedProcess[str]:
    """The command as `make simulate` calls it; its own hash seed must not depend on ours."""
    environment = os.environ | {"PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_two_hundred_seeds_hold_every_invariant() -> None:
    done = run("--seeds", str(SEEDS), "--first-seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{SEEDS} seeds, 0 violations"
    for kind in ("crash", "lost answer", "lost request", "delay", "doubled message", "restart", "maintenance", "stall"):
        assert any(line.endswith(f" {kind}") for line in done.stdout.splitlines()), f"no {kind} in {done.stdout}"


def test_a_seed_replays_exactly_in_another_process() -> None:
    first, second = run("--seeds", "1", "--first-seed", "7"), run("--seeds", "1", "--first-seed", "7", hashes="2")
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 50


def test_another_seed_is_another_history() -> None:
    assert simulate(1).digest != simulate(2).digest


def test_when_both_legs_of_an_order_fill_the_excess_is_traded_back_and_told() -> None:
    undone = 0
    for seed in range(1, ENOUGH):
        outcome = simulate(seed, racing=True)
        assert outcome.violations == [], seed
        undone += outcome.happened["filled too much, undone"]
        if undone >= 3:
            return
    raise AssertionError(f"only {undone} orders filled too much")


@pytest.mark.parametrize("fault", list(MUTATIONS))
def test_a_planted_fault_is_found(fault: str) -> None:
    mutation, rule = MUTATIONS[fault]
    with mutation():
        racing = True if fault in RACING else None
        found = (each for seed in range(1, ENOUGH) for each in simulate(seed, racing=racing).violations)
        assert any(violation.startswith(rule) for violation in found)

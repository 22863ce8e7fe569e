"""held(): Ctrl-C waits for a safe point; a search that is interrupted anywhere ends, with what was done."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.research.interruption import held, safe_point, striking
from core.research.optimize import optimize
from core.research.studies import address
from core.research.sweep import sweep
from core.strategies import SmaCross
from tests.core.simulation.market import walk

SPACE = {"fast": "2:30", "slow": "31:90"}

INTERRUPTED = """
import faulthandler, os, random, signal, sys, threading
from core.research.optimize import optimize
from core.research.sweep import sweep
from core.strategies import SmaCross
from tests.core.simulation.market import walk

faulthandler.dump_traceback_later(60, exit=True)
bars, draw = walk(3000, 3), random.Random(int(sys.argv[2]))
space = {"fast": "2:60", "slow": "61:160"}
sweep(SmaCross, bars, {"fast": "2:4", "slow": "61:64"}, workers=2)
for _ in range(int(sys.argv[3])):
    press = threading.Timer(draw.uniform(0.0, 0.25), os.kill, (os.getpid(), signal.SIGINT))
    try:
        press.start()
        if sys.argv[1] == "sweep":
            found = sweep(SmaCross, bars, space, workers=2)
        else:
            found = optimize(SmaCross, bars, space, trials=5000, workers=2)
        press.join()
        told = "part" if found.partial and len(found) else "whole"
    except KeyboardInterrupt:
        told = "nothing"
    print(told, flush=True)
"""


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(("verb", "times"), [("sweep", 12), ("optimize", 5)])
def test_a_search_interrupted_at_any_moment_ends_with_what_was_done(verb: str, times: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, verb, "7", str(times)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == times
    assert "part" in done.stdout
    assert set(done.stdout.split()) <= {"part", "whole", "nothing"}


def test_ctrl_c_waits_for_a_safe_point_and_the_second_strikes() -> None:
    usual = signal.getsignal(signal.SIGINT)
    with held():
        press()
        with pytest.raises(KeyboardInterrupt):
            safe_point()
    with held(), held():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()
    assert signal.getsignal(signal.SIGINT) is usual
    safe_point()


def test_ctrl_c_strikes_at_once_where_nothing_can_be_lost() -> None:
    with held(), striking(), pytest.raises(KeyboardInterrupt):
        press()


def test_ctrl_c_is_left_alone_outside_the_main_thread() -> None:
    seen = []

    def look() -> None:
        with held(), striking():
            safe_point()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_ctrl_c_after_the_last_trial_loses_nothing() -> None:
    pressed: list[float] = []

    def told(fraction: float) -> None:
        if fraction == 1.0 and not pressed:
            press()
            pressed.append(fraction)

    bars = walk(600, 3)
    found = sweep(SmaCross, bars, {"fast": "2:9", "slow": "20:29"}, progress=told)
    assert (len(found), found.partial) == (80, False)
    pressed.clear()
    searched = optimize(SmaCross, bars, SPACE, trials=8, progress=told)
    assert (len(searched), searched.partial) == (8, False)


def test_ctrl_c_while_a_sampler_thinks_keeps_the_trials_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import optuna

    asked: list[int] = []
    draw = optuna.study.Study.ask

    def ask(study: optuna.study.Study) -> optuna.trial.Trial:
        asked.append(1)
        if len(asked) == 20:
            press()
        return draw(study)

    monkeypatch.setattr(optuna.study.Study, "ask", ask)
    database = address("sqlite+aiosqlite:///x", tmp_path)
    found = optimize(SmaCross, walk(600, 3), SPACE, trials=5000, study="long", database=database)
    assert (len(found), found.partial) == (16, True)
    again = optimize(SmaCross, walk(600, 3), SPACE, trials=16, study="long", database=database, resume=True)
    assert [each.parameters for each in again.outcomes] == [each.parameters for each in found.outcomes]
    assert again.overfitting == found.overfitting

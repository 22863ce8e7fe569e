"""Workers: threads, processes and a Dask cluster give the same answers; what is lost is told in a sentence."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput, Unavailable
from core.research.optimize import optimize
from core.research.sweep import sweep
from core.research.walk_forward import walk_forward
from core.research.workers import crew
from core.strategies import SmaCross, load
from tests.core.simulation.market import walk

GRID = {"fast": [2, 3, 5, 8], "slow": [5, 8, 13, 21]}
FILE = '''
"""A strategy of a user's own file."""

import numpy as np

from core.trading.strategy import Parameter, Signals, strategy

HALF = 0.5


@strategy
class Toggle:
    """Half in, half out."""

    every: int = Parameter(3, 1, 1000)

    def signals(self, bars, context):
        exposure = np.full(len(bars), np.nan)
        exposure[:: 2 * self.every] = HALF
        exposure[self.every :: 2 * self.every] = 0.0
        return Signals(exposure)
'''


def shared_square(shared: float, item: float) -> float:
    if item == 13:
        raise InvalidInput("Thirteen.", item=item)
    return shared * item * item


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask scheduler with one worker on loopback."""
    import dask
    from distributed import LocalCluster

    cluster: Any
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", host="127.0.0.1",
            protocol="tcp://", silence_logs=50,
        ) as cluster,
    ):  # fmt: skip
        yield cluster.scheduler_address


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_answers_come_with_their_places_and_failures_with_their_sentences(kind: Any) -> None:
    with crew(2.0, kind=kind, workers=2) as workers:
        found = dict(workers.each(shared_square, [1, 2, 3, 4, 5]))
        assert found == {0: 2.0, 1: 8.0, 2: 18.0, 3: 32.0, 4: 50.0}
        with pytest.raises(InvalidInput, match="Thirteen") as refused:
            list(workers.each(shared_square, [1, 13, 2]))
    assert refused.value.details == {"item": 13}


def test_a_users_own_file_is_run_by_processes(tmp_path: Path) -> None:
    from core.research.sweep import ground_of
    from core.research.trial import Chunk, Span, run_chunk

    (tmp_path / "toggle.py").write_text(FILE)
    kind = type(load(str(tmp_path / "toggle.py")))
    ground = ground_of(kind, walk(300, 2), None, 1_000.0, None, None, {}, 0)
    chunk = Chunk(Span(), ({"every": 2}, {"every": 5}))
    with crew(ground, kind="processes", workers=1) as workers:
        [(_, (there, _blocks))] = workers.each(run_chunk, [chunk])
    np.testing.assert_array_equal(run_chunk(ground, chunk)[0], there)


def test_dask_gives_the_same_sweep(scheduler: str) -> None:
    bars = walk(1000, 3)
    here, there = (sweep(SmaCross, bars, GRID, scheduler=each) for each in ("local", scheduler))
    assert (here.workers, there.workers) == ("threads", "dask")
    np.testing.assert_array_equal(here.values, there.values)
    np.testing.assert_array_equal(here.returns, there.returns)
    assert here.overfitting == there.overfitting


def test_dask_gives_the_same_search_and_walk(scheduler: str, tmp_path: Path) -> None:
    bars = walk(800, 3)
    searches = [
        optimize(SmaCross, bars, {"fast": "2:20", "slow": "10:60"}, trials=12, pruner="median", scheduler=each)
        for each in ("local", scheduler)
    ]
    np.testing.assert_array_equal(searches[0].values, searches[1].values)
    walks = [walk_forward(SmaCross, bars, GRID, train=300, test=200, scheduler=each) for each in ("local", scheduler)]
    np.testing.assert_array_equal(walks[0].equity, walks[1].equity)
    (tmp_path / "toggle.py").write_text(FILE)
    kind = type(load(str(tmp_path / "toggle.py")))
    own = [sweep(kind, bars, {"every": [1, 2, 3]}, scheduler=each) for each in ("local", scheduler)]
    np.testing.assert_array_equal(own[0].values, own[1].values)


def test_the_scheduler_of_the_settings_is_used(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CLUSTER__SCHEDULER", scheduler)
    assert sweep(SmaCross, walk(300, 3), GRID).workers == "dask"
    assert sweep(SmaCross, walk(300, 3), GRID, scheduler="local").workers == "threads"


def test_what_fails_in_the_cluster_is_told_as_it_is_here(scheduler: str) -> None:
    with crew(2.0, scheduler=scheduler) as workers, pytest.raises(InvalidInput, match="Thirteen"):
        list(workers.each(shared_square, [1, 13, 2]))


def test_an_interrupted_sweep_of_the_cluster_keeps_what_was_done(scheduler: str) -> None:
    def told(fraction: float) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    grid = {"fast": range(2, 30), "slow": range(30, 60)}
    found = sweep(SmaCross, walk(1000, 3), grid, scheduler=scheduler, progress=told)
    assert found.partial
    assert 0 < len(found) < 28 * 30


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.research.workers.ANSWERS_WITHIN", 0.3)
    with pytest.raises(Unavailable) as refused:
        sweep(SmaCross, walk(300, 3), GRID, scheduler="tcp://127.0.0.1:9")
    assert refused.value.message == "The Dask scheduler tcp://127.0.0.1:9 does not answer."
    assert "--local" in (refused.value.hint or "")


def test_a_scheduler_that_is_lost_meanwhile_is_told_in_a_sentence() -> None:
    from distributed import LocalCluster

    cluster: Any = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", host="127.0.0.1",
        protocol="tcp://", silence_logs=50,
    )  # fmt: skip
    closed = False

    def told(fraction: float) -> None:
        nonlocal closed
        if fraction > 0.2 and not closed:
            closed = True
            cluster.close(timeout=5)

    try:
        with pytest.raises(Unavailable, match="does not answer"):
            sweep(
                SmaCross, walk(2000, 3), {"fast": range(2, 30), "slow": range(30, 60)},
                scheduler=cluster.scheduler_address, progress=told,
            )  # fmt: skip
    finally:
        cluster.close()


def test_dask_and_optuna_are_not_imported_for_a_local_sweep() -> None:
    import subprocess

    code = (
        "import sys; from core.research.sweep import sweep; from core.strategies import SmaCross;"
        "from tests.core.simulation.market import walk; sweep(SmaCross, walk(200, 1), {'fast': [2, 3]});"
        "print([name for name in ('distributed', 'dask', 'optuna', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr

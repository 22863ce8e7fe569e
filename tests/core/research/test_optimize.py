"""optimize(): the seed decides, what is held out stays unseen, studies go on where they were stopped."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import AppError
from core.jobs import Cancelled
from core.research.backtest import backtest
from core.research.optimize import optimize
from core.research.ranges import OneOf, Range, dimensions_of
from core.research.studies import address
from core.strategies import BollingerBreakout, SmaCross
from tests.core.simulation.market import walk

SPACE = {"fast": "2:30", "slow": "10:90:5"}


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random", "grid", "nsga2"])
def test_the_seed_decides_whatever_the_number_of_workers(sampler: str) -> None:
    bars = walk(1500, 4)
    one, two = (optimize(SmaCross, bars, SPACE, sampler=sampler, trials=20, seed=5, workers=n) for n in (1, 2))
    assert len(one) == 20
    assert [each.parameters for each in one.outcomes] == [each.parameters for each in two.outcomes]
    np.testing.assert_array_equal(one.values, two.values)
    if sampler != "grid":
        other = optimize(SmaCross, bars, SPACE, sampler=sampler, trials=20, seed=6)
        assert [each.parameters for each in one.outcomes] != [each.parameters for each in other.outcomes]


def test_the_best_is_measured_on_both_parts_as_backtests_are() -> None:
    bars = walk(2000, 7)
    found = optimize(SmaCross, bars, SPACE, trials=16, holdout=0.4)
    cut = int(bars.timestamp[1200])
    best = found.best
    before = backtest(best.strategy, bars, end=cut).stats
    after = backtest(best.strategy, bars, start=cut).stats
    assert best.stats is not None
    assert best.stats["sharpe"] == pytest.approx(before["sharpe"], rel=1e-12)
    assert best.stats["sharpe"] == np.nanmax(found.table["sharpe"])
    assert found.held_out[0] == after
    document = found.document()
    assert document["in_sample"]["final_equity"] == pytest.approx(before["final_equity"])
    assert document["out_of_sample"]["final_equity"] == after["final_equity"]
    assert document["overfitting"]["trials"] == 16
    json.dumps(document, allow_nan=False)


def test_no_trial_sees_what_is_held_out() -> None:
    bars = walk(1000, 7)
    changed = bars[:700].followed_by(walk(1000, 8)[700:])
    one, two = (optimize(SmaCross, each, SPACE, trials=12) for each in (bars, changed))
    np.testing.assert_array_equal(one.values, two.values)


def test_a_resumed_study_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    bars, database = walk(800, 4), address("sqlite+aiosqlite:///x", tmp_path)
    options: dict[str, Any] = {"seed": 3, "database": database}
    whole = optimize(SmaCross, bars, SPACE, trials=24, seed=3)
    optimize(SmaCross, bars, SPACE, trials=8, study="a study", **options)
    resumed = optimize(SmaCross, bars, SPACE, trials=24, study="a study", resume=True, **options)
    assert (tmp_path / "optuna.db").exists()
    assert [each.parameters for each in resumed.outcomes] == [each.parameters for each in whole.outcomes]
    np.testing.assert_array_equal(resumed.values, whole.values)
    once_more = optimize(SmaCross, bars, SPACE, trials=24, study="a study", resume=True, **options)
    assert whole.overfitting["compared"] == 24
    assert resumed.overfitting == once_more.overfitting == whole.overfitting


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_resumed_study_of_pruned_trials_doubts_as_an_uninterrupted_one(tmp_path: Path, pruner: str) -> None:
    bars, database = walk(2500, 3), address("sqlite+aiosqlite:///x", tmp_path)
    whole = optimize(SmaCross, bars, SPACE, trials=32, pruner=pruner)
    optimize(SmaCross, bars, SPACE, trials=16, pruner=pruner, study="a study", database=database)
    resumed = optimize(SmaCross, bars, SPACE, trials=32, pruner=pruner, study="a study", database=database, resume=True)
    assert whole.pruned
    assert resumed.overfitting == whole.overfitting


def test_an_interruption_while_a_study_is_recalled_keeps_its_trials(tmp_path: Path) -> None:
    def told(fraction: float) -> None:
        raise Cancelled("Enough.")

    bars, database = walk(800, 4), address("sqlite+aiosqlite:///x", tmp_path)
    options: dict[str, Any] = {"study": "a study", "database": database}
    optimize(SmaCross, bars, SPACE, trials=16, **options)
    found = optimize(SmaCross, bars, SPACE, trials=24, resume=True, progress=told, **options)
    assert (len(found), found.partial) == (16, True)


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
def test_a_parameter_with_one_value_has_it_in_what_is_found(sampler: str) -> None:
    found = optimize(SmaCross, walk(800, 4), {"fast": "7", "slow": "20:60:5"}, trials=9, sampler=sampler)
    assert {each.parameters["fast"] for each in found.outcomes} == {7}


def test_trials_in_fractions_are_those_that_were_measured() -> None:
    bars = walk(800, 4)
    found = optimize(BollingerBreakout, bars, {"width": "0.7:2.3:0.1"}, trials=8, holdout=0.0)
    for each in found.outcomes:
        assert each.parameters["width"] == round(float(each.parameters["width"]), 1)


def test_a_study_is_not_mixed_with_another(tmp_path: Path) -> None:
    bars, database = walk(800, 4), address("sqlite+aiosqlite:///x", tmp_path)

    def run(**options: Any) -> None:
        optimize(SmaCross, bars, trials=2, database=database, **{"space": SPACE, **options})

    run(study="mine")
    for options, sentence in (
        ({"study": "mine"}, "There is a study 'mine' already"),
        ({"study": "mine", "resume": True, "seed": 9}, "was begun with other values of seed"),
        (
            {"study": "mine", "resume": True, "space": {"fast": "2:40", "slow": "10,20,50"}},
            "The study 'mine' was begun with fast=2:30 and slow=10:90:5,"
            " and it is to go on with fast=2:40 and slow=10,20,50.",
        ),
        (
            {"study": "mine", "resume": True, "space": {"fast": "2:30"}},
            "begun with slow=10:90:5, and it is to go on with no range of slow. Give the ranges that it was begun with",
        ),
        ({"study": "yours", "resume": True}, "There is no study 'yours' to resume. There are: mine."),
        ({"resume": True}, "can be resumed by its name only"),
    ):
        with pytest.raises(AppError) as refused:
            run(**options)
        assert sentence in refused.value.sentence()


def test_pruned_trials_are_given_up_yet_counted() -> None:
    bars = walk(2500, 3)
    for pruner in ("median", "halving"):
        found = optimize(SmaCross, bars, SPACE, trials=32, pruner=pruner)
        assert len(found) == 32
        assert 0 < found.pruned < 32
        assert found.overfitting["trials"] == 32
        assert found.best.stats is not None


def test_several_metrics_give_a_front_that_no_trial_beats() -> None:
    found = optimize(SmaCross, walk(1500, 3), SPACE, metrics=["sharpe", "-max_drawdown"], sampler="nsga2", trials=40)
    values = np.array([[each.stats["sharpe"], -each.stats["max_drawdown"]] for each in found.front if each.stats])
    every = np.column_stack([found.table["sharpe"], -found.table["max_drawdown"]])
    for row in values:
        assert not ((every >= row).all(axis=1) & (every > row).any(axis=1)).any()
    assert found.best.number == found.front[0].number
    assert len(found.held_out) == len(found.front)


def test_an_interruption_keeps_what_was_done() -> None:
    def told(fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled("Enough.")

    found = optimize(SmaCross, walk(800, 3), SPACE, trials=40, progress=told)
    assert found.partial
    assert 0 < len(found) < 40
    assert found.best.stats is not None


def test_a_strategy_that_refuses_most_combinations_is_searched_all_the_same() -> None:
    found = optimize(SmaCross, walk(800, 3), {"fast": "10:60", "slow": "11:62"}, trials=24)
    assert len(found) == 24
    assert found.refused > 0


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random", "grid", "nsga2"])
def test_a_parameter_of_one_value_stays_at_it_in_every_trial(sampler: str) -> None:
    found = optimize(SmaCross, walk(800, 3), {"slow": "10:60", "fast": "5"}, sampler=sampler, trials=12)
    assert {each.parameters["fast"] for each in found.outcomes} == {5}
    assert min(each.parameters["slow"] for each in found.outcomes) < 20  # below the default of fast
    assert found.best.stats is not None
    cut = found.inside.end
    assert found.best.stats["sharpe"] == pytest.approx(
        backtest(SmaCross(**found.best.parameters), walk(800, 3), end=cut).stats["sharpe"]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sampler": "magic"}, "There is no sampler 'magic'; there are tpe, cmaes, random, grid, nsga2."),
        ({"pruner": "shears"}, "There is no pruner 'shears'"),
        ({"metrics": "luck"}, "There is no metric 'luck'"),
        ({"metrics": ["sharpe", "sharpe"]}, "Each metric can be given once"),
        ({"metrics": ["sharpe", "cagr"], "pruner": "median"}, "pruned by one metric only"),
        ({"metrics": ["sharpe", "cagr"], "sampler": "cmaes"}, "cmaes takes one metric only"),
        ({"trials": 0}, "0 trials is outside 1 to 20,000"),
        ({"holdout": 1.0}, "A holdout of 1 is outside 0 to 0.9"),
        ({"seed": -1}, "The seed -1 is outside"),
        ({"space": {"fast": "30:2"}}, "must go up"),
        ({"space": {"fast": "2:9000"}}, "fast takes a whole number from 1 to 5000"),
        ({"space": {"fast": "2:30:0.5"}}, "its step cannot be 0.5"),
        ({"space": {"fast": [30, 40], "slow": [20]}}, "accepts none of"),
        ({"space": {"slow": [900, 950]}}, "accepts none of"),
        ({"space": {"fast": "5"}}, "fast=5 leaves nothing to search: give fast a range or several values, such as"),
        ({"space": {"fast": "5:5", "slow": [30]}}, "fast=5 slow=30 leaves nothing to search"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AppError) as refused:
        optimize(SmaCross, walk(300, 3), **({"space": SPACE, "trials": 4} | options))
    assert sentence in refused.value.sentence()


def test_ranges_are_read_from_texts_and_made_around_the_defaults() -> None:
    assert dimensions_of(SmaCross, {"fast": "5:22:5", "slow": "30,40"}) == {
        "fast": Range(5, 20, 5), "slow": OneOf((30, 40)),
    }  # fmt: skip
    assert dimensions_of(SmaCross) == {"fast": Range(5, 80, 1), "slow": Range(12, 200, 1)} | {
        "slow": dimensions_of(SmaCross)["slow"]
    }
    assert dimensions_of(BollingerBreakout)["width"] == Range(0.5, 8.0, 0.1)
    assert Range(0.1, 0.7, 0.2).values() == (0.1, 0.3, 0.5, 0.7)


def test_the_studies_stand_beside_the_database_of_the_product(tmp_path: Path) -> None:
    assert address("sqlite+aiosqlite:////data/orchestrator.db", tmp_path) == f"sqlite:///{tmp_path / 'optuna.db'}"
    assert address("postgresql+asyncpg://me:pw@host/db?ssl=off", tmp_path) == (
        "postgresql+psycopg://me:pw@host/db?ssl=off&options=-csearch_path%3Doptuna"
    )


def test_a_database_that_cannot_be_opened_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(AppError) as refused:
        optimize(
            SmaCross, walk(300, 4), SPACE, trials=2, study="x",
            database=address("postgresql+asyncpg://me:hidden@127.0.0.1:1/db", tmp_path),
        )  # fmt: skip
    assert "cannot be opened" in refused.value.sentence()
    assert "hidden" not in refused.value.sentence()

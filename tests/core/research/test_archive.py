"""The archive: what is saved comes back, whoever saves at the same time, and a refusing disk loses nothing."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from core.errors import InvalidInput, NotFound
from core.market.funding import Funding
from core.research import archive as module
from core.research.archive import Archive, NotKept
from core.research.backtest import backtest
from core.research.compare import compare, side_of
from core.research.provenance import commit
from core.research.sweep import sweep
from core.research.walk_forward import walk_forward
from core.strategies import Donchian, SmaCross, load
from core.trading.costs import Costs
from core.trading.sizing import FixedCash, FixedQuantity, Fraction, Kelly, Sizing, VolatilityTarget
from tests.core.simulation.market import COIN, walk

DATA = [{"symbol": "BTC/USDT", "instrument": "file:BTC/USDT", "timeframe": "1h", "fingerprint": "a" * 32}]


def document(**more: object) -> dict[str, object]:
    return {"strategy": {"name": "sma_cross", "parameters": {"fast": 3, "slow": 8}}, "data": DATA, **more}


def frames() -> dict[str, dict[str, object]]:
    rng = np.random.default_rng(1)
    return {
        "equity": {"time": np.arange(5000) * 60_000 + 7, "equity": 1e4 * np.exp(np.cumsum(rng.normal(0, 0.01, 5000)))},
        "fills": {"side": ["buy", "sell"], "maker": [True, False], "price": [1.5, np.nan], "reason": ["entry", None]},
        "empty": {"time": np.empty(0, np.int64), "note": []},
    }


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    given = frames()
    Archive(tmp_path / "results").save(kind="backtest", document=document(stats={"sharpe": np.nan}), frames=given)
    run = Archive(tmp_path / "results").open(1)
    assert run.frames == ["equity", "fills", "empty"]
    assert run.equity.tobytes() == np.asarray(given["equity"]["equity"]).tobytes()
    np.testing.assert_array_equal(run.timestamps, np.asarray(given["equity"]["time"]))
    assert run.frame("fills")["side"].tolist() == ["buy", "sell"]
    assert run.frame("fills")["reason"].tolist() == ["entry", None]
    assert run.frame("fills")["maker"].tolist() == [True, False]
    assert len(run.frame("empty")["time"]) == 0
    assert run.frame("nothing") == {}
    assert run.stats == {"sharpe": None}
    assert run.saved.title == "sma_cross on BTC/USDT 1h"
    assert set(run.document["code"]) == {"version", "commit", "kernels"}


def test_times_at_even_steps_take_no_room(tmp_path: Path) -> None:
    times = np.arange(200_000) * 60_000
    saved = Archive(tmp_path).save(kind="backtest", document={}, frames={"equity": {"time": times}})
    assert saved.path.stat().st_size < 5_000


def test_numbers_count_per_owner_and_are_not_given_twice(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert [archive.save(kind="backtest", document=document()).number for _ in range(3)] == [1, 2, 3]
    assert archive.save(kind="sweep", document=document(), owner="anna").number == 1
    archive.remove(3)
    assert archive.save(kind="backtest", document=document()).number == 4
    archive.remove(2)
    assert [each.number for each in archive.list()] == [4, 1]
    assert [each.kind for each in archive.list("anna")] == ["sweep"]
    with pytest.raises(NotFound, match="no result 3"):
        archive.open(3)


def test_a_run_is_found_by_its_id(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    saved = archive.save(kind="backtest", document=document())
    assert archive.find(saved.id[:8]).number == saved.number
    with pytest.raises(NotFound):
        archive.find("zzzzzzzz")


def test_another_persons_results_are_not_found(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    saved = archive.save(kind="backtest", document=document(), owner="anna")
    for which in (saved.number, saved.id):
        with pytest.raises(NotFound):
            archive.open(which, "ben")
    with pytest.raises(InvalidInput):
        archive.open(1, "../anna")


def save_some(folder: str) -> list[int]:
    return [Archive(folder).save(kind="backtest", document={}, frames=frames()).number for _ in range(5)]


def test_several_processes_never_share_a_number(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        numbers = [each for some in pool.map(save_some, [str(tmp_path)] * 3) for each in some]
    assert sorted(numbers) == list(range(1, 16))
    assert len(Archive(tmp_path).list()) == 15


def test_the_newest_are_kept(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for _ in range(5):
        archive.save(kind="backtest", document={})
    assert [each.number for each in archive.prune(2)] == [3, 2, 1]
    assert [each.number for each in archive.list()] == [5, 4]


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write", full)
    with pytest.raises(NotKept, match="not kept: No space left on device"):
        Archive(tmp_path).save(kind="backtest", document={})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(NotKept, match="not kept"):
        Archive(tmp_path / "results").save(kind="backtest", document={})


def test_a_damaged_file_is_left_out_of_the_list_and_told_when_opened(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document=document())
    (tmp_path / "owner.000002.arrow").write_bytes(b"no arrow at all")
    assert [each.number for each in archive.list()] == [1]
    with pytest.raises(InvalidInput, match="not a kept result"):
        archive.open(2)


def test_columns_of_a_frame_are_equally_long(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="equally long"):
        Archive(tmp_path).save(kind="backtest", document={}, frames={"equity": {"time": [1, 2], "equity": [1.0]}})
    assert Archive(tmp_path).list() == []


def test_tries_are_counted_once_each_where_the_data_overlaps(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert archive.trials("sma_cross", DATA).count == 0
    archive.save(kind="backtest", document=document(stats={"sharpe": 1.5}))
    archive.save(kind="backtest", document=document(stats={"sharpe": 1.5}))  # the same again is no new try
    archive.save(
        kind="sweep",
        document=document() | {"space": {"fast": [3, 4], "slow": [8]}},
        frames={"table": {"fast": [3, 4, 5], "slow": [8, 8, 8], "sharpe": [1.5, 0.5, np.nan]}},
    )
    archive.save(kind="backtest", document=document(stats={"sharpe": 9.0}), owner="anna")
    archive.save(kind="monte-carlo", document=document())
    other = [{"symbol": "ETH/USDT", "instrument": "file:ETH/USDT", "timeframe": "1h", "fingerprint": "b" * 32}]
    archive.save(kind="backtest", document=document() | {"data": other})
    found = archive.trials("sma_cross", DATA)
    assert found.count == 3
    assert sorted(found.sharpes) == [0.5, 1.5]
    assert archive.trials("macd", DATA).count == 0
    assert archive.trials("sma_cross", DATA, parameters={"fast": 4, "slow": 8}).count == 3
    assert archive.trials("sma_cross", DATA, parameters={"fast": 7, "slow": 8}).count == 4
    assert archive.trials("macd", DATA, parameters={"fast": 7}).count == 1


def test_combinations_tried_again_in_a_walk_forward_are_no_new_tries(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document=document(stats={"sharpe": 1.5}))
    searched = {"space": {"fast": [3, 4], "slow": [8, 9]}, "trials": 4}
    archive.save(kind="walk-forward", document={"strategy": {"name": "sma_cross"}, "data": DATA} | searched)
    found = archive.trials("sma_cross", DATA)
    assert (found.count, found.sharpes) == (4, (1.5,))


def test_data_that_does_not_overlap_in_time_is_another_try(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    span = {"instrument": "binance:BTC/USDT", "start": "2020-01-01T00:00:00+00:00", "end": "2020-06-01T00:00:00+00:00"}
    archive.save(kind="backtest", document=document() | {"data": [span]})
    later = span | {"start": "2021-01-01T00:00:00+00:00", "end": "2022-06-01T00:00:00+00:00"}
    assert archive.trials("sma_cross", [later]).count == 0
    assert archive.trials("sma_cross", [later | {"start": "2020-05-01T00:00:00+00:00"}]).count == 1


def test_the_commit_is_read_from_a_checkout(tmp_path: Path) -> None:
    assert commit(tmp_path) is None
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text("# pack-refs\n1234abcd refs/heads/main\n")
    assert commit(tmp_path) == "1234abcd"
    (git / "refs" / "heads" / "main").write_text("feed\n")
    assert commit(tmp_path) == "feed"
    (git / "HEAD").write_text("cafe\n")
    assert commit(tmp_path) == "cafe"


def test_a_backtest_is_kept_whole_and_runs_again_bit_for_bit(tmp_path: Path) -> None:
    bars = walk(3000, 1)
    result = backtest(Donchian(5, 3), bars, 5_000.0, Costs(taker_fee=0.002))
    kept, frames_ = result.kept()
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document=kept, frames=frames_)
    run = archive.open(1)
    assert run.stats == result.stats
    pandas.testing.assert_frame_equal(run.trades, result.trades)
    pandas.testing.assert_frame_equal(run.fills, result.fills)
    np.testing.assert_array_equal(run.returns, result.returns)
    again = run.rerun(bars)
    assert again.same
    assert again.sentence == "The same equity came out, bit for bit."


@pytest.mark.parametrize(
    "sizing",
    [FixedCash(1_234.5), FixedQuantity(0.1), Fraction(1 / 3), VolatilityTarget(0.7, 9, 2.5), Kelly(0.3, 4, 3.0)],
)
def test_sizes_funding_and_finer_bars_are_kept_with_a_run(tmp_path: Path, sizing: Sizing) -> None:
    fine = walk(2000, 4, instrument=replace(COIN, kind="perpetual"), timeframe="15m")
    bars = fine.resample("1h")
    funding = Funding(np.arange(0, 1000, 8) * 3_600_000 // 2, np.linspace(-0.001, 0.002, 125))
    more: dict[str, Any] = {"detail": fine, "sizing": sizing, "funding": funding}
    result = backtest(Donchian(5, 3), bars, 5_000.0, Costs(leverage=4.0), **more)
    assert result.stats["trades"] > 5
    archive = Archive(tmp_path)
    kept, frames_ = result.kept()
    archive.save(kind="backtest", document=kept, frames=frames_)
    assert archive.open(1).rerun(bars, fine).same
    other = archive.open(1).rerun(bars)
    assert not other.same
    assert "finer bars" in other.sentence


def test_other_bars_are_named_when_another_result_comes_out(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    kept, frames_ = backtest(Donchian(5, 3), walk(3000, 1)).kept()
    archive.save(kind="backtest", document=kept, frames=frames_)
    again = archive.open(1).rerun(walk(3000, 2))
    assert not again.same
    assert "the bars of COIN/USDT are not those of then" in again.sentence
    with pytest.raises(InvalidInput, match="these bars are of OTHER"):
        archive.open(1).rerun({"OTHER": walk(3000, 2)})


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_a_run_is_exported(tmp_path: Path, form: str) -> None:
    result = backtest(Donchian(5, 3), walk(3000, 1))
    kept, frames_ = result.kept()
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document=kept, frames=frames_)
    path = archive.export(1, tmp_path / f"run.{form}")
    if form == "json":
        found = json.loads(path.read_text())
        assert found["frames"]["equity"]["equity"] == result.equity.tolist()
        assert found["stats"]["trades"] == result.stats["trades"]
        return
    read: Any = {"parquet": pandas.read_parquet, "csv": pandas.read_csv}[form]
    table = read(path)
    assert table["equity"].to_numpy() == pytest.approx(result.equity)
    folder = archive.export(1, tmp_path / "folder", form)
    assert {each.name for each in folder.iterdir()} == {
        f"equity.{form}", f"fills.{form}", f"trades.{form}", f"hold.{form}", f"prices.{form}", "run.json",
    }  # fmt: skip
    trades = read(folder / f"trades.{form}")
    assert list(trades["side"]) == list(result.trades["side"])
    assert trades["exit_time"].isna().sum() == result.stats["open_trades"]


@pytest.mark.parametrize(
    ("kind", "main", "column"),
    [("sweep", "table", "fast"), ("optimize", "table", "fast"), ("walk-forward", "windows", "test_start")],
)
def test_a_search_is_exported_as_its_trials_or_windows(tmp_path: Path, kind: str, main: str, column: str) -> None:
    archive = Archive(tmp_path)
    archive.save(kind=kind, document=document(), frames=frames() | {main: {column: np.array([5, 86_400_000])}})
    table = pandas.read_parquet(archive.export(1, tmp_path / "run.parquet"))
    assert list(table.columns) == [column]
    assert len(table) == 2
    assert (str(table[column].iloc[1])[:10] == "1970-01-02") is (kind == "walk-forward")


def test_a_search_read_back_is_judged_by_all_of_its_trials(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    found = walk_forward(SmaCross, walk(900, 4), {"fast": [2, 5], "slow": [8, 20]}, train=400, test=150)
    found.earlier = 500
    kept = found.document()
    assert kept["stats"]["trials"] == kept["overfitting"]["trials"] == 504
    assert kept["stats"]["deflated_sharpe"] == kept["overfitting"]["deflated_sharpe"]
    lenient = kept | {"stats": kept["stats"] | {"trials": 1, "deflated_sharpe": 0.9}}  # as it was once kept
    archive.save(kind="walk-forward", document=lenient)
    run = archive.open(1)
    for stats in (run.stats, run.saved.summary()["stats"], side_of(run).stats):
        assert stats["trials"] == 504
        assert stats["deflated_sharpe"] == kept["overfitting"]["deflated_sharpe"]


def test_a_sweep_read_back_tells_what_is_luck(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    found = sweep(SmaCross, walk(900, 4), {"fast": [2, 5], "slow": [8, 20]})
    archive.save(kind="sweep", document=found.document(), frames=found.frames())
    side = side_of(archive.open(1))
    assert side.stats["trials"] == 4
    for name in ("probabilistic_sharpe", "deflated_sharpe", "sharpe_low", "overfitting", "reality_check"):
        assert side.stats[name] == found.overfitting[name] is not None
    names = [name for name, _ in compare([side, side_of(archive.open(1), "again")]).rows]
    assert {"deflated_sharpe", "trials", "overfitting", "reality_check"} <= {*names}


def test_an_unknown_format_is_told(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.save(kind="backtest", document={}, frames=frames())
    with pytest.raises(InvalidInput, match="accepted are"):
        archive.export(1, tmp_path / "run.xlsx")


def test_each_formula_is_a_try_of_its_own_and_is_run_again_as_it_was(tmp_path: Path) -> None:
    archive, bars = Archive(tmp_path), walk(600, 1)
    for text in ("formula: close > sma(close, 5)", "formula: close > sma(close, 9)"):
        result = backtest(load(text), bars)
        document_, frames_ = result.kept()
        archive.save(kind="backtest", document=document_, frames=frames_)
    assert archive.trials("formula", result.data).count == 2
    assert archive.find(1).title.startswith("formula close > sma(close, 5) on ")
    assert side_of(archive.open(2)).name == "2 formula close > sma(close, 9)"
    assert archive.open(1).rerun(bars).same


def test_a_long_formula_is_shortened_in_lists_and_steers_no_terminal(tmp_path: Path) -> None:
    text = "close > sma(close, 5)\x1b[2J and " + "close > open and " * 9 + "true"
    told = {"strategy": {"name": "formula", "parameters": {}, "formula": json.dumps({"text": text})}, "data": DATA}
    saved = Archive(tmp_path).save(kind="backtest", document=told)
    assert saved.title == f"formula {text[:21]} {text[22:39]}… on BTC/USDT 1h"
    assert saved.formula == text.replace("\x1b", " ")
    assert Archive(tmp_path).save(kind="backtest", document={"strategy": {"name": "x", "formula": "["}}).title == "x"

import itertools
import multiprocessing
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadData, Conflict, InvalidInput, NotFound
from core.market import history as module
from core.market.bars import COLUMNS, Bars
from core.market.history import History
from core.market.instrument import Instrument
from core.market.timeframes import DAY, HOUR, MINUTE
from tests.core.market.made import START, any_bars, bars


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


def append_many(folder: Path, start: int, count: int) -> None:
    whole = bars(count * 4, start=START)
    for n in range(start, count * 4, 4):
        History(folder).append(whole[n : n + 2])


def test_what_is_appended_is_loaded_with_its_instrument_and_grids(tmp_path: Path) -> None:
    grids = Instrument("binance", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
    whole = replace(bars(30_000), instrument=grids)  # more than three years: several files
    kept = History(tmp_path)
    assert kept.append(whole) == 30_000
    loaded = kept.load("binance", "BTC/USDT", "1h")
    assert same(loaded, whole)
    assert loaded.instrument == grids
    assert loaded.fingerprint() == whole.fingerprint()


@given(whole=any_bars("1h", 100), cuts=st.lists(st.integers(0, 100), max_size=6), again=st.integers(0, 100))
def test_pieces_in_any_order_and_twice_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, whole: Bars, cuts: list[int], again: int
) -> None:
    kept = History(tmp_path_factory.mktemp("history"))
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(edges)]
    added = [kept.append(piece) for piece in [*reversed(pieces), whole[:again]]]
    assert sum(added) == len(whole)
    assert same(kept.load("test", "BTC/USDT", "1h"), whole)


def test_a_bar_that_comes_again_replaces_the_old_one(tmp_path: Path) -> None:
    kept, whole, other = History(tmp_path), bars(10), bars(10, seed=5)
    kept.append(whole)
    assert kept.append(other[4:6]) == 0
    assert same(kept.load("test", "BTC/USDT", "1h")[4:6], other[4:6])
    assert same(kept.load("test", "BTC/USDT", "1h")[:4], whole[:4])


@pytest.mark.parametrize("timeframe", ["1s", "1m", "1h", "1d"])
def test_a_span_is_loaded_from_the_files_it_touches(tmp_path: Path, timeframe: str) -> None:
    kept, whole = History(tmp_path), bars(2_000, timeframe, start=START - START % DAY)
    kept.append(whole)
    first, last = int(whole.timestamp[300]), int(whole.timestamp[1_700])
    assert same(kept.load("test", "BTC/USDT", timeframe, first, last), whole[300:1_700])
    assert len(kept.load("test", "BTC/USDT", timeframe, first, first)) == 0
    assert len(kept.load("test", "BTC/USDT", timeframe, 0, 1)) == 0


def test_bars_are_mapped_not_copied(tmp_path: Path) -> None:
    kept = History(tmp_path)
    kept.append(bars(100))
    loaded = kept.load("test", "BTC/USDT", "1h")
    assert not loaded.close.flags.owndata
    assert not loaded.close.flags.writeable


def test_datasets_are_listed_with_their_span(tmp_path: Path) -> None:
    kept = History(tmp_path)
    assert kept.datasets() == []
    kept.append(bars(10, holes=(4,)))
    kept.append(bars(10, "1m"))
    hour, minute = kept.datasets()
    assert (hour.name, hour.bars, hour.first, hour.last) == ("test:BTC/USDT:1h", 9, START, START + 9 * HOUR)
    assert (minute.timeframe, minute.last) == ("1m", START + 9 * MINUTE)
    assert hour.size > 0
    assert [gap.missing for gap in kept.gaps("test", "BTC/USDT", "1h")] == [1]


def test_what_is_not_kept_is_refused_with_what_is(tmp_path: Path) -> None:
    kept = History(tmp_path)
    kept.append(bars(10))
    with pytest.raises(NotFound, match="no history of test:ETH/USDT:1h; kept is test:BTC/USDT:1h") as refused:
        kept.load("test", "ETH/USDT", "1h")
    assert "orchestrator data download" in (refused.value.hint or "")


@pytest.mark.parametrize("symbol", ["../X/USDT", "BTC/..", "A B/USDT"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(InvalidInput):
        History(tmp_path).load("test", symbol, "1h")


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "values"])
def test_a_damaged_file_is_told_with_its_cure(tmp_path: Path, damage: str) -> None:
    kept = History(tmp_path)
    kept.append(bars(500))
    (file,) = tmp_path.rglob("*.arrow")
    content = file.read_bytes()
    whole = bars(500)
    broken = {
        "cut": content[: len(content) // 2],
        "noise": os.urandom(len(content)),
        "empty": b"",
        "values": content.replace(whole.high[7].tobytes(), np.float64(-1).tobytes()),
    }
    file.write_bytes(broken[damage])
    with pytest.raises(BadData) as refused:
        kept.load("test", "BTC/USDT", "1h")
    assert str(file) in refused.value.message
    assert "Delete that file" in (refused.value.hint or "")


def test_a_crash_before_the_replacement_leaves_the_old_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, whole = History(tmp_path), bars(20)
    kept.append(whole[:10])

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            kept.append(whole[10:])
    assert same(kept.load("test", "BTC/USDT", "1h"), whole[:10])
    assert kept.append(whole[10:]) == 10
    assert same(kept.load("test", "BTC/USDT", "1h"), whole)


def test_a_reader_keeps_its_bars_while_a_writer_replaces_the_file(tmp_path: Path) -> None:
    kept, whole = History(tmp_path), bars(20)
    kept.append(whole[:10])
    held = kept.load("test", "BTC/USDT", "1h")
    kept.append(whole[10:])
    assert same(held, whole[:10])


def test_writers_of_several_processes_take_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, start, 10)) for start in (0, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert same(History(tmp_path).load("test", "BTC/USDT", "1h"), bars(40))


def test_a_writer_that_never_gets_its_turn_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    kept = History(tmp_path)
    kept.append(bars(5))
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    with FileLock(tmp_path / "test/BTC-USDT/1h/.lock"), pytest.raises(Conflict, match="test:BTC/USDT:1h"):
        kept.append(bars(10))

"""`orchestrator data …`, in this process and as a process that is killed half-way."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.market.bars import Bars
from core.market.history import History
from core.market.synthetic import SandboxMarket
from core.market.timeframes import HOUR
from tests.core.market.made import bars
from tests.simulators.binance_public import BinancePublic

ROOT = Path(__file__).resolve().parents[3]
FIRST = 1_704_067_200_000  # 2024-01-01
COUNT = 4_500
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def called(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["orchestrator", "data", *words])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        told = capfd.readouterr()
        return code, told.out, told.err

    return called


def test_a_file_is_imported_listed_and_shown(run: Run, tmp_path: Path) -> None:
    whole = bars(50, holes=(7,))
    file = whole.write(tmp_path / "BTCUSDT-1h.csv")
    code, out, err = run("import", str(file), "--venue", "binance")
    assert (code, out) == (0, "binance:BTC/USDT:1h: 49 new bars of 49 in BTCUSDT-1h.csv.\n")
    assert "1 hole, 1 bars missing" in err
    code, out, _ = run("list", "--json")
    (dataset,) = json.loads(out)["datasets"]
    assert (code, dataset["name"], dataset["bars"]) == (0, "binance:BTC/USDT:1h", 49)
    code, out, err = run("show", "binance:BTC/USDT:1h", "--rows", "2", "--json")
    shown = json.loads(out)
    assert (code, err) == (0, "")
    assert shown["gaps"] == [{"start": "2022-01-01T07:00:00Z", "end": "2022-01-01T08:00:00Z", "missing": 1}]
    assert [row["close"] for row in shown["newest"]] == whole.close[-2:].tolist()
    assert not shown["simulated"]


def test_people_read_lines_and_programs_one_document(run: Run) -> None:
    assert run("list")[1:] == (
        "",
        "The history is empty. Try: orchestrator data download binance BTC/USDT 1h --since 2023-01-01\n",
    )
    assert json.loads(run("list", "--json")[1]) == {"datasets": []}
    code, out, err = run("download", "sandbox", "eth/usdt", "1h", "--since", "2024-01-01", "--until", "2024-01-11")
    assert (code, err) == (0, "")
    assert out == "sandbox:ETH/USDT:1h: 240 new bars, 240 kept from 2024-01-01 00:00 to 2024-01-10 23:00 UTC.\n"
    again = json.loads(
        run("download", "sandbox", "ETH/USDT", "1h", "--since", "2024-01-01", "--until", "2024-01-12", "--json")[1]
    )
    assert (again["added"], again["bars"], again["gaps"]) == (24, 264, [])
    assert json.loads(run("show", "sandbox:BTC/USDT:1h", "--json")[1])["simulated"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "binance:BTC/USDT:1h"], "There is no history of binance:BTC/USDT:1h; kept is nothing yet."),
        (["import", "none.csv"], "There is no file none.csv."),
        (
            ["download", "sandbox", "BTC/USDT", "7m", "--since", "2024-01-01"],
            "'7m' is not a timeframe; accepted are 1s",
        ),
        (["download", "sandbox", "BTC/USDT", "1h", "--since", "soon"], "'soon' is not a date."),
        (["download", "sandbox", "BTCUSDT", "1h", "--since", "2024-01-01"], "The sandbox has no BTCUSDT."),
    ],
)
def test_a_refusal_is_one_sentence(run: Run, words: list[str], told: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert err.startswith(told)
    assert len(err.splitlines()) == 1
    code, out, _ = run(*words, "--json")
    assert code == 1
    assert json.loads(out)["error"]["message"].startswith(told)


def test_a_bad_row_is_told_by_file_and_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("date,open,high,low,close,volume\n2024-01-01,5,3,1,2,9\n2024-01-02,1,1,1,1,1\n")
    assert run("import", "data.csv")[2] == "data.csv row 2: high 3 is below open 5.\n"


@pytest.fixture
def recorded() -> Bars:
    return SandboxMarket(9).bars("BTC/USDT", "1h", FIRST, FIRST + COUNT * HOUR)


@pytest.fixture
async def venue(recorded: Bars) -> AsyncIterator[BinancePublic]:
    async with BinancePublic(recorded, now=lambda: FIRST + COUNT * HOUR - 1) as server:
        yield server


async def start(venue: BinancePublic, folder: Path, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from core.cli import main; main()", "data", *words),
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
            "ORCHESTRATOR_EXCHANGES__BINANCE__ENDPOINT_BASE": venue.base,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(process: asyncio.subprocess.Process) -> tuple[int | None, dict[str, Any], str]:
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, json.loads(out) if out else {}, err.decode()


async def test_a_killed_download_goes_on_where_it_was(venue: BinancePublic, recorded: Bars, tmp_path: Path) -> None:
    words = ("download", "binance", "BTC/USDT", "1h", "--since", "2024-01-01", "--until", "2024-07-06T12:00", "--json")
    venue.stall_after = 2
    process = await start(venue, tmp_path, *words)
    await asyncio.wait_for(venue.stalled.wait(), 120)
    process.send_signal(signal.SIGKILL)
    code, _, _ = await finished(process)
    assert code == -signal.SIGKILL
    kept = History(tmp_path / "data" / "history")
    assert kept.load("binance", "BTC/USDT", "1h").timestamp.tolist() == recorded.timestamp[:2_000].tolist()

    venue.stall_after = None
    venue.questions.clear()
    code, document, err = await finished(await start(venue, tmp_path, *words))
    assert (code, err) == (0, "")
    asked = [int(query["startTime"]) for query in venue.asked("/api/v3/klines")]
    assert asked == [int(recorded.timestamp[n]) for n in (2_000, 3_000, 4_000)]
    assert (document["added"], document["bars"], document["gaps"]) == (COUNT - 2_000, COUNT, [])
    loaded = kept.load("binance", "BTC/USDT", "1h")
    assert loaded.timestamp.tolist() == recorded.timestamp.tolist()
    assert loaded.close.tolist() == recorded.close.tolist()
    assert str(loaded.instrument.tick_size) == "0.01"


async def test_a_faltering_venue_is_asked_again(venue: BinancePublic, tmp_path: Path) -> None:
    words = ("download", "binance", "BTC/USDT", "1h", "--since", "2024-01-01", "--until", "2024-02-01", "--json")
    venue.fail("503", "429", path="/api/v3/klines")
    code, document, err = await finished(await start(venue, tmp_path, *words))
    assert (code, err, document["bars"]) == (0, "", 31 * 24)
    assert len(venue.asked("/api/v3/klines")) == 3


async def test_a_closed_venue_is_one_sentence(venue: BinancePublic, tmp_path: Path) -> None:
    venue.fail("451")
    code, document, err = await finished(
        await start(venue, tmp_path, "download", "binance", "BTC/USDT", "1h", "--since", "2024-01-01", "--json")
    )
    assert code == 1
    assert document["error"]["code"] == "unavailable"
    assert "refuses connections from this country (HTTP 451)" in err
    assert len(err.splitlines()) == 1

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadData, InvalidInput, NotFound
from core.market.bars import COLUMNS, Bars
from core.market.files import describe_name
from tests.core.market.made import START, any_bars, bars

ISO = ("2022-01-01T00:00:00Z", "2022-01-01T01:00:00Z", "2022-01-01T02:00:00Z")
ROWS = "1,2,0.5,1.5,10", "1.5,2.5,1,2,11", "2,3,1.5,2.5,12"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def same(one: Bars, other: Bars) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(whole=any_bars(), kind=st.sampled_from(["parquet", "feather", "arrow", "csv"]))
def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path, whole: Bars, kind: str) -> None:
    file = whole.write(tmp_path / f"BTCUSDT-1h.{kind}")
    taken = Bars.read(file, whole.instrument, "1h")
    assert same(taken, whole)
    assert taken.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("timestamp,open,high,low,close,volume", [str(START + n * 3_600_000) for n in range(3)]),
        ("Timestamp,Open,High,Low,Close,Volume", [str(START // 1000 + n * 3_600) for n in range(3)]),
        ("date,open,high,low,close,volume", list(ISO)),
        ("Datetime,OPEN,HIGH,LOW,CLOSE,VOLUME", ["2022-01-01 00:00:00", "2022-01-01 01:00:00", "2022-01-01 02:00:00"]),
        ("time,open,high,low,close,volume", [f"2022-01-01 0{n}:00:00 UTC" for n in (0, 1, 2)]),
        ("time,open,high,low,close,volume", [f"2022-01-01T0{n + 2}:00:00+02:00" for n in (0, 1, 2)]),
        ("timestamp,open,high,low,close,volume", [str((START + n * 3_600_000) * 1000) for n in range(3)]),
    ],
)
def test_csv_times_may_be_milliseconds_seconds_microseconds_or_iso(
    tmp_path: Path, header: str, times: list[str]
) -> None:
    lines = [f"{moment},{row}" for moment, row in zip(times, ROWS, strict=True)]
    taken = Bars.read(write(tmp_path / "ETH-BTC.csv", "\n".join([header, *lines]) + "\n"))
    assert taken.timestamp.tolist() == [START, START + 3_600_000, START + 7_200_000]
    assert taken.close.tolist() == [1.5, 2.0, 2.5]
    assert (taken.timeframe, taken.instrument.key) == ("1h", "file:ETH/BTC")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", None])
@pytest.mark.parametrize("named", ["timestamp", None, "Date"])
def test_a_frame_that_pandas_stored_is_read(tmp_path: Path, zone: str | None, named: str | None) -> None:
    whole = bars(5)
    frame = whole.to_pandas().rename_axis(named)
    frame.index = frame.index.tz_convert(zone) if zone else frame.index.tz_localize(None)
    frame.to_parquet(tmp_path / "BTCUSDT.parquet")
    assert same(Bars.read(tmp_path / "BTCUSDT.parquet"), whole)


def test_a_bad_csv_row_is_told_by_its_line_in_the_file(tmp_path: Path) -> None:
    lines = ["timestamp,open,high,low,close,volume", f"{START},1,2,0.5,1.5,10", "", f"{START + 3_600_000},5,3,1,2,11"]
    with pytest.raises(BadData, match=r"^data.csv row 4: high 3 is below open 5\.$"):
        Bars.read(write(tmp_path / "data.csv", "\n".join(lines)), timeframe="1h")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x,1,2,0.5,1.5,10", "row 3: the time 'x' is neither UTC milliseconds nor an ISO date"),
        (f"{START + 3_600_000},1,abc,0.5,1.5,10", "row 3: high 'abc' is not a number"),
        (f"{START + 3_600_000},1,,0.5,1.5,10", "row 3: high is missing"),
        (f"{START + 3_600_000},1,2,0.5", "row 3: it has 4 columns, and 6 are expected"),
        (f"{START + 3_600_000},1,2,0.5,1.5,nan", "row 3: volume is missing or not a number"),
        (",1,2,0.5,1.5,10", "row 3: the time is missing"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_with_file_and_row(tmp_path: Path, line: str, told: str) -> None:
    text = f"timestamp,open,high,low,close,volume\n{START},1,2,0.5,1.5,10\n{line}\n"
    with pytest.raises(BadData) as refused:
        Bars.read(write(tmp_path / "prices.csv", text), timeframe="1h")
    assert refused.value.message.startswith("prices.csv ")
    assert told in refused.value.message


def test_a_file_without_volume_is_refused_naming_its_columns(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"a\.csv has no volume column; the columns found are time, open, high, low"):
        Bars.read(write(tmp_path / "a.csv", "time,open,high,low,close\n1,1,1,1,1\n"))


def test_the_timeframe_is_the_commonest_spacing_unless_it_is_none(tmp_path: Path) -> None:
    whole = bars(20, "15m", holes=(3, 4, 9))
    assert Bars.read(whole.write(tmp_path / "X.parquet")).timeframe == "15m"
    odd = "\n".join(f"{START + n * 420_000},1,1,1,1,1" for n in range(5))
    with pytest.raises(BadData, match="rows 420 s apart, which is no timeframe"):
        Bars.read(write(tmp_path / "odd.csv", f"timestamp,open,high,low,close,volume\n{odd}\n"))
    assert Bars.read(whole[:1].write(tmp_path / "BTCUSDT-15m.csv")).timeframe == "15m"
    for rows, told in ((0, "no rows"), (1, "1 row")):
        with pytest.raises(BadData) as refused:
            Bars.read(whole[:rows].write(tmp_path / "BTCUSDT.csv"))
        assert refused.value.sentence() == (
            f"BTCUSDT.csv has {told}, too few to tell its timeframe; two are the least."
            " Or give the file a name that tells it, such as BTCUSDT-1h.csv."
        )


def test_freqtrade_and_binance_archives_are_read(tmp_path: Path) -> None:
    rows = [[START + n * 60_000, 1.0, 2.0, 0.5, 1.5, 10 + n] for n in range(3)]
    taken = Bars.read(write(tmp_path / "APE_USDT-1m.json", json.dumps(rows)))
    assert (taken.instrument.symbol, taken.timeframe, taken.volume.tolist()) == ("APE/USDT", "1m", [10, 11, 12])
    micros = "\n".join(f"{row[0] * 1000},1,2,0.5,1.5,{row[5]},{row[0]},1,1,1,1,0" for row in rows)
    with zipfile.ZipFile(tmp_path / "BTCUSDT-1m-2025-01-01.zip", "w") as archive:
        archive.writestr("BTCUSDT-1m-2025-01-01.csv", micros)
    archived = Bars.read(tmp_path / "BTCUSDT-1m-2025-01-01.zip")
    assert archived.instrument.symbol == "BTC/USDT"
    assert same(archived, taken)


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe"),
    [
        ("BTCUSDT.parquet", "BTC/USDT", None),
        ("BTC-EUR.csv", "BTC/EUR", None),
        ("APE_USDT-1h.json", "APE/USDT", "1h"),
        ("BTCUSDT-1m-2022-01-01.zip", "BTC/USDT", "1m"),
        ("ethbtc-4h.csv", "ETH/BTC", "4h"),
        ("SOL.feather", "SOL/USDT", None),
        ("prices of last year.csv", "ASSET/USDT", None),
        ("1000SATSUSDT.csv", "1000SATS/USDT", None),
    ],
)
def test_instrument_and_timeframe_are_read_from_the_name(name: str, symbol: str, timeframe: str | None) -> None:
    instrument, found = describe_name(Path(name))
    assert (instrument.symbol, instrument.venue, found) == (symbol, "file", timeframe)


def test_a_name_given_wins_over_the_files(tmp_path: Path) -> None:
    file = bars(3).write(tmp_path / "BTCUSDT.csv")
    assert Bars.read(file, "kraken:ETH/EUR").instrument.key == "kraken:ETH/EUR"
    assert Bars.read(file, "eth/eur").instrument.key == "file:ETH/EUR"


@pytest.mark.parametrize("name", ["x.parquet", "x.feather", "x.zip", "x.json", "x.csv", "x.arrow", "x.csv.gz"])
def test_a_file_that_is_not_what_its_name_says_is_told_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01nothing of the kind\xff" * 20)
    with pytest.raises(BadData) as refused:
        Bars.read(tmp_path / name)
    assert name in refused.value.message
    assert "\n" not in refused.value.message


def test_a_cut_parquet_file_is_told(tmp_path: Path) -> None:
    file = bars(100).write(tmp_path / "BTCUSDT.parquet")
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(BadData, match=r"BTCUSDT\.parquet cannot be read"):
        Bars.read(file)


def test_a_missing_file_and_an_unknown_kind_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        Bars.read(tmp_path / "none.parquet")
    with pytest.raises(InvalidInput, match=r"bars\.xlsx is not a file of bars this program reads; it reads \.parquet"):
        Bars.read(write(tmp_path / "bars.xlsx", ""))


@pytest.mark.realdata
def test_every_recorded_file_is_accepted_with_its_documented_holes(shared_data: Path) -> None:
    listed = [
        line.split(" | ")
        for line in (shared_data / "SOURCES.md").read_text().splitlines()
        if line.startswith("| market/")
    ]
    assert len(listed) > 20
    for path, timeframe, rows, first, _, holes, missing, *_ in listed:
        whole = Bars.read(shared_data / path.removeprefix("| "))
        gaps = whole.gaps()
        assert (whole.timeframe, len(whole)) == (timeframe, int(rows)), path
        assert (len(gaps), sum(gap.missing for gap in gaps)) == (int(holes), int(missing)), path
        assert whole.to_pandas().index[0].strftime("%Y-%m-%d %H:%M:%S") == first
        assert whole.instrument.quote in ("USDT", "EUR")


@pytest.mark.realdata
def test_raw_archives_hold_what_was_recorded_from_them(shared_data: Path) -> None:
    market = shared_data / "market"
    recorded = Bars.read(market / "binance/1m/BTCUSDT.parquet")
    for archive in sorted((market / "raw_formats/binance_vision").glob("*.zip")):
        day = Bars.read(archive)
        assert day.instrument.symbol == "BTC/USDT"
        assert same(day, recorded.between(int(day.timestamp[0]), int(day.timestamp[-1]) + 1))
    ape = Bars.read(next((market / "raw_formats/freqtrade_json").glob("*.json")))
    assert (ape.instrument.symbol, ape.timeframe) == ("APE/USDT", "1h")


@pytest.mark.realdata
def test_recorded_hours_are_the_resampled_minutes(shared_data: Path) -> None:
    hours = Bars.read(shared_data / "market/binance/1h/BTCUSDT.parquet")
    made = Bars.read(shared_data / "market/binance/1m/BTCUSDT.parquet").resample("1h")
    hours = hours.between(int(made.timestamp[0]), int(made.timestamp[-1]) + 1)
    for name in ("timestamp", "open", "high", "low", "close"):
        assert np.array_equal(getattr(hours, name), getattr(made, name)), name
    assert made.volume == pytest.approx(hours.volume, rel=1e-9)


def test_a_refused_file_never_takes_the_process_down_with_it(tmp_path: Path) -> None:
    rows = ["timestamp,open,high,low,close,volume"]
    rows += [f"{1_500_000_000_000 + 60_000 * n},100.00,101.00,99.00,100.00,1.000" for n in range(30_000)]
    rows[300] += ",7"  # in the first of several blocks: the others were once read on while Python shut down
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(rows))
    program = "import sys, pathlib; from core.market import files; files.read(pathlib.Path(sys.argv[1]))"
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, done.stderr  # 134 was the abort, in one of six runs
        assert "row 301" in done.stderr

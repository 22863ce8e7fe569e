"""Formulas in a chat: saved, checked, tested, traded and removed, each person's own."""

import pytest

from core.reply import Choices
from tests.dialog.conftest import Room, flat

Dialog = list[tuple[str, tuple[str, ...]]]

DIALOGS: dict[str, Dialog] = {
    "a formula from idea to removal": [
        ("formulas", ("No formulas yet",)),
        ("formula save dip = rsi(close, 14) < 45 and close > sma(close, 20) * 0.9",
         ("Saved formula dip", "true or false", "Warm-up: 19 bars", "rsi(close, 14) < 45")),
        ("formulas", ("dip | strategy | rsi(close, 14) < 45",)),
        ("formula dip", ("Formula dip", "Warm-up: 19 bars")),
        ("strategies", ("dip | Long while rsi(close, 14) < 45",)),
        ("backtest dip btc 1h", ("Backtest: dip on BTC/USDT 1h", "Return", "Trades")),
        ("start dip on btc 1h with 1000", ("Let dip trade BTC by itself?", "PAPER")),
        ("yes", ("Strategy 1 is running",)),
        ("running", ("dip", "BTC 1h")),
        ("formula remove dip", ("Removed the formula 'dip'", "formula save dip = rsi(close, 14) < 45")),
        ("formulas", ("No formulas yet",)),
        ("running", ("dip", "BTC 1h")),
    ],
    "a mistake is shown where it is": [
        ("formula check cross(ema(close, 12), emaa(close, 26))",
         ("There is no 'emaa' (character 23). Did you mean ema", "cross(ema(close, 12), ▸emaa(close, 26))")),
        ("formula save x1 = close and open", ("and takes true or false", "▸close and open")),
        ("formula save rsi = close", ("'rsi' is an indicator already",)),
        ("formula save sma_cross = close > open", ("'sma_cross' is a strategy already",)),
        ("formula save 1x = close", ("cannot name a formula",)),
        ("formula save empty =", ("What is 'empty'?",)),
        ("formula remove nothing", ("There is no formula 'nothing'",)),
        ("formula show nothing", ("There is no formula 'nothing'",)),
        ("backtest nothing_saved btc 1h", ("There is no strategy 'nothing_saved'",)),
    ],
    "signs, quotes and named parameters are taken as written": [
        ('formula check at("4h", ema(close, period=5)) == close and macd(close).signal[1] != 0.5',
         ("true or false", "Looks at: 4h bars too")),
        ("formula save band = param k = 2 [1 .. 4 step 0.5]; bollinger(close, 20, k).upper",
         ("a number", "k: 2 (1 to 4)")),
        ("formula save out = close > band(k=3)", ("Uses: band",)),
        ("formula remove band", ("'band' is used by out",)),
        ("backtest band btc 1h", ("gives a number, and a strategy needs a rule",)),
        ("/formula check 1 + 1 = 2", ("To compare, write ==",)),
        ("formula close > open", ("That is a formula",)),
        ("formula functions", ("barssince(condition)", "Every indicator is a function too")),
        ("formula check cross(close, open)", ("holds one bar at a time",)),
    ],
    "a formula is replaced only when asked": [
        ("formula save dip = rsi(14) < 30", ("Saved",)),
        ("formula save dip = rsi(14) < 20", ("already: rsi(14) < 30", "formula replace dip = rsi(14) < 20")),
        ("formula replace dip = rsi(14) < 20", ("Replaced formula dip", "It was: rsi(14) < 30")),
    ],
    "a parameter is set as any strategy's": [
        ("formula save fastest = param n = 12 [2 .. 50]; ema(close, n) > ema(close, 60)", ("n: 12 (2 to 50)",)),
        ("backtest fastest btc 1h n=5", ("Backtest: fastest on BTC/USDT",)),
        ("backtest fastest btc 1h n=1", ("n takes a whole number from 2 to 50",)),
        ("start fastest on btc 1h with 500 n=5", ("fastest n=5",)),
    ],
    "a formula written where a strategy stands": [
        ("backtest 'formula: ema(close, 12) > ema(close, 26)' btc 1h", ("Backtest: formula: ema(close, 12)",
         "start 'formula: ema(close, 12) > ema(close, 26)' btc 1h")),
        ("start 'formula: ema(close, 12) > ema(close, 26)' btc 1h 500", ("Let formula trade BTC",)),
        ("backtest 'formula: ema(close, 12) > emma(close, 26)' btc 1h", ("Did you mean ema",)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", DIALOGS)
async def test_dialog(room: Room, name: str) -> None:
    for line, expected in DIALOGS[name]:
        answer = await room.says(line)
        for words in expected:
            assert words in answer, f"{line!r} was answered:\n{answer}"


async def test_formulas_belong_to_the_person_who_saved_them(room: Room) -> None:
    other = await room.trader("7")
    await room.says("formula save secret = rsi(14) < 30")
    await room.says("formula save mine = close > open", other)
    for line in ("formulas", "strategies"):
        assert "secret" not in await room.says(line, other)
        assert "mine" not in (await room.says(line)).replace("determine", "")
    assert "There is no strategy 'secret'" in await room.says("backtest secret btc 1h", other)
    assert "There is no 'secret'" in await room.says("formula check secret and close > 1", other)
    assert "There is no formula 'secret'" in await room.says("formula remove secret", other)
    assert "Saved formula secret" in await room.says("formula save secret = close > 2", other)
    assert "rsi(14) < 30" in await room.says("formula secret")


async def test_formulas_are_not_shown_in_a_group(room: Room) -> None:
    await room.says("formula save dip = rsi(14) < 30")
    crowd = await room.caller(chat="crowd", private=False)
    for line in ("formulas", "formula dip"):
        assert "rsi" not in await room.says(line, crowd)


async def test_a_removed_formula_can_be_taken_back_with_its_button(room: Room) -> None:
    text = 'a = at("4h", ema(close, 5)); close > a'
    await room.says(f"formula save back = {text}")
    reply = await room.reply("formula remove back")
    line = next(block for block in reply if isinstance(block, Choices)).choices[0].line
    assert "Saved formula back" in flat(await room.reply(line))
    assert text in await room.says("formula back")


async def test_a_running_formula_is_found_again_after_a_restart_as_it_was(room: Room) -> None:
    await room.says("formula save dip = param n = 14 [2 .. 50]; rsi(close, n) < 45")
    await room.says("start dip on btc 1h with 1000 n=9")
    await room.says("yes")
    await room.says("formula replace dip = close > 1")
    (run,) = await room.app.services.strategies.runs("owner")
    again = room.app.services.strategies._load(run.source, run.parameters)
    assert (again.name, again.n, again.warmup()) == ("dip", 9, 10)  # type: ignore[union-attr]

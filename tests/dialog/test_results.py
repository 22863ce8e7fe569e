"""Kept results in the chat: numbered, shown again, compared, sent as files, and nobody else's."""

from core.reply import Chart, Choices, File
from tests.dialog.conftest import Room


async def test_a_backtest_is_kept_and_can_be_taken_up_again(room: Room) -> None:
    first = await room.says("backtest sma_cross btc 1h fast=5 slow=20 period=30d")
    assert "Kept as result 1." in first
    assert "(Report as a file) export 1 html" in first
    assert "95 % within" in first
    second = await room.reply("backtest sma_cross btc 1h fast=6 slow=20 period=30d")
    lines = [choice.line for block in second if isinstance(block, Choices) for choice in block.choices]
    assert "compare 1 2" in lines
    assert "after 2 tries" in await room.says("result 2")
    listed = await room.says("results")
    assert "sma_cross on BTC/USDT 1h fast=6 slow=20" in listed
    assert listed.index("fast=6") < listed.index("fast=5")
    shown = await room.reply("result 1")
    assert any(isinstance(block, Chart) for block in shown)


async def test_a_search_is_shown_again_with_its_trials_or_windows(room: Room) -> None:
    await room.says("sweep sma_cross btc 1h fast=5,9 slow=20,40 period=30d")
    await room.says("walkforward sma_cross btc 1h period=30d train=300 test=30 fast=5,9 slow=20")
    await room.says("montecarlo sma_cross btc 1h period=30d runs=20")
    said = await room.says("result 1")
    assert "The best of 4 trials by sharpe" in said
    assert "after 4 tries" in await room.says("compare 1 2")
    said = await room.says("result 2")
    assert "Traded from" in said
    assert "windows more." in said
    assert "20 histories of kind blocks" in await room.says("result 3")


async def test_results_stand_side_by_side(room: Room) -> None:
    for line in ("backtest sma_cross btc 1h period=30d", "backtest donchian btc 1h period=30d"):
        await room.says(line)
    said = await room.says("compare 1 and 2")
    assert "1 sma_cross" in said
    assert "Equity from 1 [SIMULATED]" in said
    assert "have a correlation of" in said
    assert "higher Sharpe ratio" in said
    assert "two results or more" in await room.says("compare 1")
    assert "is not the number of a result" in await room.says("compare 1 x")
    assert "There is no result 9" in await room.says("compare 1 9")


async def test_a_simulation_is_kept_too(room: Room) -> None:
    said = await room.says("montecarlo sma_cross btc 1h method=blocks runs=100")
    assert "Kept as result 1." in said
    assert "monte-carlo: sma_cross on BTC/USDT 1h" in await room.says("results")
    assert "Result 1: monte-carlo of sma_cross" in await room.says("result 1")
    (file,) = [block for block in await room.reply("export 1 html") if isinstance(block, File)]
    assert b"Over all histories" in file.content


async def test_a_fixed_setting_stays_as_it_is_in_a_search(room: Room) -> None:
    said = await room.says("optimize sma_cross btc 1h fast=5 trials=16")
    assert "Best of 16" in said
    assert "must be below" not in said
    assert "fast 5" in said
    assert "fast=5 slow=40 leaves nothing to search" in await room.says("optimize sma_cross btc 1h fast=5 slow=40")


async def test_a_result_is_sent_as_a_file(room: Room) -> None:
    await room.says("backtest sma_cross btc 1h period=30d")
    for form, beginning in (
        ("html", b"<!doctype html>"),
        ("parquet", b"PAR1"),
        ("csv", b'"time"'),
        ("json", b'{"number"'),
    ):
        (block,) = await room.reply(f"export 1 {form}")
        assert isinstance(block, File)
        assert block.name == f"result-1.{form}"
        assert block.content.startswith(beginning)
    assert "Choose one of" in await room.says("export 1 docx")


async def test_another_persons_results_are_their_own(room: Room) -> None:
    await room.says("backtest sma_cross btc 1h period=30d")
    other = await room.trader()
    assert "Nothing has been kept yet" in await room.says("results", other)
    assert "There is no result 1" in await room.says("result 1", other)
    assert "Kept as result 1." in await room.says("backtest sma_cross btc 1h period=30d", other)


async def test_an_unknown_kind_is_told(room: Room) -> None:
    assert "There are backtest, sweep" in await room.says("results paintings")


async def test_the_latest_are_found_without_their_numbers(room: Room) -> None:
    assert "There is no result kept" in await room.says("compare my last two")
    for line in (
        "backtest sma_cross btc 1h period=30d",
        "backtest donchian btc 1h period=30d",
        "sweep macd btc fast=6,9",
    ):
        await room.says(line)
    assert "1 sma_cross" in await room.says("compare my last two backtests")
    assert "Result 3: sweep of macd" in await room.says("show my last sweep")
    assert "Max drawdown: " in await room.says("result 3")
    (block,) = await room.reply("export my last backtest")
    assert isinstance(block, File)
    assert block.name == "result-2.html"
    assert "There is 1 sweep kept" in await room.says("compare my last two sweeps")
    assert "Result 1 is given twice" in await room.says("compare 1 1")
    assert "8 are the most" in await room.says("compare 1 2 3 4 5 6 7 8 9")
    assert "No walk-forward has been kept yet" in await room.says("results walk forward")


async def test_kept_results_and_own_formulas_are_not_told_to_a_group(room: Room) -> None:
    await room.says("backtest sma_cross btc 1h period=30d")
    await room.says("formula save secret = close > 12345")
    crowd = await room.caller(chat="crowd", private=False)
    for line in ("results", "result 1", "export 1 html", "compare 1 1", "show my last backtest"):
        assert "That is private" in await room.says(line, crowd)
    assert "12345" not in await room.says("strategies", crowd)
    assert "12345" in await room.says("strategies")


async def test_what_is_bought_and_not_sold_is_not_called_idle(room: Room) -> None:
    said = await room.says("backtest dca btc 1h")
    assert "0 closed, 1 still open" in said
    assert "never traded" not in said


async def test_a_chart_draws_any_indicator(room: Room) -> None:
    assert "Supertrend" in await room.says("chart btc with supertrend")
    assert "HMA 30" in await room.says("chart btc 4h indicators=hma30,obv")
    assert "I cannot draw 'unicorns'" in await room.says("chart btc with unicorns")
    assert "Did you mean supertrend" in await room.says("chart btc indicators=supertrnd")
    assert "compares two coins" in await room.says("chart btc indicators=correlation")

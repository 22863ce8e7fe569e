"""Talking about strategies on a live account: refused without a mandate, previewed with it, stopped with a sale."""

from decimal import Decimal

from tests.dialog.test_risk import Hall, hall

__all__ = ["hall"]


async def test_a_strategy_goes_live_under_a_mandate_after_a_preview(hall: Hall) -> None:
    await hall.arm("binance")
    line = "start sma_cross on btc 1h with 500"
    refused = await hall.says(line)
    assert "there is none for this strategy on binance" in refused
    assert "mandate binance instruments=btc" in refused
    assert "At stake" in await hall.says(f"mandate binance instruments=btc cap=1000 days=7 code={await hall.code()}")
    await hall.says("yes")
    asked = await hall.says(line)
    assert "[LIVE]" in asked
    assert "Mandate: 1: up to 1,000.00 USDT at a time, until 2026-03-09" in asked
    assert "real money on binance" in asked
    assert "Strategy 1 is running" in await hall.says("yes")
    book = hall.app.services.desk
    view = await book.portfolio("owner@binance")
    assert [ledger.cash for ledger in view.ledgers if ledger.run] == [Decimal(500)]
    assert "sma_cross" in await hall.says("running")
    assert "500.00 USDT came back" in await hall.says("stop 1")


async def test_a_strategy_that_minds_its_own_orders_stays_on_paper(hall: Hall) -> None:
    await hall.arm("binance")
    assert "trade on paper, not live" in await hall.says("start dca on btc 1h with 500")

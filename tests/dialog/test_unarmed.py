"""Talking about live accounts that are not armed any more, and about what orders at a real venue protect."""

import pytest

from core.trading.orders import OrderStatus, Side
from tests.dialog.test_risk import D, Hall, hall

__all__ = ["hall"]


@pytest.fixture
async def left(hall: Hall) -> Hall:
    """Armed, an order placed at binance, and disarmed again: it still stands there."""
    await hall.arm("binance")
    await hall.says("buy 0.01 btc at 40k")
    assert "placed" in await hall.says("yes")
    assert "still open there" in await hall.says("disarm binance")
    return hall


async def test_after_disarming_orders_coins_and_balances_are_still_seen(left: Hall) -> None:
    orders = await left.says("orders")
    assert "Open orders (LIVE binance, not armed)" in orders
    assert "buy 0.01 BTC" in orders
    positions = await left.says("positions")
    assert "Positions (LIVE binance, not armed), in USDT" in positions
    assert "panic reaches all of these" in positions
    assert "Holdings (LIVE binance, not armed)" in await left.says("balance")


@pytest.mark.parametrize("line", ["cancel 1", "cancel all", "/cancel 1@binance"])
async def test_after_disarming_an_order_can_be_cancelled(left: Hall, line: str) -> None:
    answer = await left.says(line)
    assert "Cancelled" in answer
    assert "LIVE binance, not armed" in answer
    assert [each.status for each in left.exchanges["binance"].orders.values()] == [OrderStatus.CANCELLED]
    assert "There is no open order" in await left.says("cancel all")


async def test_a_number_that_two_accounts_have_is_asked_about(left: Hall) -> None:
    assert "Buy 0.02 BTC" in await left.says("buy 0.02 btc at 30k")
    assert "PAPER" in await left.says("yes")
    asked = await left.says("cancel 1")
    assert "Which order 1?" in asked
    assert "/cancel 1@paper" in asked
    assert "PAPER" in await left.says("/cancel 1@paper")
    assert "LIVE binance" in await left.says("cancel 1")


async def test_after_disarming_coins_can_be_sold_and_nothing_is_bought(left: Hall) -> None:
    asked = await left.says("sell 0.04 btc")
    assert "[LIVE]" in asked
    assert "LIVE" in await left.says("yes")
    assert left.exchanges["binance"].held["BTC"] == D("0.06")
    assert "[PAPER]" in await left.says("buy 0.01 btc")


async def test_panic_tells_of_a_venue_where_nothing_was_traded_from_here(left: Hall) -> None:
    btc = await left.app.services.market.instrument("BTC/USDT", "kucoin")
    left.exchanges["kucoin"].by_hand("kucoin:9", Side.BUY, D("0.1"), D(50_000), "owner@kucoin", btc)
    answer = await left.says("panic")
    assert "1 order cancelled" in answer
    assert "LIVE kucoin: 1 order placed elsewhere, left alone" in answer
    assert left.exchanges["kucoin"].orders["kucoin:9"].status is OrderStatus.OPEN


async def test_a_live_stop_over_a_part_protects_that_part_only(hall: Hall) -> None:
    await hall.arm("binance")
    asked = await hall.says("sell 0.04 btc stop 50k")
    assert "live in this process" not in asked
    assert "sells all" not in asked
    await hall.says("yes")
    assert "all 0.1 BTC" not in await hall.says("orders")
    assert "50,000" not in await hall.says("positions")


async def test_a_live_bracket_says_that_it_watches_what_it_buys(hall: Hall) -> None:
    await hall.arm("binance")
    asked = await hall.says("buy 0.01 btc stop 50k target 80k")
    assert "sells 0.01 of the 0.11 BTC you then hold if the price falls to 50,000" in asked
    assert "live in this process" in asked


async def test_protection_that_the_venue_keeps_is_not_said_to_live_here(hall: Hall) -> None:
    await hall.arm("binance")
    assert "live in this process" not in await hall.says("protect btc stop 50k")
    await hall.says("no")
    assert "live in this process" in await hall.says("protect btc trail 5%")


async def test_a_limit_far_from_the_market_warns_in_either_direction(hall: Hall) -> None:
    await hall.arm("binance")
    asked = await hall.says("sell 0.1 btc at 6")
    assert "The limit is 100 % below the market price" in asked
    assert "At its limit it is worth 0.60 USDT, and binance takes none below" in asked
    await hall.says("no")
    assert "The limit is 50 % above the market price" in await hall.says("sell 0.1 btc at 90k")
    await hall.says("no")
    assert "below the market price" in await hall.says("buy 0.1 btc at 600")

"""(line, what the answer says) tables: whole conversations as people have them."""

import pytest

from tests.dialog.conftest import Room

# A dialog is a list of (line, words that must be in the answer). '-words' must not be in it.
Dialog = list[tuple[str, tuple[str, ...]]]

DIALOGS: dict[str, Dialog] = {
    "a first trade": [
        ("price btc", ("BTC/USDT", "SIMULATED")),
        ("buy 0.01 btc", ("Buy 0.01 BTC", "PAPER", "SIMULATED", "Fee", "Slippage", "of your equity", "Limits checked")),
        ("yes", ("Bought 0.01 BTC", "PAPER", "SIMULATED")),
        ("balance", ("PAPER", "BTC | 0.01", "USDT")),
        ("positions", ("BTC/USDT | 0.01", "PAPER")),
        ("fills", ("bought 0.01 BTC",)),
        ("how am I doing", ("Profit", "Fees paid", "PAPER")),
    ],
    "a yes that comes after something else": [
        ("buy 0.01 btc", ("Buy 0.01 BTC",)),
        ("price eth", ("ETH/USDT",)),
        ("yes", ("Bought 0.01 BTC",)),
        ("yes", ("Already done",)),
        ("buy 0.01 btc", ("Buy 0.01 BTC",)),
        ("buy 0.02 eth", ("Buy 0.02 ETH",)),
        ("price eth", ("ETH/USDT",)),
        ("yes", ("2 previews are open",)),
        ("no all", ("Withdrawn",)),
    ],
    "a preview that is turned down": [
        ("buy 0.01 btc", ("Buy 0.01 BTC",)),
        ("no", ("Withdrawn", "nothing was done")),
        ("yes", ("nothing to confirm",)),
        ("positions", ("You hold no coins",)),
    ],
    "a limit order": [
        ("buy 0.01 btc at 20k", ("at 20,000", "PAPER", "below the market price")),
        ("yes", ("placed", "at 20,000")),
        ("orders", ("buy 0.01 BTC", "at 20,000")),
        ("cancel order 1", ("Cancelled order 1",)),
        ("orders", ("No open orders",)),
        ("cancel order 1", ("no open order 1",)),
        ("cancel", ("no open order",)),
    ],
    "two previews and a bare yes": [
        ("buy 0.01 btc", ("Buy 0.01 BTC",)),
        ("buy 0.1 eth", ("Buy 0.1 ETH",)),
        ("yes", ("2 previews are open", "0.01 BTC", "0.1 ETH", "yes all")),
        ("all", ("Bought 0.01 BTC", "Bought 0.1 ETH")),
        ("yes", ("Already done",)),
    ],
    "two previews withdrawn": [
        ("buy 0.01 btc", ("Buy",)),
        ("buy 0.1 eth", ("Buy",)),
        ("no", ("2 previews are open",)),
        ("no all", ("Withdrawn", "0.01 BTC", "0.1 ETH")),
        ("all", ("-Bought",)),
    ],
    "a question about an amount": [
        ("buy 100 of btc", ("100 BTC", "100 USDT", "buy 100 usdt of btc")),
        ("buy 100 usdt of btc", ("PAPER", "Total: 99.8")),
        ("yes", ("Bought",)),
    ],
    "the amount comes later": [
        ("buy btc", ("How much BTC",)),
        ("0.01", ("Buy 0.01 BTC",)),
        ("yes", ("Bought 0.01 BTC",)),
        ("sell my btc", ("Sell 0.01 BTC",)),
        ("yes", ("Sold 0.01 BTC",)),
    ],
    "protection": [
        ("buy 0.01 btc", ("Buy",)),
        ("yes", ("Bought",)),
        ("buy 0.001 btc stop 20k target 200k", ("falls to 20,000", "rises to 200,000", "SIMULATED")),
        ("no", ("Withdrawn",)),
        ("start sma cross", ("I still need: instrument",)),
        ("put a stop at 20k on btc", ("Sell 0.01 BTC", "falls to 20,000")),
        ("yes", ("placed", "falls to 20,000")),
        ("orders", ("sell 0.01 BTC", "if the price falls to 20,000")),
    ],
    "a protected entry": [
        ("buy 0.01 btc stop 20k target 200k", ("falls to 20,000", "rises to 200,000")),
        ("yes", ("Bought 0.01 BTC", "Stop: sells if the price falls to 20,000", "Target: sells when")),
    ],
    "what is missing comes later": [
        ("start sma cross with 1000 usdt", ("I still need: instrument",)),
        ("btc", ("by itself?", "BTC/USDT", "1,000.00 USDT")),
        ("yes", ("is running",)),
        ("alert btc", ("At which price of BTC",)),
        ("10m", ("Alert 1 is set", "above 10,000,000")),
        ("buy eth", ("How much ETH",)),
        ("price btc", ("SIMULATED",)),
        ("0.1", ("-Buy 0.1 ETH",)),
    ],
    "more than there is": [
        ("buy 100 btc", ("-Bought", "USDT")),
        ("sell 1 eth", ("-Sold", "ETH")),
        ("yes", ("nothing to confirm",)),
    ],
    "alerts": [
        ("alerts", ("No alerts",)),
        ("alert me when eth drops below 5", ("Alert 1 is set", "below 5", "SIMULATED")),
        ("alert btc 10m", ("Alert 2 is set", "above 10,000,000")),
        ("alert btc above 1", ("already",)),
        ("alerts", ("ETH/USDT below 5", "BTC/USDT above 10,000,000")),
        ("delete alert 1", ("Removed alert 1",)),
        ("delete alert 1", ("no alert 1",)),
        ("delete all alerts", ("Removed 1 alert",)),
        ("alerts", ("No alerts",)),
    ],
    "a strategy": [
        ("strategies", ("sma_cross", "rsi_reversion", "buy_and_hold")),
        ("start sma cross on btc 1h", ("How much may it trade with", "with 1000")),
        ("start sma cross on btc 1h with 2000", ("by itself?", "2,000.00 USDT, never more", "PAPER", "without asking")),
        ("running", ("No strategy is running",)),
        ("yes", ("is running", "2,000.00 USDT", "PAPER")),
        ("start rsi on btc 15m with 500 usdt", ("by itself?",)),
        ("yes", ("is running",)),
        ("start rsi on btc 15m with 9000 usdt", ("7,500.00 USDT free", "9,000.00 USDT")),
        ("running", ("sma_cross", "rsi_reversion")),
        ("stop sma cross", ("Stopped strategy 1", "came back")),
        ("running", ("rsi_reversion", "-sma_cross")),
        ("stop 9", ("No running strategy is '9'", "rsi_reversion")),
        ("stop", ("Stopped strategy 2",)),
        ("stop", ("No strategy is running",)),
        ("start nonsense on btc 1h with 100", ("nonsense",)),
        ("start sma_cross on btc 1h with 100 fast=abc", ("fast",)),
    ],
    "starting over": [
        ("buy 0.01 btc", ("Buy",)),
        ("yes", ("Bought",)),
        ("reset 5000", ("Start your paper account over", "cannot be undone", "PAPER")),
        ("yes", ("starts over with 5,000.00 USDT",)),
        ("balance", ("Worth: 5,000.00 USDT",)),
        ("positions", ("You hold no coins",)),
        ("reset 0", ("up to",)),
    ],
    "panic": [
        ("buy 0.01 btc", ("Buy",)),
        ("yes", ("Bought",)),
        ("buy 0.01 btc at 20k", ("Buy",)),
        ("yes", ("placed",)),
        ("close everything", ("1 order cancelled", "Sell everything you hold", "0.01 BTC")),
        ("buy 0.01 btc", ("-Bought", "-Buy 0.01 BTC at the market?")),
        ("yes", ("Sold 0.01 BTC", "Everything is sold")),
        ("resume", ("allowed again",)),
        ("buy 0.01 btc", ("Buy 0.01 BTC",)),
    ],
    "help": [
        ("help", ("Buying and selling", "buy 0.1 btc", "PAPER")),
        ("help buy", ("buy: Buys a coin", "limit", "preview")),
        ("what is a limit order?", ("waits for its price",)),
        ("how do I set a stop", ("stop",)),
        ("help xyzzy", ("no help on 'xyzzy'",)),
        ("whoami", ("owner",)),
    ],
    "slips of the finger": [
        ("blance", ("USDT",)),
        ("prcie btc", ("BTC/USDT",)),
        ("/blance", ("USDT",)),
        ("/balancing", ("no command /balancing", "balance")),
        ("price bitcion", ("Did you mean", "BTC/USDT")),
        ("chart btc 7x", ("-Traceback",)),
        ("xyzzy", ("did not understand",)),
    ],
    "charts": [
        ("show me a 4h chart of eth with rsi", ("ETH/USDT 4h", "SIMULATED", "RSI 14", "Volume")),
        ("chart btc", ("EMA 20", "EMA 50", "Volume")),
        ("chart btc 4h indicators=macd,bollinger", ("MACD", "Bollinger")),
        ("chart btc 4h indicators=magic", ("'magic' is not an indicator",)),
        ("markets", ("BTC/USDT", "ETH/USDT", "SIMULATED")),
    ],
    "a backtest": [
        (
            "backtest sma cross on btc 4h fast=10 slow=40",
            ("Backtest: sma_cross on BTC/USDT 4h", "Buy and hold", "Fees paid", "SIMULATED", "Drawdown"),
        ),
        ("backtest rsi on eth 1h last month", ("Deepest drawdown",)),
        ("backtest sma cross on btc 4h fast=banana", ("fast", "banana")),
        ("backtest sma cross on btc 1m 2001", ("-Traceback",)),
        ("backtest", ("strategy",)),
    ],
    "hostile input": [
        ("x" * 10_000, ("characters long",)),
        ("\x1b[31mbuy\x00 \x07", ("-Buy ",)),
        ("🚀🚀🚀", ("did not understand",)),
        ("<script>alert(1)</script>", ("-Traceback",)),
        ("buy 0.01 btc; drop table orders", ("nothing is ordered",)),
        ("/buy BTC 1e400", ("nothing is ordered",)),
        ("/buy BTC NaN", ("nothing is ordered",)),
        ("/buy BTC -1", ("nothing is ordered",)),
        ("/price ../../etc/passwd", ("not a coin",)),
        ("/cancel 99999999999999999999", ("-Traceback",)),
        ("/chart btc 1h indicators=" + "a" * 900, ("is not an indicator",)),
        ("yes " + "A" * 30, ("nothing to confirm",)),
        ("/", ("did not understand",)),
        ("' OR 1=1 --", ("did not understand",)),
        ("start {strategy} %s %n", ("-Traceback",)),
    ],
}


@pytest.mark.parametrize("name", list(DIALOGS))
async def test_dialog(room: Room, name: str) -> None:
    for line, expected in DIALOGS[name]:
        answer = await room.says(line)
        for part in expected:
            if part.startswith("-"):
                assert part[1:] not in answer, f"{line!r} answered:\n{answer}"
            else:
                assert part in answer, f"{line!r} answered:\n{answer}"

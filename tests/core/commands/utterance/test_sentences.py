"""What sentences mean. Adding a phrase to the product is one line in a table here and one template there."""

import json

import pytest

from core.commands.utterance import understand


def buys(instrument: str, **arguments: str) -> tuple[str, dict[str, str]]:
    return "buy", {"instrument": f"{instrument}/USDT", **arguments}


def sells(instrument: str, **arguments: str) -> tuple[str, dict[str, str]]:
    return "sell", {"instrument": f"{instrument}/USDT", **arguments}


def does(command: str, **arguments: str) -> tuple[str, dict[str, str]]:
    return command, arguments


def on(command: str, instrument: str, **arguments: str) -> tuple[str, dict[str, str]]:
    return command, {"instrument": f"{instrument}/USDT", **arguments}


ORDERS = {
    "buy 0.1 btc at 60k": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc": buys("BTC", quantity="0.1"),
    "BUY 0.1 BTC": buys("BTC", quantity="0.1"),
    "Buy 0.1 BTC.": buys("BTC", quantity="0.1"),
    "buy 0.1btc": buys("BTC", quantity="0.1"),
    "buy .5 eth": buys("ETH", quantity="0.5"),
    "buy 0,5 eth": buys("ETH", quantity="0.5"),
    "buy 100 btc": buys("BTC", quantity="100"),
    "buy 1,150 doge": buys("DOGE", quantity="1150"),
    "buy 1,150.50 doge": buys("DOGE", quantity="1150.5"),
    "buy 1.150,50 doge": buys("DOGE", quantity="1150.5"),
    "buy 10k doge": buys("DOGE", quantity="10000"),
    "buy 2 thousand doge": buys("DOGE", quantity="2000"),
    "buy 1 000 doge": buys("DOGE", quantity="1000"),
    "buy one btc": buys("BTC", quantity="1"),
    "buy one bitcoin": buys("BTC", quantity="1"),
    "buy one and a half eth at market": buys("ETH", quantity="1.5"),
    "buy two and a half sol": buys("SOL", quantity="2.5"),
    "buy zero point one btc": buys("BTC", quantity="0.1"),
    "buy twenty five sol": buys("SOL", quantity="25"),
    "buy twenty-five sol": buys("SOL", quantity="25"),
    "buy a hundred doge": buys("DOGE", quantity="100"),
    "buy one hundred and fifty doge": buys("DOGE", quantity="150"),
    "buy half a bitcoin": buys("BTC", quantity="0.5"),
    "buy ٠.٥ eth": buys("ETH", quantity="0.5"),
    "buy ０.５ eth": buys("ETH", quantity="0.5"),
    "buy\t0.1\u00a0btc": buys("BTC", quantity="0.1"),
    "buy 0.1 bitcoin at sixty thousand": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc at $60,000": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc @ 60k": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc @60k": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc limit 60000": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc with a limit of 60000": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc at a price of 60000 usdt": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc at 60k or better": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc below 60k": buys("BTC", quantity="0.1", limit="60000"),
    "place a limit order to buy 0.1 btc at 60k": buys("BTC", quantity="0.1", limit="60000"),
    "limit buy 0.1 btc at 60k": buys("BTC", quantity="0.1", limit="60000"),
    "buy 0.1 btc at market": buys("BTC", quantity="0.1"),
    "buy 0.1 btc at the market price": buys("BTC", quantity="0.1"),
    "market buy 0.1 btc": buys("BTC", quantity="0.1"),
    "buy 0.1 btc now": buys("BTC", quantity="0.1"),
    "buy 0.1 btc stop 55k target 70k": buys("BTC", quantity="0.1", stop="55000", target="70000"),
    "buy 0.1 btc at 60k with a stop at 55k and a target of 70k": buys(
        "BTC", quantity="0.1", limit="60000", stop="55000", target="70000"
    ),
    "buy 0.1 btc stop loss 55000 take profit 70000": buys("BTC", quantity="0.1", stop="55000", target="70000"),
    "buy $500 of sol": buys("SOL", spend="500"),
    "buy $500 worth of sol": buys("SOL", spend="500"),
    "buy 500$ of sol": buys("SOL", spend="500"),
    "buy 500 dollars of sol": buys("SOL", spend="500"),
    "buy five hundred dollars of sol": buys("SOL", spend="500"),
    "buy 500 bucks worth of eth": buys("ETH", spend="500"),
    "buy 500 usdt of sol": buys("SOL", spend="500"),
    "buy 500usdt of sol": buys("SOL", spend="500"),
    "buy 500 worth of btc": buys("BTC", spend="500"),
    "buy sol for $500": buys("SOL", spend="500"),
    "buy btc for 500": buys("BTC", spend="500"),
    "buy eth with 500 usdt": buys("ETH", spend="500"),
    "buy $1.5k of btc": buys("BTC", spend="1500"),
    "buy $2 thousand of btc": buys("BTC", spend="2000"),
    "spend $500 on btc": buys("BTC", spend="500"),
    "invest 500 in btc": buys("BTC", spend="500"),
    "put 500 dollars into eth": buys("ETH", spend="500"),
    "buy btc with half my cash": buys("BTC", fraction="0.5"),
    "buy btc with all my money": buys("BTC", fraction="1"),
    "buy eth with 25% of my balance": buys("ETH", fraction="0.25"),
    "buy 1 btc for 60k": buys("BTC", quantity="1", limit="60000"),
    "buy 2 btc for 60k each": buys("BTC", quantity="2", limit="60000"),
    "buy btc 0.1": buys("BTC", quantity="0.1"),
    "please buy 0.1 btc": buys("BTC", quantity="0.1"),
    "could you please buy me 0.1 btc, thanks": buys("BTC", quantity="0.1"),
    "i want to buy 0.1 btc": buys("BTC", quantity="0.1"),
    "I'd like to buy 0.1 btc": buys("BTC", quantity="0.1"),
    "let's buy 0.1 btc": buys("BTC", quantity="0.1"),
    "hey, can you buy 0.1 btc?": buys("BTC", quantity="0.1"),
    "ok buy 0.1 btc": buys("BTC", quantity="0.1"),
    "get me 0.1 btc": buys("BTC", quantity="0.1"),
    "purchase 2 litecoin": buys("LTC", quantity="2"),
    "byu 0.1 btc": buys("BTC", quantity="0.1"),
    "buyy 0.1 btc": buys("BTC", quantity="0.1"),
    "buy 3 xyz": buys("XYZ", quantity="3"),
    "buy 0.1 btc/usdt": buys("BTC", quantity="0.1"),
    "buy 0.1 btcusdt": buys("BTC", quantity="0.1"),
    "/buy BTC 0.1 limit=60000": buys("BTC", quantity="0.1", limit="60000"),
    "/buy BTC $500": buys("BTC", spend="500"),
    "/buy btc spend=500": buys("BTC", spend="500"),
    "/buy btc fraction=50%": buys("BTC", fraction="0.5"),
    "buy BTC 0.1 limit=60000": buys("BTC", quantity="0.1", limit="60000"),
    "/buy@my_bot 0.1 btc at 60k": buys("BTC", quantity="0.1", limit="60000"),
    "sell half my eth": sells("ETH", fraction="0.5"),
    "sell half of my ethereum": sells("ETH", fraction="0.5"),
    "sell all my btc": sells("BTC", fraction="1"),
    "sell my btc": sells("BTC", fraction="1"),
    "sell 25% of my eth": sells("ETH", fraction="0.25"),
    "sell 25 percent of my eth": sells("ETH", fraction="0.25"),
    "sell a third of my eth at 4k": sells("ETH", fraction="0.333333333333", limit="4000"),
    "sell two thirds of my btc": sells("BTC", fraction="0.666666666667"),
    "sell three quarters of my sol": sells("SOL", fraction="0.75"),
    "sell 2 eth at 4000": sells("ETH", quantity="2", limit="4000"),
    "sell 2 of my eth": sells("ETH", quantity="2"),
    "sell $200 of doge": sells("DOGE", spend="200"),
    "sell 0.1 btc above 70k": sells("BTC", quantity="0.1", limit="70000"),
    "get rid of all my doge": sells("DOGE", fraction="1"),
    "dump all my doge": sells("DOGE", fraction="1"),
    "close my btc position": sells("BTC", fraction="1"),
    "close btc": sells("BTC", fraction="1"),
}

OTHERS = {
    "put a stop at 55k on btc": on("protect", "BTC", stop="55000"),
    "put a stop at 55k on my btc": on("protect", "BTC", stop="55000"),
    "put a 55k stop on my btc": on("protect", "BTC", stop="55000"),
    "set a stop loss at 55000 for my btc": on("protect", "BTC", stop="55000"),
    "stop loss 55000 btc": on("protect", "BTC", stop="55000"),
    "take profit at 70k on my btc": on("protect", "BTC", target="70000"),
    "protect btc": on("protect", "BTC"),
    "protect btc stop 60000 target 70000": on("protect", "BTC", stop="60000", target="70000"),
    "protect my btc with a stop at 60000 and a target at 70k": on("protect", "BTC", stop="60000", target="70000"),
    "protect btc off": on("protect", "BTC", remove="all"),
    "/protect BTC stop=60000": on("protect", "BTC", stop="60000"),
    "put a trailing stop of 5% on my eth": on("protect", "ETH", trail="0.05"),
    "protect stop 50000": does("protect", stop="50000"),
    "put a stop at 55k": does("protect", stop="55000"),
    "set a stop loss at 56k": does("protect", stop="56000"),
    "move stop 55k": does("protect", stop="55000"),
    "take profit at 70k": does("protect", target="70000"),
    "reset to 5000": does("reset", cash="5000"),
    "reset my account to $5k": does("reset", cash="5000"),
    "move my stop to 58k": does("protect", stop="58000"),
    "move my btc stop from 55k to 58k": on("protect", "BTC", stop="58000"),
    "raise my stop on eth to 2500": on("protect", "ETH", stop="2500"),
    "remove my stop on btc": on("protect", "BTC", remove="stop"),
    "remove my stop": does("protect", remove="stop"),
    "cancel the target on my btc": on("protect", "BTC", remove="target"),
    "remove the protection of my btc": on("protect", "BTC", remove="all"),
    "show my stops": does("orders"),
    "is btc up?": on("price", "BTC"),
    "show me eth": on("price", "ETH"),
    "cancel my btc orders": on("cancel", "BTC"),
    "price btc": on("price", "BTC"),
    "btc": on("price", "BTC"),
    "btc?": on("price", "BTC"),
    "what's bitcoin at": on("price", "BTC"),
    "What is the price of sol?": on("price", "SOL"),
    "how much is eth": on("price", "ETH"),
    "how much does a bitcoin cost?": on("price", "BTC"),
    "eth price please": on("price", "ETH"),
    "price of xyz": on("price", "XYZ"),
    "prcie btc": on("price", "BTC"),
    "chart btc": on("chart", "BTC"),
    "btc chart": on("chart", "BTC"),
    "chart btc 4h": on("chart", "BTC", timeframe="4h"),
    "show me a 4h chart of eth with rsi": on("chart", "ETH", timeframe="4h", indicators="rsi"),
    "show me a 4 hour chart of eth": on("chart", "ETH", timeframe="4h"),
    "draw a daily chart of bitcoin with ema 20 and 50": on("chart", "BTC", timeframe="1d", indicators="ema20,ema50"),
    "candles for sol 15m with macd and bollinger bands": on(
        "chart", "SOL", timeframe="15m", indicators="macd,bollinger"
    ),
    "chart eth 1h indicators=rsi": on("chart", "ETH", timeframe="1h", indicators="rsi"),
    "chrat btc": on("chart", "BTC"),
    "balance": does("balance"),
    "how much money do I have": does("balance"),
    "what's in my account?": does("balance"),
    "show me my balance": does("balance"),
    "balnce": does("balance"),
    "positions": does("positions"),
    "what do I own": does("positions"),
    "show my portfolio": does("positions"),
    "orders": does("orders"),
    "show my open orders": does("orders"),
    "what orders are open": does("orders"),
    "cancel order 3": does("cancel", order="3"),
    "cancel #3": does("cancel", order="3"),
    "cancel 3": does("cancel", order="3"),
    "cancel all orders": does("cancel", order="all"),
    "cancel": does("cancel"),
    "how am I doing": does("profit"),
    "how am i doing this month?": does("profit", period="this month"),
    "am I up or down": does("profit"),
    "did I make any money today": does("profit", period="today"),
    "profit": does("profit"),
    "pnl": does("profit"),
    "trade history": does("fills"),
    "alert me when eth drops below 2500": on("alert", "ETH", condition="below", price="2500"),
    "tell me if bitcoin goes above 70k": on("alert", "BTC", condition="above", price="70000"),
    "notify me when sol hits 200": on("alert", "SOL", price="200"),
    "let me know when btc falls to 50,000 dollars": on("alert", "BTC", condition="below", price="50000"),
    "alert btc > 70k": on("alert", "BTC", condition="above", price="70000"),
    "alert eth<2500": on("alert", "ETH", condition="below", price="2500"),
    "alert btc 70000": on("alert", "BTC", price="70000"),
    "set an alert for doge at 0.2": on("alert", "DOGE", price="0.2"),
    "alert me to buy btc at 50k": on("alert", "BTC", price="50000"),
    "alerts": does("alerts"),
    "list my alerts": does("alerts"),
    "delete alert 2": does("unalert", order="2"),
    "remove alert #2": does("unalert", order="2"),
    "backtest rsi on eth 1h fast=10 last year": on(
        "backtest", "ETH", strategy="rsi_reversion", timeframe="1h", period="1y", fast="10"
    ),
    "backtest sma cross on btc": on("backtest", "BTC", strategy="sma_cross"),
    "backtest sma_cross btc 4h": on("backtest", "BTC", strategy="sma_cross", timeframe="4h"),
    "test the macd strategy on sol 4h in 2024": on(
        "backtest", "SOL", strategy="macd", timeframe="4h", period="2024-01-01..2024-12-31"
    ),
    "backtest the turtles on btc 1d since march 2023 with $5000": on(
        "backtest", "BTC", strategy="donchian", timeframe="1d", cash="5000", period="2023-03-01.."
    ),
    "how would buy and hold have done on btc last year": on("backtest", "BTC", strategy="buy_and_hold", period="1y"),
    "start sma cross on btc 1h with 2000 dollars": on(
        "start", "BTC", strategy="sma_cross", timeframe="1h", cash="2000"
    ),
    "start holder.py:Holder on btc 1m with 1000": on(
        "start", "BTC", strategy="holder.py:Holder", timeframe="1m", cash="1000"
    ),
    "please run My_Own.py:Holder on eth 4h with $500 fast=10": on(
        "start", "ETH", strategy="My_Own.py:Holder", timeframe="4h", cash="500", fast="10"
    ),
    "Backtest holder.py:Holder btc 1h last year": on(
        "backtest", "BTC", strategy="holder.py:Holder", timeframe="1h", period="1y"
    ),
    "start sma_cross fast=10 slow=30 on btc": on("start", "BTC", strategy="sma_cross", fast="10", slow="30"),
    "run rsi on eth 15m with 500 usdt": on("start", "ETH", strategy="rsi_reversion", timeframe="15m", cash="500"),
    "stop sma cross": does("stop", run="sma_cross"),
    "stop strategy 2": does("stop", run="2"),
    "stop": does("stop"),
    "stop all": does("stop", run="all"),
    "remove all my stops": does("protect", remove="stop"),
    "cash out my btc": sells("BTC", fraction="1"),
    "close all orders": does("cancel", order="all"),
    "buy 0.1 btc at 60k or lower": buys("BTC", quantity="0.1", limit="60000"),
    "what strategies are there": does("strategies"),
    "close everything": does("flatten"),
    "sell everything": does("flatten"),
    "sell everything now": does("flatten"),
    "sell all my coins": does("flatten"),
    "close all": does("flatten"),
    "close all my positions": does("flatten"),
    "panic": does("panic"),
    "panic!": does("panic"),
    "/panic": does("panic"),
    "emergency stop": does("panic"),
    "delete alert -1": does("unalert", order="-1"),
    "stop 1 and keep": does("stop", run="1", keep="yes"),
    "stop sma cross and keep the coins": does("stop", run="sma_cross", keep="yes"),
    "help": does("help"),
    "what can you do?": does("help"),
    "hello": does("help"),
    "help buy": does("help", topic="buy"),
    "how do I set a stop": does("help", topic="set a stop"),
    "what is a limit order?": does("help", topic="limit"),
    "reset my account": does("reset"),
    "who am I": does("whoami"),
}

QUESTIONS = [
    "start holder.py:Holder on btc tomorrow",
    "panic?",
    "buy 0.1 btc at 60k or higher",
    "sell 0.1 btc at 60k or lower",
    "kill all",
    "protect btc 55k",
    "move my stop to 58k on btc and eth",
    "cash out 100",
    "sell everything but btc",
    "close everything except btc",
    "panic sell btc",
    "buy 0.1 btc with 10x leverage",
    "buy 0.1 btc 3 times",
    "buy at least 0.1 btc",
    "tell me when to buy btc",
    "sell 0.5 of my btc",
    "sell 0.25 of my eth",
    "sell 0.5 of the btc",
    "sell 0.5 of btc",
    "sell 0.5 my btc",
    "remind me to buy 0.1 btc",
    "remind me to sell my btc",
    "alert me when btc hits 70k and sell",
    "alert me when btc drops below 50k and buy 0.1",
    "alert me about 0.1 btc",
    "remind me of btc tomorrow at 5",
    "notify me and sell btc at 70000",
    "withdraw 100",
    "withdraw all",
    "withdraw everything",
    "withdraw 0.1 btc",
    "deposit 1000",
    "send 0.1 btc to 0xabc",
    "transfer 100 usdt to bob",
    "delete everything",
    "remove all",
    "stop everything",
    "emergency",
    "kill switch",
    "stop all trading",
    "chart btc 99q",
    "chart btc 7x",
    "move my stop up by 500 on btc",
    "raise my stop 1000 on btc",
    "raise my stop 1000",
    "profit week",
    "put a stop on my btc",
    "put a stop at 5% on my btc",
    "put a stop at 55k on my btc tomorrow",
    "put a stop at 55k and 60k on btc",
    "put a stop at 55k on btc and eth",
    "put a stop at 55.000 on btc",
    "stake 1 eth",
    "buy 100 of btc",
    "buy all btc",
    "buy max btc",
    "short btc",
    "swap 1 eth to btc",
    "invest 500 in btc if it drops",
    "buy btc 100",
    "sell eth 5",
    "buy 2 btc for 60k",
    "buy 1.150 btc",
    "buy eth at 2.500",
    "buy 0.5 eth at 2.500",
    "buy $1.250 of btc",
    "don't buy btc",
    "do not buy 0.1 btc",
    "dont sell my btc",
    "never sell my eth",
    "please don't sell half my eth",
    "i do not want to buy 0.1 btc",
    "stop buying btc",
    "should I buy btc?",
    "should i sell all my btc",
    "is it a good time to buy 0.1 btc",
    "can i buy 0.1 btc",
    "what if i sell all my btc",
    "why did you buy 0.1 btc",
    "did you sell my eth",
    "buy btc if it drops below 50k",
    "buy 0.1 btc if it drops below 50k",
    "sell all my btc when it hits 70k",
    "if btc drops to 50k buy 0.1 btc",
    "buy 0.1 btc tomorrow",
    "buy $10 of btc every week",
    "buy 0.1 btc unless eth falls",
    "buy",
    "sell",
    "buy btc",
    "sell btc",
    "buy 0.1",
    "buy half btc",
    "sell half eth",
    "buy half my btc",
    "buy 0.1 btc and sell 2 eth",
    "buy 0.1 btc and 2 eth",
    "buy 0.1 btc or 2 eth",
    "buy 0.1 btc 60000",
    "buy 0.1 btc at market at 60k",
    "buy 0.1 btc at 60k at 61k",
    "buy 0.1 btc above 70k",
    "sell 0.1 btc below 50k",
    "buy -5 btc",
    "buy 0 btc",
    "buy 1e400 btc",
    "buy nan btc",
    "buy inf btc",
    "buy infinity btc",
    "buy 99999999999999999999 btc",
    "buy five twenty btc",
    "buy €500 of btc",
    "buy 500 euros of btc",
    "sell 150% of my btc",
    "buy 0.1 btc with a 5% stop",
    "buy 0.1 btc stop",
    "buy the dip",
    "buy it",
    "buy some btc",
    "buy 0.1 btc quickly before my wife sees",
    "maybe buy 0.1 btc",
    "i might buy 0.1 btc",
    "he said buy 0.1 btc",
    "buy 0.1 btc; drop table orders",
    "buy 0.1 btc 0.2 btc",
    "/buy BTC 0.1 limit=abc",
    "/buy BTC 0.1 limit=60.000",
    "/buy BTC 0.1 colour=red",
    "/buy BTC NaN",
    "/xyzzy",
    "alert me",
    "alert me when eth drops",
    "alert me when btc moves 5%",
    "start sma cross on btc and eth",
    "start sma cross on btc tomorrow",
    "chart",
    "x" * 5000,
]

NOTHING = [
    "panik",
    "manic",
    "don't panic",
    "send me a postcard",
    "xyzzy",
    "the weather is nice",
    "",
    "   ",
    "🚀🚀🚀",
    "\x00\x1b[31m",
    "?",
    "/",
    "....",
    "i bought 0.1 btc yesterday",
    "<b>buy</b> 0.1 btc",
    "don't alert me when eth drops below 2500",
]


@pytest.mark.parametrize("text", list(ORDERS | OTHERS))
def test_a_sentence_is_understood(text: str) -> None:
    found = understand(text)
    assert (found.command, dict(found.arguments)) == (ORDERS | OTHERS)[text], found.question
    assert found.question is None


@pytest.mark.parametrize("text", QUESTIONS)
def test_what_can_be_read_in_two_ways_becomes_a_question_and_no_command(text: str) -> None:
    found = understand(text)
    assert found.command is None
    assert found.question


@pytest.mark.parametrize("text", NOTHING)
def test_what_is_about_nothing_known_is_no_command_and_no_question(text: str) -> None:
    found = understand(text)
    assert found.command is None


def test_every_choice_that_a_question_offers_is_itself_understood() -> None:
    offered = [choice.line for text in QUESTIONS for choice in understand(text).choices]
    assert len(offered) > 10
    assert [line for line in offered if understand(line).command is None] == []


@pytest.mark.parametrize("text", list(ORDERS))
def test_no_negated_order_is_ever_an_order(text: str) -> None:
    for denied in (
        f"don't {text.lstrip('/')}",
        f"do not {text.lstrip('/')}",
        f"never {text.lstrip('/')}",
        f"please don't {text.lstrip('/')}",
    ):
        assert understand(denied).command is None, denied


@pytest.mark.parametrize("text", list(ORDERS))
def test_no_conditional_order_is_an_order(text: str) -> None:
    assert understand(f"{text.lstrip('/').rstrip('.?')} if it drops").command is None


def test_the_document_is_what_the_interface_promises() -> None:
    document = understand("buy 0.1 btc at 60k").document()
    assert json.loads(json.dumps(document)) == {
        "command": "buy",
        "arguments": {"instrument": "BTC/USDT", "quantity": "0.1", "limit": "60000"},
        "question": None,
    }

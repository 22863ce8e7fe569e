"""A person at `orchestrator chat` with accounts at loopback Binance and KuCoin: what they read, what the venues did."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.chatting import Chat, environment, run, second_factor
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

KEY, SECRET, PASSPHRASE = "key-of-the-walk-0123456789", "secret-of-the-walk-0123456789", "passphrase-of-the-walk"


def opened(venue: Venue, bid: str, ask: str, size: str) -> User:
    """Lists three pairs, sets the market of BTC and opens an account."""
    venue.list("BTC/USDT")
    venue.list("ETH/USDT")
    venue.list("ETH/BTC", "0.00001", "0.0001", "0.0001")
    venue.quote("BTC/USDT", bid, ask, size)
    venue.quote("ETH/USDT", Decimal(bid) / 20, Decimal(bid) / 20 + Decimal("0.01"), "50")
    venue.quote("ETH/BTC", "0.05", "0.05001", "50")
    return venue.user(KEY, SECRET, PASSPHRASE, {"USDT": "100000", "BTC": "0.5"})


def settings(base: str, *names: str) -> dict[str, str]:
    keys = {"ENDPOINT_BASE": base, "API_KEY": KEY, "SECRET": SECRET, "PASSPHRASE": PASSPHRASE}
    return {f"EXCHANGES__{name}__{field}": value for name in names for field, value in keys.items()}


def reads(told: str, *words: str) -> None:
    """The words stand there in this order, however the lines are broken."""
    flat, place = " ".join(told.split()), 0
    for each in words:
        found = flat.find(each, place)
        assert found >= 0, f"{each!r} is not read (any more) in:\n{told}"
        place = found + len(each)


@pytest.mark.slow
async def test_a_walk_from_the_book_to_the_panic_button(tmp_path: Path) -> None:
    async with Loopback() as venues:
        binance, kucoin = venues["binance"], venues["kucoin"]
        user = opened(binance, "60000", "60000.01", "0.15")
        other = opened(kucoin, "60500", "60500.01", "1")
        environ = environment(tmp_path, MARKET__SOURCE="binance", **settings(venues.base, "BINANCE", "KUCOIN"))
        code = await second_factor(environ)
        async with Chat(environ) as chat:
            await look(chat)
            await on_paper(chat)
            assert binance.orders == []
            assert kucoin.orders == []
            await armed(chat, code)
            await live(chat, binance)
            await protected(chat, binance)
            await out(chat, binance, user)
        told = chat.heard
    (sale,) = kucoin.orders  # nothing but the sale after the panic, which its preview named
    assert (sale.ticket.side, sale.filled) == ("sell", Decimal("0.5"))
    assert kucoin.balances(other)["USDT"] == Decimal("130219.75")
    for hidden in (KEY, SECRET, PASSPHRASE, venues.base, "Traceback"):
        assert hidden not in told


async def look(chat: Chat) -> None:
    """Venues, switching, the book of one and of both, and where two bitcoins are bought best."""
    reads(await chat.says("venues"), "binance", "healthy", "PAPER", "kucoin", "healthy", "PAPER", "sandbox")
    reads(await chat.says("venue kucoin"), "Switched from binance to kucoin, which trades 3 pairs.", "nothing is sent")
    reads(await chat.says("price btc"), "BTC/USDT", "60,500.00", "From kucoin")
    reads(await chat.says("venue binance"), "Switched from kucoin to binance", "Your venue: binance")
    reads(await chat.says("book btc"), "BTC/USDT at binance", "0.15 60,000.00 60,000.01 0.15", "Spread 0.01 USDT")
    told = await chat.says("book btc all")
    # after 0.1 % at both: a bid of 60,500 brings 60,439.50, an ask of 60,000.01 costs 60,060.01
    reads(told, "over 2 venues", "kucoin 1 60,500.00 60,439.50 60,060.01 60,000.01 0.15 binance", "see arbitrage")
    told = await chat.says("best buy 2 btc")
    reads(told, "Best execution: buy 2 BTC", "Expected price", "Slippage", "Parts")
    parts = dict(re.findall(r"^(binance|kucoin) +BTC/USDT +([\d.]+)", told, re.MULTILINE))
    assert {name: Decimal(part) for name, part in parts.items()} == {
        "binance": Decimal("1.5"),
        "kucoin": Decimal("0.5"),
    }
    reads(await chat.says("arbitrage"), "buy BTC/USDT at 1.5 BTC 507.52 USDT 0.563 %", "Nothing is executed.")


async def on_paper(chat: Chat) -> None:
    """Until an account is armed, a yes sends nothing."""
    reads(await chat.says("buy 0.01 btc"), "Buy 0.01 BTC at the market? [PAPER]", "Venue binance", "Write yes to buy")
    reads(await chat.says("yes"), "Bought 0.01 BTC", "PAPER.")


async def armed(chat: Chat, code: str) -> None:
    reads(await chat.says("arm binance cap=20000 code=000000"), "code")
    told = await chat.says(f"arm binance cap=20000 hours=2 code={code}")
    reads(told, "[LIVE]", "LIVE binance, worth 130,000.00 USDT", "at most 20,000.00 USDT", "cost real money")
    reads(await chat.says("yes"), "Armed until", "LIVE binance.")
    told = await chat.says("accounts")
    reads(told, "at most 20,000.00 an order, 20,000.00 in all, 2,000.00 lost a day")
    reads(told, "LIVE binance 130,000.00 USDT armed until", "LIVE kucoin", "not armed")


async def live(chat: Chat, binance: Venue) -> None:
    """A purchase with real money, and one that a limit refuses with what to write."""
    reads(await chat.says("balances"), "Account LIVE binance", "Worth 130,000.00 USDT", "BTC 0.5 30,000.00 USDT")
    told = await chat.says("buy 0.05 btc")
    reads(told, "[LIVE]", "Venue binance", "Total 3,001.50 USDT", "Limits checked", "price collar", "Write yes")
    reads(await chat.says("yes"), "Bought 0.05 BTC at 60,000.01 USDT, fee 0.00005 BTC (3.00 USDT). Order 1, LIVE.")
    (bought,) = binance.orders
    assert (bought.ticket.side, bought.ticket.kind, bought.filled, bought.status) == (
        "buy", "market", Decimal("0.05"), "filled",
    )  # fmt: skip
    told = await chat.says("buy 1 btc at 50000")
    reads(told, "allows 10,000.00 USDT, and this would be 50,000.00 USDT. Order less, or write limits order 50000")
    reads(await chat.says("limits order 50000"), "needs your second factor. Write limits live order 50000 code=")
    assert len(binance.orders) == 1


async def protected(chat: Chat, binance: Venue) -> None:
    """A target with a stop, and a trailing stop that the market reaches."""
    told = await chat.says("oco sell 0.02 btc target=70000 stop=55000")
    reads(told, "Sell 0.02 BTC at 70,000.00, or if the price falls to 55,000.00? [LIVE]")
    reads(told, "Both rest at the venue, which cancels the one when the other fills")
    reads(await chat.says("yes"), "Order 2 is placed")
    pair = binance.orders[1:]
    assert [(each.ticket.price, each.ticket.trigger, each.status) for each in pair] == [
        (Decimal(70000), None, "open"), (None, Decimal(55000), "pending"),
    ]  # fmt: skip
    reads(await chat.says("trail sell 0.02 btc by=1%"), "by a trailing stop of 1.0 %? [LIVE]", "rests at the venue")
    reads(await chat.says("yes"), "Order 3 is placed: sell 0.02 BTC by a trailing stop of 1.0 %")
    told = await chat.says("orders")
    reads(told, "Open orders (LIVE binance)", "3 sell 0.02 BTC by a trailing stop", "2 sell 0.02 BTC at 70,000.00")
    binance.trade_through("BTC/USDT", "61000", "0.15")  # the best price it follows
    assert binance.orders[3].status in ("open", "pending")
    binance.trade_through("BTC/USDT", "60300", "0.15")  # more than 1 % below it
    reads(await chat.until("Sold 0.02 BTC"), "your trailing stop of 1.0 % was reached")
    assert (binance.orders[3].status, binance.orders[3].filled) == ("filled", Decimal("0.02"))
    told = await chat.says("orders")
    reads(told, "2 sell 0.02 BTC at 70,000.00")
    assert "trailing" not in told.partition("Open orders")[2]


async def out(chat: Chat, binance: Venue, user: User) -> None:
    """Cancelling, what is there, and the panic button with everything sold."""
    reads(await chat.says("cancel 2"), "Cancelled order 2")
    assert [each.status for each in binance.orders[1:3]] == ["canceled", "canceled"]
    held = binance.balances(user)
    told = await chat.says("balances")
    reads(told, "LIVE binance", f"USDT {held['USDT']:,.2f}", f"BTC {held['BTC'].normalize():f}")
    reads(await chat.says("buy 0.1 btc at 50000"), "[LIVE]")
    reads(await chat.says("yes"), "LIVE.")
    assert binance.orders[-1].status == "open"
    told = await chat.says("panic")
    reads(
        told,
        "Stopped on 3 accounts: 1 order cancelled",
        "Sell everything you hold at the market, too? [LIVE]",
        "LIVE kucoin: 0.5 BTC",
    )
    assert binance.orders[-1].status == "canceled"  # before anything is asked
    told = await chat.says("yes")
    reads(told, "Sold 0.01 BTC", "PAPER.", "Sold 0.52995 BTC", "LIVE binance.", "Sold 0.5 BTC", "LIVE kucoin.")
    assert binance.balances(user).get("BTC", Decimal(0)) < Decimal("0.00001")
    reads(await chat.says("buy 0.01 btc"), "kill switch", "resume")
    reads(await chat.says("resume"), "second factor", "resume code=")


@pytest.mark.slow
async def test_what_a_venue_refuses_is_told_in_words_and_as_json_without_a_secret(tmp_path: Path) -> None:
    async with Loopback() as venues:
        opened(venues["binance"], "60000", "60000.01", "1")
        environ = environment(tmp_path, MARKET__SOURCE="binance", **settings(venues.base, "BINANCE"))
        environ["ORCHESTRATOR_EXCHANGES__BINANCE__API_KEY"] = "another-key-0123456789abcdef"
        code = await second_factor(environ)
        line = f"arm binance cap=5000 code={code}\n"
        for words in (("chat",), ("chat", "--json")):
            out, said = await run(environ, *words, lines=line + "accounts\n")
            reads(out.replace("\\n", " "), "binance does not accept the API key.")
            for hidden in ("another-key-0123456789abcdef", SECRET, venues.base, "Traceback"):
                assert hidden not in out + said

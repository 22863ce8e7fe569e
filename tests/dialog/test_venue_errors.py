"""What goes wrong at a venue, as people read it: one sentence, what to do, and no address, key or traceback."""

import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest

from core import telemetry
from core.app import build
from core.commands.context import Caller
from core.exchanges import connection
from core.reply import Choices, Reply, Text, to_json
from core.settings import Settings
from tests.dialog.conftest import flat
from tests.simulators.venues.server import Loopback
from tests.simulators.venues.venue import User, Venue

KEY, SECRET, PASSPHRASE = "loopback-key-0123456789", "loopback-secret-0123456789", "loopback-passphrase"
WRONG = "a-key-that-nobody-opened-012345"
PLACING = {"binance": "POST /api/v3/order", "kucoin": "POST /api/v1/"}
QUOTING = {"binance": "GET /api/v3/ticker", "kucoin": "GET /api/v"}
BALANCES = {"USDT": "100000", "BTC": "0.5"}


class Desk:
    """The product at one loopback venue, its owner at the keyboard, and what it logs."""

    def __init__(self, app: Any, venue: Venue, user: User, caller: Caller, log: io.StringIO) -> None:
        self.app, self.venue, self.user, self.log = app, venue, user, log
        self._caller = caller
        self.replies: list[Reply] = []

    async def reply(self, line: str) -> Reply:
        reply = await self.app.conversation.answer(line, self._caller)
        self.replies.append(reply)
        return reply

    async def says(self, line: str) -> str:
        return flat(await self.reply(line))

    async def arm(self) -> str:
        uri = await self.app.services.users.enrol_totp(await self.app.services.users.owner())
        code = pyotp.parse_uri(uri).now()  # type: ignore[attr-defined]
        await self.says(f"arm {self.venue.name} cap=9000 hours=2 code={code}")
        return await self.says("yes")


@asynccontextmanager
async def desk_at(name: str, folder: Path, key: str = KEY) -> AsyncIterator[Desk]:
    log = io.StringIO()
    async with AsyncExitStack() as closing:
        venues = await closing.enter_async_context(Loopback())
        venue = venues[name]
        for symbol, price in (("BTC/USDT", 60_000), ("ETH/USDT", 3_000)):
            venue.list(symbol, "0.01", "0.00001", "5")
            venue.quote(symbol, price, price + 1, "100")
        user = venue.user(KEY, SECRET, PASSPHRASE, BALANCES)
        keys = {"api_key": key, "secret": SECRET, "passphrase": PASSPHRASE, "endpoint_base": venues.base}
        settings = Settings(data_dir=folder, market={"source": name}, exchanges={name: keys})
        telemetry.configure("debug", "json", secrets=settings.secrets(), stream=log)
        app = build(settings, roles=("trader",))
        await app.start()
        closing.push_async_callback(app.stop)
        caller = await app.conversation.caller("console", "local", "local", private=True, name="Sam")
        desk = Desk(app, venue, user, caller, log)
        closing.callback(venue.calm)
        yield desk


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Any:
    yield
    telemetry.configure("error")


def clean(desk: Desk, base: str = "127.0.0.1") -> None:
    """Nothing that was answered, in words or as JSON, or logged, holds an address, a key or a traceback."""
    told = "\n".join(flat(reply) for reply in desk.replies)
    machine = json.dumps([to_json(list(reply)) for reply in desk.replies], default=str)
    for text in (told, machine):
        for secret in (KEY, SECRET, PASSPHRASE, WRONG, base, "http", "Traceback", "ccxt", "signature="):
            assert secret not in text, (secret, text)
    for secret in (KEY, SECRET, PASSPHRASE, WRONG):
        assert secret not in desk.log.getvalue()


def sentence_of(reply: Reply) -> str:
    """The one text that the reply is; an offer to look again may stand below it."""
    told, *offers = reply
    assert isinstance(told, Text), flat(reply)
    assert all(isinstance(each, Choices) for each in offers), flat(reply)
    return told.text


Trouble = Callable[[Desk], None]


def answers(kind: Any, where: dict[str, str]) -> Trouble:
    return lambda desk: desk.venue.misbehave(kind, where[desk.venue.name], None)


def skewed(desk: Desk) -> None:
    desk.venue.misbehave("skew", ms=90_000)


# What the venue refuses for the order's sake: (case, what happens there after the preview, how it ends, what is said)
REFUSALS: tuple[tuple[str, Trouble, Trouble, str], ...] = (
    (
        "insufficient funds",
        lambda desk: desk.venue.deposit(desk.user, "USDT", "-99990"),
        lambda desk: desk.venue.deposit(desk.user, "USDT", "99990"),
        r"holds too little for this: buy 0\.01 BTC/USDT\. Look at `balance`, or order less\.",
    ),
    (
        "below the smallest order",
        lambda desk: listed(desk, "5000"),
        lambda desk: listed(desk),
        r"finds this too small: buy 0\.01 BTC/USDT\. Order more",
    ),
    (
        "market closed",
        lambda desk: desk.venue.halt("BTC/USDT"),
        lambda desk: desk.venue.halt("BTC/USDT", trading=True),
        r"does not trade this now: buy 0\.01 BTC/USDT\. Try again when",
    ),
    (
        "unknown symbol",
        lambda desk: desk.venue.matching.listings.pop("BTC/USDT"),
        lambda desk: listed(desk),
        r"does not know what was asked: buy 0\.01 BTC/USDT\. Look for the pair with `markets`\.",
    ),
    (
        "clock skew",
        skewed,
        lambda desk: desk.venue.calm(),
        r"clock differs from its own\. Set the clock automatically",
    ),
)
# What keeps the venue from answering at all: the words of a refused order, and of a question
LOST = r"never received it: order again if you still want it"
SHUT: dict[str, tuple[str, str]] = {
    "429": (
        r"too many requests came from here\. Try again in a minute\.",
        r"too many requests .* Try again in a minute",
    ),
    "418": (r"(shut out|too many requests).*(Wait some|Try again in a) minute", r"too many requests.*(Wait|Try)"),
    "451": (r"from your country.*Choose a venue", r"refuses connections from this country.*Choose a venue"),
    "maintenance": (LOST, r"is under maintenance .* when it is back\."),
    "lost_request": (LOST, r"cannot be reached .* later may help\."),
    "stall": (r"^Bought 0\.0\d+ BTC", r"did not answer in time .* later may help\."),  # it was done, and is found
}


def listed(desk: Desk, smallest: str = "5") -> None:
    desk.venue.list("BTC/USDT", "0.01", "0.00001", smallest)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 1500)


@pytest.mark.parametrize("venue", ["binance", "kucoin"])
async def test_what_a_venue_refuses_is_one_sentence_with_what_to_do(venue: str, tmp_path: Path) -> None:
    async with desk_at(venue, tmp_path) as desk:
        assert "Armed until" in await desk.arm()
        for case, trouble, over, words in REFUSALS:
            assert "[LIVE]" in await desk.says("buy 0.01 btc"), case
            trouble(desk)
            told = sentence_of(await desk.reply("yes"))
            over(desk)
            assert re.search(words, told), (case, told)
            assert told.startswith(venue), (case, told)
        clean(desk)
        assert desk.venue.orders == []


@pytest.mark.parametrize("venue", ["binance", "kucoin"])
@pytest.mark.parametrize("kind", SHUT)
async def test_a_venue_that_takes_no_order_says_so_in_one_sentence(venue: str, kind: str, tmp_path: Path) -> None:
    async with desk_at(venue, tmp_path) as desk:
        await desk.arm()
        await desk.says("buy 0.01 btc")
        answers(kind, PLACING)(desk)
        told = sentence_of(await desk.reply("yes"))
        assert re.search(SHUT[kind][0], told), told
        clean(desk)
        assert len(desk.venue.orders) == (kind == "stall")  # a lost answer is looked up, never sent again


@pytest.mark.parametrize("venue", ["binance", "kucoin"])
@pytest.mark.parametrize("kind", SHUT)
async def test_a_venue_that_answers_no_question_says_so_in_one_sentence(venue: str, kind: str, tmp_path: Path) -> None:
    async with desk_at(venue, tmp_path) as desk:
        answers(kind, QUOTING)(desk)
        told = sentence_of(await desk.reply("price eth"))
        assert re.search(SHUT[kind][1], told), told
        assert told.startswith(venue)
        assert ".." not in told
        clean(desk)


@pytest.mark.parametrize("venue", ["binance", "kucoin"])
async def test_a_wrong_key_is_one_sentence_and_the_key_is_not_in_it(venue: str, tmp_path: Path) -> None:
    async with desk_at(venue, tmp_path, WRONG) as desk:
        uri = await desk.app.services.users.enrol_totp(await desk.app.services.users.owner())
        code = pyotp.parse_uri(uri).now()  # type: ignore[attr-defined]
        told = sentence_of(await desk.reply(f"arm {venue} cap=9000 hours=2 code={code}"))
        assert told.startswith(f"{venue} does not accept the API key. Check that key, secret and passphrase")
        assert "does not accept the API key" in await desk.says("accounts")
        clean(desk)

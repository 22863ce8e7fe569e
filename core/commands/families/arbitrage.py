"""Arbitrage: what could be earned between venues now, and what could have been. Nothing is executed from here."""

import asyncio
import contextlib
from collections.abc import Sequence

from core import wording
from core.commands.context import Context
from core.commands.registry import command
from core.commands.utterance.coins import ticker
from core.errors import AppError, InvalidInput
from core.exchanges.arbitrage import Alive
from core.market.instrument import Instrument
from core.reply import Block, Choice, Choices, Reply, Table, Text

COINS = ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "DOGE", "LTC", "LINK", "AVAX")  # watched when none is named
MOST = 50  # coins that are watched at once
SHOWN = 15
AT_ONCE = 8  # venues' answers that are waited for side by side
PATIENCE = 15.0  # seconds for all of them


@command(
    family="market",
    aliases=("arb", "opportunities"),
    examples=("arbitrage", "arbitrage btc eth", "arbitrage history"),
    phrases=(
        "(show|list|find|any|are there [any]) [me] [the] (arbitrage|arbitrages|arbitrage opportunities|opportunities)",
        "(arbitrage|opportunities) (list|now)",
        "(show|list) [me] [the] (arbitrage|opportunity) history{words=history}",
        "past (arbitrage|arbitrages|opportunities){words=history}",
    ),
)
async def arbitrage(ctx: Context, *words: str) -> Reply:
    """Lists what could be earned between venues now, after fees; `arbitrage history` what there was."""
    said = [word for text in words for word in text.lower().replace(",", " ").split()]
    if said == ["history"]:
        return await history(ctx)
    services, watcher = ctx.services, ctx.services.arbitrage
    instruments = await chosen(ctx, said)
    if not instruments:
        connected = wording.listed(list(services.books.venues))
        return [
            Text(
                f"There is nothing to compare: arbitrage needs the same coin at two venues, or three pairs that form a "
                f"circle at one. Connected is {connected}.",
                "warning",
            )
        ]
    missing = await heard(ctx, instruments)
    watcher.follow(instruments)
    found = watcher.look()
    venues = sorted({each.venue for each in instruments})
    title = f"Arbitrage over {wording.listed(venues)}"
    if all(services.books.simulated(each.venue) for each in instruments):
        title += f" ({wording.SIMULATED})"
    columns = ("What", "Size", "Profit", "Of what is spent", "Lives for")
    rows = tuple(row(each, services.clock.now_ms()) for each in found[:SHOWN])
    empty = f"Nothing pays after fees in {wording.plural(len(instruments), 'book')}."
    lines = [
        "Net of taker fees, as deep as the books pay, if all legs trade at once with money and coins that lie at the "
        "venues already. Cross-venue profit is after a withdrawal that brings the coins back, at an assumed fee. "
        "Nothing is executed."
    ]
    unknown = {each.now.legs[0].instrument.base for each in found[:SHOWN] if each.now.transfer is None}
    if unknown:
        lines.append(f"The withdrawal fee of {wording.listed(sorted(unknown))} is not known and not subtracted.")
    if missing:
        lines.append(f"No book from {wording.listed(missing[:5])}{' and others' if len(missing) > 5 else ''}.")
    blocks: list[Block] = [Table(title, columns, rows, (1, 2, 3, 4), empty), Text(" ".join(lines))]
    return [*blocks, Choices("More?", (Choice("Again", "arbitrage"), Choice("History", "arbitrage history")))]


async def history(ctx: Context) -> Reply:
    """What was there and went."""
    await ctx.services.arbitrage.told()
    rows = tuple(
        (
            wording.moment(each.ended),
            ", ".join(each.path),
            wording.quantity(each.size),
            wording.money(each.profit, ""),
            wording.percent(each.fraction, 3),
            seconds(each.lived),
        )
        for each in await ctx.services.opportunities.past(SHOWN)
    )
    columns = ("Until", "What", "Size", "Best profit", "Of what is spent", "Lived")
    return [Table("Past opportunities", columns, rows, (2, 3, 4, 5), "No opportunity has come and gone yet.")]


async def chosen(ctx: Context, said: Sequence[str]) -> list[Instrument]:
    """The pairs to compare: of the coins that were said, else of those watched already, else of well-known ones.

    Raises InvalidInput for a word that is no coin.
    """
    watched = list(ctx.services.arbitrage.watched)
    if not said and watched:
        return watched
    symbols = [ticker(word) for word in said]
    if None in symbols:
        wrong = said[symbols.index(None)]
        hint = "Write arbitrage, arbitrage btc eth, or arbitrage history."
        raise InvalidInput(f"'{wrong[:40]}' is not a coin.", hint=hint)
    coins = [symbol.partition(":")[2] or symbol for symbol in symbols if symbol]
    bases = list(dict.fromkeys(each.partition("/")[0] for each in coins))[:MOST] or list(COINS)
    return await ctx.services.books.comparable(bases, ctx.services.market.simulated)


async def heard(ctx: Context, instruments: Sequence[Instrument]) -> list[str]:
    """Asks for the books that were not heard of lately. Returns the keys of those that did not come."""
    gate, age = asyncio.Semaphore(AT_ONCE), ctx.services.arbitrage.policy.max_age / 2
    missing = {each.key for each in instruments}

    async def ask(each: Instrument) -> None:
        async with gate:
            with contextlib.suppress(AppError):
                await ctx.services.books.renewed(each, age)
                missing.discard(each.key)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(ask(each) for each in instruments))
    return sorted(missing)


def row(each: Alive, now: int) -> tuple[str, ...]:
    """An opportunity in a line."""
    found = each.now
    return (
        ", ".join(found.path),
        wording.quantity(found.size, found.legs[0].instrument.base),
        wording.money(found.profit, found.currency),
        wording.percent(found.fraction, 3),
        seconds((now - each.since) / 1000),
    )


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min"

"""Prices and charts."""

from core import wording
from core.commands import charts
from core.commands.context import Context
from core.commands.converters import HOURLY, Timeframe
from core.commands.registry import command
from core.errors import Unavailable
from core.exchanges.health import OLD
from core.exchanges.router import Answered
from core.market.instrument import Instrument
from core.reply import Block, Choice, Choices, Facts, Reply, Table, Text
from core.trading.exchange import Quote

SHOWN = 120  # bars on a chart
LISTED = 12  # pairs in a list


@command(
    family="market",
    aliases=("p", "quote", "ticker"),
    examples=("price btc", "what's bitcoin at"),
    phrases=(
        "price {ticker}",
        "{ticker} price",
        "[(show|tell|get|give) [me]] [what is] [the] [current|latest|live] price (of|for|on) {ticker}",
        "what is [the] {instrument} [price] [at] [now|right now|today|currently]",
        "what is {instrument} (trading|going) (at|for)",
        "how much is [(a|an|one)] {instrument} [now|worth|right now|today]",
        "what is [(a|an|one)] {instrument} worth",
        "how much does [(a|an|one)] {instrument} cost",
        "what does [(a|an|one)] {instrument} cost",
        "how is {instrument} [doing|looking|going] [today|now]",
        "where is {instrument} [at|trading|trading at] [now|today]",
        "[(get|show|give|tell) [me]] [the] {instrument} (price|quote)",
        "quote {ticker}",
        "check {instrument}",
        "current {instrument} price",
        "how are [the] {instrument} prices",
        "what is the {instrument} price [now|today]",
        "{instrument} (now|quote|worth|value)",
        "what is the value of {instrument}",
        "how much (is|are) {instrument} going for",
        "is {instrument} (up|down) [today|now]",
        "show [me] {instrument}",
    ),
)
async def price(ctx: Context, instrument: Instrument) -> Reply:
    """Shows what a coin costs now.

    instrument: a coin or a pair, such as btc or ETH/USDT
    """
    answer = await quoted(ctx, instrument)
    quote, instrument = answer.value, answer.instrument
    facts = [("Price", f"{wording.price(quote.last, instrument)} {instrument.quote}")]
    if quote.change is not None:
        facts.append(("24 h", wording.percent(quote.change, sign=True)))
    if quote.high is not None and quote.low is not None:
        facts.append(
            ("24 h range", f"{wording.price(quote.low, instrument)} – {wording.price(quote.high, instrument)}")
        )
    facts.append(("Bid / ask", f"{wording.price(quote.bid, instrument)} / {wording.price(quote.ask, instrument)}"))
    label = wording.SIMULATED if quote.simulated else ctx.services.market.label(instrument)
    source = f"{label} price from the built-in sandbox market" if label else f"From {instrument.venue}"
    note = f" {noted(answer.note)}" if answer.note else ""
    return [Facts(instrument.symbol, tuple(facts), f"{source}, {wording.moment(quote.time)}.{note}")]


@command(
    family="market",
    aliases=("c", "graph", "candles"),
    examples=("chart btc", "show me a 4h chart of eth with rsi"),
    phrases=("show me {instrument} on [the|a] {timeframe}",),
)
async def chart(ctx: Context, instrument: Instrument, timeframe: Timeframe = HOURLY, indicators: str = "") -> Reply:
    """Draws candles with volume and indicators.

    instrument: a coin or a pair
    timeframe: 1m 5m 15m 30m 1h 4h 1d and others; 1h when not said
    indicators: up to four, such as rsi,ema20,supertrend; indicators lists them; ema20 and ema50 when not said
    """
    chosen = charts.studies(indicators or ",".join(charts.DEFAULT))
    warmup = max((study.needs(timeframe) for study in chosen), default=0)
    market = ctx.services.market
    answer = await ctx.services.venues.answered(
        instrument, lambda one: market.bars(one, timeframe, SHOWN + warmup, forming=True)
    )
    bars, instrument = answer.value, answer.instrument
    title = f"{instrument.symbol} {timeframe}"
    drawn = await ctx.services.jobs.run(charts.candles, bars, chosen, SHOWN, title, market.label(instrument))
    told: list[Block] = [Text(noted(answer.note), "warning")] if answer.note else []
    others = [
        Choice(frame, f"chart {instrument.symbol} {frame}") for frame in ("15m", "1h", "4h", "1d") if frame != timeframe
    ]
    return [*told, drawn, Choices("Another timeframe?", tuple(others))]


@command(
    family="market",
    aliases=("coins", "instruments", "symbols"),
    examples=("markets",),
    phrases=(
        "[show|list] [me] [the|all] (markets|coins|instruments|symbols|pairs)",
        "what (coins|markets|pairs|symbols) (are there|do you have|can i trade)",
        "which (coins|markets|pairs|symbols) [(are there|do you have|can i trade)]",
        "what can i (trade|buy)",
        "how (is|are) the (market|markets) [doing|looking|today|now]",
        "market overview",
        "what is the market doing",
    ),
)
async def markets(ctx: Context) -> Reply:
    """Lists what can be traded, with prices."""
    market, here = ctx.services.market, ctx.venue
    answer = await ctx.services.venues.answered(Instrument(here, "BTC", "USDT"), lambda one: listing(ctx, one.venue))
    shown, more = answer.value
    rows = tuple(
        (each.instrument.symbol, wording.price(each.last, each.instrument), wording.percent(each.change, sign=True))
        for each in shown
    )
    label = market.label(shown[0].instrument) if shown else None
    title = f"Markets at {answer.instrument.venue}{f' ({label})' if label else ''}{f' – {more} more' if more else ''}"
    table = Table(title, ("Pair", "Price", "24 h"), rows, (1, 2))
    return [Text(noted(answer.note), "warning"), table] if answer.note else [table]


async def listing(ctx: Context, venue: str) -> tuple[list[Quote], int]:
    """Quotes of the first pairs that a venue trades, those in USDT where there are any, and how many more there are."""
    market = ctx.services.market
    found = list(await market.instruments(venue))
    found = [each for each in found if each.quote == "USDT"] or found
    return [await market.quote(each) for each in found[:LISTED]], max(0, len(found) - LISTED)


async def quoted(ctx: Context, instrument: Instrument) -> Answered[Quote]:
    """The quote of an instrument for somebody to read: from its venue while that does well, else from another one;
    the last known one, whose time tells its age, where no venue answers."""
    market = ctx.services.market

    async def ask(one: Instrument) -> Quote:
        quote = await market.quote(one)
        age = market.age(one)
        if age is not None and age > OLD:
            raise Unavailable(f"The price of {one.key} is {age:.0f} s old.", venue=one.venue)
        return quote

    try:
        return await ctx.services.venues.answered(instrument, ask)
    except Unavailable:
        known = market.known(instrument)
        if known is None:
            raise
        return Answered(known, instrument)


def noted(note: str) -> str:
    """The note as a sentence."""
    return note[0].upper() + note[1:]

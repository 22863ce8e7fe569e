"""Prices and charts."""

from core import wording
from core.commands import charts
from core.commands.context import Context
from core.commands.converters import HOURLY, Timeframe
from core.commands.registry import command
from core.market.instrument import Instrument
from core.reply import Choice, Choices, Facts, Reply, Table

SHOWN = 120  # bars on a chart


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
    quote = await ctx.services.market.quote(instrument)
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
    return [Facts(instrument.symbol, tuple(facts), f"{source}, {wording.moment(quote.time)}.")]


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
    bars = await ctx.services.market.bars(instrument, timeframe, SHOWN + warmup, forming=True)
    title = f"{instrument.symbol} {timeframe}"
    drawn = await ctx.services.jobs.run(
        charts.candles, bars, chosen, SHOWN, title, ctx.services.market.label(instrument)
    )
    others = [
        Choice(frame, f"chart {instrument.symbol} {frame}") for frame in ("15m", "1h", "4h", "1d") if frame != timeframe
    ]
    return [drawn, Choices("Another timeframe?", tuple(others))]


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
    market = ctx.services.market
    found = list(await market.instruments())
    found = [each for each in found if each.quote == "USDT"] or found
    rows = []
    for instrument in found[:12]:
        quote = await market.quote(instrument)
        rows.append(
            (instrument.symbol, wording.price(quote.last, instrument), wording.percent(quote.change, sign=True))
        )
    label = market.label(found[0]) if found else None
    more = f" – {len(found) - 12} more" if len(found) > 12 else ""
    title = f"Markets at {market.source_name}{f' ({label})' if label else ''}{more}"
    return [Table(title, ("Pair", "Price", "24 h"), tuple(rows), (1, 2))]

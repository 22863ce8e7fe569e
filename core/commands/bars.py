"""Bars of the past as a chat asks for them: so many, of a period said in words."""

from core.clock import to_ms
from core.commands.context import Context
from core.commands.converters import Period, Timeframe
from core.commands.converters import period as period_of
from core.errors import InvalidInput
from core.market import timeframes
from core.market.bars import Bars
from core.market.instrument import Instrument
from core.reply import Progress

MOST_BARS = 200_000
SHORTEST = 50
DEFAULT_BARS = 3_000  # when no period is said


async def past_bars(ctx: Context, instrument: Instrument, timeframe: Timeframe, period: Period | None) -> Bars:
    """The closed bars of the period, or about the last 3,000. Raises InvalidInput when they are too many or too few."""
    length = timeframes.milliseconds(timeframe)
    now = ctx.services.clock.now()
    since, until = period_of(period, now) if period else (None, None)
    first = to_ms(since) if since else to_ms(now) - DEFAULT_BARS * length
    if (to_ms(until or now) - first) // length > MOST_BARS:
        raise InvalidInput(
            f"That is more than {MOST_BARS:,} bars.", hint="Choose a shorter period or a longer timeframe."
        )
    await ctx.progress(Progress(f"Loading {instrument.symbol} {timeframe} bars", None))
    bars = await ctx.services.market.history(instrument, timeframe, first)
    bars = bars.between(end_ms=to_ms(until) if until else to_ms(now) - length + 1)
    if len(bars) < SHORTEST:
        raise InvalidInput(
            f"There are only {len(bars)} bars of {instrument.symbol} {timeframe} there.",
            hint=f"At least {SHORTEST} are needed.",
        )
    return bars

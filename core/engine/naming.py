"""Naming: the instrument that a person means by a word."""

from collections.abc import Sequence
from difflib import get_close_matches

from core.errors import NotFound
from core.market.instrument import Instrument

QUOTES = ("USDT", "USDC", "USD", "EUR", "BTC")  # what a bare "btc" is priced in, by preference
NAMES = {
    "bitcoin": "BTC", "xbt": "BTC", "ethereum": "ETH", "ether": "ETH", "solana": "SOL", "ripple": "XRP",
    "cardano": "ADA", "dogecoin": "DOGE", "doge": "DOGE", "litecoin": "LTC", "binancecoin": "BNB", "chainlink": "LINK",
}  # fmt: skip


def resolve(word: str, instruments: Sequence[Instrument]) -> Instrument:
    """The instrument meant by 'btc', 'BTC/USDT', 'eth-usdt' or 'ethusdt'. Raises NotFound with suggestions."""
    for separator in ("-", "_", " "):
        word = word.replace(separator, "/")
    base, slash, quote = word.strip("/").partition("/")
    base, quote = NAMES.get(base.lower(), base.upper()), quote.upper()
    by_symbol = {each.symbol: each for each in instruments}
    if slash:
        found = by_symbol.get(f"{base}/{quote}")
    else:
        pairs = [each for each in instruments if each.base == base]
        pairs.sort(key=lambda each: QUOTES.index(each.quote) if each.quote in QUOTES else len(QUOTES))
        found = pairs[0] if pairs else next((each for each in instruments if each.base + each.quote == base), None)
    if found is not None:
        return found
    names = {each.base: each.symbol for each in reversed(instruments)} | {symbol: symbol for symbol in by_symbol}
    near = [names[each] for each in get_close_matches(f"{base}{slash}{quote}", names, n=4, cutoff=0.5)]
    near = list(dict.fromkeys(near)) or [each.symbol for each in instruments[:4]]
    raise NotFound(
        f"No instrument here is called '{word}'.",
        hint=f"Did you mean {', '.join(near)}?" if near else None,
        text=word,
        suggestions=near,
    )

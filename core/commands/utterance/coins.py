"""Names of coins and how people write pairs."""

import re

from core.commands.utterance.vocabulary import words_of

QUOTE = "USDT"
MONEY = frozenset({"usdt", "usd", "dollar", "dollars", "buck", "bucks", "tether", "us-dollar", "us-dollars"})
FOREIGN = {
    "eur": "euros", "euro": "euros", "euros": "euros", "gbp": "pounds", "pound": "pounds", "pounds": "pounds",
    "yen": "yen", "jpy": "yen", "chf": "francs", "francs": "francs", "usdc": "USDC", "cents": "cents", "cent": "cents",
}  # fmt: skip

NAMES = {
    "bitcoin": "BTC", "bitcoins": "BTC", "btcs": "BTC", "xbt": "BTC", "ethereum": "ETH", "ether": "ETH",
    "ethers": "ETH", "etherium": "ETH", "eths": "ETH", "solana": "SOL", "sols": "SOL", "ripple": "XRP",
    "cardano": "ADA", "dogecoin": "DOGE", "doges": "DOGE", "litecoin": "LTC", "litecoins": "LTC", "binancecoin": "BNB",
    "polkadot": "DOT", "chainlink": "LINK", "avalanche": "AVAX", "polygon": "POL", "matic": "POL", "tron": "TRX",
    "uniswap": "UNI", "stellar": "XLM", "lumens": "XLM", "monero": "XMR", "cosmos": "ATOM", "toncoin": "TON",
    "shiba": "SHIB", "shibainu": "SHIB", "bitcoincash": "BCH", "filecoin": "FIL", "aptos": "APT", "arbitrum": "ARB",
    "optimism": "OP", "algorand": "ALGO", "tezos": "XTZ", "hedera": "HBAR", "aave": "AAVE", "injective": "INJ",
}  # fmt: skip

TICKERS = words_of(
    "BTC ETH SOL BNB XRP ADA DOGE LTC DOT LINK AVAX POL TRX UNI XLM XMR ATOM TON SHIB BCH FIL APT ARB ALGO XTZ HBAR "
    "AAVE INJ SUI PEPE ICP VET GRT MKR EOS ETC ZEC DASH NEO RUNE FTM SAND MANA AXS EGLD KAS SEI TIA WIF BONK"
)

SPELLINGS = (("bitcoin cash", "bitcoincash"), ("shiba inu", "shibainu"), ("binance coin", "binancecoin"))
PAIR = re.compile(r"(?:([a-z0-9_]+):)?([a-z0-9]{2,10})[/\-_]([a-z]{3,5})")
AT_VENUE = re.compile(r"([a-z][a-z0-9_]+):([a-z0-9]{2,12})")
GLUED = re.compile(r"([a-z0-9]{2,8})(usdt|usd)")
TICKER = re.compile(r"[a-z][a-z0-9]{1,9}")
# Parts of a number: the coins listed under such names are not worth an order of the wrong thing.
NUMBERS = words_of(
    "hundred hundreds thousand thousands grand million millions billion billions dozen twenty thirty forty fifty sixty "
    "seventy eighty ninety half halves third thirds quarter quarters fifth fifths tenth tenths percent"
)


def coin(word: str) -> str | None:
    """'BTC/USDT' of btc, bitcoin, btc/usdt, btc-usdt, btcusdt; kucoin:btc keeps its venue; None for all else."""
    word = word.lower().removesuffix("'s")
    if (match := AT_VENUE.fullmatch(word)) and (known := coin(match[2])):
        return f"{match[1]}:{known}"
    if match := PAIR.fullmatch(word):
        venue, base, quote = match.groups()
        base = NAMES.get(base, base.upper())
        quote = QUOTE if quote in MONEY else quote.upper()
        if quote == QUOTE or venue or base in TICKERS:
            return f"{venue}:{base}/{quote}" if venue else f"{base}/{quote}"
        return None
    if word in NAMES:
        return f"{NAMES[word]}/{QUOTE}"
    if word.upper() in TICKERS:
        return f"{word.upper()}/{QUOTE}"
    if (match := GLUED.fullmatch(word)) and (known := coin(match[1])):
        return known
    return None


def ticker(word: str) -> str | None:
    """Like coin, and any other word that could be a ticker: 'XYZ/USDT'. Whether it trades is for the market to say."""
    known = coin(word)
    if known:
        return known
    word = word.lower()
    if word in MONEY or word in FOREIGN or word in NUMBERS or not TICKER.fullmatch(word):
        return None
    return f"{word.upper()}/{QUOTE}"


def spoken(symbol: str) -> str:
    """'btc' of 'BTC/USDT'; pairs in another quote stay whole."""
    base, _, quote = symbol.partition("/")
    return base.lower() if quote == QUOTE and ":" not in base else symbol.lower()

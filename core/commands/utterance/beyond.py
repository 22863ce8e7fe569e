"""What is beyond the assistant, or too much to guess: said plainly, with what it can do instead."""

import re

from core.commands.utterance.reading import Understood, ask

MONEY = re.compile(
    r"(withdraw|deposit|pay out|cash out|payout|transfer|send(?! me\b)|wire|top up|add funds|fund my account)\b"
)
LEND = re.compile(r"(stake|lend|borrow|leverage|margin|bridge|mint|airdrop)\b")
WIPE = re.compile(
    r"(delete|remove|clear|erase|wipe|withdraw|kill|drop)( it)?( all| everything| it all| all of it| all of them)$"
)
HALT = re.compile(
    r"((stop|halt|kill|pause|freeze|end|abort) (everything|it all|all of it|all trading|trading|now)|"
    r"(halt|kill) all|emergency|kill switch|abort|help me stop|stop stop( stop)*)$"
)


def beyond(text: str) -> Understood | None:
    """A plain answer to what cannot be done or is too much to guess; None for everything else."""
    if HALT.match(text):
        return ask(
            "What should stop? panic stops everything at once and asks afterwards whether to sell.",
            "panic",
            "sell everything",
            "stop all strategies",
            "cancel all orders",
        )
    if WIPE.match(text) and not text.startswith("withdraw"):
        return ask(
            "What should be removed? Nothing is, until you say it.", "cancel all orders", "delete all alerts", "reset"
        )
    if MONEY.match(text) and not re.search(r"\b(orders?|alerts?)\b", text):
        if text.startswith("cash out ") and not re.match(r"cash out (\$|\d|money|everything|all$)", text):
            return None
        return ask(
            "I cannot withdraw, deposit or send money: I trade on a paper account, and nothing leaves it or comes in. "
            "To see it write balance; to start over with fresh paper money: reset 10000."
        )
    if LEND.match(text):
        return ask("I buy and sell coins for USDT, nothing else: no staking, lending or leverage.")
    return None

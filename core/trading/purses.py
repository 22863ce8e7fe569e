"""Purses: the name of a trading account tells whose it is and where. `USER` trades on paper, `USER@VENUE` live."""

from core.trading.orders import Mode

PAPER_MARK = "@"


def live_account(user: str, venue: str) -> str:
    """The account with which a user trades live at a venue."""
    return f"{user}{PAPER_MARK}{venue}"


def owner_of(account: str) -> str:
    """The user whose account it is."""
    return account.partition(PAPER_MARK)[0]


def venue_of(account: str) -> str | None:
    """The venue of a live account; None on paper."""
    return account.partition(PAPER_MARK)[2] or None


def mode_of(account: str) -> Mode:
    """Whether the account trades on paper or live."""
    return "LIVE" if PAPER_MARK in account else "PAPER"


def title_of(account: str) -> str:
    """'PAPER', or 'LIVE binance'."""
    venue = venue_of(account)
    return "PAPER" if venue is None else f"LIVE {venue}"

"""The SMA cross on next-open fills, calculated by hand in exact fractions, from the rules and not the kernel."""

from fractions import Fraction


def averages_above(closes: list[Fraction], fast: int, slow: int) -> list[bool | None]:
    """Whether the fast average lies above the slow one; None before both exist."""
    known: list[bool | None] = []
    for t in range(len(closes)):
        if t + 1 < slow:
            known.append(None)
        else:
            quick = sum(closes[t + 1 - fast : t + 1]) / fast
            calm = sum(closes[t + 1 - slow : t + 1]) / slow
            known.append(quick > calm)
    return known


def sma_cross_equity(
    opens: list[float], closes: list[float], fast: int, slow: int, cash: float, fee: float, slippage: float
) -> tuple[list[float], int]:
    """(equity at each close, number of fills): decided at a close, filled at the next open moved by the slippage."""
    exact = [Fraction(repr(close)) for close in closes]
    above = averages_above(exact, fast, slow)
    charge, slip = Fraction(repr(fee)), Fraction(repr(slippage))
    # The money is rounded to 60 digits, far below what is compared, so that the fractions stay short.
    scale = 10**60
    money, coins, fills = Fraction(repr(cash)), Fraction(0), 0
    wish: str | None = None
    equity = []
    for t, opened in enumerate(opens):
        if wish == "in" and coins == 0:
            price = Fraction(repr(opened)) * (1 + slip)
            coins = money / (price * (1 + charge))
            money = Fraction(0)
            fills += 1
        elif wish == "out" and coins > 0:
            price = Fraction(repr(opened)) * (1 - slip)
            money = coins * price * (1 - charge)
            coins = Fraction(0)
            fills += 1
        money, coins = Fraction(round(money * scale), scale), Fraction(round(coins * scale), scale)
        wish = None
        if t > 0 and above[t] is not None and above[t - 1] is not None and above[t] != above[t - 1]:
            wish = "in" if above[t] else "out"
        equity.append(float(money + coins * exact[t]))
    return equity, fills

"""The plain Numba loops that the kernel is measured against, for SMA 20/50 and nothing else.

plain_loop: the same semantics. Signals from rolling sums of integer cents, fills at the next open with fee, slippage
and the cap of a quarter of the bar's volume, equity at every close, every fill kept.
lean_loop: what one would write in ten minutes. Rolling sums of floats, whose ties rounding decides, and no cap.
"""

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, error_model="numpy")
def plain_loop(
    opened: Any, close: Any, volume: Any, scale: float, fast: int, slow: int, cash: float, fee: float, slip: float,
    share: float,
) -> Any:  # fmt: skip
    """(equity (n,), fills (k, 4): bar, side, price, quantity)"""
    n = len(close)
    equity = np.empty(n)
    fills = np.empty((n // 4 + 8, 4))
    used = 0
    coins = 0.0
    wish = -1.0
    before = 2
    units = np.empty(n, np.int64)
    quick, calm = np.int64(0), np.int64(0)
    for t in range(n):
        if wish >= 0.0:
            room = volume[t] * share
            if wish == 1.0:
                price = opened[t] * (1.0 + slip)
                worth = cash + coins * price
                quantity = (worth - coins * price) / (price * (1.0 + fee))
                capped = quantity > room
                quantity = min(quantity, room)
                cash = cash - price * quantity - price * quantity * fee
                coins += quantity
            else:
                price = opened[t] * (1.0 - slip)
                quantity = min(coins, room)
                capped = quantity < coins
                cash = cash + price * quantity - price * quantity * fee
                coins -= quantity
            if quantity > 0.0:
                fills[used, 0], fills[used, 1], fills[used, 2], fills[used, 3] = t, wish, price, quantity
                used += 1
            if not capped:
                wish = -1.0
        units[t] = np.int64(np.rint(close[t] * scale))
        calm += units[t]
        quick += units[t]
        if t >= fast:
            quick -= units[t - fast]
        if t >= slow:
            calm -= units[t - slow]
        if t >= slow - 1:
            above = 1 if quick * slow > calm * fast else 0
            if before != 2 and above != before:
                wish = float(above)
                if wish == 0.0 and coins == 0.0:
                    wish = -1.0
            before = above
        equity[t] = cash + coins * close[t]
    return equity, fills[:used]


@numba.njit(cache=True, error_model="numpy")
def lean_loop(opened: Any, close: Any, fast: int, slow: int, cash: float, fee: float, slip: float) -> Any:
    """(equity (n,), fills (k, 4): bar, side, price, quantity)"""
    n = len(close)
    equity = np.empty(n)
    fills = np.empty((n // 4 + 8, 4))
    used = 0
    coins = 0.0
    wish = -1
    before = 2
    quick, calm = 0.0, 0.0
    for t in range(n):
        if wish == 1:
            price = opened[t] * (1.0 + slip)
            coins = cash / (price * (1.0 + fee))
            cash = 0.0
            fills[used, 0], fills[used, 1], fills[used, 2], fills[used, 3] = t, 1.0, price, coins
            used += 1
        elif wish == 0:
            price = opened[t] * (1.0 - slip)
            cash = coins * price * (1.0 - fee)
            fills[used, 0], fills[used, 1], fills[used, 2], fills[used, 3] = t, 0.0, price, coins
            used += 1
            coins = 0.0
        wish = -1
        quick += close[t]
        calm += close[t]
        if t >= fast:
            quick -= close[t - fast]
        if t >= slow:
            calm -= close[t - slow]
        if t >= slow - 1:
            above = 1 if quick * slow > calm * fast else 0
            if before != 2 and above != before and (above == 1 or coins > 0.0):
                wish = above
            before = above
        equity[t] = cash + coins * close[t]
    return equity, fills[:used]

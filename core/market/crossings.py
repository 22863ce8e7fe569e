"""Kernels that look for profit between books: one pair at several venues, and three pairs in a circle at one.

Numba keeps them beside this file, as those of `core.market.levels`, whose layout of `tops` they read.
"""

import numpy as np

from core.market.levels import Floats, Integers, kernel

BUY, SELL = 1, 0  # the side of a book that is taken: offers for a buy, bids for a sale


@kernel
def crossed(
    tops: Floats, lengths: Integers, seen: Integers, fees: Floats, members: Integers, now: int, oldest: int,
    out: Floats,
) -> int:  # fmt: skip
    """Buying at one market and selling at another, level by level to the last that pays.

    tops (markets, 2, 2, depth), lengths (markets, 2): the best levels; seen (markets,): UTC ms, fees (markets,): taker
    members: markets of one pair; oldest: ms that a book may be old
    out (rows, 5): buy at, sell at, quantity, spent with fees, got after fees. Returns how many rows.
    """
    found = 0
    for buy in members:
        if lengths[buy, 1] == 0 or now - seen[buy] > oldest:
            continue
        dear = 1.0 + fees[buy]
        for sell in members:
            if sell == buy or lengths[sell, 0] == 0 or now - seen[sell] > oldest:
                continue
            net = 1.0 - fees[sell]
            if tops[sell, 0, 0, 0] * net <= tops[buy, 1, 0, 0] * dear:
                continue
            ask, bid = 0, 0
            offered, wanted = tops[buy, 1, 1, 0], tops[sell, 0, 1, 0]
            quantity, spent, got = 0.0, 0.0, 0.0
            while True:
                low, high = tops[buy, 1, 0, ask] * dear, tops[sell, 0, 0, bid] * net
                if high <= low:
                    break
                taken = min(offered, wanted)
                quantity += taken
                spent += taken * low
                got += taken * high
                offered -= taken
                wanted -= taken
                if offered <= 0.0:
                    ask += 1
                    if ask >= lengths[buy, 1]:
                        break
                    offered = tops[buy, 1, 1, ask]
                if wanted <= 0.0:
                    bid += 1
                    if bid >= lengths[sell, 0]:
                        break
                    wanted = tops[sell, 0, 1, bid]
            if found < out.shape[0]:
                out[found, 0], out[found, 1], out[found, 2] = buy, sell, quantity
                out[found, 3], out[found, 4] = spent, got
                found += 1
    return found


@kernel
def circled(
    tops: Floats, lengths: Integers, seen: Integers, fees: Floats, legs: Integers, sides: Integers, chosen: Integers,
    now: int, oldest: int, out: Floats,
) -> int:  # fmt: skip
    """Three trades in a circle at one venue, as deep as the circle pays; what one brings, the next spends.

    legs, sides (circles, 3): market, BUY or SELL; chosen: the circles to look at; others as in `crossed`
    out (rows, 3): circle, spent at the beginning, got at the end. Returns how many rows.
    """
    found = 0
    place, left, rate = np.zeros(3, np.int64), np.zeros(3), np.zeros(3)
    for circle in chosen:
        product, usable = 1.0, True
        for leg in range(3):
            market, side = legs[circle, leg], sides[circle, leg]
            if lengths[market, side] == 0 or now - seen[market] > oldest:
                usable = False
                break
            price = tops[market, side, 0, 0]
            product *= 1.0 / (price * (1.0 + fees[market])) if side == 1 else price * (1.0 - fees[market])
        if not usable or product <= 1.0:
            continue
        for leg in range(3):
            place[leg] = 0
            left[leg] = tops[legs[circle, leg], sides[circle, leg], 1, 0]
        spent, got = 0.0, 0.0
        while usable:
            amount, before = np.inf, 1.0
            for leg in range(3):
                market, side = legs[circle, leg], sides[circle, leg]
                price = tops[market, side, 0, place[leg]]
                if side == 1:
                    rate[leg] = 1.0 / (price * (1.0 + fees[market]))
                    room = left[leg] / rate[leg]
                else:
                    rate[leg] = price * (1.0 - fees[market])
                    room = left[leg]
                amount = min(amount, room / before)
                before *= rate[leg]
            if before <= 1.0:
                break
            spent += amount
            got += amount * before
            flow = amount
            for leg in range(3):
                market, side = legs[circle, leg], sides[circle, leg]
                left[leg] -= flow * rate[leg] if side == 1 else flow
                flow *= rate[leg]
                if left[leg] <= 1e-12 * tops[market, side, 1, place[leg]]:
                    place[leg] += 1
                    if place[leg] >= lengths[market, side]:
                        usable = False
                    else:
                        left[leg] = tops[market, side, 1, place[leg]]
        if found < out.shape[0]:
            out[found, 0], out[found, 1], out[found, 2] = circle, spent, got
            found += 1
    return found

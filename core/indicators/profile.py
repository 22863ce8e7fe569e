"""The rolling volume profile: each bar's volume is spread evenly over its range, the window's range cut into rows."""

import numpy as np

from core.indicators.compiled import kernel
from core.indicators.described import Floats


@kernel
def profile(
    high: Floats, low: Floats, volume: Floats, highest: Floats, lowest: Floats, period: int, rows: int, share: float
) -> tuple[Floats, Floats, Floats]:
    """(middle of the fullest row, upper and lower edge of the value area). (period + rows) steps per bar.

    highest, lowest: of the window. Of rows equally full the lowest counts. The area grows from it by the fuller
    neighbour, the upper one of two equal. Where the window saw no volume every bar counts the same. What differs by
    less than a billionth is equal.
    """
    n = len(high)
    point, top, bottom = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    within, steps = np.empty(rows), np.empty(rows + 1)
    active = 0  # bars of the window that saw volume
    for t in range(n):
        active += (volume[t] > 0.0) - (t >= period and volume[t - period] > 0.0)
        if t < period - 1:
            continue
        least, most = lowest[t], highest[t]
        if not most > least:
            point[t], top[t], bottom[t] = most, most, most
            continue
        per_price = rows / (most - least)
        within[:] = 0.0
        steps[:] = 0.0
        total = 0.0
        for k in range(t - period + 1, t + 1):
            size = volume[k] if active > 0 else 1.0
            total += size
            lower, upper = (low[k] - least) * per_price, (high[k] - least) * per_price  # in rows
            a, b = min(int(lower), rows - 1), min(int(upper), rows - 1)
            if a == b:
                within[a] += size
                continue
            density = size / (upper - lower)
            within[a] += density * (a + 1 - lower)
            within[b] += density * (upper - b)
            steps[a + 1] += density  # the rows in between hold a whole row each, summed up below
            steps[b] -= density
        equal = 1e-9 * total  # rounding does not decide between rows that hold the same bars
        full, running = 0, 0.0
        for row in range(rows):
            running += steps[row]
            within[row] += running
            if within[row] > within[full] + equal:
                full = row
        under, over, held = full, full, within[full]
        while held < share * total - equal and (under > 0 or over < rows - 1):
            above = within[over + 1] if over < rows - 1 else -np.inf
            below = within[under - 1] if under > 0 else -np.inf
            if above >= below - equal:
                over += 1
                held += above
            else:
                under -= 1
                held += below
        point[t] = least + (full + 0.5) / per_price
        top[t] = least + (over + 1) / per_price
        bottom[t] = least + under / per_price
    return point, top, bottom

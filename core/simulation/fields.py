"""Columns of the kernel's float64 state. A plain array is what Numba, a backtest and a restart share without copying.

account (ACCOUNT,): cash, totals and the cost rules. book (instruments, BOOK): the venue's grids, the present bar,
the position and its protection. orders (slots, ORDER): open orders; KIND 0 is a free slot. fills (n, FILL): what
happened, oldest first; a row of quantity 0 says why an order ended unfilled.

What a caller of `step` fills in for each instrument with a bar: B_PRESENT 1 and B_TIME to B_VOLUME; for a perpetual
with a history of funding also B_FUNDING. Instruments without a bar now get B_PRESENT 0. A bar may skip the full step,
its close becoming B_MARK, where no instrument has B_ACTIVE or B_GUARDED; with A_OBSERVES each close must still go
through `core.simulation.sizes.observe` before it becomes the mark.
"""

from core.trading import tickets

# account
A_CASH = 0  # quote
A_FEES = 1  # quote, paid in total
A_REFS = 2  # the last reference given to an order
A_FILLS = 3  # rows used in fills
A_EQUITY = 4  # at this bar's opens, before any fill of the bar
A_EXPOSED = 5  # steps that ended with a position
A_TURNOVER = 6  # quote, sum of all notionals
A_PHASE = 7  # AT_OPEN or INTRABAR
A_TAKER = 8
A_MAKER = 9
A_SLIPPAGE = 10
A_MODEL = 11  # FIXED, VOLUME_SHARE, SPREAD
A_SHARE = 12  # of a bar's volume
A_LATENCY = 13  # bars
A_TOUCH = 14  # 1: limits fill on touch
A_LEVERAGE = 15  # of perpetuals
A_MAINTENANCE = 16  # fraction of notional
A_LIQUIDATION = 17  # fee, fraction of notional
A_BORROW = 18  # fraction per year
A_RATE = 19  # funding per 8 hours where there is no history
A_FUNDING = 20  # quote, paid in total (received when below zero)
A_INTEREST = 21  # quote, paid in total for what shorts borrowed
A_INSURED = 22  # quote of losses beyond the account, which the venue's insurance fund took
A_MARGINED = 23  # 1 when a perpetual or a short is held, or was in this step
A_SIZING = 24  # AS_GIVEN, FIXED_CASH, FIXED_QUANTITY, FRACTION, VOLATILITY, KELLY
A_SIZE = 25  # its first parameter: quote, base, fraction, volatility per bar, fraction
A_SPAN = 26  # lookback in bars (VOLATILITY) or the least number of trades (KELLY)
A_MOST = 27  # multiple of equity
A_OBSERVES = 28  # 1 when closes must be observed
A_TRADES = 29  # closed round trips of the account, and
A_GAINS = 30  # the mean of their returns
A_SCATTER = 31  # the sum of squared differences from it
ACCOUNT = 32

# book, one row per instrument. A grid is numerator / denominator, exact integers; numerator 0 is no grid
B_TICK = 0
B_TICK_PER = 1
B_LOT = 2
B_LOT_PER = 3
B_MIN_NOTIONAL = 4
B_PRESENT = 5  # 1 when the instrument has a bar in this step
B_TIME = 6  # ms, of the present bar's open
B_OPEN = 7
B_HIGH = 8
B_LOW = 9
B_CLOSE = 10
B_VOLUME = 11  # base; NaN is unknown
B_BARS = 12  # bars seen
B_ROOM = 13  # base that this bar's volume still allows
B_START = 14  # position before any fill of this bar
B_QUANTITY = 15  # base, signed
B_ENTRY = 16  # average entry price
B_MARK = 17  # last close, NaN before the first
B_STOP = 18  # protective prices, NaN is none
B_TARGET = 19
B_TRAIL = 20  # fraction of the best price since entry
B_PEAK = 21  # that best price
B_EXIT = 22  # reason of a protective exit that volume has not yet allowed to finish
B_REF = 23  # the order that last opened or increased the position
B_OPENED = 24  # phase of this bar in which the position was opened or increased, 0 when earlier
B_GUARDED = 25  # GUARD when any protection or exit is live, plus MARGIN when the position must be margined
B_ACTIVE = 26  # open orders
B_PERPETUAL = 27  # 1 for a perpetual
B_FUNDING = 28  # fraction due at the present bar's open; NaN: no history, A_RATE every 8 hours
B_SEEN = 29  # ms, the last bar that was matched
B_DISTANCE = 30  # quote, a trail by an absolute distance
B_VARIANCE = 31  # mean squared return from close to close
B_RETURNS = 32  # how many it has seen
B_FLOW = 33  # quote that the open round trip has brought so far, net of fees
B_STAKE = 34  # quote of its entries
B_LAST = 35  # price of the fill that last opened or increased the position
B_PAID = 36  # quote of funding and interest since the last fill
BOOK = 37

# orders
O_KIND = 0
O_INSTRUMENT = 1
O_SIDE = 2  # +1, -1; 0 is found at the fill (market orders by exposure)
O_MODE = 3  # BY_QUANTITY, BY_SPEND, or an aim for the position: BY_EXPOSURE, BY_WORTH, BY_POSITION
O_AMOUNT = 4  # what remains of it; an aim stays
O_LIMIT = 5
O_TRIGGER = 6
O_TRAIL = 7  # fraction
O_DISTANCE = 8  # quote
O_PEAK = 9
O_STOP = 10
O_TARGET = 11
O_PROTECT_TRAIL = 12
O_REDUCE = 13
O_TIF = 14
O_EXPIRES = 15  # ms
O_ELIGIBLE = 16  # the instrument's bar count from which it may fill
O_REF = 17
O_TRIGGERED = 18
O_GROUP = 19  # orders of one number cancel each other; 0 is none
O_VISITED = 20  # the bar count in which its group was last matched
O_PARENT = 21  # a partial target: reference of its entry; 0 for every other order
O_CHILDREN = 22  # partial targets of this order
O_FROM = 23  # a partial target closes this part of what its entry opened, counted from O_FROM
O_UNTIL = 24  # up to O_UNTIL
O_OPENED = 25  # base that an entry has opened so far
O_PROTECT_DISTANCE = 26  # quote
ORDER = 27

# fills
F_REF = 0
F_INSTRUMENT = 1
F_TIME = 2
F_SIDE = 3
F_PRICE = 4
F_QUANTITY = 5
F_FEE = 6
F_MAKER = 7
F_REASON = 8
F_REMAINING = 9  # base still wanted by the order
F_PHASE = 10
F_PAID = 11  # quote of funding and interest that the position cost since the fill before
FILL = 12

MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = 1, 2, 3, 4, 5
BY_QUANTITY, BY_SPEND, BY_EXPOSURE, BY_WORTH, BY_POSITION = 0, 1, 2, 3, 4  # from BY_EXPOSURE on: aims
AS_GIVEN, FIXED_CASH, FIXED_QUANTITY, FRACTION, VOLATILITY, KELLY = 0, 1, 2, 3, 4, 5
GUARD, MARGIN = 1, 2
GTC, IOC, FOK, GTD = 0, 1, 2, 3
FIXED, VOLUME_SHARE, SPREAD = 0, 1, 2
AT_OPEN, INTRABAR = 1, 2

KINDS = ("", *tickets.KINDS)
TIMES_IN_FORCE = tickets.TIMES_IN_FORCE
MODELS = ("fixed", "volume_share", "spread")

# why a fill happened
ENTRY, EXIT, STOPPED, TARGETED, TRAILED, LIQUIDATED = 1, 2, 3, 4, 5, 6
# why an order ended without (the rest of) its fill
NOTHING, NO_CASH, TOO_SMALL, EXPIRED, NOT_IMMEDIATE, SUPERSEDED, GROUPED = 11, 12, 13, 14, 15, 16, 17
REASONS = {
    ENTRY: "entry", EXIT: "exit", STOPPED: "stop", TARGETED: "target", TRAILED: "trail",
    LIQUIDATED: "liquidation", NOTHING: "nothing_to_do", NO_CASH: "insufficient_funds", TOO_SMALL: "below_minimum",
    EXPIRED: "expired", NOT_IMMEDIATE: "not_immediate",
    SUPERSEDED: "position_closed", GROUPED: "group_filled",
}  # fmt: skip

# what decide asks for, as bits
CANCEL, PLACE, PROTECT = 1, 2, 4

DUST = 1e-9  # a rebalance below this share of equity is rounding, not a trade
FUNDED = 28_800_000.0  # ms from one funding to the next, from midnight UTC on
YEAR = 31_557_600_000.0  # ms of 365.25 days, as interest counts
EMPTY = 1e-12  # a position below this share of the fill that closed it is zero

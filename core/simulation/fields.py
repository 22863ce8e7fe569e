"""Columns of the kernel's float64 state. A plain array is what Numba, a backtest and a restart share without copying.

account (ACCOUNT,): cash, totals and the cost rules. book (instruments, BOOK): the venue's grids, the present bar,
the position and its protection. orders (slots, ORDER): open orders; KIND 0 is a free slot. fills (n, FILL): what
happened, oldest first; a row of quantity 0 says why an order ended unfilled.
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
ACCOUNT = 15

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
B_GUARDED = 25  # 1 when any protection or exit is live
B_ACTIVE = 26  # open orders
BOOK = 27

# orders
O_KIND = 0
O_INSTRUMENT = 1
O_SIDE = 2  # +1, -1; 0 is found at the fill (market orders by exposure)
O_MODE = 3  # BY_QUANTITY, BY_SPEND, BY_EXPOSURE
O_AMOUNT = 4  # what remains of it; an exposure stays
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
ORDER = 19

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
FILL = 11

MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING = 1, 2, 3, 4, 5
BY_QUANTITY, BY_SPEND, BY_EXPOSURE = 0, 1, 2
GTC, IOC, FOK, GTD = 0, 1, 2, 3
FIXED, VOLUME_SHARE, SPREAD = 0, 1, 2
AT_OPEN, INTRABAR = 1, 2

KINDS = ("", *tickets.KINDS)
TIMES_IN_FORCE = tickets.TIMES_IN_FORCE
MODELS = ("fixed", "volume_share", "spread")

# why a fill happened
ENTRY, EXIT, STOPPED, TARGETED, TRAILED = 1, 2, 3, 4, 5
# why an order ended without (the rest of) its fill
NOTHING, NO_CASH, TOO_SMALL, EXPIRED, NOT_IMMEDIATE, SUPERSEDED = 11, 12, 13, 14, 15, 16
REASONS = {
    ENTRY: "entry", EXIT: "exit", STOPPED: "stop", TARGETED: "target", TRAILED: "trail", NOTHING: "nothing_to_do",
    NO_CASH: "insufficient_funds", TOO_SMALL: "below_minimum", EXPIRED: "expired", NOT_IMMEDIATE: "not_immediate",
    SUPERSEDED: "position_closed",
}  # fmt: skip

# what decide asks for, as bits
CANCEL, PLACE, PROTECT = 1, 2, 4

DUST = 1e-9  # a rebalance below this share of equity is rounding, not a trade
EMPTY = 1e-12  # a position below this share of the fill that closed it is zero

"""Units and ranges that many indicators share."""

# what values are
PRICE = "price"
DIFFERENCE = "price difference"
PERCENT = "0 to 100"
EITHER = "-100 to 100"
FRACTION = "fraction"
RATIO = "ratio"
VOLUME = "volume"
SIGN = "-1, 0 or 1"
BANDS = {"upper": PRICE, "middle": PRICE, "lower": PRICE}

# (low, high, help)
AVERAGED = (1, 100_000, "bars averaged")
LOOKBACK = (1, 100_000, "bars looked back")
WINDOW = (2, 100_000, "bars looked back")
SHORT = (2, 2_000, "bars looked back")  # where each bar goes through all of them
FAST = (2, 100_000, "bars of the fast average")
SLOW = (2, 100_000, "bars of the slow average")
SIGNAL = (1, 100_000, "bars of the signal's average")
WIDTH = (0.01, 100.0, "how many of them to either side")

"""Candlestick patterns: 1 where a bullish one is complete, -1 where a bearish one is, 0 elsewhere, NaN in the warm-up.

A pattern is judged against the average body and shadow of the bars before, so all are causal; a Hikkake counts 2 or -2
on the bar that confirms it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.indicators.described import Floats, indicator
from core.indicators.ta import one

DEPTH = (0.0, 1.0, "how far into the body before it must reach, a fraction of that body")

# name: (TA-Lib's, warm-up, what it is)
PATTERNS: dict[str, tuple[str, int, str]] = {
    "two_crows": ("CDL2CROWS", 12, "A gap up of two falling bars that begins to close."),
    "three_black_crows": ("CDL3BLACKCROWS", 13, "Three long falling bars in a row."),
    "three_inside": ("CDL3INSIDE", 12, "A harami that the third bar confirms."),
    "three_line_strike": ("CDL3LINESTRIKE", 8, "Three bars one way, undone by the fourth."),
    "three_outside": ("CDL3OUTSIDE", 3, "An engulfing bar that the third bar confirms."),
    "three_stars_in_the_south": ("CDL3STARSINSOUTH", 12, "Three falling bars, each smaller."),
    "three_white_soldiers": ("CDL3WHITESOLDIERS", 12, "Three long rising bars in a row."),
    "advance_block": ("CDLADVANCEBLOCK", 12, "Three rising bars that lose strength."),
    "belt_hold": ("CDLBELTHOLD", 10, "A long bar that opens at its extreme."),
    "breakaway": ("CDLBREAKAWAY", 14, "A gap with the trend that the fifth bar closes."),
    "closing_marubozu": ("CDLCLOSINGMARUBOZU", 10, "A long bar that closes at its extreme."),
    "concealing_baby_swallow": ("CDLCONCEALBABYSWALL", 13, "Four falling bars, the last engulfing the third."),
    "counterattack": ("CDLCOUNTERATTACK", 11, "A long bar that closes where the opposite one before did."),
    "doji": ("CDLDOJI", 10, "Open and close are nearly equal."),
    "doji_star": ("CDLDOJISTAR", 11, "A doji that gaps away from a long bar."),
    "dragonfly_doji": ("CDLDRAGONFLYDOJI", 10, "A doji with a long lower shadow alone."),
    "engulfing": ("CDLENGULFING", 2, "A body that covers the opposite one before."),
    "gap_side_by_side_white": ("CDLGAPSIDESIDEWHITE", 7, "Two alike rising bars behind a gap."),
    "gravestone_doji": ("CDLGRAVESTONEDOJI", 10, "A doji with a long upper shadow alone."),
    "hammer": ("CDLHAMMER", 11, "A small body atop a long lower shadow, after a fall."),
    "hanging_man": ("CDLHANGINGMAN", 11, "A small body atop a long lower shadow, after a rise."),
    "harami": ("CDLHARAMI", 11, "A small body within the long one before."),
    "harami_cross": ("CDLHARAMICROSS", 11, "A doji within the long body before."),
    "high_wave": ("CDLHIGHWAVE", 10, "A small body between two very long shadows."),
    "hikkake": ("CDLHIKKAKE", 5, "An inside bar whose break fails."),
    "hikkake_modified": ("CDLHIKKAKEMOD", 10, "A Hikkake with a close near the extreme first."),
    "homing_pigeon": ("CDLHOMINGPIGEON", 11, "A small falling body within a long falling one."),
    "identical_three_crows": ("CDLIDENTICAL3CROWS", 12, "Three black crows, each opening at the close before."),
    "in_neck": ("CDLINNECK", 11, "A rising bar that closes just within the fallen body."),
    "inverted_hammer": ("CDLINVERTEDHAMMER", 11, "A small body below a long upper shadow, after a fall."),
    "kicking": ("CDLKICKING", 11, "Two opposite marubozus with a gap between."),
    "kicking_by_length": ("CDLKICKINGBYLENGTH", 11, "Kicking, told by the longer marubozu."),
    "ladder_bottom": ("CDLLADDERBOTTOM", 14, "Four falling bars, then a gap up."),
    "long_legged_doji": ("CDLLONGLEGGEDDOJI", 10, "A doji with a long shadow."),
    "long_line": ("CDLLONGLINE", 10, "A long body with short shadows."),
    "marubozu": ("CDLMARUBOZU", 10, "A long body with hardly a shadow."),
    "matching_low": ("CDLMATCHINGLOW", 6, "Two falling bars with the same close."),
    "on_neck": ("CDLONNECK", 11, "A rising bar that closes at the low before."),
    "piercing": ("CDLPIERCING", 11, "A rising bar that closes above the middle of the fallen body."),
    "rickshaw_man": ("CDLRICKSHAWMAN", 10, "A long-legged doji with its body in the middle."),
    "rise_fall_three_methods": ("CDLRISEFALL3METHODS", 14, "A long bar, a pause of three, and on it goes."),
    "separating_lines": ("CDLSEPARATINGLINES", 11, "A bar that opens where the opposite one before did."),
    "shooting_star": ("CDLSHOOTINGSTAR", 11, "A small body below a long upper shadow, after a gap up."),
    "short_line": ("CDLSHORTLINE", 10, "A short body with short shadows."),
    "spinning_top": ("CDLSPINNINGTOP", 10, "A small body between longer shadows."),
    "stalled": ("CDLSTALLEDPATTERN", 12, "Two long rising bars and a small one."),
    "stick_sandwich": ("CDLSTICKSANDWICH", 7, "Two falling bars with the same close around a rising one."),
    "takuri": ("CDLTAKURI", 10, "A dragonfly doji with a very long lower shadow."),
    "tasuki_gap": ("CDLTASUKIGAP", 7, "A gap with the trend that the third bar does not close."),
    "thrusting": ("CDLTHRUSTING", 11, "A rising bar that closes below the middle of the fallen body."),
    "tristar": ("CDLTRISTAR", 12, "Three dojis, the middle one apart."),
    "unique_three_river": ("CDLUNIQUE3RIVER", 12, "A long fall, a hammer with a new low, a small rise."),
    "upside_gap_two_crows": ("CDLUPSIDEGAP2CROWS", 12, "Two falling bars above a gap that stays open."),
    "gap_three_methods": ("CDLXSIDEGAP3METHODS", 2, "A gap with the trend that the third bar closes."),
}

# the same, with the depth that counts when none is given
DEEP: dict[str, tuple[str, int, float, str]] = {
    "abandoned_baby": ("CDLABANDONEDBABY", 12, 0.3, "A doji alone between two gaps, and the turn."),
    "dark_cloud_cover": ("CDLDARKCLOUDCOVER", 11, 0.5, "A falling bar that opens above and closes within the rise."),
    "evening_doji_star": ("CDLEVENINGDOJISTAR", 12, 0.3, "A doji above a long rise, and the fall."),
    "evening_star": ("CDLEVENINGSTAR", 12, 0.3, "A small body above a long rise, and the fall."),
    "mat_hold": ("CDLMATHOLD", 14, 0.5, "A long rise, a pause of three above it, and on it goes."),
    "morning_doji_star": ("CDLMORNINGDOJISTAR", 12, 0.3, "A doji below a long fall, and the rise."),
    "morning_star": ("CDLMORNINGSTAR", 12, 0.3, "A small body below a long fall, and the rise."),
}


def _pattern(name: str, library: str, first: int, summary: str) -> Callable[..., Floats]:
    def found(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
        return _marked(one(library, open, high, low, close), first)

    return _described(found, name, first, summary)


def _deep_pattern(name: str, library: str, first: int, depth: float, summary: str) -> Callable[..., Floats]:
    def found(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, penetration: float = depth) -> Floats:
        return _marked(one(library, open, high, low, close, penetration=penetration), first)

    return _described(found, name, first, summary, penetration=DEPTH)


def _described(
    found: Any, name: str, first: int, summary: str, **ranges: tuple[float, float, str]
) -> Callable[..., Floats]:
    found.__name__ = found.__qualname__ = name
    found.__doc__ = summary
    describe: Any = indicator  # the ranges are checked where the indicator is made
    described: Callable[..., Floats] = describe(
        "pattern", outputs={name: "1 bullish, -1 bearish, else 0"}, warmup=lambda **_: first, **ranges
    )(found)
    return described


def _marked(marks: Floats, first: int) -> Floats:
    marks = marks / 100.0
    marks[:first] = np.nan
    return marks


globals().update({name: _pattern(name, *told) for name, told in PATTERNS.items()})
globals().update({name: _deep_pattern(name, *told) for name, told in DEEP.items()})

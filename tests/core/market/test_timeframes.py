import numpy as np
import pytest

from core.clock import from_ms
from core.errors import InvalidInput
from core.market import timeframes
from core.market.timeframes import TIMEFRAMES, floor, milliseconds, parse, per_year


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1h", "1h"), ("1H", "1h"), ("60m", "1h"), ("1 hour", "1h"), ("4 hours", "4h"), ("24h", "1d"), ("7d", "1w"),
     ("15 min", "15m"), ("60s", "1m"), ("1s", "1s"), ("week", "1w"), ("s", "1s"), ("1 sec", "1s")],
)  # fmt: skip
def test_a_timeframe_is_understood_as_people_write_it(text: str, meant: str) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["1M", "90m", "", "h1", "0m", "-1h", "1y", "1.5h", "5 parsecs"])
def test_what_is_no_timeframe_is_refused_with_everything_that_is(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert f"'{text}'" in refused.value.message
    assert all(name in refused.value.message for name in TIMEFRAMES)


def test_a_year_has_365_days() -> None:
    assert per_year("1h") == 8_760
    assert per_year("1w") == pytest.approx(365 / 7)


@pytest.mark.parametrize("name", list(TIMEFRAMES))
def test_the_bar_of_a_moment_opens_at_or_before_it_and_ends_after_it(name: str) -> None:
    moments = np.array([0, 1, 1_640_995_199_999, 1_640_995_200_000, 1_700_000_000_123], dtype=np.int64)
    opens = floor(moments, name)
    assert (opens <= moments).all()
    assert (moments < opens + milliseconds(name)).all()
    assert (floor(opens, name) == opens).all()
    assert [floor(int(moment), name) for moment in moments] == opens.tolist()


def test_weeks_start_on_monday() -> None:
    monday = from_ms(floor(1_700_000_000_000, "1w"))
    assert monday.weekday() == 0
    assert (monday.hour, monday.minute) == (0, 0)


def test_every_length_has_one_name() -> None:
    assert [timeframes.named(length) for length in TIMEFRAMES.values()] == list(TIMEFRAMES)

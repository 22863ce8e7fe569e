"""Inside a `shared` block what was computed is given again, the very same; outside nothing is kept."""

import contextvars
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.indicators import bollinger, ema, rsi
from core.indicators.crossing import sma_cross
from core.indicators.shared import Memo, once, shared
from tests.core.indicators.test_crossing import exactly


def fixed(values: object) -> NDArray[np.float64]:
    """An array nobody can write to, as the columns of bars are."""
    array = np.array(values, dtype=float)
    array.flags.writeable = False
    return array


CLOSE = fixed(100 + np.cumsum(np.random.default_rng(2).normal(0, 1, 300)))


def test_the_same_call_gives_the_same_arrays_read_only() -> None:
    with shared():
        first, again, other = rsi(CLOSE, 14), rsi(CLOSE, period=14), rsi(CLOSE, 15)
        upper, _, _ = bollinger(CLOSE)
        assert bollinger(CLOSE, 20, 2.0)[0] is upper
    assert again is first
    assert other is not first
    assert not first.flags.writeable
    np.testing.assert_array_equal(first, rsi(CLOSE, 14))


def test_what_is_computed_from_a_kept_result_is_kept_too() -> None:
    with shared():
        assert ema(rsi(CLOSE, 14), 9) is ema(rsi(CLOSE, 14), 9)


def test_outside_the_block_nothing_is_kept() -> None:
    with shared():
        inside = rsi(CLOSE, 14)
    outside = rsi(CLOSE, 14)
    assert outside is not inside
    assert outside.flags.writeable


def test_an_array_that_can_be_written_to_is_computed_each_time() -> None:
    close = CLOSE.copy()
    with shared() as memo:
        before = rsi(close, 14)
        close[-1] *= 2
        assert rsi(close, 14)[-1] != before[-1]
        assert memo.held == 0


def test_equal_arrays_that_are_not_the_same_are_not_confused() -> None:
    with shared():
        assert rsi(fixed(CLOSE), 14) is not rsi(CLOSE, 14)


def test_a_refusal_is_not_kept() -> None:
    with shared():
        for _ in range(2):
            with pytest.raises(InvalidInput):
                rsi(CLOSE, 1)
        with pytest.raises(InvalidInput):
            bollinger(CLOSE.reshape(2, 150))
        rsi(CLOSE, 14)


def test_the_least_lately_used_is_dropped_when_the_memory_is_full() -> None:
    a, b, c = (fixed(np.arange(10.0) + k).view() for k in range(3))
    memo = Memo(most=2 * 80)
    computed: list[str] = []

    def get(name: str, array: NDArray[np.float64]) -> None:
        memo.get((name, id(array)), [array], lambda: (computed.append(name), np.zeros(10))[1])

    get("a", a), get("b", b), get("a", a), get("c", c), get("a", a), get("b", b)
    assert computed == ["a", "b", "c", "b"]
    assert memo.held == 160


def test_a_result_larger_than_the_memory_is_given_and_not_kept() -> None:
    with shared(most=100) as memo:
        assert len(rsi(CLOSE, 14)) == 300
        assert memo.held == 0


def test_threads_that_copy_the_context_wait_for_one_computation() -> None:
    entered, release = threading.Event(), threading.Event()
    computed: list[int] = []
    found: list[NDArray[np.float64]] = []

    def compute() -> NDArray[np.float64]:
        computed.append(1)
        entered.set()
        release.wait(10)
        return np.zeros(3)

    def ask() -> None:
        found.append(once("slow", (CLOSE,), (), compute))

    with shared():
        threads = [threading.Thread(target=contextvars.copy_context().run, args=(ask,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert entered.wait(10)
        release.set()
        for thread in threads:
            thread.join()
    assert len(computed) == 1
    assert all(each is found[0] for each in found)
    assert len(found) == 4


def test_a_failure_reaches_those_who_wait_and_the_next_one_computes_anew() -> None:
    with shared():
        with pytest.raises(ZeroDivisionError):
            once("broken", (CLOSE,), (), lambda: np.zeros(1 // 0))
        assert len(once("broken", (CLOSE,), (), lambda: np.zeros(1))) == 1


ties = st.integers(0, 4).map(lambda k: 100 + k / 10)
thirds = st.integers(1, 4).map(lambda k: k / 3)
wide = st.floats(1e-9, 1e9)
some = st.one_of(*(st.lists(each, max_size=60) for each in (ties, thirds, wide, st.one_of(ties, thirds, wide))))


@given(some)
def test_crossings_from_kept_sums_are_decided_exactly(prices: list[float]) -> None:
    array = fixed(prices)
    with shared():
        for fast, slow in ((1, 2), (2, 3), (2, 4), (3, 7), (5, 20), (7, 40)):
            found = sma_cross(array, fast, slow)
            np.testing.assert_array_equal(found, exactly(prices, fast, slow))
            np.testing.assert_array_equal(found, sma_cross(np.array(prices), fast, slow))


def test_crossings_from_kept_sums_that_wrap_around_are_the_same() -> None:
    rng = np.random.default_rng(5)
    prices = fixed(np.round(9e14 * (1 + rng.integers(-3, 4, 30_000) * 1e-9)))
    with shared() as memo:
        for fast, slow in ((3, 9), (10, 30), (20, 90), (50, 2_000)):
            np.testing.assert_array_equal(sma_cross(prices, fast, slow), sma_cross(prices.copy(), fast, slow))
        assert memo.held > 0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_crossings_of_too_few_bars_from_kept_sums_are_all_unknown(n: int) -> None:
    with shared():
        assert np.isnan(sma_cross(fixed(np.arange(1.0, n + 1)), 2, 4)).all()

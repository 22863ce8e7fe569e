"""Noise that is a pure function of (key, counter): the same numbers in any order, process and year."""

import hashlib

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
HALF = np.float64(2.0**-32)


def key_of(*parts: object) -> int:
    """A 64-bit key for a stream of noise, named by its parts."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def hashed(key: int, counters: NDArray[np.int64]) -> NDArray[np.uint64]:
    """64 well-mixed bits for each counter (n,). Source: Steele, Lea and Flood (2014), SplitMix64."""
    with np.errstate(over="ignore"):
        bits = counters.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        bits ^= bits >> np.uint64(30)
        bits *= np.uint64(0xBF58476D1CE4E5B9)
        bits ^= bits >> np.uint64(27)
        bits *= np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
    return bits


def uniform_pairs(key: int, counters: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Two independent uniforms in (0, 1) for each counter, each (n,)."""
    bits = hashed(key, counters)
    high = (bits >> np.uint64(32)).astype(np.float64)
    low = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64)
    return (high + 0.5) * HALF, (low + 0.5) * HALF


def normal_pairs(key: int, counters: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Two independent standard normals for each counter, each (n,). Source: Box and Muller (1958)."""
    first, second = uniform_pairs(key, counters)
    radius = np.sqrt(-2.0 * np.log(first))
    angle = 2.0 * np.pi * second
    return radius * np.cos(angle), radius * np.sin(angle)


def decaying(scales: tuple[tuple[float, float], ...], length: int) -> FloatArray:
    """Weights of a moving average (length,): a sum of exponential decays, scaled so that their squares sum to 1.

    scales: (steps of the decay, share) of each
    """
    steps = np.arange(length)
    weights = sum((share * np.exp(-steps / scale) for scale, share in scales), np.zeros(length))
    return np.asarray(weights / np.sqrt((weights**2).sum()))


def averaged(key: int, first: int, count: int, weights: FloatArray, skew: float = 0.0) -> FloatArray:
    """Autocorrelated noise (count,) of variance 1 at the counters first, first + 1, …: an average of bounded memory.

    skew: how much the single shocks lean to the right
    """
    shocks = normal_pairs(key, np.arange(first - weights.size + 1, first + count))[0]
    if skew:
        shocks = (shocks + skew * (shocks**2 - 1.0)) / np.sqrt(1.0 + 2.0 * skew**2)
    return np.convolve(shocks, weights, mode="valid")

"""Noise that depends on nothing but its place: (seed, meter, stream, index).

Counter-based generation (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
gives the value at any index at once, so a meter's load at any time needs no history.
NumPy guarantees Philox's bit stream across versions (NEP 19).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from .units import Floats

_WORDS: Final = 4  # 64-bit words that Philox-4x64 makes of one counter value
_MASK: Final = (1 << 64) - 1
_TO_UNIT: Final = 2.0**-53


class Stream(IntEnum):
    """What the noise is used for; streams of one meter are independent."""

    LOAD_QUARTER = 1
    LOAD_HOUR = 2
    CLOUD_DAY = 3
    CLOUD_QUARTER = 4
    FREQUENCY_FAST = 5
    FREQUENCY_SLOW = 6
    VOLTAGE = 7


def uniforms(seed: int, meter: int, stream: Stream, start: int, count: int, width: int) -> Floats:
    """Uniform values in (0, 1], shape [count, width], for the indices from `start` (>= 0)."""
    blocks = -(-width // _WORDS)
    key = [seed & _MASK, ((meter << 8) | stream) & _MASK]
    philox = np.random.Philox(key=key, counter=start * blocks)
    raw = philox.random_raw(count * blocks * _WORDS).reshape(count, blocks * _WORDS)
    return ((raw[:, :width] >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * _TO_UNIT


def gaussian(pairs: Floats) -> Floats:
    """Standard normal values, shape [n], from uniform pairs [n, 2] (Box and Muller, 1958)."""
    radius = np.sqrt(-2.0 * np.log(pairs[:, 0]))
    normal: Floats = radius * np.cos(2.0 * np.pi * pairs[:, 1])
    return normal


def drifting(seed: int, stream: Stream, now: float, period: float, width: int) -> Floats:
    """A continuous walk between uniform values in (-1, 1], shape [width], one each `period` s."""
    index, fraction = divmod(now / period, 1.0)
    ends = uniforms(seed, 0, stream, int(index), 2, width)
    walk: Floats = 2.0 * (ends[0] * (1.0 - fraction) + ends[1] * fraction) - 1.0
    return walk

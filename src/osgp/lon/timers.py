"""Timer codes of EN 14908-1, in milliseconds.

One rule makes all of them: start * 2^(n // 2), times 1.5 for odd n, from 16 ms (transmit, repeat)
or 128 ms (receive). The long transmit timers continue the first at the codes 16..20.
"""

from __future__ import annotations

from osgp.errors import EncodeError


def _ladder(start: int, codes: range) -> tuple[int, ...]:
    return tuple((start << code // 2) * (3 if code % 2 else 2) // 2 for code in codes)


TRANSMIT_MS = _ladder(16, range(16))
"""Transmit and repeat timers by code 0..15."""

LONG_MS = _ladder(16, range(16, 21))
"""Long transmit timers by code 0..4 (repeated requests only)."""

RECEIVE_MS = _ladder(128, range(16))
"""Receive (duplicate detection) timers by code 0..15."""

NEURON_ID_RECEIVE_MS = 8192
"""Least receive timer of messages addressed by Neuron ID."""


def transmit_seconds(code: int, long_timer: bool = False) -> float:
    """Wait for an answer, or between repeats, in seconds. Raises EncodeError: unknown code."""
    table = LONG_MS if long_timer else TRANSMIT_MS
    if not 0 <= code < len(table):
        raise EncodeError(f"{code} is no timer code", field="timer_code")
    return table[code] / 1000


def receive_seconds(code: int) -> float:
    """Life of a receive transaction in seconds. Raises EncodeError for an unknown code."""
    if not 0 <= code < len(RECEIVE_MS):
        raise EncodeError(f"{code} is no timer code", field="receive_timer")
    return RECEIVE_MS[code] / 1000

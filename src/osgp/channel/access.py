"""Channel access: predictive p-persistent CSMA with priority slots, at the power line's speed.

After the channel falls idle a station waits `beta1`, then the priority slots, then a slot drawn
evenly from `base_window` x backlog slots (EN 14908-1, media access).  The backlog is what the
stations expect to be waiting to send: a frame announces how many frames it will cause (delta
backlog), every frame heard takes one off, and so does every idle base window.

Bit rates and preamble: facts of the PL 3120/3150/3170 data book (3.6 kbit/s A band, 5.4 kbit/s
C band, preamble of 35 bit times = 9.70 ms and 6.36 ms).  The number of priority slots is that of
the PLT-22 channel.  Slot lengths, and that one byte takes eight raw bit times (no share of the
air is reserved for forward error correction), are this project's assumptions (Source.PROJECT).
"""

from __future__ import annotations

from random import Random
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

MAX_BACKLOG = 63
"""Largest backlog estimate: the delta backlog field has six bits (EN 14908-1, LPDU header)."""


class Access(Protocol):
    """When a station may send once the channel is idle, and how long its frame occupies it."""

    def delay(self, backlog: int, priority: bool, rng: Random) -> float:
        """Seconds from the channel falling idle to the attempt."""

    def airtime(self, length: int) -> float:
        """Seconds on the line for a frame of `length` bytes, preamble included."""


class PowerLineAccess(msgspec.Struct, frozen=True):
    """The built-in strategy. Lengths in bit times of `bit_rate` (bit/s)."""

    bit_rate: float = 3600.0
    preamble_bits: float = 35.0
    bits_per_byte: float = 8.0
    beta1_bits: float = 12.0
    slot_bits: float = 10.0
    priority_slots: int = 8
    base_window: int = 16

    def delay(self, backlog: int, priority: bool, rng: Random) -> float:
        """A priority frame draws among the priority slots, any other after them."""
        if priority and self.priority_slots:
            slot = int(rng.random() * self.priority_slots)
        else:
            slot = self.priority_slots + int(rng.random() * self.base_window * backlog)
        return (self.beta1_bits + slot * self.slot_bits) / self.bit_rate

    def airtime(self, length: int) -> float:
        return (self.preamble_bits + self.bits_per_byte * length) / self.bit_rate


A_BAND = PowerLineAccess()
C_BAND = PowerLineAccess(bit_rate=5400.0)


class Backlog:
    """The backlog estimate of every station, as one vector.

    Every station keeps its own estimate from the frames it hears, also those it cannot decode
    (an approximation: a real station learns delta backlog only from frames that pass their CRC).
    As long as all estimates are 1 and no frame announces more than one, nothing is computed.
    """

    __slots__ = ("_levels", "_raised", "_updated", "idle_window")

    def __init__(self, stations: int, idle_window: float) -> None:
        self.idle_window = idle_window
        self._levels = np.ones(stations)
        self._updated = np.zeros(stations)
        self._raised = False

    def level(self, station: int, now: float) -> int:
        """The estimate of `station`, 1..MAX_BACKLOG."""
        if not self._raised:
            return 1
        idle = (now - self._updated.item(station)) // self.idle_window
        return max(1, int(self._levels.item(station) - idle))

    def heard(self, hearers: NDArray[np.bool_], delta: int, now: float) -> None:
        """A frame with delta backlog `delta` ended; `hearers` is a mask over all stations."""
        if delta <= 1 and not self._raised:
            return
        idle = (now - self._updated) // self.idle_window
        decayed = np.maximum(self._levels - idle, 1.0)
        heard = np.clip(decayed + (delta - 1), 1.0, MAX_BACKLOG)
        self._raised = bool(np.where(hearers, heard, decayed).max() > 1.0)
        self._levels = np.where(hearers, heard, self._levels) if self._raised else decayed
        self._updated[hearers] = now

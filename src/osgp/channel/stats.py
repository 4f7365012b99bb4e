"""What the line did: counters of frames, and of attempts per link."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class FrameCounts(msgspec.Struct):
    """Frames sent, and what became of them at the stations they were meant for.

    `delivered + corrupted + collided + lost` is the number of attempts: one per frame and
    addressed station (for a frame to everybody: per station in hearing).  Collided means that
    other transmissions drowned the frame, or that the addressee was itself transmitting.
    `unaddressed` frames had nobody to go to; `overflowed` ones found the sender's queue full.
    `airtime` is the sum of frame times in seconds.
    """

    sent: int = 0
    delivered: int = 0
    corrupted: int = 0
    collided: int = 0
    lost: int = 0
    unaddressed: int = 0
    overflowed: int = 0
    airtime: float = 0.0

    @property
    def attempts(self) -> int:
        return self.delivered + self.corrupted + self.collided + self.lost


class StationCounts(msgspec.Struct):
    """One station's share. `received` counts frames handed to it, corrupted ones included."""

    sent: int = 0
    received: int = 0
    overflowed: int = 0
    airtime: float = 0.0


class LinkCounts:
    """Attempts and deliveries per directed link: int32 arrays of shape (senders, receivers)."""

    __slots__ = ("attempts", "delivered")

    def __init__(self, sites: int) -> None:
        self.attempts: NDArray[np.int32] = np.zeros((sites, sites), dtype=np.int32)
        self.delivered: NDArray[np.int32] = np.zeros((sites, sites), dtype=np.int32)

    def success(self, sender: int, receiver: int) -> float | None:
        """Share of attempts that arrived intact, None without attempts."""
        attempts = self.attempts.item(sender, receiver)
        return self.delivered.item(sender, receiver) / attempts if attempts else None

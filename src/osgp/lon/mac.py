"""Medium access: predictive p-persistent CSMA, with the timing of the A-band power line.

After a frame every node waits `BETA1`, lets the priority slots pass, then draws one of
`BASE_WINDOW` times backlog slots of length `BETA2` and sends if nobody has begun before. The
backlog estimates how many frames wait on the whole channel: each frame adds the answers it
announces (delta backlog) and takes itself off; an idle base window takes one off. It never falls
below one. (Window, base of 16 and additive change: M. Miskowicz, Sensors 2007, 7, 3535-3559.)

Sources of the figures: 35 bit times of preamble = 9.70 ms, PL 3120/3150/3170 data book; 8
priority slots, the channel definition PL-20A. This project's own (Source.PROJECT): `BETA2` of 10
bit times, which is how the beta 2 control value E6 of PL-20A reads at 40 + 20 n cycles of
0.6 us; `BETA1` of 12 bit times; and a byte as 8 bit times on the air, that is no redundancy
beyond the CRC, since the forward error correction of the transceiver is not public.
"""

from __future__ import annotations

import random

from osgp.lon.pdu import MAX_BACKLOG

PREAMBLE_BITS = 35
PREAMBLE = 9.70e-3
"""Seconds."""
BIT_TIME = PREAMBLE / PREAMBLE_BITS
"""Seconds; the inverse is 3.6 kbit/s."""
BITS_PER_BYTE = 8
PRIORITY_SLOTS = 8
BASE_WINDOW = 16
BETA1 = 12 * BIT_TIME
"""Seconds between the end of a frame and the first slot."""
BETA2 = 10 * BIT_TIME
"""Seconds per slot."""


class Backlog:
    """One node's estimate of how many frames wait to be sent on the channel, 1..63."""

    __slots__ = ("level",)

    def __init__(self) -> None:
        self.level = 1

    def observe(self, delta_backlog: int) -> None:
        """A frame, sent or heard, is over; it announced `delta_backlog` answers."""
        self.level = max(1, min(MAX_BACKLOG, self.level - 1 + delta_backlog))

    def idle(self, seconds: float) -> None:
        """Nothing was heard for `seconds`."""
        self.level = max(1, self.level - int(seconds / (BASE_WINDOW * BETA2)))


def access_slots(backlog: int, priority_slot: int | None, rng: random.Random) -> int:
    """The slot to send in, counted from the end of `BETA1`.

    `priority_slot` (0..7) is this node's own; None draws among the slots behind all of them.
    """
    if priority_slot is not None:
        return min(priority_slot, PRIORITY_SLOTS - 1)
    return PRIORITY_SLOTS + rng.randrange(BASE_WINDOW * max(1, backlog))


def access_delay(backlog: int, priority_slot: int | None, rng: random.Random) -> float:
    """Seconds between the end of the last frame and the own one."""
    return BETA1 + access_slots(backlog, priority_slot, rng) * BETA2


def airtime(frame_length: int) -> float:
    """Seconds that a frame of `frame_length` bytes (CRC included) occupies the channel."""
    return PREAMBLE + frame_length * BITS_PER_BYTE * BIT_TIME

"""The speed of a serial line, which decides when bytes sent now have left."""

from __future__ import annotations

from typing import Final

import msgspec

BITS_PER_BYTE: Final = 10
"""Start bit, eight data bits, stop bit."""

DEFAULT_SPEED: Final = 9600.0


class Line(msgspec.Struct, frozen=True):
    """`speed` in bits a second; None where nothing limits it (pty, TCP, memory)."""

    speed: float | None = DEFAULT_SPEED

    def airtime(self, count: int) -> float:
        """Seconds that `count` bytes take."""
        return 0.0 if self.speed is None else count * BITS_PER_BYTE / self.speed

    def at(self, speed: float) -> Line:
        """This line at another speed; one without a limit stays so."""
        return self if self.speed is None else Line(speed)


NORMAL: Final = Line()
UNLIMITED: Final = Line(None)

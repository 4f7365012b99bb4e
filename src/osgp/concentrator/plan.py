"""How a concentrator spends the line's time."""

from __future__ import annotations

import msgspec


class Plan(msgspec.Struct, frozen=True):
    """Intervals in seconds.

    `visit_every`: registers, new load-profile intervals and new events of each device.
    `discover_every`: looking for new devices once discovery has settled.
    `back_off`: waits after the first, second ... failed visit; the last one repeats.
    `lost_after`: failed visits in a row until a device counts as lost.
    `settle`: after the end of a load-profile interval, before reading it.
    """

    domain: bytes = b"\x4f\x53\x47"
    subnet: int = 1
    node: int = 127
    visit_every: float = 12 * 3600.0
    discover_every: float = 3600.0
    back_off: tuple[float, ...] = (30.0, 120.0, 600.0, 3600.0)
    lost_after: int = 5
    retry: int = 3
    timer_code: int = 12
    query_timer_code: int = 13
    query_responses: int = 15
    ranges: int = 8

    def back_off_after(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (1 or more)."""
        return self.back_off[min(failures, len(self.back_off)) - 1]

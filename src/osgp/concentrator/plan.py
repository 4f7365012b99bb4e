"""How a concentrator spends the line's time."""

from __future__ import annotations

import msgspec


class Plan(msgspec.Struct, frozen=True):
    """Intervals in seconds.

    `visit_every`: registers, new load-profile intervals and new events of each device.
    `discover_every`: looking for new devices once discovery has settled.
    `back_off`: waits after the first, second ... failed visit; the last one repeats.
    `lost_after`: failed visits in a row until a device counts as lost.
    `search_every`: letting each device look for those that the concentrator cannot hear.
    `patience`: devices that look in vain until the rest is left for the next time.
    `quest`: devices asked, at most, whether they hear one that does not answer any more.
    `strangers`: devices, at most, that answered but cannot be commissioned.
    `adopt_after`: a device registered elsewhere is taken over after this long without contact:
    longer than any concentrator leaves it alone, so two visits and a little.
    `frame_time`: what a long frame takes with access to the medium; `hop_retry`: further tries on
    one link of a chain.
    """

    domain: bytes = b"\x4f\x53\x47"
    subnet: int = 1
    node: int = 127
    visit_every: float = 24 * 3600.0
    discover_every: float = 3600.0
    back_off: tuple[float, ...] = (30.0, 120.0, 600.0, 3600.0)
    lost_after: int = 5
    searches: int = 100
    retry: int = 3
    timer_code: int = 12
    query_timer_code: int = 13
    query_responses: int = 15
    ranges: int = 8
    search_every: float = 24 * 3600.0
    patience: int = 8
    quest: int = 5
    strangers: int = 64
    adopt_after: float = 50 * 3600.0
    frame_time: float = 0.25
    hop_retry: int = 5

    @property
    def idle_minutes(self) -> int:
        """`adopt_after` as a query has it."""
        return min(0xFFFE, int(self.adopt_after // 60))

    def back_off_after(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (1 or more)."""
        return self.back_off[min(failures, len(self.back_off)) - 1]

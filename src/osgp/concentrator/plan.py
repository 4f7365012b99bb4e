"""How a concentrator spends the line's time."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from osgp.security.aes_client import VALIDITY_DAYS
from osgp.security.guard import MAX_USES


class Suite(StrEnum):
    """Which security suite devices are to speak (see `osgp.concentrator.suites`)."""

    OMA = "oma"
    """The old one, but for those that speak the new one already."""
    AES = "aes"
    """OSGP-AES-128-PSK, wherever the device's factory key is known."""
    MIGRATE = "migrate"
    """As AES, but devices are read in the old suite first."""


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
    `key_uses`, `key_validity_days`: a short-term key is renewed at 80 % of the first, or after the
    second. `handshakes_a_day`: begun with one device.
    `clock_every`: a device's clock is looked at, and set if it is off by more than
    `clock_tolerance`; so is that of a newly commissioned one.
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
    suite: Suite = Suite.OMA
    key_uses: int = MAX_USES
    key_validity_days: int = VALIDITY_DAYS
    handshakes_a_day: int = 30
    clock_every: float = 7 * 24 * 3600.0
    clock_tolerance: float = 60.0

    @property
    def idle_minutes(self) -> int:
        """`adopt_after` as a query has it."""
        return min(0xFFFE, int(self.adopt_after // 60))

    def back_off_after(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row (1 or more)."""
        return self.back_off[min(failures, len(self.back_off)) - 1]

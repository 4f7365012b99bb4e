"""How long each node of a chain waits.

All repeaters use one tx control. They are nested: while the last one still waits, so do all
before it. The wait after the last try is therefore longer the farther a node is from the agent,
and a failure climbs back before the nodes above it give up on their own. `remaining` is the number
of hops listed in the request that the node sends on (Source.LTEP):

    timer code 0..7             256 ms, wherever the node is
    timer code 8 and 9          256 ms for each remaining hop
    timer code 10..15, long     512 ms for each remaining hop

(One stack computes 2 ms for each hop in the last case, an apparent slip.) The first rule gives no
order at all; the others do as long as a frame and its answer take less than one step.
"""

from __future__ import annotations

import msgspec

from osgp.errors import EncodeError
from osgp.lon.timers import LONG_MS, TRANSMIT_MS, transmit_seconds

SHORT_STEP = 0.256
LONG_STEP = 0.512
FIRST_STEPPED = 8
"""First timer code whose last wait grows with the distance from the agent."""
FIRST_LONG_STEPPED = 10


class Timing(msgspec.Struct, frozen=True):
    """Further tries (0..15), and the wait for each answer as a code (see `osgp.lon.timers`)."""

    retry: int = 3
    timer_code: int = 12
    long_timer: bool = False

    @property
    def wait(self) -> float:
        """Seconds between two tries. Raises EncodeError for an unknown timer code."""
        return transmit_seconds(self.timer_code, self.long_timer)

    @property
    def step(self) -> float:
        """Seconds by which a node's last wait exceeds that of the next hop; 0 for short timers."""
        if self.long_timer or self.timer_code >= FIRST_LONG_STEPPED:
            return LONG_STEP
        return SHORT_STEP if self.timer_code >= FIRST_STEPPED else 0.0

    def extension(self, remaining: int) -> float:
        """Seconds added to the last wait of a node that sends on `remaining` listed hops."""
        return self.step * remaining if self.step else SHORT_STEP

    def longest(self, remaining: int | None, *, authenticated: bool = False) -> float:
        """Seconds until a node gives up; `remaining` None: the agent, which adds nothing.

        Each try may be challenged once, which starts its wait anew.
        """
        waits = (self.retry + 1) * (2 if authenticated else 1)
        return waits * self.wait + (0.0 if remaining is None else self.extension(remaining))

    @classmethod
    def of_at_least(cls, seconds: float, retry: int, first_code: int = 0) -> Timing:
        """The shortest wait from timer code `first_code` up that is not below `seconds`.

        Raises EncodeError when even the longest timer is shorter.
        """
        codes = [(ms, code, False) for code, ms in enumerate(TRANSMIT_MS)][first_code:]
        codes += [(ms, code, True) for code, ms in enumerate(LONG_MS)]
        for ms, code, long_timer in codes:
            if ms >= seconds * 1000:
                return cls(retry, code, long_timer)
        raise EncodeError(f"no timer waits {seconds:.1f} s", field="timer_code")


def timings(
    hops: int,
    frame_time: float,
    *,
    retry: int = 3,
    target_retry: int = 3,
    authenticated: bool = False,
) -> tuple[Timing, Timing]:
    """Timing of the hops and of the agent for a chain of `hops` over a line.

    `frame_time`: seconds that one frame takes with access to the medium, at most 0.256 for
    failures to climb in order. A node waits for a whole round trip behind it before it repeats,
    and outlasts all tries of the agent. Raises EncodeError when no timer is long enough.
    """
    exchange = 2 * frame_time
    rounds = 2 if authenticated else 1
    target = Timing.of_at_least(exchange, target_retry)
    if target.long_timer:
        raise EncodeError("an agent has no long timer", field="timer_code")
    outlast = (target.longest(None, authenticated=authenticated) + exchange) / (retry + 1)
    first_code = FIRST_LONG_STEPPED if hops > 1 else 0
    hop = Timing.of_at_least(max(rounds * exchange * (hops + 1), outlast), retry, first_code)
    return hop, target

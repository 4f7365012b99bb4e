"""Two times: the loop's, which never jumps, and unix time, which meters live by."""

from __future__ import annotations

import time
from collections.abc import Callable


class WallClock:
    """Unix time for a loop's time, from one comparison of both at the beginning."""

    def __init__(self, loop_time: Callable[[], float], unix: float | None = None) -> None:
        self._loop_time = loop_time
        self._offset = (time.time() if unix is None else unix) - loop_time()

    def unix(self, now: float) -> float:
        """Seconds since 1970 at the loop's time `now`."""
        return now + self._offset

    def loop(self, unix: float) -> float:
        """The loop's time at a unix time."""
        return unix - self._offset

    def now(self) -> float:
        """Unix time."""
        return self.unix(self._loop_time())

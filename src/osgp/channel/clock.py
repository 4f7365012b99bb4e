"""Simulated time: callbacks in the order of (time, sequence of scheduling).

Cancelled timers stay in the heap until they surface, or until they outnumber the live ones:
a cancel costs one assignment, and a retry timer that never fires costs no search.
Equal times run in the order in which they were scheduled, so a run depends on nothing but its
calls.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from osgp.errors import LocalProtocolError

_COMPACT_ABOVE = 512


class Timer:
    """One callback at `time` (s). `cancel()` may be called at any moment, also afterwards."""

    __slots__ = ("_scheduler", "args", "callback", "time")

    def __init__(
        self, scheduler: Scheduler, time: float, callback: Callable[..., object], args: Any
    ) -> None:
        self._scheduler = scheduler
        self.time = time
        self.callback: Callable[..., object] | None = callback
        self.args = args

    @property
    def pending(self) -> bool:
        """Neither fired nor cancelled."""
        return self.callback is not None

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self.args = ()
            self._scheduler._forget_one()


class Scheduler:
    """A discrete-event clock; `now` is in seconds and moves only while something runs it."""

    __slots__ = ("_cancelled", "_heap", "_sequence", "now")

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Timers still to fire."""
        return len(self._heap) - self._cancelled

    def at(self, time: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call `callback(*args)` at `time`.

        Raises LocalProtocolError for a time that has passed, is infinite or is not a number.
        """
        if not self.now <= time < inf:
            raise LocalProtocolError(f"cannot schedule at {time} s: it is {self.now} s")
        timer = Timer(self, time, callback, args)
        self._sequence += 1
        heappush(self._heap, (time, self._sequence, timer))
        return timer

    def next_time(self) -> float | None:
        """When the next timer fires, or None."""
        self._drop_cancelled()
        return self._heap[0][0] if self._heap else None

    def step(self, until: float = inf) -> bool:
        """Fire the next timer if it is due at or before `until`; False if there is none."""
        self._drop_cancelled()
        heap = self._heap
        if not heap or heap[0][0] > until:
            return False
        self.now, _, timer = heappop(heap)
        callback, timer.callback = timer.callback, None
        if callback is not None:
            callback(*timer.args)
        return True

    def run_until(self, time: float) -> None:
        """Fire everything due up to and including `time`, then stand at `time`."""
        if not self.now <= time < inf:
            raise LocalProtocolError(f"cannot run to {time} s: it is {self.now} s")
        while self.step(time):
            pass
        self.now = time

    def run_while(self, predicate: Callable[[], bool], until: float = inf) -> bool:
        """Run as long as `predicate()` holds; True if it ceased to hold.

        False means that nothing was left to fire up to `until`; the clock then stands at
        `until` if that is finite.
        """
        while predicate():
            if not self.step(until):
                if self.now <= until < inf:
                    self.now = until
                return False
        return True

    def _drop_cancelled(self) -> None:
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
            self._cancelled -= 1

    def _forget_one(self) -> None:
        self._cancelled += 1
        if self._cancelled > _COMPACT_ABOVE and 2 * self._cancelled > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._cancelled = 0

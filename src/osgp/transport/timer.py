"""The one timer that a machine needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timer:
    """Calls `due(now)` at the last time it was set to; `now` is never before that time."""

    def __init__(self, due: Callable[[float], None]) -> None:
        self._due = due
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The loop's time, in seconds."""
        return self._loop.time()

    def set(self, when: float | None) -> None:
        """At `when`, instead of any time before; None for never."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if when is not None:
            self._handle = self._loop.call_at(when, self._fire, when)

    def _fire(self, when: float) -> None:
        self._handle = None
        self._due(max(when, self.now()))

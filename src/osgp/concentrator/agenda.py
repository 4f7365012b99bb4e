"""When each device gets its next turn."""

from __future__ import annotations

import heapq
from itertools import count

from .known import KnownDevice


class Agenda:
    """A device has one turn at most: a new one replaces that before."""

    def __init__(self) -> None:
        self._order = count()
        self._turns: list[tuple[float, int, KnownDevice]] = []

    def put(self, known: KnownDevice, at: float) -> None:
        known.due = at
        heapq.heappush(self._turns, (at, next(self._order), known))

    def next(self) -> float | None:
        """When the next turn is."""
        self._drop_replaced()
        return self._turns[0][0] if self._turns else None

    def is_due(self, now: float) -> bool:
        at = self.next()
        return at is not None and at <= now

    def take(self) -> KnownDevice:
        """The device whose turn is next. Raises IndexError where nobody's is."""
        self._drop_replaced()
        known = heapq.heappop(self._turns)[2]
        known.due = None
        return known

    def _drop_replaced(self) -> None:
        turns = self._turns
        while turns and (turns[0][2].due != turns[0][0] or turns[0][2].dropped):
            heapq.heappop(turns)

"""Transaction numbers (TIDs) of the transmitting side.

One cyclic counter per priority class: 0 for the first transaction after a reset, then 1..15. A
number is never given to a destination that had it last time, and never to two transactions at
once: the receiver tells a new message from a repetition by it.
"""

from __future__ import annotations

from collections.abc import Hashable, Set

LAST_TID = 15
MAX_REMEMBERED = 4096
"""Destinations whose last number is remembered; the oldest is forgotten first."""


class TransactionNumbers:
    """The counter of one priority class."""

    def __init__(self) -> None:
        self._next = 0
        self._last: dict[Hashable, int] = {}

    def allocate(self, destination: Hashable, in_use: Set[int]) -> int | None:
        """The next free number for `destination`; None while none is free."""
        banned = {*in_use, self._last.get(destination, -1)}
        for _ in range(LAST_TID + 1):
            tid = self._next
            self._next = tid % LAST_TID + 1
            if tid not in banned:
                self.remember(destination, tid)
                return tid
        return None

    def remember(self, destination: Hashable, tid: int) -> None:
        """Notes a number that was used for `destination`."""
        self._last.pop(destination, None)
        self._last[destination] = tid
        if len(self._last) > MAX_REMEMBERED:
            del self._last[next(iter(self._last))]

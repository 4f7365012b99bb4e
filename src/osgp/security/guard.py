"""Counting: uses and days of a key, failed authentications, handshakes (F.7.6, F.10.4).

| rule | where the device shows it |
|---|---|
| each use of a short-term key counts, failed or not; event at 80 % | ET54.82, ET54.86, ET04.123 |
| each key has a validity period in days; event at 80 % | the event only |
| deaf for some minutes after some failures in a row; 0 is off | ET55.20, ET55.21 |
| at most 100 handshakes a day are begun | ET04.128 |

A short-term key whose uses or days are at their end opens nothing; the handshake, which has a key
of its own, renews it. That key's age is only reported: who refused it would lock the device out.
Lockout ends by itself and the day's count at midnight, so nobody can lock a device out for good.
Source: MEP guide v1.1 (ET04, ET54, ET55).
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from math import ceil
from typing import Final

import msgspec

MAX_USES: Final = 1_000_000
WARN_SHARE: Final = 0.8
MAX_HANDSHAKES_A_DAY: Final = 100
DEVICE_VALIDITY_DAYS: Final = 500
"""Longer than the concentrator's, so that it has renewed a key before its device complains."""
USES_RESERVE: Final = 256


class EventKind(Enum):
    """What the security layer reports; the value is the text for a log."""

    KEY_USAGE_HIGH = "a key has reached 80 % of its uses"
    KEY_EXHAUSTED = "a key's uses are exhausted"
    KEY_AGING = "a key has reached 80 % of its validity period"
    KEY_EXPIRED = "a key's validity period is over"
    LOCKED_OUT = "too many failed authentications: port locked"
    HANDSHAKE_LIMIT = "the day's handshakes are used up"
    UNICAST_KEY_CHANGED = "a new short-term, meter-unique key is proven"
    DOMAIN_KEY_CHANGED = "a new short-term, domain-unique key is proven"
    LONG_TERM_KEY_CHANGED = "a new long-term key is proven"
    MODE_CHANGED = "the security mode was changed"


class SecurityEvent(msgspec.Struct, frozen=True):
    """Something to log or to raise an alarm for; `argument` depends on the kind.

    Uses so far, days so far, minutes of lockout, handshakes today, a key's version or generation,
    the mode.
    """

    kind: EventKind
    argument: int = 0


Events = deque[SecurityEvent]


class KeyUsage:
    """Uses of one key.  Persisted ahead of the count, like a sequence number."""

    __slots__ = ("_events", "_mark", "limit", "must_persist", "used")

    def __init__(self, events: Events, used: int = 0, limit: int = MAX_USES) -> None:
        self._events, self.limit = events, limit
        self.used, self.must_persist = used, True
        if self.high:
            events.append(SecurityEvent(EventKind.KEY_USAGE_HIGH, used))
        self._next_mark()

    @property
    def exhausted(self) -> bool:
        """True when the key must not be used any more."""
        return self.used >= self.limit

    @property
    def high(self) -> bool:
        """True from 80 % on: time to renew."""
        return self.used >= self._warning

    @property
    def _warning(self) -> int:
        return int(self.limit * WARN_SHARE)

    def count(self) -> None:
        """One more use, whether it succeeds or fails."""
        self.used += 1
        if self.used >= self._mark:
            self._at_mark()

    def export(self) -> int:
        """A count that the present one cannot pass unnoticed; due when `must_persist` is true."""
        self.must_persist = False
        return self.used + USES_RESERVE

    def _at_mark(self) -> None:
        self.must_persist = True
        for kind, mark in (
            (EventKind.KEY_USAGE_HIGH, self._warning),
            (EventKind.KEY_EXHAUSTED, self.limit),
        ):
            if self.used == mark:
                self._events.append(SecurityEvent(kind, self.used))
        self._next_mark()

    def _next_mark(self) -> None:
        marks = (self.used + USES_RESERVE, self._warning, self.limit)
        self._mark = min(mark for mark in marks if mark > self.used)


class KeyAge:
    """Days since a key was taken; `limit` is its validity period in days, 0 for none."""

    __slots__ = ("_events", "days", "limit")

    def __init__(self, events: Events, days: int = 0, limit: int = 0) -> None:
        self._events, self.days, self.limit = events, days, limit

    @property
    def expired(self) -> bool:
        """True when the key must not be used any more."""
        return 0 < self.limit <= self.days

    def grow(self, days: int) -> None:
        """So many days have passed."""
        before, self.days = self.days, self.days + days
        for kind, mark in (
            (EventKind.KEY_AGING, ceil(self.limit * WARN_SHARE)),
            (EventKind.KEY_EXPIRED, self.limit),
        ):
            if self.limit and before < mark <= self.days:
                self._events.append(SecurityEvent(kind, self.days))


class Lockout:
    """Deaf for `minutes` after `threshold` failed authentications in a row (0: never)."""

    __slots__ = ("_events", "_until", "engaged", "failures", "minutes", "must_persist", "threshold")

    def __init__(
        self, events: Events, threshold: int = 0, minutes: int = 0, *, engaged: bool = False
    ) -> None:
        self._events, self.threshold, self.minutes = events, threshold, minutes
        self.failures = 0
        self._until: float | None = None
        self.engaged, self.must_persist = engaged, False

    def locked(self, now: float) -> bool:
        """Is the port deaf at `now` (seconds)?  A lockout that a power cut met starts again."""
        if self.engaged and self._until is None:
            self.lock(now)
        elif self.engaged and self._until is not None and now >= self._until:
            self.engaged, self.must_persist = False, True
        return self.engaged

    def failed(self, now: float) -> None:
        """One failed authentication at `now`."""
        self.failures += 1
        if self.threshold and self.failures >= self.threshold:
            self.lock(now)
            self._events.append(SecurityEvent(EventKind.LOCKED_OUT, self.minutes))

    def lock(self, now: float) -> None:
        """Deaf from `now` on."""
        self.failures, self._until = 0, now + 60.0 * self.minutes
        self.engaged = self.must_persist = True

    def succeeded(self) -> None:
        """One good authentication: failures are no longer in a row."""
        self.failures = 0


class DailyLimit:
    """At most `limit` handshakes are begun a day; ET04.128 shows the count."""

    __slots__ = ("_events", "count", "limit")

    def __init__(self, events: Events, count: int = 0, limit: int = MAX_HANDSHAKES_A_DAY) -> None:
        self._events, self.count, self.limit = events, count, limit

    def admit(self) -> bool:
        """Counts a handshake's first message; False if the day's are used up."""
        if self.count >= self.limit:
            return False
        self.count += 1
        if self.count == self.limit:
            self._events.append(SecurityEvent(EventKind.HANDSHAKE_LIMIT, self.count))
        return True

    def new_day(self) -> None:
        """To be called at 00:00:00."""
        self.count = 0

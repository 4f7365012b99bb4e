"""Date and time structures of ANSI C12.19 as OSGP uses them (clause 5.2, MEP guide 'Data Types').

Values are what the wire carries; `to_datetime()` turns a complete one into a `datetime` in UTC or,
for tables that hold local time, into a naive one with the device's clock reading.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from osgp.errors import DecodeError

from .fields import bits, uint8
from .record import Record

CENTURY = 2000

T = TypeVar("T")


class Time(Record):
    """TIME: 3 bytes."""

    hour = uint8()
    minute = uint8()
    second = uint8()

    def to_time(self) -> time:
        """Raises DecodeError where the fields are no time of day."""
        return _checked(time, self.hour, self.minute, self.second)


class LTimeDate(Record):
    """LTIME_DATE: 6 bytes, year 0 = 2000."""

    year = uint8()
    month = uint8()
    day = uint8()
    hour = uint8()
    minute = uint8()
    second = uint8()

    def to_datetime(self) -> datetime:
        """As UTC. Raises DecodeError where the fields are no date."""
        naive = (CENTURY + self.year, self.month, self.day, self.hour, self.minute, self.second)
        return _checked(datetime, *naive, tzinfo=UTC)

    @classmethod
    def of(cls, moment: datetime) -> LTimeDate:
        return cls.make(
            year=moment.year - CENTURY,
            month=moment.month,
            day=moment.day,
            hour=moment.hour,
            minute=moment.minute,
            second=moment.second,
        )


class STimeDate(Record):
    """STIME_DATE: 5 bytes, year 0 = 2000, minutes."""

    year = uint8()
    month = uint8()
    day = uint8()
    hour = uint8()
    minute = uint8()

    def to_datetime(self) -> datetime:
        """As UTC. Raises DecodeError where the fields are no date."""
        naive = (CENTURY + self.year, self.month, self.day, self.hour, self.minute)
        return _checked(datetime, *naive, tzinfo=UTC)

    @classmethod
    def of(cls, moment: datetime) -> STimeDate:
        return cls.make(
            year=moment.year - CENTURY,
            month=moment.month,
            day=moment.day,
            hour=moment.hour,
            minute=moment.minute,
        )


class Date(Record):
    """ANSI DATE: year, month and day in 16 bits."""

    year = bits(0, 6, word=16)
    month = bits(7, 10, word=16)
    day = bits(11, 15, word=16)

    def to_date(self) -> date:
        """Raises DecodeError where the fields are no date."""
        return _checked(date, CENTURY + self.year, self.month, self.day)


class RDate(Record):
    """RDATE: a recurring date in 16 bits; what the upper bits mean depends on `month`.

    Month 1..13: `offset`, `weekday`, `day`. 14: weekly on `weekday`. 15: every `period` plus
    `delta`. 0: unassigned.
    """

    month = bits(0, 3, word=16)
    offset = bits(4, 7, word=16)
    weekday = bits(8, 10, word=16)
    day = bits(11, 15, word=16)

    @property
    def period(self) -> int:
        """Bits 4..9."""
        return self.offset | (self.weekday & 3) << 4

    @property
    def delta(self) -> int:
        """Bits 10..15."""
        return self.weekday >> 2 | self.day << 1


def _checked(make: Callable[..., T], *parts: int, **options: Any) -> T:
    try:
        return make(*parts, **options)
    except ValueError as error:
        raise DecodeError(f"no date or time: {parts}") from error

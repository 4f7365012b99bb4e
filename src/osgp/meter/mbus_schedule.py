"""When a device is read: the schedule of its entry in ET13, in local time."""

from __future__ import annotations

import math
from typing import Any, Final

from osgp.meter.clockwork import Clockwork, moment

HOUR, DAY = 3600, 86_400
HOURLY, DAILY, WEEKLY, MONTHLY = 0, 1, 2, 3
SUNDAY: Final = 32
_FARTHEST: Final = 32
"""Days in which a monthly read comes by."""


def next_billing(clock: Clockwork, config: Any, after: int) -> float:
    """The first reading of `clock` after `after` at which local time is what ET13 asks for."""
    local = int(clock.local(after))
    wanted = next_local(config, local)
    if wanted is None:
        return math.inf
    reading = after + wanted - local
    return max(reading - (clock.local(reading) - wanted), after + 1)


def next_local(config: Any, local: int) -> int | None:
    """The next local time (s) of the schedule in an entry of ET13; None where it is off."""
    minute = 60 * config.billing_read_minute
    if config.billing_read_frequency == HOURLY:
        due: int = local // HOUR * HOUR + minute
        return due if due > local else due + HOUR
    of_day = HOUR * config.billing_read_hour + minute
    for ahead in range(_FARTHEST):
        midnight = local // DAY * DAY + ahead * DAY
        if midnight + of_day > local and _is_day(config, midnight):
            return int(midnight + of_day)
    return None


def _is_day(config: Any, midnight: int) -> bool:
    frequency, wanted = config.billing_read_frequency, config.billing_read_day
    day = moment(midnight)
    if frequency == WEEKLY:
        return bool(wanted == SUNDAY + day.isoweekday() % 7)
    if frequency == MONTHLY:
        return bool(day.day == max(wanted, 1))
    return bool(frequency == DAILY)


__all__ = ["next_billing"]

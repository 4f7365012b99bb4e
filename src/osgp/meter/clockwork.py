"""The meter's own clock: how it differs from true time, and what it shows.

True time (`now`) and readings are seconds since 1970-01-01 UTC. A clock runs from its last setting
at a rate that may be off, so that every reading has exactly one true time and back. The load
profile runs on the clock's UTC (optical guide, 'Extended Status'); BT53 turns it into local time.
Daylight saving follows the dates of the European Union (last Sundays of March and October, 01:00
UTC), until a calendar (BT54) says otherwise: `Source.PROJECT`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from osgp.errors import DecodeError
from osgp.meter.nvm import Nvm
from osgp.wire import LTimeDate

CELL: Final = "clock"
DAY: Final = 86_400
_MINUTE: Final = 60
_TOLERANCE: Final = 1e-6
_ASKED_AGAIN: Final = 256
"""Readings kept in mind with their times: the next interval's end is asked for at every turn."""
_EARLIEST: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LATEST: Final = int(datetime(2255, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
READINGS: Final = range(_EARLIEST, _LATEST + 1)
"""What LTIME_DATE can show, as seconds."""


class ClockState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The clock read `reading` at true time `reference` and gains `drift` parts per million.

    `zone` and `dst` (minutes): offset of local standard time, and of daylight saving from it.
    """

    reference: float
    reading: float
    drift: float = 0.0
    zone: int = 60
    dst: int = 60


class Clockwork:
    """One meter's clock; its state is in memory cell `clock`, put but not committed."""

    def __init__(self, nvm: Nvm, initial: ClockState) -> None:
        self._nvm = nvm
        self._whens: dict[int, int] = {}
        stored = nvm.get(CELL)
        self._state = initial
        if stored is None:
            self._keep(initial)
        else:
            self._state = _decode(stored)

    @property
    def state(self) -> ClockState:
        return self._state

    def reading(self, now: float) -> float:
        """What the clock reads at `now`."""
        state = self._state
        return state.reading + (now - state.reference) * _rate(state)

    def when(self, reading: int) -> int:
        """The first whole true second at which the clock reads at least `reading`."""
        if reading not in self._whens:
            state = self._state
            true = state.reference + (reading - state.reading) / _rate(state)
            if len(self._whens) >= _ASKED_AGAIN:
                self._whens.clear()
            self._whens[reading] = math.ceil(true - _TOLERANCE)
        return self._whens[reading]

    def set(self, now: float, reading: float) -> None:
        """Set the clock; its rate stays."""
        self._keep(msgspec.structs.replace(self._state, reference=now, reading=reading))

    def set_zone(self, zone: int, dst: int) -> None:
        """Minutes, as in BT53."""
        self._keep(msgspec.structs.replace(self._state, zone=zone, dst=dst))

    def summer(self, reading: float) -> bool:
        """Whether daylight saving time is in effect at a UTC reading."""
        return self._state.dst != 0 and eu_summer(int(reading))

    def local(self, reading: float) -> float:
        """Local time, daylight saving applied, as seconds."""
        minutes = self._state.zone + (self._state.dst if self.summer(reading) else 0)
        return reading + minutes * _MINUTE

    def _keep(self, state: ClockState) -> None:
        self._state = state
        self._whens.clear()
        self._nvm.put(CELL, msgspec.msgpack.encode(state))


def moment(reading: float) -> datetime:
    """A reading as `datetime`; those that LTIME_DATE cannot show stop at its limits."""
    whole = min(max(math.floor(reading), READINGS.start), READINGS.stop - 1)
    return datetime.fromtimestamp(whole, UTC)


def ltime(reading: float) -> LTimeDate:
    """A reading as LTIME_DATE."""
    return LTimeDate.of(moment(reading))


def weekday(reading: float) -> int:
    """0 = Sunday, as BT52 and BT55 count."""
    return moment(reading).isoweekday() % 7


def eu_summer(reading: int) -> bool:
    """Whether a UTC reading lies in European summer time."""
    begin, end = _summer(moment(reading).year)
    return begin <= reading < end


@lru_cache(maxsize=512)
def _summer(year: int) -> tuple[int, int]:
    return _last_sunday(year, 3), _last_sunday(year, 10)


def _last_sunday(year: int, month: int) -> int:
    """01:00 UTC on the last Sunday of a month of 31 days, as seconds."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return int((last - timedelta(days=last.isoweekday() % 7)).timestamp())


def _rate(state: ClockState) -> float:
    return 1.0 + state.drift * 1e-6


def _decode(stored: bytes) -> ClockState:
    try:
        return msgspec.msgpack.decode(stored, type=ClockState)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"no saved clock: {error}") from error

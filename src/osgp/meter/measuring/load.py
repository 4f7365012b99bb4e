"""The published household standard load profile as power at any time.

The figures are the BDEW profile H25 (BDEW/VKU/GEODE, 2025; measured households of 2018 and 2019,
with the seasonal function of the profile H0), as shipped by `demandlib`, which `osgp[sim]`
installs. The profile is defined in German legal time; this module's time is UTC.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final, Protocol

import numpy as np

from osgp.errors import UsageError

from .units import QUARTER, Floats

_ZONE: Final = "Europe/Berlin"
_YEARS: Final = range(
    1990, 2200
)  # one legal time and one holiday calendar; pandas' time ends in 2262
_PUBLISHED: Final = 1000.0  # demandlib: kW for the published 1,000,000 kWh per year
_FIXED_HOLIDAYS: Final = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
_DAYS_FROM_EASTER: Final = (-2, 1, 39, 50)  # Good Friday, Easter and Whit Monday, Ascension


class LoadShape(Protocol):
    """A load curve that any household's annual consumption scales."""

    def power(self, start_quarter: int, count: int) -> Floats:
        """Mean power of quarter-hours in W per kWh/year, shape [count]."""


class StandardLoad:
    """BDEW H25 as published: a year integrates to 1 kWh per kWh/year within half a percent.

    How near depends on how its Sundays and holidays fall.
    """

    def __init__(self) -> None:
        self._years: dict[int, Floats] = {}

    def power(self, start_quarter: int, count: int) -> Floats:
        """Mean power of quarter-hours in W per kWh/year, shape [count], read-only.

        Raises `UsageError` without `osgp[sim]`, or for years outside 1990 to 2199.
        """
        parts = []
        end = start_quarter + count
        while True:
            year = _year_of(start_quarter)
            first = _first_quarter(year)
            values = self._year(year)[start_quarter - first : end - first]
            parts.append(values)
            start_quarter += len(values)
            if start_quarter >= end:
                return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _year(self, year: int) -> Floats:
        if year not in self._years:
            self._years[year] = _profile(year)
        return self._years[year]


@cache
def standard_load() -> StandardLoad:
    """The one `StandardLoad` that all households of a process share."""
    return StandardLoad()


def _profile(year: int) -> Floats:
    """H25 of one UTC year in W per kWh/year, shape [quarter-hours of the year]."""
    pandas, h25 = _demandlib()
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    utc = pandas.date_range(start, end, freq="15min", inclusive="left")
    # The year's last UTC hour is New Year's Day in German time, hence two years of holidays.
    holidays = [day for each in (year, year + 1) for day in _holidays(pandas, each)]
    with warnings.catch_warnings():
        # demandlib 0.2.2 passes `inplace` to pandas, which pandas 3.1 announces to remove.
        warnings.filterwarnings("ignore", r"The inplace keyword in DataFrame\.", DeprecationWarning)
        profile = h25(utc.tz_convert(_ZONE), holidays=holidays)
    values: Floats = profile.to_numpy(dtype=np.float64) / _PUBLISHED
    values.setflags(write=False)
    return values


def _demandlib() -> tuple[Any, Callable[..., Any]]:
    try:
        import pandas
        from demandlib.bdew import H25
    except ImportError as missing:
        raise UsageError(
            "the standard load profile needs demandlib: pip install 'osgp[sim]'"
        ) from missing
    return pandas, H25


def _holidays(pandas: Any, year: int) -> list[date]:
    """The public holidays that all German states share."""
    easter: date = (pandas.Timestamp(year, 1, 1) + pandas.offsets.Easter()).date()
    movable = [easter + timedelta(days=days) for days in _DAYS_FROM_EASTER]
    return movable + [date(year, month, day) for month, day in _FIXED_HOLIDAYS]


def _year_of(quarter: int) -> int:
    try:
        year = datetime.fromtimestamp(quarter * QUARTER, UTC).year
    except (ValueError, OverflowError, OSError):
        year = 0
    if year not in _YEARS:
        raise UsageError(f"no standard load at {quarter * QUARTER} s: outside 1990 to 2199")
    return year


def _first_quarter(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) // QUARTER

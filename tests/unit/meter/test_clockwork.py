"""The meter's clock: offset, rate, local time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from osgp.errors import DecodeError
from osgp.meter.clockwork import CELL, ClockState, Clockwork, eu_summer, ltime, weekday
from osgp.meter.nvm import MemoryNvm

NOW = 1_780_000_000.0


def clock(**changes: float) -> Clockwork:
    given = {"reference": NOW, "reading": NOW + 10}
    return Clockwork(MemoryNvm(), ClockState(**given | changes))  # type: ignore[arg-type]  # a mapping of arguments


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[arg-type,misc]  # date and time in parts


def test_a_fast_clock_gains() -> None:
    fast = clock(drift=100.0)
    assert fast.reading(NOW) == NOW + 10
    assert fast.reading(NOW + 10_000) == NOW + 10_011
    assert fast.when(int(NOW) + 10_011) == NOW + 10_000


def test_when_is_the_first_second_that_shows_it() -> None:
    slow = clock(drift=-50.0)
    for reading in range(int(NOW) + 11, int(NOW) + 900_011, 10_000):
        true = slow.when(reading)
        assert slow.reading(true) >= reading - 1e-3
        assert slow.reading(true - 1) < reading


def test_setting_keeps_the_rate_and_survives() -> None:
    nvm = MemoryNvm()
    first = Clockwork(nvm, ClockState(NOW, NOW, 20.0))
    first.set(NOW + 5, NOW - 1000)
    first.set_zone(-120, 0)
    again = Clockwork(nvm, ClockState(0.0, 0.0))
    assert again.state == first.state
    assert again.reading(NOW + 5) == NOW - 1000
    assert (again.state.drift, again.state.zone, again.state.dst) == (20.0, -120, 0)


@pytest.mark.parametrize(
    ("reading", "summer"),
    [
        (at(2026, 3, 29, 0, 59, 59), False),
        (at(2026, 3, 29, 1), True),
        (at(2026, 10, 25, 0, 59, 59), True),
        (at(2026, 10, 25, 1), False),
        (at(2024, 3, 31, 1), True),
        (at(2026, 7, 1), True),
        (at(2026, 1, 1), False),
    ],
)
def test_european_summer_time(reading: int, summer: bool) -> None:
    """Directive 2000/84/EC: 01:00 UTC on the last Sundays of March and October."""
    assert eu_summer(reading) is summer


def test_local_time_has_zone_and_daylight_saving() -> None:
    state = clock()
    assert state.local(at(2026, 1, 1)) == at(2026, 1, 1, 1)
    assert state.local(at(2026, 7, 1)) == at(2026, 7, 1, 2)
    state.set_zone(330, 0)
    assert state.local(at(2026, 7, 1)) == at(2026, 7, 1, 5, 30)


def test_what_ltime_cannot_show_stops_at_its_limits() -> None:
    assert ltime(-1.0).to_datetime() == datetime(2000, 1, 1, tzinfo=UTC)
    assert ltime(1e11).year == 255


def test_weekdays_count_from_sunday() -> None:
    assert [weekday(at(2026, 5, day)) for day in (24, 25, 30)] == [0, 1, 6]


def test_a_damaged_cell_is_reported() -> None:
    nvm = MemoryNvm({CELL: b"\x80"})
    with pytest.raises(DecodeError):
        Clockwork(nvm, ClockState(NOW, NOW))

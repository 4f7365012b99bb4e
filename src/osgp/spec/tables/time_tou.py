"""BT50s: clock, calendar and tariffs."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.codes import WEEKDAYS
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import LTimeDate, Time, bits, flag, int16, nested, uint8

TIER_DRIVES = {
    0: "calendar",
    1: "manual until next switch",
    2: "manual",
    3: "override, power threshold or consumption tariff",
}


class Clock(Table, number=52, title="UTC Clock", source=Source.MEP_GUIDE, read=EVERY):
    """The device's clock in UTC."""

    clock_calendar = nested(LTimeDate, "date and time, UTC", vci="M")
    day_of_week = bits(0, 2, "day of the week", enum=WEEKDAYS, vci="M")
    daylight_saving_time = flag(3, "DST is in effect, though not here", vci="M")
    greenwich_mean_time = flag(4, "this clock is UTC", vci="F", default=True)
    time_zone_applied = flag(5, "the zone offset is in this clock", vci="F")
    dst_applied = flag(6, "DST is in this clock", vci="F")


class TimeOffset(
    Table,
    number=53,
    title="Time Offset",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=f"{MEP_WRITE} PK",
):
    """From UTC to local time."""

    daylight_saving_time_effective = nested(Time, "local time of the switch", vci="H")
    daylight_saving_time_adjustment = uint8("shift", unit="min", vci="H")
    time_zone_offset = int16("zone offset, -12 to +14 h", unit="min", vci="H")


class ClockState(Table, number=55, title="Local Clock State", source=Source.MEP_GUIDE, read=EVERY):
    """The device's clock in local time, and which tariff is active."""

    clock_calendar = nested(LTimeDate, "date and time, local", vci="M")
    day_of_week = bits(0, 2, "day of the week, local", enum=WEEKDAYS, vci="M")
    daylight_saving_time = flag(3, "DST is in effect", vci="M")
    greenwich_mean_time = flag(4, "this clock is UTC", vci="F")
    time_zone_applied = flag(5, "the zone offset is in this clock", vci="F", default=True)
    dst_applied = flag(6, "DST is in this clock", vci="F", default=True)
    current_tier = bits(0, 2, "active tier", vci="M", note="0 to 3 before 3.70 and CPM 1.20")
    tier_drive = bits(6, 7, "what chose the tier", enum=TIER_DRIVES, vci="M")
    special_schedule_active = bits(0, 3, "active holiday schedule", vci="M")
    season = bits(4, 7, "active season", vci="M", note="printed 0 to 3; BT50 allows 12")


__all__ = ["Clock", "ClockState", "TimeOffset"]

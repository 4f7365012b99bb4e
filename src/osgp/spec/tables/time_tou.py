"""BT50s: clock, calendar and tariffs."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.codes import WEEKDAYS
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import (
    Date,
    LTimeDate,
    RDate,
    Record,
    Ref,
    Time,
    array,
    bits,
    flag,
    int16,
    nested,
    uint8,
    uint16,
    uint32,
)

BT50 = Ref("BT50")

ACTIONS = (
    {0: "none", 1: "DST on", 2: "DST off"}
    | {3 + season: f"season {season}" for season in range(12)}
    | {19: "special schedule 0", 20: "special schedule 1"}
)
"""What a calendar date does. Before 3.50 and CPM 1.20 four seasons only."""

TOU_FORMATS = {0: "4 seasons", 1: "12 seasons and single dates"}

TIER_DRIVES = {
    0: "calendar",
    1: "manual until next switch",
    2: "manual",
    3: "override, power threshold or consumption tariff",
}


class DimensionTimeTou(
    Table, number=50, title="Dimension Time and TOU", source=Source.MEP_GUIDE, read=EVERY
):
    """Sizes of the calendar and what it can do."""

    tou_self_read = flag(0, "the calendar can order self-reads", vci="F", default=True)
    season_self_read = flag(1, "a self-read at season changes", vci="F", default=True)
    season_demand_reset = flag(2, "a demand reset at season changes", vci="P", default=False)
    season_change_armed = flag(3, "seasons change at demand resets", vci="F", default=False)
    sort_dates = flag(4, "dates must be sorted", vci="F", default=False)
    anchor_date = flag(5, "RDATE has anchor dates", vci="F", default=False)
    daylight_saving_time_auto = flag(0, "DST is handled outside BT54", vci="F", default=False)
    separate_week_days = flag(1, "a schedule for each day of the week", vci="P", default=False)
    separate_summation_demands = flag(
        2, "summations and demands have own tiers", vci="F", default=False
    )
    sort_tier_switches = flag(3, "tier switches must be sorted", vci="F", default=True)
    capable_of_time_zone_offset = flag(4, "there is a zone offset", vci="F", default=True)
    number_of_seasons = bits(
        0, 3, "seasons", vci="P", default=12, starts=True, note="4 before 3.50 and CPM 1.20"
    )
    number_of_special_schedules = bits(4, 7, "holiday schedules", vci="P", default=2)
    number_of_non_recurring_dates = uint8("non-recurring dates", vci="P", default=25)
    number_of_recurring_dates = uint8("recurring dates", vci="P", default=23)
    number_of_tier_switches = uint16(
        "tier switches, 20 schedules of 10", vci="P", default=200, note="printed as per day"
    )
    calendar_table_size = uint16("size of BT54", unit="bytes", vci="P", default=808)


class Clock(Table, number=52, title="UTC Clock", source=Source.MEP_GUIDE, read=EVERY):
    """The device's clock in UTC."""

    clock_calendar = nested(LTimeDate, "date and time, UTC", vci="M")
    day_of_week = bits(0, 2, "day of the week", enum=WEEKDAYS, vci="M")
    daylight_saving_time = flag(3, "DST is in effect, though not here", vci="M")
    greenwich_mean_time = flag(4, "this clock is UTC", vci="F", default=True)
    time_zone_applied = flag(5, "the zone offset is in this clock", vci="F", default=False)
    dst_applied = flag(6, "DST is in this clock", vci="F", default=False)


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


class NonRecurringDate(Record):
    """Something that happens on one date, at midnight."""

    date = nested(Date, "the date", vci="H")
    action = bits(0, 4, "what happens", enum=ACTIONS, vci="H")
    demand_reset = flag(5, "a demand reset is made", vci="H")
    self_read = flag(6, "a self-read is made", vci="H")
    tou_format = bits(
        7, 7, "calendar format, in the first recurring record", enum=TOU_FORMATS, vci="H"
    )


class RecurringDate(Record):
    """Something that happens on dates of a rule, at midnight."""

    date = nested(RDate, "the rule", vci="H")
    action = bits(0, 4, "what happens", enum=ACTIONS, vci="H")
    demand_reset = flag(5, "a demand reset is made", vci="H")
    self_read = flag(6, "a self-read is made", vci="H")
    tou_format = bits(
        7,
        7,
        "calendar format, in the first record",
        enum=TOU_FORMATS,
        vci="H",
        note="typed FILL, carries a value",
    )


class TierSwitch(Record):
    """A change of tier on the days of a schedule."""

    tier = bits(0, 2, "tier from here on", word=16, vci="H")
    minute = bits(5, 10, "minute", word=16, unit="min", vci="H")
    hour = bits(11, 15, "hour", word=16, unit="h", vci="H")
    schedule = uint8("schedule it belongs to; not used by devices", vci="H")


class SeasonSchedule(Record):
    """Day schedules of a season; each is ten tier switches."""

    days_of_week = array(uint8(), 7, "from Sunday", when=BT50.separate_week_days, vci="H")
    saturday = uint8("Saturdays", when=~BT50.separate_week_days, vci="H")
    sunday = uint8("Sundays", when=~BT50.separate_week_days, vci="H")
    weekday = uint8("Mondays to Fridays", when=~BT50.separate_week_days, vci="H")
    special_schedules = array(uint8(), BT50.number_of_special_schedules, "holidays", vci="H")


class Calendar(
    Table,
    number=54,
    title="Calendar",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    nvm_write=True,
    note="The seasons' array is printed with dimension BT50.2, a byte that holds two numbers.",
):
    """Dates, tier switches and schedules of tariffs."""

    non_recurring_dates = array(
        nested(NonRecurringDate), BT50.number_of_non_recurring_dates, "single dates"
    )
    recurring_dates = array(nested(RecurringDate), BT50.number_of_recurring_dates, "dates by rule")
    tier_switches = array(nested(TierSwitch), BT50.number_of_tier_switches, "ten for each schedule")
    season_schedules = array(
        nested(SeasonSchedule), BT50.number_of_seasons, "schedules of each season"
    )
    calendar_id = uint32("id of this calendar", vci="H")


class ClockState(Table, number=55, title="Local Clock State", source=Source.MEP_GUIDE, read=EVERY):
    """The device's clock in local time, and which tariff is active."""

    clock_calendar = nested(LTimeDate, "date and time, local", vci="M")
    day_of_week = bits(0, 2, "day of the week, local", enum=WEEKDAYS, vci="M")
    daylight_saving_time = flag(3, "DST is in effect", vci="M")
    greenwich_mean_time = flag(4, "this clock is UTC", vci="F", default=False)
    time_zone_applied = flag(5, "the zone offset is in this clock", vci="F", default=True)
    dst_applied = flag(6, "DST is in this clock", vci="F", default=True)
    current_tier = bits(0, 2, "active tier", vci="M", note="0 to 3 before 3.70 and CPM 1.20")
    tier_drive = bits(6, 7, "what chose the tier", enum=TIER_DRIVES, vci="M")
    special_schedule_active = bits(0, 3, "active holiday schedule", vci="M")
    season = bits(4, 7, "active season", vci="M", note="printed 0 to 3; BT50 allows 12")


__all__ = [
    "Calendar",
    "Clock",
    "ClockState",
    "DimensionTimeTou",
    "NonRecurringDate",
    "RecurringDate",
    "SeasonSchedule",
    "TierSwitch",
    "TimeOffset",
]

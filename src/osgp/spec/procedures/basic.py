"""Basic procedures BP04 to BP15.

Parameters and responses are those of ANSI C12.19-1997; of these procedures the guides print only
the one that clears specific pending tables.
"""

from __future__ import annotations

from osgp.spec.access import FULL, OPTICAL_WRITE
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.spec.tables.pending import PendingEvent
from osgp.wire import LTimeDate, Record, bits, flag, nested, uint8, uint16

LISTS = {
    1: "event log BT76",
    2: "self-reads BT26",
    3: "load profile data set 1",
    4: "load profile data set 2",
    5: "load profile data set 3",
    6: "load profile data set 4",
    7: "all load profile data sets",
    8: "history log BT74",
    255: "all but the event log",
}
"""Lists with entries to read, as C12.19 numbers them."""


class ResetListPointers(
    Procedure, number=4, title="Reset List Pointers", source=Source.C12_19, call=OPTICAL_WRITE
):
    """Empties a list: no valid, no unread entries, no overflow."""

    list = uint8("which list", enum=LISTS)


class UpdateLastReadEntry(
    Procedure,
    number=5,
    title="Update Last Read Entry",
    source=Source.C12_19,
    call=OPTICAL_WRITE,
    note="Not idempotent. Clears the overflow flags of BT63, BT74 and ET79 too.",
):
    """Takes entries off the unread ones of a list, after they were read."""

    list = uint8("which list", enum=LISTS)
    entries_read = uint16("entries to take off")


class ChangeMode(
    Procedure, number=6, title="Change Mode", source=Source.C12_19, call=OPTICAL_WRITE
):
    """Starts and ends test mode and the like."""

    metering_mode = flag(0, "metering")
    test_mode = flag(1, "test mode")
    meter_shop_mode = flag(2, "shop mode")


class ClockChange(Record):
    """The clock before and after."""

    before = nested(LTimeDate, "clock before")
    after = nested(LTimeDate, "clock after")


class SetDateAndTime(
    Procedure,
    number=10,
    title="Set Date and Time",
    source=Source.C12_19,
    call=f"{FULL} PK RK",
    response=ClockChange,
    note="RK may call it while ET04.71.0 is 0. LTIME_DATE is UTC, as in BT52.",
):
    """Sets the clock, or parts of it."""

    set_time = flag(0, "take the time")
    set_date = flag(1, "take the date")
    set_qualifier = flag(2, "take the qualifier")
    date_time = nested(LTimeDate, "new date and time")
    day_of_week = bits(0, 2, "new day of the week, 0 = Sunday", starts=True)
    daylight_saving_time = flag(3, "DST is in effect")
    greenwich_mean_time = flag(4, "the clock is UTC")
    time_zone_applied = flag(5, "the zone offset is in the clock")
    dst_applied = flag(6, "DST is in the clock")


class ActivateAllPendingTables(
    Procedure,
    number=12,
    title="Activate All Pending Tables",
    source=Source.C12_19,
    call=OPTICAL_WRITE,
):
    """Pending tables become active now."""


class ActivateSpecificPendingTables(
    Procedure,
    number=13,
    title="Activate Specific Pending Tables",
    source=Source.C12_19,
    call=OPTICAL_WRITE,
):
    """Pending tables with this event become active now."""

    event = nested(PendingEvent, "their event")


class ClearAllPendingTables(
    Procedure,
    number=14,
    title="Clear All Pending Tables",
    source=Source.C12_19,
    call=OPTICAL_WRITE,
):
    """Pending tables are forgotten."""


class ClearSpecificPendingTables(
    Procedure,
    number=15,
    title="Clear Specific Pending Tables",
    source=Source.OPTICAL_GUIDE,
    call=OPTICAL_WRITE,
    results={1: "no match", 3: "internal conflict"},
    note="The guide's heading is lost; its number follows from C12.19.",
):
    """Pending tables with this event are forgotten."""

    event = nested(PendingEvent, "their event")


__all__ = [
    "LISTS",
    "ActivateAllPendingTables",
    "ActivateSpecificPendingTables",
    "ChangeMode",
    "ClearAllPendingTables",
    "ClearSpecificPendingTables",
    "ClockChange",
    "ResetListPointers",
    "SetDateAndTime",
    "UpdateLastReadEntry",
]

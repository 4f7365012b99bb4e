"""Pending tables: 4096 + n, written now to become table n at a time or on BP12 or BP13."""

from __future__ import annotations

from typing import Final

from osgp.spec.access import EVERY, FULL, MEP_WRITE
from osgp.spec.declare import PENDING, Table, TableMeta
from osgp.spec.source import Source
from osgp.wire import Record, Ref, STimeDate, array, bits, bitset, flag, nested, octets, uint8

from .control import CalendarOverrideSettings, EnergyAccumulatorSettings
from .time_tou import Calendar

BT00 = Ref("BT00")

EVENT_CODES = {0: "at a time", 1: "after a time", 2: "only by BP12 or BP13"}


class PendingEvent(Record):
    """PED: what makes a pending table active. Stands before its data.

    `event_storage`: with code 0 an STIME_DATE in UTC, with code 1 weeks, days, hours, minutes and
    seconds after the write, with code 2 free.
    """

    event_code = bits(0, 3, "what activates the table", enum=EVENT_CODES, vci="H")
    self_read = flag(4, "a self-read is made before", vci="H")
    demand_reset = flag(5, "a demand reset is made before", vci="H")
    event_storage = octets(5, "time, or a mark of the caller", vci="H")


class PendingActivation(Record):
    """One pending table."""

    event = nested(PendingEvent, "what it waits for")
    table_number = bits(0, 11, "table it becomes, without the 4096", word=16, vci="M")
    still_pending = flag(12, "it has not become active yet", word=16, vci="M")


class PendingStatus(
    Table,
    number=4,
    title="Pending Status",
    source=Source.OPTICAL_GUIDE,
    read=f"{FULL} PK MBK MAK",
    note="The sets are typed as arrays of BOOL, but their dimensions count bytes.",
):
    """Which pending tables the device holds."""

    basic_pending = bitset(BT00.dim_basic_tables_used, "basic tables with one", vci="M")
    extended_pending = bitset(BT00.dim_extended_tables_used, "extended tables with one", vci="M")
    last_activation_time = nested(STimeDate, "last activation", vci="M")
    number_of_pending_activations = uint8("activations waiting", vci="M")
    activations = array(
        nested(PendingActivation), BT00.number_of_pending_tables, "pending tables", vci="M"
    )


class PendingTable(Table):
    """What stands before the table that it becomes."""

    event: PendingEvent
    data: Table


def _pending(active: type[Table], title: str, what: str, note: str) -> type[PendingTable]:
    """The pending form of a table, of the same source."""
    body = {
        "__doc__": f"The next {what}.",
        "__module__": __name__,
        "event": nested(PendingEvent, f"when it becomes {active.info.name}"),
        "data": nested(active, f"the {what}"),
    }
    source = active.info.source
    declared: type[PendingTable] = TableMeta(
        f"Pending{active.__name__}",
        (PendingTable,),
        body,
        number=PENDING + active.info.number,
        title=f"Pending {title}",
        source=source if source is Source.PROJECT else Source.OPTICAL_GUIDE,
        read=EVERY,
        write=MEP_WRITE,
        note=note,
    )
    return declared


_OFFSETS = "Offsets of partial services do not count the 6 bytes of the event."

PENDING_TABLES: Final = (
    _pending(Calendar, "TOU Calendar", "calendar", _OFFSETS),
    _pending(CalendarOverrideSettings, "Calendar Override Settings", "calendar override", _OFFSETS),
    _pending(
        EnergyAccumulatorSettings,
        "Configurable Energy Accumulator Settings",
        "set-up of energy accumulators",
        "The event is the optical guide's, the settings are this project's (ET60).",
    ),
)


__all__ = [
    "EVENT_CODES",
    "PENDING_TABLES",
    "PendingActivation",
    "PendingEvent",
    "PendingStatus",
    "PendingTable",
]

"""BT70s: history log."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.codes import LIST_TYPES, ORDERS, USERS
from osgp.spec.declare import Table
from osgp.spec.events import EVENT_NAMES, Occurrence, occurrence
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    array,
    bits,
    bitset,
    flag,
    nested,
    octets,
    uint8,
    uint16,
    uint32,
)

from .lists import CircularList

BT71 = Ref("BT71")
ET11 = Ref("ET11")
ET54 = Ref("ET54")


class LogDimensions(Table):
    """What BT70 and BT71 have in common: dimensions of the B70s decade."""

    event_number = flag(0, "a common event number in both logs", vci="F", default=False)
    history_date_time = flag(1, "date and time of entries", vci="F", default=True)
    history_sequence_number = flag(2, "sequence numbers of entries", vci="F", default=True)
    history_inhibit_overflow = flag(3, "the history log stops when full", vci="F", default=False)
    event_inhibit_overflow = flag(4, "the event log stops when full", vci="F", default=False)
    number_of_standard_event_bytes = uint8(
        "bytes of a set of standard events", unit="bytes", vci="F", default=8
    )
    number_of_manufacturer_event_bytes = uint8(
        "bytes of a set of manufacturer events", unit="bytes", vci="F", default=19
    )
    history_data_length = uint8("bytes of an argument", unit="bytes", vci="F", default=2)
    event_data_length = uint8("bytes of an event log argument", unit="bytes", vci="F", default=2)
    number_of_history_entries = uint16("entries of the history log", vci="M", default=100)
    number_of_event_entries = uint16("entries of the event log", vci="F", default=0)


class DimensionLog(
    LogDimensions,
    number=70,
    title="Dimension Log",
    source=Source.OPTICAL_GUIDE,
    read=EVERY,
    note="Maxima; the event counts are described as counts too, up to 64 and 152.",
):
    """The most that BT71 may say."""

    number_of_manufacturer_event_bytes = uint8(
        "bytes of a set of manufacturer events", unit="bytes", vci="P", default=19
    )
    number_of_history_entries = uint16(
        "most entries of the history log", vci="P", default=200, note="100 or 200 by model"
    )
    number_of_event_entries = uint16("most entries of the event log", vci="P", default=0)


class ActualLog(
    LogDimensions,
    number=71,
    title="Actual Log",
    source=Source.OPTICAL_GUIDE,
    read=EVERY,
    nvm_write=True,
    note="event_number is printed as FALSE and described as in use.",
):
    """Dimensions in use in the B70s decade."""


class EventsIdentification(
    Table,
    number=72,
    title="Events Identification",
    source=Source.C12_19,
    read=EVERY,
    note="Layout of C12.19-1997 with the sizes of BT71; no OSGP source prints it.",
):
    """Which events the device knows."""

    standard_events_supported = bitset(
        BT71.number_of_standard_event_bytes, "standard events it logs", enum=EVENT_NAMES
    )
    manufacturer_events_supported = bitset(
        BT71.number_of_manufacturer_event_bytes,
        "manufacturer events it logs",
        note="bit n is event 64 + n (inferred)",
    )


class HistoryLogControl(
    Table,
    number=73,
    title="History Log Control",
    source=Source.C12_19,
    read=EVERY,
    write=EVERY,
    note="The first two sets of C12.19-1997; procedures and tables are not logged by set here.",
):
    """Which events go into the history log."""

    standard_events_monitored = bitset(
        BT71.number_of_standard_event_bytes, "standard events logged", enum=EVENT_NAMES
    )
    manufacturer_events_monitored = bitset(
        BT71.number_of_manufacturer_event_bytes,
        "manufacturer events logged",
        note="bit n is event 64 + n (inferred)",
    )


class HistoryEntry(Record):
    """One logged event."""

    time = nested(LTimeDate, "when, UTC", when=BT71.history_date_time, vci="M")
    event_number = uint16(
        "number common to both logs", when=BT71.event_number, source=Source.C12_19
    )
    sequence_number = uint16(
        "low bytes of the sequence number",
        when=BT71.history_sequence_number,
        vci="M",
        note="from 3.70 and CPM 1.20 one sequence over BT74 and ET79",
    )
    user_id = uint16("who was logged in", enum=USERS, vci="M")
    event = bits(0, 11, "event", word=16, enum=EVENT_NAMES, vci="M")
    argument = octets(BT71.history_data_length, "argument of the event", vci="M")

    @property
    def occurrence(self) -> Occurrence:
        """The event in words."""
        return occurrence(self.event, self.argument)


class HistoryLogData(
    Table,
    number=74,
    title="History Log Data (Primary Event Log)",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
    note="The text counts ten header bytes, the fields need 11.",
):
    """The primary event log."""

    order = bits(0, 0, "order of entries", enum=ORDERS, vci="F", default=0)
    overflow = flag(1, "unread entries were lost", vci="M", note="cleared by BP04 and BP05")
    list_type = bits(2, 2, "kind of list", enum=LIST_TYPES, vci="F", default=1)
    inhibit_overflow = flag(3, "new entries are refused when full", vci="F", default=False)
    number_of_valid_entries = uint16("entries with data", vci="M")
    last_entry_element = uint16("index of the newest entry", vci="M")
    last_entry_sequence_number = uint32("sequence number of the newest entry", vci="M")
    number_of_unread_entries = uint16("entries not read", vci="M/H")
    entries = array(nested(HistoryEntry), BT71.number_of_history_entries, "log entries")


class AlternateEventLog(
    Table,
    number=2127,
    title="History Log Data (Alternate Event Log)",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
    since=since("3.70", cpm="1.20"),
    note=(
        "Counted by BT71.5 in the table's heading, by ET54.80 in the text; ET54 it is. "
        "Printed in hex as 0x0849, which is 2121."
    ),
):
    """The alternate event log: what BT74 does not take."""

    order = bits(0, 0, "order of entries", enum=ORDERS, vci="F", default=0)
    overflow = flag(1, "unread entries were lost", vci="M", note="cleared by BP04 and BP05")
    list_type = bits(2, 2, "kind of list", enum=LIST_TYPES, vci="F", default=1)
    inhibit_overflow = flag(3, "new entries are refused when full", vci="F", default=False)
    number_of_valid_entries = uint16("entries with data", vci="M")
    last_entry_element = uint16("index of the newest entry", vci="M")
    last_entry_sequence_number = uint32("of the newest entry; shared with BT74", vci="M")
    number_of_unread_entries = uint16("entries not read", vci="M/H")
    entries = array(nested(HistoryEntry), ET54.et79_entry_count, "log entries")


class CriticalEvent(Record):
    """An event that was reported at once."""

    time = nested(LTimeDate, "when, UTC")
    sequence_number = uint32("its sequence number in BT74")
    event = bits(0, 11, "event", word=16, enum=EVENT_NAMES)
    argument = octets(BT71.history_data_length, "argument of the event")
    category = uint8("mask of ET69 that it matched")
    reported = flag(0, "a concentrator has it")


class CriticalEvents(
    CircularList,
    number=2116,
    title="Critical Events",
    source=Source.PROJECT,
    read=EVERY,
    since=since("3.30", cpm="1.0"),
    note="Known: ET11 has the number of masks; one entry for each is kept.",
):
    """Events that match a mask of ET69."""

    entries = array(nested(CriticalEvent), ET11.maximum_critical_event_bitmaps, "critical events")


class CriticalEventMask(Record):
    """One category of critical events."""

    category = uint8("category, 0 = unused")
    standard_events = bitset(
        BT71.number_of_standard_event_bytes, "standard events", enum=EVENT_NAMES
    )
    manufacturer_events = bitset(
        BT71.number_of_manufacturer_event_bytes, "manufacturer events, from 64"
    )


class CriticalEventBitmasks(
    Table,
    number=2117,
    title="Critical Events Bitmasks",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    since=since("3.30", cpm="1.0"),
    note="Known: ET11 has the number of masks.",
):
    """Which events are critical."""

    masks = array(nested(CriticalEventMask), ET11.maximum_critical_event_bitmaps, "masks")


__all__ = [
    "ActualLog",
    "AlternateEventLog",
    "CriticalEvent",
    "CriticalEventBitmasks",
    "CriticalEventMask",
    "CriticalEvents",
    "DimensionLog",
    "EventsIdentification",
    "HistoryEntry",
    "HistoryLogControl",
    "HistoryLogData",
]

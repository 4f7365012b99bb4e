"""Queues and logs of reads: ET19, ET20, ET31, ET32, ET36, ET39 to ET41, ET45, ET74."""

from __future__ import annotations

from typing import Final

from osgp.spec.access import EVERY, MEP, MEP_WRITE
from osgp.spec.declare import Table, TableMeta
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    STimeDate,
    array,
    bits,
    bitset,
    flag,
    nested,
    ni_fmat2,
    octets,
    set_bytes,
    this,
    uint8,
    uint16,
)

from .lists import CircularList, LongCircularList, entries_of
from .mbus import BillingRead
from .registers import CurrentRegisterData, SelfRead

BT21 = Ref("BT21")
ET11 = Ref("ET11")
ET54 = Ref("ET54")

NAMESPACES = {0: "manufacturer", 1: "DLMS", 2: "OSGP"}
EXECUTION_STATES = {0: "normal", 2: "delayed"}
READ_RESULTS = {4: "success"}
RESET_REASONS = {0: "schedule", 1: "procedure", 2: "push button", 3: "pending table"}


class OneTimeReadRequest(Record):
    """A read that is to happen once, at a time."""

    request_id = uint16("the caller's number")
    read_time = nested(LTimeDate, "when, UTC")
    device_handle = uint16("device, 0 = the meter")
    state = uint8("state", enum={0: "empty", 1: "waiting", 2: "done", 3: "failed"})
    caller = uint16("who asked, as in BT74")
    reserved = octets(4, "")


class OneTimeReadQueue(Table):
    """Reads that wait for their time."""

    requests: tuple[OneTimeReadRequest, ...]


def _queue(number: int, whose: str, size: Ref, note: str, log: str) -> type[OneTimeReadQueue]:
    body = {
        "__doc__": f"{whose} reads that wait for their time; results go to {log}.",
        "__module__": __name__,
        "requests": array(nested(OneTimeReadRequest), size, "reads that wait"),
    }
    declared: type[OneTimeReadQueue] = TableMeta(
        f"{whose.replace('-', '')}OneTimeReadQueue",
        (OneTimeReadQueue,),
        body,
        number=number,
        title=f"{whose} One-Time Read Queue",
        source=Source.PROJECT,
        read=EVERY,
        note=f"Known: ET11 has the number and size of entries, {note}.",
    )
    return declared


ONE_TIME_READ_QUEUES: Final = (
    _queue(2067, "Meter", ET11.meter_one_time_read_queue_size, "3 of 17 bytes", "ET31"),
    _queue(2068, "M-Bus", ET11.m_bus_one_time_read_queue_size, "4 of 17 bytes", "ET32"),
)


class MeterOneTimeReadLog(
    CircularList,
    number=2079,
    title="Meter One-Time Read Log",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    note="Counted by BT21.2 in the table's heading, by ET36 elsewhere; ET36 it is.",
):
    """Copies of BT23 that were asked for."""

    entries = array(nested(SelfRead), entries_of("ET31"), "one-time reads")


class RecurringRead(Record):
    """A billing read of a device as ET45 and ET32 log it."""

    length = uint16("billing data with the handle", unit="bytes", vci="M")
    identifier = bits(0, 10, "id in its namespace", word=16)
    namespace = bits(11, 15, "whose id it is", word=16, enum=NAMESPACES)
    device_handle = uint16("handle of the device", vci="M")
    execution_status = uint8("how it went", enum=EXECUTION_STATES, vci="M")
    result = uint8("outcome", enum=READ_RESULTS, vci="M")
    data = nested(BillingRead, "the read", vci="M")


class MepOneTimeReadLog(
    CircularList,
    number=2080,
    title="MEP One-Time Read Log",
    source=Source.PROJECT,
    read=EVERY,
    note="Known: ET36 has entries of 525 bytes, as in ET45; taken to be of its layout.",
):
    """Billing reads of devices that were asked for once."""

    entries = array(nested(RecurringRead), entries_of("ET32"), "one-time reads")


class LogDimension(Record):
    """Size of one log."""

    table_number = bits(0, 10, "number within basic or extended", word=16, vci="F")
    extended = flag(11, "an extended table", word=16, vci="F")
    procedure_flag = flag(12, "not used", word=16, vci="F")
    flags = bits(13, 15, "reserved", word=16, vci="F")
    entry_size = uint16("an entry", unit="bytes", vci="M")
    max_entries = uint16("most entries", vci="M")
    current_entries = uint16("entries set up", vci="M")
    length_included = flag(0, "each entry begins with its length", vci="P")
    spare = octets(8, "")


class ManufacturerActualDimensions(
    Table,
    number=2084,
    title="Manufacturer Table Actual Dimensions",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_write=True,
    note=(
        "The bitmap's offset is printed with 10 bytes for each entry; entries are 17. "
        "Appendix C marks it read-only and Write-NVM."
    ),
):
    """Sizes of the logs that EP06, EP32 and EP37 set up, in the order of `lists.LOGS`."""

    count = uint8("logs in the list", default=7, vci="P")
    logs = array(nested(LogDimension), this.count, "size of each log")
    unread_entries = bitset(set_bytes(this.count), "logs with unread entries, in list order")


class PreviousDemand(
    Table,
    number=2087,
    title="Previous Demand",
    source=Source.PROJECT,
    read=EVERY,
):
    """Demands of the interval before the running one; source ids 96 to 103."""

    interval_end = nested(LTimeDate, "end of that interval, UTC")
    demands = array(ni_fmat2(), BT21.number_of_demands, "in order of BT22")


class DemandConfiguration(
    Table,
    number=2088,
    title="Demand Configuration",
    source=Source.PROJECT,
    read=MEP,
    write=MEP_WRITE,
    nvm_write=True,
    note="Known: it has the time of day of demand resets; the rest is reserved.",
):
    """When demands are reset."""

    demand_reset_hour = uint8("local hour", unit="h")
    demand_reset_minute = uint8("minute", unit="min")
    demand_reset_day = uint8("of the month, 0 = never")
    reserved = octets(5, "")


class DemandReset(Record):
    """What was reset."""

    length = uint16("the entry", unit="bytes", vci="M")
    reset_reason = uint8("why", enum=RESET_REASONS, vci="M")
    billing_interface_definition_number = uint16("billing definition then", vci="M")
    date_time = nested(STimeDate, "when, local time", vci="M")
    season = uint8("season then", vci="M")
    register_data = nested(CurrentRegisterData, "copy of BT23", vci="M")


class HistoricalDemandResetLog(
    CircularList,
    number=2089,
    title="Historical Demand Reset Log",
    source=Source.MEP_GUIDE,
    read=MEP,
    nvm_read=True,
    note="last_entry_element has VCI F and value 0 in print, though it varies.",
):
    """Copies of BT23 at demand resets."""

    entries = array(nested(DemandReset), entries_of("ET41"), "demand resets")


class MepRecurringReadLog(
    CircularList,
    number=2093,
    title="MEP Recurring Read Log",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_write=True,
    note="last_entry_element has VCI F and value 0 in print, though it varies.",
):
    """Billing reads of devices not yet fetched."""

    entries = array(nested(RecurringRead), entries_of("ET45"), "billing reads")


class ExtendedRead(Record):
    """A billing read of a device as ET74 logs it."""

    length = uint16("billing data with the handle", unit="bytes", vci="M")
    filler = uint16("ET45 has identifier and namespace here", vci="M")
    device_handle = uint16("handle of the device", vci="M")
    execution_status = uint8("how it went", enum=EXECUTION_STATES, vci="M")
    result = uint8("outcome", enum=READ_RESULTS, vci="M")
    data = nested(BillingRead, "the read", vci="M")


class MepRecurringReadExtendedLog(
    LongCircularList,
    number=2122,
    title="MEP Recurring Read Extended Log",
    source=Source.MEP_GUIDE,
    read=EVERY,
    since=since("3.60", cpm="1.20"),
    note=(
        "Its entries are counted in ET42 and in ET54, which are the same; last_entry_element "
        "has VCI F in print."
    ),
):
    """Billing reads of devices; unread ones move on to ET45."""

    entries = array(nested(ExtendedRead), ET54.et74_entry_count, "billing reads")


__all__ = [
    "ONE_TIME_READ_QUEUES",
    "DemandConfiguration",
    "DemandReset",
    "ExtendedRead",
    "HistoricalDemandResetLog",
    "LogDimension",
    "ManufacturerActualDimensions",
    "MepOneTimeReadLog",
    "MepRecurringReadExtendedLog",
    "MepRecurringReadLog",
    "MeterOneTimeReadLog",
    "OneTimeReadQueue",
    "OneTimeReadRequest",
    "PreviousDemand",
    "RecurringRead",
]

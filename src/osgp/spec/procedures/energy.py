"""Extended procedures on what is metered and logged: load profile, self-reads, billing, demand."""

from __future__ import annotations

from osgp.spec.access import OPTICAL_WRITE
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    LTimeDate,
    Record,
    array,
    bitset,
    flag,
    nested,
    set_bytes,
    this,
    uint8,
    uint16,
    uint32,
)

READ_STATES = {0: "posted", 1: "queue full", 2: "time has passed"}


class ConfigureLoadProfile(
    Procedure,
    number=2059,
    title="Configure/Reset Load Profile Data Set",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: it clears overflow flags and changes BT61, BT62, ET21 and ET66.",
):
    """Sets up a data set anew, which empties it; with no channels it only empties it."""

    data_set = uint8("data set, 1 to 4")
    configuration_id = uint32("the host's id of this set-up, ET21")
    number_of_blocks = uint16("blocks; 0 = as memory allows")
    intervals_per_block = uint16("intervals in a block; 0 = a day")
    interval_time = uint8("length of an interval; 84 = 24 hours", unit="min")
    block_start_hour = uint8("start of blocks, UTC", unit="h")
    block_start_minute = uint8("start of blocks, UTC", unit="min")
    options = uint8("options as in ET21.93")
    number_of_channels = uint8("channels that follow")
    extended_sources = array(uint16(), this.number_of_channels, "extended source ids")


class RecordSelfRead(
    Procedure,
    number=2060,
    title="Record Self-Read",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Puts a copy of BT23 into BT26."""


class PostedRead(Record):
    """What became of a one-time read."""

    state = uint8("outcome", enum=READ_STATES)
    entry = uint8("entry in ET19 or ET20")


class PostOneTimeRead(
    Procedure,
    number=2072,
    title="Post One-Time Read Request",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    response=PostedRead,
    note="Known: queues of 3 and 4 in ET19 and ET20, results in ET31 and ET32.",
):
    """Asks for a read of the meter or a device at a time."""

    request_id = uint16("the caller's number")
    read_time = nested(LTimeDate, "when, UTC")
    device_handle = uint16("device, 0 = the meter")


class ResetLogs(
    Procedure,
    number=2073,
    title="Reset Extended Table Logs and Queues",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Empties logs and queues."""

    count = uint8("tables that follow; 0 = all")
    tables = array(uint16(), this.count, "tables as 2048 + n")


class UpdateUnreadEntries(
    Procedure,
    number=2074,
    title="Update Mfg Lists Unread Entries",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: it takes entries off the unread ones of a log; the alarm clears with the last.",
):
    """Takes entries off the unread ones of an extended log, after they were read."""

    table_number = uint16("table as 2048 + n")
    entries_read = uint16("entries to take off")


class BillingDimension(
    Procedure,
    number=2080,
    title="Billing Dimension Configuration",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: it sets up demand, BT21 and BT22, ET41's size, and the BIDN.",
):
    """Sets up demand and the sizes that go with it."""

    billing_interface_definition_number = uint16("the host's number of this set-up")
    demand_sub_interval = uint8("sub-interval", unit="min")
    demand_multiplier = uint8("sub-intervals in an interval")
    cumulative_demand = flag(0, "cumulative demand is kept")
    continuous_cumulative_demand = flag(1, "continuous cumulative demand is kept")
    number_of_self_reads = uint8("entries of BT26")
    demand_reset_entries = uint8("entries of ET41")
    number_of_demands = uint8("demands that follow, at most 8")
    demand_sources = array(uint8(), this.number_of_demands, "sources", enum=SOURCE_NAMES)
    max_flags = bitset(set_bytes(this.number_of_demands), "demands that keep a maximum")
    number_of_coincident_values = uint8("coincident values that follow")
    coincident_sources = array(
        uint8(), this.number_of_coincident_values, "sources", enum=SOURCE_NAMES
    )
    coincident_demands = array(
        uint8(), this.number_of_coincident_values, "the demand each one goes with"
    )


class BillingReconfiguration(
    Procedure,
    number=2081,
    title="Billing Reconfiguration",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Known: it sets the demand interval too.",
):
    """Changes the demand interval and keeps sizes."""

    billing_interface_definition_number = uint16("the host's number of this set-up")
    demand_sub_interval = uint8("sub-interval", unit="min")
    demand_multiplier = uint8("sub-intervals in an interval")


class DemandResetProcedure(
    Procedure,
    number=2082,
    title="Demand Reset",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Copies BT23 to BT25 and ET41, then starts demands anew."""

    with_self_read = uint8("also", enum={0: "nothing", 1: "a self-read"})


__all__ = [
    "BillingDimension",
    "BillingReconfiguration",
    "ConfigureLoadProfile",
    "DemandResetProcedure",
    "PostOneTimeRead",
    "PostedRead",
    "RecordSelfRead",
    "ResetLogs",
    "UpdateUnreadEntries",
]

"""Extended tables behind the load profile: ET21, ET66, ET75."""

from __future__ import annotations

from osgp.spec.access import EVERY, FULL
from osgp.spec.declare import Table
from osgp.spec.dimensions import DATA_SETS, MOST_DATA_SETS
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    STimeDate,
    array,
    flag,
    int32,
    nested,
    octets,
    uint8,
    uint16,
    uint32,
)

from .display import CodeWord
from .lists import CircularList, entries_of

BT20 = Ref("BT20")
CHANNELS = Ref("BT60").data_sets[0].number_of_channels
"""The most channels a data set may have."""


class DataSetInternals(Record):
    """Where in memory a data set is written to, and how its blocks are laid out."""

    current_block_address = uint32("memory address of the current block", vci="M")
    current_interval_address = uint32("memory address of the current interval", vci="M")
    block_size = uint32("a block", unit="bytes", vci="M")
    block_header_size = uint16("end time, end readings, simple status", unit="bytes", vci="M")
    number_of_valid_blocks = uint16("blocks with data", vci="M")
    number_of_valid_intervals = uint16("intervals in the current block", vci="M")
    last_block_index = uint16("index of the newest block", vci="M")
    last_interval_number = uint16("index of the newest interval in it", vci="M")
    simple_status_offset_from_block = uint8("simple status in a block", unit="bytes", vci="M")
    simple_status_size = uint8("simple status", unit="bytes", vci="M")
    interval_0_offset_from_block = uint8("first interval in a block", unit="bytes", vci="M")
    interval_size = uint8("an interval", unit="bytes", vci="M")
    channel_0_offset_from_interval = uint8("first value in an interval", unit="bytes", vci="M")
    extended_status_common = uint8("common status so far", vci="M")
    number_of_channels = uint8("channels", vci="M")
    interval_time = uint8("length of an interval; 84 = 24 hours", unit="min", vci="M")
    sources = array(uint8(), 8, "sources of channels 0 to 7", enum=SOURCE_NAMES, vci="M")
    placeholders = array(
        int32(), 8, "newest values of M-Bus channels", vci="M", since=since("2.10q", cpm="1.0")
    )
    sources_expansion = array(
        uint8(),
        8,
        "sources of channels 8 to 15",
        enum=SOURCE_NAMES,
        vci="M",
        since=since("2.10s", cpm="1.0"),
    )
    load_profile_configuration_id = uint32(
        "id of this set-up", vci="M", since=since("2.10s", cpm="1.0")
    )
    mep_billing_start_channel = uint8(
        "first channel with MEP billing data", vci="M", since=since("2.10s", cpm="1.0")
    )
    block_start_time = nested(
        LTimeDate, "start of the current block, UTC", vci="M", since=since("3.10", cpm="1.0")
    )
    block_start_hour = uint8(
        "start of blocks, UTC", unit="h", vci="M", since=since("3.10", cpm="1.0")
    )
    block_start_minute = uint8(
        "start of blocks, UTC", unit="min", vci="M", since=since("3.10", cpm="1.0")
    )
    interval_in_progress = uint16(
        "interval being closed, 0 = none", vci="M", since=since("3.10", cpm="1.0")
    )
    end_readings = flag(0, "must be 0", vci="H", since=since("3.10", cpm="1.0"))
    scalar_divisor = flag(1, "must be 0", vci="H", since=since("3.10", cpm="1.0"))
    data_reference = flag(2, "must be 0", vci="H", since=since("3.10", cpm="1.0"))
    ansi_compliance = flag(3, "statuses as ANSI has them", vci="H", since=since("3.10", cpm="1.0"))
    interval_end_time_utc = nested(
        LTimeDate, "end of the last interval", vci="M", since=since("3.30", cpm="1.0")
    )
    reserved_100 = octets(
        1,
        "undocumented",
        since=since("3.30", cpm="1.0"),
        note="the field before ends at 99, the next is printed at 101; GS OSG 001 has it at 100",
    )
    interval_end_time_local = nested(
        LTimeDate, "end of the last interval", vci="M", since=since("3.30", cpm="1.0")
    )
    max_memory_length = uint32(
        "memory for this set", unit="bytes", vci="M", since=since("3.50", cpm="1.20")
    )
    nvmf_occurred = flag(
        0, "memory failed since the set exists", vci="M", since=since("3.50", cpm="1.20")
    )
    reserved_112 = octets(19, "", since=since("3.50", cpm="1.20"))


class LoadProfileInternalConfiguration(
    Table,
    number=2069,
    title="Load Profile Internal Configuration",
    source=Source.MEP_GUIDE,
    read=f"{FULL} PK MBK MAK",
    note=(
        "The number of sets: see DATA_SETS. Data sets are 1 to 4 in its table, 0 to 3 in the "
        "use case."
    ),
):
    """What a reader needs to compute offsets in BT64 to BT67."""

    data_sets = array(nested(DataSetInternals), DATA_SETS, "each data set", source=Source.PROJECT)


class SourceMapping(
    Table,
    number=2114,
    title="Load Profile Source ID Mapping Table",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Ids 112 to 163 are 52, the entries 64.",
):
    """What mapped source ids stand for: entry n belongs to id 112 + n."""

    extended_sources = array(uint16(), CHANNELS * MOST_DATA_SETS, "extended source ids", vci="H")


class ChannelChange(Record):
    """What the primary load profile was before a change."""

    timestamp = nested(STimeDate, "from when the change applies, UTC", vci="M")
    extended_sources = array(uint16(), CHANNELS, "sources before", vci="H")
    demand_sources = array(
        uint8(), BT20.number_of_demands, "demand sources before", enum=SOURCE_NAMES, vci="H"
    )
    demand_sub_interval = uint8("sub-interval before", unit="min", vci="H")
    demand_interval_multiplier = uint8("multiplier before", vci="H")
    display = array(nested(CodeWord), CHANNELS, "ET62 before")


class PrimaryLoadProfileChangeLog(
    CircularList,
    number=2123,
    title="Primary Load Profile Channel Change Log",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    since=since("3.60", cpm="1.30"),
    note=(
        "The list is circular in its table, no circular queue in the text; last_entry_element "
        "has VCI F in print."
    ),
):
    """Changes of the primary load profile; full, it allows no more of them."""

    entries = array(nested(ChannelChange), entries_of("ET75"), "changes")


__all__ = [
    "ChannelChange",
    "DataSetInternals",
    "LoadProfileInternalConfiguration",
    "PrimaryLoadProfileChangeLog",
    "SourceMapping",
]

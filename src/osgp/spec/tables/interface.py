"""Extended tables that describe the device to its readers: ET42."""

from __future__ import annotations

from osgp.spec.access import EVERY
from osgp.spec.codes import ENERGY_UNITS
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.spec.source_ids import SOURCE_NAMES
from osgp.wire import (
    Record,
    Ref,
    array,
    flag,
    nested,
    octets,
    rest,
    this,
    uint8,
    uint16,
    uint32,
)

FIXED_SECTION = 41
"""Bytes before the log list where the device's fixed section has nothing unknown."""


class LogSize(Record):
    """Size of one adjustable log, in the order of ET36."""

    count = uint8("entries", note="ET36 counts them in UINT16")
    entry_size = uint16("an entry", unit="bytes")


class DataSetInterface(Record):
    """Load profile data set 2, 3 or 4."""

    block_size = uint32("a block", unit="bytes")
    number_of_blocks = uint16("blocks")
    number_of_channels = uint8("channels")
    interval_duration = uint8("length of an interval; 84 = 24 hours", unit="min")
    interval_size = uint8("an interval", unit="bytes")
    options = uint8("options as in ET21.93")
    intervals_per_block = uint16("intervals in a block")
    block_start_hour = uint8("start of blocks, UTC", unit="h")
    block_start_minute = uint8("start of blocks, UTC", unit="min")
    extended_sources = array(uint16(), this.number_of_channels, "extended source ids")


class InterfaceDefinition(
    Table,
    number=2090,
    title="Interface Definition",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
    note=(
        "Every change counts up ET04.116 and sets the interface change alarm. Names NbrSumms "
        "and the like are undefined in the guide; taken as the fields at 12, 13, 14 and 29. "
        "References to ET36 at 90, 103 and 107 mean 92, 105 and 109; the energy unit is that "
        "of ET55.A+39; the interface bits at 0 are those of byte 4; sets 2 to 4 stand here."
    ),
):
    """What a reader must know of the device in one table; repeats fields of others."""

    table_length = uint16("this table", unit="bytes")
    fixed_section_length = uint8("where the log list begins", unit="bytes")
    log_list_size = uint8("logs in the list")
    ica_nak = flag(0, "requests are refused after a change", word=16, starts=True, vci="H")
    all_data_formats = flag(1, "the concentrator takes every format", word=16, vci="H")
    c12_19_compliance = uint16("compliance flags, unused", vci="H")
    billing_interface_definition_number = uint16("chosen by the host")
    demand_reset_counter = flag(0, "BT21.0.2: demand resets are counted")
    cumulative_demand = flag(1, "BT21.0.4: cumulative demand")
    continuous_cumulative_demand = flag(2, "BT21.0.5: continuous cumulative demand")
    demand_configured = flag(3, "demand was set up once")
    unread_log_entries_bitmap_enabled = flag(4, "ET36 has the unread bitmap")
    number_of_self_reads = uint8("BT21.2")
    number_of_summations = uint8("BT21.3")
    number_of_demands = uint8("BT21.4")
    number_of_coincident_values = uint8("BT21.5")
    number_of_occurrences = uint8("BT21.6")
    number_of_tiers = uint8("BT21.7")
    number_of_present_demands = uint8("BT21.8")
    number_of_present_values = uint8("BT21.9")
    demand_sub_interval = uint8("BT13.4", unit="min")
    demand_multiplier = uint8("BT13.5")
    tier_size = uint16("a tier in BT23", unit="bytes")
    block_size = uint32("block of data set 1", unit="bytes")
    number_of_blocks = uint16("blocks of data set 1")
    number_of_channels = uint8("channels of data set 1")
    interval_duration = uint8("interval of data set 1; 84 = 24 hours", unit="min")
    interval_size = uint8("interval of data set 1", unit="bytes")
    options = uint8("options of data set 1, as ET21.93")
    intervals_per_block = uint16("intervals in a block of data set 1")
    block_start_hour = uint8("start of blocks of data set 1", unit="h")
    block_start_minute = uint8("start of blocks of data set 1", unit="min")
    event_number = flag(0, "BT71.0.0")
    date_time = flag(1, "BT71.0.1")
    sequence_number = flag(2, "BT71.0.2")
    inhibit_overflow = flag(3, "BT71.0.3")
    event_log_inhibit_overflow = flag(4, "BT71.0.4")
    history_log_count = uint16("entries of BT74")
    history_log_entry_size = uint8("argument in BT74", unit="bytes")
    fixed_section_reserved = octets(
        (this.fixed_section_length - FIXED_SECTION).max(0), "fields of later versions"
    )
    log_list = array(nested(LogSize), this.log_list_size, "adjustable logs in ET36's order")
    demand_sources = array(
        uint8(), this.number_of_demands, "source of each demand", enum=SOURCE_NAMES
    )
    coincident_sources = array(
        uint8(), this.number_of_coincident_values, "their sources", enum=SOURCE_NAMES
    )
    load_profile_extended_sources = array(
        uint16(), this.number_of_channels, "extended source ids of data set 1"
    )
    mdtt_current_entries = uint8("M-Bus data types in use")
    mdtt_entries = array(octets(4), this.mdtt_current_entries, "entries of ET57 in use")
    set_2_active = flag(
        0, "data set 2 follows", when=Ref("ET54").multiple_load_profile_data_sets.or_else(0)
    )
    set_3_active = flag(1, "data set 3 follows")
    set_4_active = flag(2, "data set 4 follows")
    data_sets = array(
        nested(DataSetInterface),
        this.set_2_active + this.set_3_active + this.set_4_active,
        "data sets 2 to 4 that are active",
        when=Ref("ET54").multiple_load_profile_data_sets.or_else(0),
    )
    required_section_length = uint8(
        "from here to the end", unit="bytes", since=since("3.60", cpm="1.20")
    )
    et74_entry_count = uint16("entries of ET74", since=since("3.60", cpm="1.20"))
    et77_entry_count = uint8("entries of ET77", since=since("3.70", cpm="1.20"))
    et79_entry_count = uint16("entries of ET79", since=since("3.70", cpm="1.20"))
    energy_register_unit = uint8(
        "Wh or varh for each count, as ET55", enum=ENERGY_UNITS, since=since("3.70", cpm="1.20")
    )
    accumulator_rollover_digit = uint8(
        "digits before registers roll over, 5 to 9", since=since("3.70", cpm="1.20")
    )
    additions = rest("fields of later versions")


__all__ = ["DataSetInterface", "InterfaceDefinition", "LogSize"]

"""Extended tables of sizes: ET11."""

from __future__ import annotations

from osgp.spec.access import EVERY
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import uint8, uint16


class ManufacturerDimensions(
    Table,
    number=2059,
    title="Manufacturer Dimensions",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="The optical guide prints VCI F up to byte 11, and 896 alone at byte 7.",
):
    """Sizes of the extended tables."""

    number_of_devices = uint8("MEP and M-Bus devices", default=6, vci="P", note="5 before 4.0")
    config_entry_size = uint8("entry of ET13", unit="bytes", default=66, vci="P")
    status_entry_size = uint8("entry of ET14", unit="bytes", default=36, vci="P")
    on_demand_request_queue_size = uint8("entries of ET15", default=5, vci="P")
    on_demand_request_entry_size = uint8("entry of ET15", unit="bytes", default=6, vci="P")
    data_entry_size = uint16("entry of ET16", unit="bytes", default=517, vci="P")
    transaction_request_length = uint16(
        "ET52", unit="bytes", default=896, vci="P", note="768 before 3.50 and CPM 1.20"
    )
    transaction_response_length = uint16("ET53", unit="bytes", default=1785, vci="P")
    on_demand_write_entry_size = uint8(
        "longest on-demand write, length byte included", unit="bytes", default=25, vci="P"
    )
    phase_measurement_data_size = uint8(
        "measurements of a phase", unit="bytes", default=16, vci="P"
    )
    config_entry_2_size = uint8("entry of ET34", unit="bytes", default=22, vci="P")
    meter_one_time_read_queue_size = uint8(
        "entries of ET19", default=3, vci="P", source=Source.OPTICAL_GUIDE
    )
    m_bus_one_time_read_queue_size = uint8(
        "entries of ET20", default=4, vci="P", source=Source.OPTICAL_GUIDE
    )
    meter_one_time_read_request_entry_size = uint8(
        "entry of ET19", unit="bytes", default=17, vci="P", source=Source.OPTICAL_GUIDE
    )
    m_bus_one_time_read_request_entry_size = uint8(
        "entry of ET20", unit="bytes", default=17, vci="P", source=Source.OPTICAL_GUIDE
    )
    number_of_group_ids = uint8("group ids", default=10, vci="P")
    number_of_harmonics = uint8("harmonics that are computed", default=10, vci="P")
    m_bus_multicast_message_length = uint8(
        "longest multicast: length, C, CI, data", unit="bytes", default=65, vci="P"
    )
    et22_alarm_size = uint8("first array of ET22", unit="bytes", default=120, vci="P")
    mep_data_sources = uint8(
        "data sources in ET50", default=6, vci="P", note="20 on modules from CPM 1.11"
    )
    et48_entry_count = uint8("entries of ET48", default=10, vci="P")
    maximum_critical_event_bitmaps = uint8(
        "critical event masks", default=10, vci="P", since=since("3.30", cpm="1.00")
    )
    et57_entry_count = uint8(
        "M-Bus data types", default=16, vci="P", since=since("3.30", cpm="1.00")
    )
    time_based_relay_switches = uint8(
        "switches per control relay", default=80, vci="P", since=since("3.30", cpm="1.00")
    )
    mep_data_alert_sources = uint8(
        "delta data alerts in ET71", default=10, vci="P", since=since("3.40", cpm="1.00")
    )
    ram_only_transaction_request_length = uint16(
        "RAM-only request", unit="bytes", default=261, vci="P", since=since("3.50", cpm="1.20")
    )
    ram_only_transaction_response_length = uint16(
        "RAM-only response", unit="bytes", default=769, vci="P", since=since("3.50", cpm="1.20")
    )
    firmware_module_entry_count = uint8(
        "firmware modules in ET54", default=6, vci="P", since=since("4.0")
    )
    firmware_module_entry_length = uint8(
        "firmware module in ET54", unit="bytes", default=7, vci="P", since=since("4.0")
    )
    mep_channel_count = uint8("MEP clients", default=2, vci="P", since=since("4.0"))
    reserved_35 = uint8("", default=10, vci="P", since=since("4.0"))
    et17_verification_bitmap_size = uint16(
        "bitmap in ET17", unit="bytes", default=1250, vci="P", since=since("4.0")
    )
    error_screen_count = uint8("error and caution screens", default=3, vci="P", since=since("4.20"))


__all__ = ["ManufacturerDimensions"]

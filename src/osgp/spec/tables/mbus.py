"""M-Bus and MEP devices of the meter: ET13 to ET16, ET34, ET57, ET58.

Devices are counted from 0: M-Bus devices first, then MEP clients (index 4 and 5 of six). Where a
record differs between the two kinds, the table has the bytes and `...Config`, `...Read` their
layouts.
"""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP, MEP_WRITE
from osgp.spec.codes import BAUD_RATES, REQUEST_TYPES
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    LTimeDate,
    Record,
    Ref,
    array,
    bcd,
    bits,
    flag,
    nested,
    octets,
    rest,
    text,
    this,
    uint8,
    uint16,
    uint32,
)

ET11 = Ref("ET11")

M_BUS_DEVICES = 4
"""Indexes below this are M-Bus devices, the others MEP clients."""

BILLING_FREQUENCIES = {0: "hourly", 1: "daily", 2: "weekly", 3: "monthly", 4: "never"}
DEVICE_STATES = {0: "empty", 1: "M-Bus up", 2: "M-Bus down", 3: "MEP up", 4: "MEP down"}


class DeviceConfig(Record):
    """Set-up of one device."""

    billing_read_day = uint8("day of the month; 32 to 38 Sunday to Saturday, 39 off", vci="H")
    billing_read_hour = uint8("local hour", unit="h", vci="H")
    billing_read_minute = uint8("minute", unit="min", vci="H")
    billing_read_frequency = uint8("how often", enum=BILLING_FREQUENCIES, vci="H")
    status_read_frequency = uint16("M-Bus only, 0 = with billing", unit="min", vci="H")
    baud_rate = uint8("baud rate wanted", enum=BAUD_RATES, vci="H")
    device_alarm_bitmask = uint8("device alarms that are urgent", vci="H")
    details = octets(ET11.config_entry_size - 8, "MBusDeviceConfig or MepClientConfig", vci="H")


class MBusDeviceConfig(Record):
    """`DeviceConfig.details` of an M-Bus device."""

    customer_id = text(20, "customer's id of the device", vci="H")
    app_reset_parameter = uint8("parameter of the application reset", vci="H")
    security_key_length = uint8("length, 7 or less = no key", unit="bytes", vci="H")
    security_key = octets(32, "key; its first 8 bytes read as 0", vci="H")
    turn_around_bits = uint16("added to 330, in bit times", vci="H")
    turn_around_time = uint16("added to 50", unit="ms", vci="H")


class MepClientConfig(Record):
    """`DeviceConfig.details` of a MEP client."""

    scheduled_read_request_alert = flag(0, "a billing read is due", vci="M", default=False)
    on_demand_request = flag(1, "a request waits in ET15", vci="M", default=False)
    m_bus_change = flag(3, "M-Bus status or load profile changed", vci="M", default=False)
    delta_data_alert = flag(
        4, "a source of ET71 changed", vci="M", since=since("3.40", cpm="1.0"), default=False
    )
    downlink_data = octets(ET11.config_entry_size - 9, "data for the client, not urgent", vci="H")


class DeviceConfiguration(
    Table,
    number=2061,
    title="M-Bus/MEP Device Configuration",
    source=Source.MEP_GUIDE,
    read=MEP,
    write=MEP_WRITE,
    nvm_write=True,
):
    """How each device is read."""

    devices = array(nested(DeviceConfig), ET11.number_of_devices, "for each device")


class DeviceStatusEntry(Record):
    """State of one device."""

    device_handle = uint16("up to 999 M-Bus, from 1000 and 2000 MEP", vci="M")
    device_status = uint8("state", enum=DEVICE_STATES, vci="M")
    baud_rate = uint8("baud rate in use", enum=BAUD_RATES, vci="M")
    billing_read_length = uint16("newest read in ET16", unit="bytes", vci="M")
    read_attempts = uint32("requests sent", vci="M")
    read_answers = uint32("answers received", vci="M")
    billing_data_collected = flag(0, "a scheduled read is in ET16", word=16, vci="M")
    app_error_response = flag(1, "not supported", word=16, vci="M")
    new_device_alarm = flag(2, "a new device alarm", word=16, vci="M")
    billing_read_overflow = flag(3, "a read did not fit", word=16, vci="M")
    failed_comms_on_read = flag(4, "a read failed", word=16, vci="M")
    serial_number_mismatch = flag(5, "another serial number in a read", word=16, vci="M")
    firmware_switchover_success = flag(6, "new firmware runs", word=16, vci="M")
    firmware_switchover_failure = flag(7, "new firmware did not start", word=16, vci="M")
    m_bus_primary_address = uint8("primary address", vci="M", since=since("4.30"), in_place=True)
    reserved_17 = octets(6, "")
    device_alarms = uint8("alarms of the last read; EP18 clears them", vci="M")
    status_read_timestamp = nested(LTimeDate, "last good status read, local time", vci="M")
    last_read_attempt = nested(LTimeDate, "last billing read tried, local time", vci="M")


class DeviceStatus(
    Table,
    number=2062,
    title="M-Bus/MEP Device Status",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Entries are ET11.2 bytes, 36 in every known device.",
):
    """Which devices there are and how they answer."""

    mode = uint8("M-Bus, bit 0: 1 = auto-discovery", vci="M")
    reserved_1 = octets(4, "")
    device_occupancy = uint8("slots in use, one bit each", vci="M")
    devices = array(nested(DeviceStatusEntry), ET11.number_of_devices, "for each device")


class OnDemandRequest(Record):
    """A request for a device and what became of it."""

    transaction_number = uint16("the caller's number", vci="M")
    device_handle = uint16("device, or group mask of a multicast", vci="M")
    request_type = uint8("what is asked", enum=REQUEST_TYPES, vci="M")
    result = uint8(
        "outcome", enum={0: "pending", 1: "success", 2: "no response", 3: "failed"}, vci="M"
    )


class OnDemandWrite(Record):
    """What a request writes."""

    length = uint8("the data", unit="bytes", vci="M")
    data = octets(ET11.on_demand_write_entry_size - 1, "data as sent", vci="M")


class OnDemandRequests(
    Table,
    number=2063,
    title="M-Bus/MEP On-demand Requests",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Entries of the queue are ET11.4 bytes, 6 in every known device.",
):
    """Queue of requests that EP19 and EP39 post."""

    write_pointer = bits(0, 3, "next entry to fill", vci="M")
    read_pointer = bits(4, 7, "next entry to process", vci="M")
    requests = array(nested(OnDemandRequest), ET11.on_demand_request_queue_size, "the queue")
    writes = array(nested(OnDemandWrite), ET11.on_demand_request_queue_size, "what each writes")
    multicast_length = uint8("the multicast; 56 for a code packet", unit="bytes", vci="M")
    multicast = octets(
        ET11.m_bus_multicast_message_length - 1, "as sent; or packet number and packet", vci="M"
    )


class BillingRead(Record):
    """MBR: one billing read, ET11.5 bytes."""

    timestamp = nested(LTimeDate, "last good read, local time", vci="M")
    data_order = flag(0, "most significant byte first")
    response_type = flag(1, "fixed structure, not variable")
    key_availability = flag(2, "decrypted where needed")
    authentication = bits(
        3, 4, "check", enum={0: "passed", 1: "id", 2: "date", 3: "passed with other date"}
    )
    security_status = flag(5, "the check failed")
    data = octets(ET11.data_entry_size - 7, "VariableRead, FixedRead or MepRead", vci="M")


class VariableRead(Record):
    """`BillingRead.data` of an M-Bus device with variable structure (CI 72)."""

    length = uint8("telegram from here on, 0 included", unit="bytes")
    serial_number = bcd(4, "serial number, LSB first", vci="M")
    manufacturer = uint16("three letters in 5 bits each", vci="M")
    version = uint8("generation of the counter", vci="M")
    medium = uint8("medium", enum={3: "gas", 4: "heat", 6: "hot water", 7: "water"}, vci="M")
    access_number = uint8("counts responses", vci="M")
    application = bits(0, 1, "application error", enum={0: "none", 1: "busy", 2: "any"})
    power_low = flag(2, "power is low")
    permanent_error = flag(3, "permanent error")
    temporary_error = flag(4, "temporary error")
    manufacturer_specific = bits(5, 7, "manufacturer's")
    signature = uint16("encryption in use", vci="M")
    records = octets((this.length - 13).max(0), "data records", vci="M")
    unused = rest("to the end of the entry")


class FixedRead(Record):
    """`BillingRead.data` of an M-Bus device with fixed structure (CI 73)."""

    length = uint8("telegram, 16", unit="bytes")
    serial_number = bcd(4, "serial number, LSB first", vci="M")
    access_number = uint8("counts responses", vci="M")
    counter_coding = flag(0, "signed binary, not BCD")
    counter_time = flag(1, "at a fixed date, not now")
    power_low = flag(2, "power is low")
    permanent_error = flag(3, "permanent error")
    temporary_error = flag(4, "temporary error")
    manufacturer_specific = bits(5, 7, "manufacturer's")
    medium_and_unit = uint16("medium and unit", vci="M")
    counter_1 = uint32("first reading", vci="M")
    counter_2 = uint32("second reading", vci="M")
    unused = rest("to the end of the entry")


class MepRead(Record):
    """`BillingRead.data` of a MEP client."""

    read_count = uint16("billing reads so far", vci="M")
    length = uint16("data", unit="bytes", vci="M")
    data = octets(this.length, "data of the client", vci="M")
    unused = rest("to the end of the entry")


class DeviceData(
    Table,
    number=2064,
    title="M-Bus/MEP Device Data",
    source=Source.MEP_GUIDE,
    read=EVERY,
    nvm_read=True,
    nvm_write=True,
    note="Appendix C marks it read-only and Write-NVM.",
):
    """The newest billing read of each device."""

    devices = array(nested(BillingRead), ET11.number_of_devices, "for each device")


class DeviceConfig2(Record):
    """More set-up of one device."""

    reserved_0 = octets(2, "")
    group_mask = uint8("multicast groups, M-Bus only", vci="H")
    reserved_3 = octets(1, "")
    load_profile_poll_rate = uint16(
        "shortest poll period, 0 = never", unit="min", default=60, vci="H"
    )
    control_mdt = uint8("data type of the valve's state", default=0, vci="H")
    command_monitor_mdt = uint8("data type of the command, 0 = none", default=0, vci="H")
    time_stamp_mdt = uint8("data type of the time stamp", default=0, vci="H")
    hour_locator = bits(0, 4, "first bit of the hours, from 1", vci="H", default=0)
    hour_locator_bits = bits(5, 7, "bits of the hours, 0 = default", vci="H", default=0)
    minute_locator = bits(0, 4, "first bit of the minutes, from 1", starts=True, vci="H", default=0)
    minute_locator_bits = bits(5, 7, "bits of the minutes, 0 = default", vci="H", default=0)
    load_profile_poll_wait = uint8("wait after an interval", unit="s", default=0, vci="H")
    load_profile_poll_retries = uint8("retries, 0 to 254", default=0, vci="H")
    load_profile_poll_retry_wait = uint8("wait between retries", default=0, vci="H")
    reserved_14 = octets(
        ET11.config_entry_2_size - 14, "", note="printed as 7 bytes; ET11.13 = 22 needs 8"
    )


class DeviceConfiguration2(
    Table,
    number=2082,
    title="Additional M-Bus/MEP Device Configuration",
    source=Source.MEP_GUIDE,
    read=MEP,
    write=MEP_WRITE,
    nvm_write=True,
):
    """How each device takes part in load profile and control."""

    devices = array(nested(DeviceConfig2), ET11.number_of_devices, "for each device")


class DataType(Record):
    """One M-Bus data type: which record headers hold it."""

    entry_type = bits(
        0,
        1,
        "kind",
        enum={0: "empty", 1: "M-Bus", 2: "MEP", 3: "continues the last"},
        vci="H",
        default=0,
    )
    mdt = bits(2, 6, "data type, not in continuations", vci="H")
    special = flag(7, "special reading, preferred to others", vci="H")
    drh = octets(3, "data record header; MEP: offset, length, command", vci="H")


class DataTypes(
    Table,
    number=2105,
    title="M-Bus/MEP Data Type Table",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
):
    """What extended source ids mean on M-Bus."""

    entries = array(nested(DataType), ET11.et57_entry_count, "data types")


class StatusExtension(Record):
    """More state of one device."""

    control_status = uint8("newest value of ET34's control data type", vci="M")
    reserved_1 = octets(19, "")


class DeviceStatusExtension(
    Table,
    number=2106,
    title="MEA Status Extension",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Also titled M-Bus/MEP Status Extension.",
):
    """What valves and the like report."""

    devices = array(nested(StatusExtension), ET11.number_of_devices, "for each device")


__all__ = [
    "BillingRead",
    "DataType",
    "DataTypes",
    "DeviceConfig",
    "DeviceConfig2",
    "DeviceConfiguration",
    "DeviceConfiguration2",
    "DeviceData",
    "DeviceStatus",
    "DeviceStatusEntry",
    "DeviceStatusExtension",
    "FixedRead",
    "MBusDeviceConfig",
    "MepClientConfig",
    "MepRead",
    "OnDemandRequest",
    "OnDemandRequests",
    "OnDemandWrite",
    "StatusExtension",
    "VariableRead",
]

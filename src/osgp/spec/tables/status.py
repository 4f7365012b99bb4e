"""State of the device: ET23, ET54, ET89."""

from __future__ import annotations

from osgp.spec.access import MEP, MEP_WRITE
from osgp.spec.declare import Table
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
    int32,
    nested,
    octets,
    uint8,
    uint16,
    uint32,
)

ET11 = Ref("ET11")

MISWIRINGS = {0: "none", 1: "low voltage", 2: "high voltage", 4: "phases in phase"}
SYNCHRONIZATION = {0: "none", 1: "going on", 2: "done"}
SECURITY_MODES = {0: "RC4", 2: "OSGP-AES-128-PSK"}
LOCK_CHANNELS = {0: "none", 1: "MEP1", 2: "MEP2"}
OPERATION_MODES = {0: "maintenance", 1: "locked", 2: "remote", 3: "local"}
RELAY_STATES = {0: "open", 1: "closed", 2: "unknown"}
SESSION_STATES = {
    0: "none",
    1: "RC4 in clear",
    2: "RC4 encrypted",
    3: "C12.18 in clear",
    4: "TLS",
}
VALIDATION_ERRORS = {
    0: "none",
    1: "not signed",
    2: "key id unknown",
    3: "key invalidated",
    16: "invalid signature",
    17: "invalid signature length",
    18: "invalid signature data",
    32: "invalid key format",
    33: "invalid key point",
    240: "unknown error",
}


class MiscellaneousInformation(
    Table,
    number=2071,
    title="Miscellaneous Meter Information",
    source=Source.MEP_GUIDE,
    read=MEP,
    write=MEP_WRITE,
    note="A heading 'Exception Log [0]' stands over the first fields; its extent is unclear.",
):
    """Counters of power line messages, and what is in force."""

    lontalk_messages_received = uint32("explicit messages before validation", vci="M")
    lontalk_messages_validated = uint32("explicit messages with a good digest", vci="M")
    reserved_8 = octets(86, "")
    disconnect_internal_status = uint8(
        "state commanded", enum={0: "closed", 1: "closing", 2: "open", 3: "opening"}, vci="M"
    )
    active_calendar_id = uint32("calendar in force", vci="M")
    reserved_99 = octets(87, "")
    reserved_186 = octets(32, "", since=since("4.0"))


class DayDate(Record):
    """DATE of three bytes; not among the guides' data types, its size by the offsets."""

    year = uint8("year - 2000")
    month = uint8("month")
    day = uint8("day")


class MeterStatus(
    Table,
    number=2102,
    title="Meter Status",
    source=Source.MEP_GUIDE,
    read=MEP,
    note=(
        "Reserved bytes are printed over the flags at 19; a module's third field as UINT32. "
        "The text unlocks transactions by EP62; only EP61 exists."
    ),
):
    """What the device supports and does."""

    multiple_load_profile_data_sets = flag(2, "data sets 2 to 4 are in ET42", word=16)
    energy_unit_change = flag(
        6, "units other than 1 Wh are possible", word=16, vci="H", default=True
    )
    lcd_5_digit_id_codes = flag(
        7, "id codes have five digits", word=16, vci="H", default=True, since=since("4.0")
    )
    multiple_mep_clients = flag(
        8, "several MEP clients", word=16, vci="H", default=True, since=since("4.0")
    )
    reserved_2 = octets(17, "")
    load_profile_disabled = flag(0, "load profile is opted out", word=16, vci="M")
    reserved_21 = octets(23, "")
    over_power_threshold_exceeded = flag(0, "why BT55 tier_drive is 3", vci="M", default=False)
    step_tariff_in_use = flag(1, "why BT55 tier_drive is 3", vci="M")
    reserved_45 = octets(17, "")
    relay_1_random_operation_pending = uint8("relay 1 waits at random", vci="M")
    relay_1_random_duration = uint16("left of it", unit="s", vci="M")
    relay_1_random_start_duration = uint16("all of it", unit="s", vci="M")
    reserved_67 = octets(1, "")
    mis_wiring_reason = uint8(
        "what is wired wrong", enum=MISWIRINGS, vci="M", since=since("3.60", cpm="1.20")
    )
    et74_entry_count = uint16(
        "entries of ET74", vci="M", since=since("3.60", cpm="1.20"), default=0
    )
    welmec_11_2_compliance = flag(
        0, "rules of Welmec 11.2 apply", vci="M", since=since("3.60", cpm="1.20"), default=False
    )
    delta_time_synchronization = bits(
        1,
        2,
        "in this interval",
        enum=SYNCHRONIZATION,
        vci="M",
        since=since("3.60", cpm="1.30"),
        default=0,
    )
    push_button_close_locked = flag(
        6, "closing by hand is locked for a time", vci="M", since=since("4.0"), default=False
    )
    time_adjustment = int32(
        "in this load profile interval",
        unit="s",
        vci="M",
        since=since("3.60", cpm="1.20"),
        default=0,
    )
    date_last_step_tariff_reset = nested(
        DayDate, "last reset of the step tariff", vci="M", since=since("3.70", cpm="1.20")
    )
    et77_entry_count = uint8("entries of ET77", vci="M", since=since("3.70", cpm="1.20"), default=0)
    et79_entry_count = uint16(
        "entries of ET79", vci="M", since=since("3.70", cpm="1.20"), default=0
    )
    unicast_key_usage_count = uint32(
        "uses of the unicast key", vci="M", since=since("3.13", "3.80"), default=0
    )
    broadcast_key_usage_count = uint32(
        "uses of the broadcast key", vci="M", since=since("3.13", "3.80"), default=0
    )
    supported_security_modes = bitset(
        1,
        "suites it has",
        enum=SECURITY_MODES,
        vci="F",
        since=since("3.13", "3.80"),
        default=frozenset({0, 2}),
    )
    module_records = array(
        octets(ET11.firmware_module_entry_length),
        ET11.firmware_module_entry_count,
        "firmware modules, manufacturer's use",
        since=since("4.0"),
    )
    reserved_modules = octets(4, "", since=since("4.0"))
    external_tamper_input_adc = uint16("tamper input, raw", vci="M", since=since("4.0"))
    mep_tx_locked = uint8("transaction tables are locked", vci="M", since=since("4.0"), default=0)
    mep_tx_lock_channel = uint8(
        "who locked them", enum=LOCK_CHANNELS, vci="M", since=since("4.0"), default=0
    )
    procedure_extended_failure_code = uint32(
        "high half procedure, low half failure", vci="M", since=since("4.10"), default=0
    )
    relay_2_random_operation_pending = uint8(
        "relay 2 waits at random", vci="M", since=since("4.30")
    )
    relay_2_random_duration = uint16("left of it", unit="s", vci="M", since=since("4.30"))
    relay_2_random_start_duration = uint16("all of it", unit="s", vci="M", since=since("4.30"))


class PriorClient(Record):
    """The MEP client that was registered before."""

    handle = uint16("handle of the last one that left", vci="M", default=0)
    identification = octets(30, "its MEP ID", vci="M", default=bytes(30))
    re_register_requests = uint8("registrations asked for again", vci="M", default=0)
    re_register_allowed = uint8("new handles given for that", vci="M", default=0)


class ModeState(Record):
    """One operation mode of a relay."""

    time_remaining = bits(0, 18, "left", word=32, unit="s", vci="M", default=0)
    no_expire = flag(19, "it does not end", word=32, vci="M")
    state = bits(
        20,
        21,
        "state in this mode",
        word=32,
        enum=RELAY_STATES,
        vci="M",
        note="default 2 in the first three modes, 0 in the local one, which does not expire",
    )
    reserved = bits(22, 31, "", word=32, vci="M", default=0)


class OperationMode(Record):
    """Operation modes of a relay."""

    current_mode = bits(0, 2, "mode in force", enum=OPERATION_MODES, default=3, vci="M")
    modes = array(nested(ModeState), 4, "maintenance, locked, remote, local")


class SecurityEventDetail(Record):
    """An alarm that has not been reported."""

    alarm_id = uint16("alarm", vci="M", default=0)
    argument = uint16("argument of the alarm", vci="M", default=0)
    count = uint16("how often in the window", vci="M", default=0)
    minutes_to_report = uint16("until the window ends", unit="min", vci="M", default=0)


class TlsPortStatus(Record):
    """TLS on one port."""

    session_state = bits(0, 2, "session", enum=SESSION_STATES, vci="M", default=0)
    tls_state = bits(3, 7, "state of the handshake", vci="M", default=0)
    tls_error = uint16("last error of the library, positive", vci="M", default=0)
    tls_error_count = uint16("errors so far", vci="M", default=0)


class MeterLnStatus(
    Table,
    number=2137,
    title="Meter LN Status",
    source=Source.MEP_GUIDE,
    read=MEP,
    since=since("3.82", "4.02"),
    note=(
        "Lengths A and B and ET90.25, .26 are printed nowhere: the mask is taken as one byte, the "
        "pending events as three of 8 bytes (this project)."
    ),
):
    """More state of the device."""

    prior_clients = array(nested(PriorClient), 2, "MEP 1 and 2")
    last_h1_telegram_time = nested(LTimeDate, "last H1 telegram", since=since("4.50"))
    h1_device_present = flag(0, "the H1 request line is driven", since=since("4.50"))
    plc_disabled = flag(
        1, "no power line communication", since=since("4.50"), note="printed over by a filler"
    )
    operation_modes = array(nested(OperationMode), 2, "of each control relay", since=since("4.50"))
    image_validation_key_ids = array(
        uint16(default=0), 2, "keys that sign images", vci="M", since=since("4.50")
    )
    key_status = uint8("keys invalidated, one bit each", vci="M", since=since("4.50"), default=0)
    last_validation_error = uint8(
        "last check of an image", enum=VALIDATION_ERRORS, vci="M", since=since("4.50"), default=0
    )
    last_validation_key_id = uint16(
        "key of the last image", vci="M", since=since("4.50"), default=0
    )
    last_image_length = uint32(
        "the last image", unit="bytes", vci="M", since=since("4.50"), default=0
    )
    signature_length = uint8("its signature", unit="bytes", vci="M", since=since("4.50"), default=0)
    signature = octets(8, "first bytes of it", vci="M", since=since("4.50"), default=bytes(8))
    unread_entry_mask = octets(
        1,
        "LN logs with unread entries",
        vci="M",
        default=b"\x01",
        since=since("4.50"),
        source=Source.PROJECT,
    )
    block_remote_procedure_disconnect = flag(
        0, "remote procedures cannot switch", vci="M", since=since("4.50"), default=False
    )
    block_automatic_disconnect = flag(
        1,
        "neither the device nor the button can switch",
        vci="M",
        since=since("4.50"),
        default=False,
    )
    block_local_procedure_disconnect = flag(
        2, "local procedures cannot switch", vci="M", since=since("4.50"), default=False
    )
    block_remote_unblock = flag(
        3, "the above cannot be undone remotely", vci="M", since=since("4.50"), default=False
    )
    pending_security_events = array(
        nested(SecurityEventDetail),
        3,
        "alarms not yet reported",
        since=since("4.50"),
        source=Source.PROJECT,
    )
    tls_ports = array(nested(TlsPortStatus), 3, "optical, MEP 1, MEP 2", since=since("4.60"))


__all__ = [
    "DayDate",
    "MeterLnStatus",
    "MeterStatus",
    "MiscellaneousInformation",
    "ModeState",
    "OperationMode",
    "PriorClient",
    "SecurityEventDetail",
    "TlsPortStatus",
]

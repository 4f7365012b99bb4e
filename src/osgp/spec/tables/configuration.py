"""Settings of the device: ET55, ET90, ET97."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.codes import ENERGY_UNITS
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
    int16,
    nested,
    octets,
    text,
    uint8,
    uint16,
    uint32,
)

from .display import CODE

BT20 = Ref("BT20")
ET90 = Ref("ET90")

OVER_POWER_SOURCES = {0: "forward + reverse", 1: "forward", 2: "forward - reverse"}
STEP_TARIFF_SOURCES = {
    0: "forward",
    1: "reverse",
    2: "forward + reverse",
    3: "forward - reverse",
}
COVER_EVENTS = {
    0: "phase loss",
    1: "current on missing or unused phase",
    2: "power outage after",
    3: "power outage before or with",
}
COMPARISON_MODES = {0: "standard", 1: "masked", 2: "always new", 3: "always the same"}
MAINTENANCE_ENTRIES = {0: "command", 1: "terminal cover removed"}
MAINTENANCE_DISPLAYS = {0: "neither", 1: "display", 2: "display and update"}
MAINTENANCE_EXITS = {0: "command", 1: "delay after the cover", 2: "time after the cover"}
QUALITY = since("3.70", cpm="1.20")
LATER = since("4.0")


class MeterConfiguration(
    Table,
    number=2103,
    title="Meter Configuration",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    note=(
        "Offsets of the guide's two columns differ by one from 56 on: id codes have four "
        "characters in 3.x and on modules, five from 4.0. The column of 4.0 has the clock "
        "increment at 1, that of 3.x at 4. One byte before the rates of tiers 5 to 8 is "
        "undocumented."
    ),
):
    """Thresholds, tariffs, ports."""

    reserved_0 = octets(1, "")
    delta_time_adjustment_increment = uint8(
        "clock change in a minute, 0 to 16", unit="s", vci="H", since=LATER, in_place=True
    )
    reserved_2 = octets(1, "")
    consumption_based_tariff_enabled = flag(
        1, "consumption-based tariff, part 1", vci="H", default=False
    )
    step_tariff_enabled = flag(5, "step tariff, part 1", vci="H", default=False)
    delta_time_adjustment_increment_3x = uint8(
        "clock change in a minute, 0 to 16", unit="s", vci="H", until=LATER, in_place=True
    )
    reserved_5 = octets(9, "")
    signal_strength_threshold = uint8("signal that counts as PLC, -84 dB", vci="H")
    plc_active_timeout = uint16("silence that ends contact", unit="min", default=60, vci="H")
    reserved_17 = octets(3, "", note="printed as 17 to 51, over later fields")
    plc_lockout_threshold = uint8(
        "failed authentications, 0 = never", vci="H", since=since("4.30"), in_place=True, default=0
    )
    plc_lockout_duration = uint8(
        "lockout", unit="min", vci="H", since=since("4.30"), in_place=True, default=0
    )
    optical_lockout_threshold = uint8(
        "failed authentications, 0 = never", vci="H", since=since("4.30"), in_place=True, default=0
    )
    optical_lockout_duration = uint8(
        "lockout", unit="min", vci="H", since=since("4.30"), in_place=True, default=0
    )
    reserved_24 = octets(28, "")
    message_id = text(CODE, "id code of the scheduled message", vci="H")
    message_id_decimal_points = uint8("its decimal points, bit 0 rightmost", vci="H")
    message_text = text(8, "the message", vci="M")
    message_start_time = nested(LTimeDate, "shown from", vci="M", note="printed default: 1")
    message_end_time = nested(LTimeDate, "shown until", vci="M", note="printed default: 1")
    disable_message_override = flag(0, "the button cannot remove it", vci="H")
    message_overridden = flag(1, "it was removed", vci="M,H")
    disable_message_in_list = flag(2, "removed, it leaves the list too", vci="H")
    phase_loss_threshold_seconds = uint16("least duration", unit="s", default=10, vci="H")
    disable_consumption_based_tariff = flag(
        1, "consumption-based tariff, part 2", vci="H", default=False
    )
    disable_step_tariff = flag(3, "step tariff, part 2", vci="H", default=False)
    over_power_threshold = uint32("starts that tariff", unit="W", default=0, vci="H")
    over_power_time_threshold = uint16("exceeded this long", unit="s", default=0, vci="H")
    over_power_threshold_tier = uint8("tier then", default=0, vci="H")
    over_power_source = uint8("power compared", enum=OVER_POWER_SOURCES, default=0, vci="H")
    reserved_90 = octets(4, "")
    transformer_secondary_rated_current = uint8("current transformer", default=1, vci="H")
    clock_error_calendar_id = uint32("calendar id shown on clock error", default=0, vci="H")
    over_power_calendar_id = uint32("calendar id shown on over-power", default=0, vci="H")
    reserved_103 = octets(1, "")
    general_cover_threshold = uint16(
        "cover open this long, 0 = never", unit="s", default=10, vci="H"
    )
    quality_cover_threshold = uint16(
        "quality event this long",
        unit="s",
        default=10,
        vci="H",
        since=since("3.40", cpm="1.0"),
        until=LATER,
        in_place=True,
    )
    cover_events = bitset(
        2,
        "events that go with an open cover",
        enum=COVER_EVENTS,
        vci="H",
        default=frozenset(),
        since=since("3.40", cpm="1.0"),
        until=LATER,
        in_place=True,
    )
    primary_load_profile_index = uint8(
        "primary data set, 0 = set 1", default=0, vci="H", since=since("3.50", cpm="1.20")
    )
    noise_threshold = int16(
        "high frequency noise, over 512 = never",
        vci="H",
        since=since("3.50", cpm="1.20"),
        default=0,
    )
    noise_time_threshold = uint16(
        "least duration", unit="s", default=0, vci="H", since=since("3.50", cpm="1.20")
    )
    earth_fault_current_threshold = uint16(
        "earth fault", unit="mA", vci="H", since=LATER, in_place=True
    )
    reserved_117 = octets(1, "")
    earth_fault_time_threshold = uint16("least duration", vci="H", since=LATER, in_place=True)
    broken_conductor_time_threshold = uint16(
        "least duration", unit="s", default=600, vci="M", since=since("3.60", cpm="1.20")
    )
    zero_fault_time_threshold = uint16(
        "least duration", unit="s", default=10, vci="M", since=since("3.60", cpm="1.20")
    )
    normal_voltage_upper_limit = uint8(
        "of rated", unit="%", default=115, vci="M", since=since("3.60", cpm="1.20")
    )
    normal_voltage_lower_limit = uint8(
        "of rated", unit="%", default=85, vci="M", since=since("3.60", cpm="1.20")
    )
    low_voltage_higher_limit = uint8(
        "of rated", unit="%", default=60, vci="M", since=since("3.60", cpm="1.20")
    )
    voltage_fluctuation_limit = uint8(
        "between phases", unit="%", default=5, vci="M", since=since("3.60", cpm="1.20")
    )
    reserved_128 = octets(1, "undocumented", since=QUALITY)
    prepay_tier_rates = array(
        uint32(default=0), 4, "credit per kWh in tiers 5 to 8", unit="Wh", vci="H", since=QUALITY
    )
    reverse_energy_alarm_current = uint16(
        "low half", unit="mA", default=1000, vci="F", since=QUALITY
    )
    step_tariff_thresholds = array(
        uint32(default=0),
        (BT20.number_of_tiers - 1).max(0),
        "energy of each step, 0 = unused",
        vci="H",
        since=QUALITY,
    )
    step_tariff_source = uint8(
        "energy compared", enum=STEP_TARIFF_SOURCES, vci="H", since=QUALITY, default=0
    )
    step_tariff_tou_id = uint32("calendar id meanwhile", vci="H", since=QUALITY, default=0)
    step_tariff_reset_day = uint8("day of the month, 1 to 28", default=1, vci="H", since=QUALITY)
    step_tariff_reset_hour = uint8("local", unit="h", vci="H", since=QUALITY, default=0)
    step_tariff_reset_minute = uint8("local", unit="min", vci="H", since=QUALITY, default=0)
    step_tariff_reset_second = uint8("local", unit="s", vci="H", since=QUALITY, default=0)
    reserved_step_tariff = octets(1, "", since=QUALITY)
    rms_voltage_cycles = uint16("mains cycles of an RMS value", default=15, since=QUALITY)
    average_voltage_seconds = uint16("averaging time", unit="s", default=600, since=QUALITY)
    averages_per_quality_record = uint16("averages in a record", default=1008, since=QUALITY)
    delta_adsup = uint32("upper limit of proper range", unit="mV", since=QUALITY, default=0)
    delta_adinf = uint32("lower limit of proper range", unit="mV", since=QUALITY, default=0)
    delta_prsup = uint32("with adsup: upper limit of middle", unit="mV", since=QUALITY, default=0)
    delta_prinf = uint32("with adinf: lower limit of middle", unit="mV", since=QUALITY, default=0)
    mvd_shortest = uint16("shortest disturbance, mains cycles", default=1, since=QUALITY)
    mvd_longest = uint16("longest disturbance, mains cycles", default=180, since=QUALITY)
    mvd_interruption = uint8("interruption below", unit="%", default=10, since=QUALITY)
    mvd_sag = uint8("sag below", unit="%", default=90, since=QUALITY)
    mvd_swell = uint8("swell above", unit="%", default=110, since=QUALITY)
    energy_register_unit = uint8("Wh or varh for each count", enum=ENERGY_UNITS, since=QUALITY)
    house_icon_control = bits(
        0,
        1,
        "who controls the house icon",
        enum={0: "nobody", 1: "MEP1", 2: "MEP2"},
        since=LATER,
        default=0,
    )
    m_bus_auto_confirmation = flag(
        2, "new devices confirm themselves", since=since("4.30"), default=False
    )
    enable_optical_dos_timer = flag(
        0, "long optical sessions are ended", vci="H", starts=True, since=LATER, default=False
    )
    disable_optical_port = flag(1, "no optical port", vci="H", since=LATER, default=False)
    optical_session_timeout = uint16("longest session", unit="s", default=600, vci="H", since=LATER)
    optical_session_hold_off = uint16(
        "pause after an ended one", unit="s", default=300, vci="H", since=LATER
    )
    external_tamper_1_in_use = flag(0, "input 1 works", default=True, vci="H", since=LATER)
    external_tamper_2_in_use = flag(1, "input 2 works", default=True, vci="H", since=LATER)
    tamper_adc = array(int16(), 3, "levels: both, input 2, input 1", vci="H", since=LATER)
    external_tamper_duration = uint8(
        "least duration, 0 = never", unit="s", default=5, vci="H", since=LATER
    )
    second_cover_threshold = uint16(
        "other cover open this long",
        unit="s",
        default=10,
        vci="H",
        since=LATER,
        note="terminal cover in 4.0x, meter cover from 4.10; the first threshold inversely",
    )
    magnetic_tamper_duration = uint16(
        "least duration, 0 = never", unit="s", default=10, vci="H", since=LATER
    )
    va_calculation_method = uint8(
        "how apparent power is found",
        enum={0: "V times I", 1: "from W and var"},
        vci="H",
        since=LATER,
        default=0,
    )
    bev_load_profile_lock = flag(
        0, "the primary data set is locked", word=16, vci="H", since=LATER, default=False
    )
    reverse_energy_alarm_current_high = uint8(
        "bits 16 to 23 of that current", vci="H", since=LATER, default=0
    )


class DimensionLn(
    Table,
    number=2138,
    title="Dimension LN",
    source=Source.MEP_GUIDE,
    read=EVERY,
    since=since("3.82", "4.02", cpm="1.31"),
    note="Bytes 0 to 15 from 4.10 (they hold nothing before), the end from 4.20.",
):
    """Sizes of the LN and P2P tables."""

    ip_address_length = uint16("addresses in ET92 to ET96", unit="bytes", default=50, vci="P")
    urgent_alarm_bitmask_length = uint8("mask in ET92", unit="bytes", default=20, vci="P")
    connection_reason_bitmap_length = uint8("mask in ET93", unit="bytes", default=2, vci="P")
    modem_apn_length = uint8("characters in ET95", default=64, vci="P")
    modem_apn_user_length = uint8("characters in ET95", default=32, vci="P")
    modem_apn_password_length = uint8("characters in ET95", default=32, vci="P")
    modem_sim_pin_length = uint8("characters in ET94", default=5, vci="P")
    modem_manufacturer_length = uint8("characters in ET95", default=32, vci="P")
    modem_model_length = uint8("characters in ET95", default=32, vci="P")
    modem_revision_length = uint8("characters in ET95", default=32, vci="P")
    modem_imei_length = uint8("characters in ET95", default=32, vci="P")
    modem_sim_phone_number_length = uint8("characters in ET93, ET95", default=32, vci="P")
    modem_operator_name_length = uint8("characters in ET95", default=40, vci="P")
    modem_socket_maximum_connections = uint8("connections of the modem", default=2, vci="P")
    modem_maximum_connection_services = uint8("IP services", default=10, vci="P")
    number_of_ftz_messages = uint8("free text messages in ET97", default=3, vci="P")
    modem_at_reply_length = uint16(
        "reply in ET98", unit="bytes", default=200, vci="P", since=since("4.20")
    )
    modem_sim_iccid_length = uint8("characters in ET95", default=23, vci="P", since=since("4.20"))


class RelayConfiguration(Record):
    """How a control relay is operated."""

    group_ids = array(uint16(), 5, "groups it listens to")
    mode = bits(
        0, 2, "mode of the relay", enum={0: "standard", 1: "load management"}, vci="H", default=0
    )
    require_explicit_heartbeat = flag(
        3, "only explicit signs of life count", vci="H", default=False
    )
    heartbeat_interval = uint16("sign of life due in, 0 = none", unit="min", vci="H", default=0)
    maintenance_entry = bits(
        0, 1, "enters maintenance", enum=MAINTENANCE_ENTRIES, vci="H", default=0
    )
    maintenance_display = bits(2, 3, "works then", enum=MAINTENANCE_DISPLAYS, vci="H", default=0)
    maintenance_open = flag(4, "the relay opens then", vci="H", default=False)
    maintenance_exit = bits(5, 6, "ends maintenance", enum=MAINTENANCE_EXITS, vci="H")
    maintenance_exit_delay = uint8("after the cover is back", unit="s", vci="H", default=0)
    maintenance_exit_hour = uint8("local", unit="h", vci="H")
    maintenance_exit_minute = uint8("local", unit="min", vci="H")


class MeterConfigurationLn(
    Table,
    number=2145,
    title="Meter Configuration LN",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=MEP_WRITE,
    since=since("3.82", "4.02", cpm="1.31"),
    note=(
        "security_log_interval is printed as UINT16 at A+97, the next field at A+98; with one "
        "byte all printed offsets hold. A = 8 * ET90.16. Chapter 2 says that a MEP port can set "
        "which ports require TLS, and that it cannot; the access table lets MAK write."
    ),
):
    """More settings of the device."""

    ftz_messages = array(octets(8), ET90.number_of_ftz_messages, "contents of free text messages")
    mep_1_id_comparison_mode = uint8("changed MEP 1 id", enum=COMPARISON_MODES, default=0, vci="H")
    mep_1_id_mask = octets(30, "mask of the MEP 1 id", vci="H", default=bytes(30))
    mep_2_id_comparison_mode = uint8(
        "changed MEP 2 id", enum=COMPARISON_MODES, vci="H", since=since("4.02"), default=0
    )
    mep_2_id_mask = octets(
        30, "mask of the MEP 2 id", vci="H", since=since("4.02"), default=bytes(30)
    )
    power_boost_relay = flag(
        0,
        "relays need the power boost",
        since=since("4.02"),
        default=False,
        note="1 after an upgrade from below 4.31 with relay 1 alone",
    )
    m_bus_discovery_300_baud = flag(
        1,
        "M-Bus discovery at 300 baud",
        vci="H",
        since=since("4.02"),
        note="printed in the column of CPM 1.31 and 3.82, which ends before",
    )
    relays = array(nested(RelayConfiguration), 2, "control relays", since=since("4.02"))
    security_log_interval = uint8(
        "window of security events", unit="min", vci="H", since=since("4.02")
    )
    require_tls_optical = flag(
        0, "only TLS on the optical port", starts=True, vci="H", since=since("4.02"), default=False
    )
    require_tls_mep_1 = flag(
        0, "only TLS on MEP 1", starts=True, vci="H", since=since("4.02"), default=False
    )
    require_tls_mep_2 = flag(
        0, "only TLS on MEP 2", starts=True, vci="H", since=since("4.02"), default=False
    )


__all__ = [
    "DimensionLn",
    "MeterConfiguration",
    "MeterConfigurationLn",
    "RelayConfiguration",
]

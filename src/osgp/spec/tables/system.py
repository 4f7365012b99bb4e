"""Extended tables of the device as a whole: ET04."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE
from osgp.spec.codes import ENABLED
from osgp.spec.declare import Table
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import (
    LTimeDate,
    array,
    bits,
    flag,
    int16,
    nested,
    octets,
    uint8,
    uint16,
    uint32,
)

NEURON_STATES = {
    2: "application unconfigured",
    3: "no application",
    4: "configured, on line",
    6: "hard off line",
    12: "soft off line",
    140: "bypass",
    255: "no reply",
}
NEURON_PHASES = {
    0: "no inversion",
    1: "in phase",
    2: "+120, inverted",
    3: "-120",
    4: "180, inverted",
    5: "+120",
    6: "-120, inverted",
    7: "not known",
}
SIGNAL_QUALITIES = {
    0: "no traffic",
    1: "only others' traffic",
    2: "margin up to 9 dB",
    3: "margin 12 or 15 dB",
    4: "margin 18 dB or more",
    5: "margin up to 9 dB, idle",
    6: "margin 12 or 15 dB, idle",
    7: "margin 18 dB or more, idle",
}
PHASE_ROTATIONS = {0: "L1 L2 L3", 1: "L3 L2 L1", 2: "unknown"}
SECURITY_MODES = {0: "RC4", 1: "reserved", 2: "OSGP-AES-128-PSK"}


class SystemInformation(
    Table,
    number=2052,
    title="System Information",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=f"{MEP_WRITE} PK",
    note=(
        "OMAK sequence number at 0, secure broadcast at 76 to 87, security mode at 127. Byte "
        "88 has VCI F, though it can be set; bit ranges are typed BOOL."
    ),
):
    """Communication, ratings, thresholds and counters."""

    sequence_number = uint32("sequence number of power line messages", vci="M")
    transceiver_id = octets(6, "unique id of the transceiver", vci="M")
    subnet_id = uint8("subnet, 0 = not commissioned", vci="H/M")
    node_id = uint8("node, 0 = not commissioned", vci="H/M")
    explicit_message_received = flag(0, "an explicit message has come", vci="M")
    force_neuron_configuration = flag(
        1,
        "set up the transceiver anew; resets the encryption key",
        vci="H/M",
        note="cleared by the device after about 4 s, not where it fails (30 s)",
    )
    request_neuron_state = flag(2, "fetch the state into neuron_state", vci="H/M")
    disable_plc_encryption = flag(3, "power line encryption is off", vci="H")
    disable_neuron_eeprom_lock = flag(4, "transceiver memory is not locked", vci="H")
    neuron_phase = bits(5, 7, "phase last reported", enum=NEURON_PHASES, vci="M")
    rated_frequency = uint8("rated frequency", unit="Hz", vci="H")
    program_id = octets(8, "program id of the firmware", vci="M")
    self_identification = octets(30, "LonTalk self-identification", vci="M")
    pk_access = uint8("provisioning key", enum=ENABLED, vci="H")
    max_power_outages_recorded = uint8("outages kept in ET09 and ET10", default=10, vci="P")
    unused_54 = uint8("", default=4, vci="F")
    max_number_of_te_registers = uint8("entries for each day in ET12", default=4, vci="P")
    registration_current = uint16(
        "starting current", unit="mA", default=10, vci="H", note="10 or 16"
    )
    max_current = uint16("maximum current", unit="A", default=100, vci="H")
    rated_voltage = uint16("rated voltage", unit="V", default=230, vci="H")
    voltage_inactive_l1 = flag(0, "L1 is not installed", vci="H")
    voltage_inactive_l2 = flag(1, "L2 is not installed", vci="H")
    voltage_inactive_l3 = flag(2, "L3 is not installed", vci="H")
    separate_inactive_phases = flag(3, "current phases are set apart", vci="H", note="meters")
    current_inactive_l1 = flag(4, "no current in L1", vci="H", note="meters")
    current_inactive_l2 = flag(5, "no current in L2", vci="H", note="meters")
    current_inactive_l3 = flag(6, "no current in L3", vci="H", note="meters")
    dst_off_time_delta = int16("end of DST minus its start, time of day", unit="min", vci="H")
    self_read_hour = uint8("local hour of the daily self-read", unit="h", vci="H")
    self_read_minute = uint8("its minute", unit="min", vci="H")
    stop_mode_config = uint8(
        "wait mode before stop mode; 0 never, 255 at once",
        unit="d",
        vci="H",
        until=since("4.0"),
        in_place=True,
    )
    mfg_status = octets(3, "manufacturer's use", vci="H")
    rk_bp10_and_ep16_access = bits(0, 0, "RK may call BP10, EP16", enum=ENABLED, vci="H")
    test_point = flag(1, "the device is a test point", vci="H")
    test_point_confirmed = flag(2, "manufacturer's use", vci="H")
    lp_use_skipped = flag(3, "load profile uses status 4, skipped", vci="H")
    neuron_state = uint8("state of the transceiver", enum=NEURON_STATES, vci="M")
    phase_rotation_changed = uint8("order of phases", enum=PHASE_ROTATIONS, vci="M")
    plc_comm_inactive_time_threshold = uint16(
        "silence before the inactive alarm, 0 = never", unit="min", vci="H"
    )
    broadcast_receipt = nested(LTimeDate, "last valid secure broadcast, UTC", vci="M")
    broadcast_base = uint32("secure broadcast base B", vci="H")
    broadcast_delta = uint16("secure broadcast delta D", vci="H")
    reverse_energy_alarm_current_threshold = uint16(
        "reverse energy alarm", unit="mA", default=1000, vci="F", note="0 = never from 3.71"
    )
    plc_signal_quality_status = uint8("power line signal", enum=SIGNAL_QUALITIES, vci="M")
    auto_discovery_ta = uint16("M-Bus turn-around, added to 330, in bit times", vci="H")
    auto_discovery_to = uint16("M-Bus turn-around, added to 50", unit="ms", vci="H")
    auto_discovery_disable = uint8("other than 0: no M-Bus discovery", vci="H")
    amplifier_gain_detect_sensitivity = int16("sensitivity of gain detection", vci="H")
    events_outage_threshold = uint16(
        "shorter outages are not logged; 65535 = as ET09.0", unit="s", default=0, vci="H"
    )
    nvm_size = uint16("non-volatile memory, KiB", vci="F")
    safe_image_locked = uint8("the safe firmware image is locked", default=0, vci="H")
    mep_sequence_number = uint32(
        "sequence number of MEP messages", until=since("4.0"), in_place=True
    )
    unused_107 = uint16("", vci="H")
    premise_power_generation = uint8("power is generated on site", vci="H")
    power_outage_detection_threshold = uint8(
        "of rated voltage: below is an outage",
        unit="%",
        default=72,
        vci="H",
        until=since("4.0"),
        in_place=True,
    )
    phase_loss_threshold = uint8(
        "of rated voltage: below is a lost phase", unit="%", default=61, vci="H"
    )
    meter_form = uint8("form, 0 = IEC or S-base, 65 = A-base", vci="M")
    clock_error_tier = uint8("tier after a clock error", default=0, vci="H")
    c12_19_compliance = uint16("compliance flags, unused", vci="H")
    idt_version = uint8("counts changes of ET42", vci="M")
    tilt_timer = uint8("tilt is ignored so long before an outage", unit="s", default=30, vci="H")
    minimum_registration_current = uint16(
        "starting current where higher", unit="mA", default=10, vci="H", note="17 before 4.10"
    )
    registration_current_fraction = uint8(
        "added to the starting current", unit="0.1 mA", default=17, vci="H"
    )
    constant_phase_loss_alarm = flag(
        0,
        "phase loss alarm while lost, not on change",
        vci="H",
        since=since("3.60", cpm="1.00"),
        default=False,
    )
    power_up_wait_time = uint8(
        "delay before outside communication",
        default=0,
        vci="H",
        since=since("3.13", "3.80", cpm="1.00"),
        note="modules only",
    )
    maximum_key_usage_count = uint32(
        "uses of a power line key; event at 80 %",
        default=1_000_000,
        vci="F",
        since=since("3.13", "3.80"),
    )
    security_mode = uint8(
        "power line security suite",
        enum=SECURITY_MODES,
        vci="FM",
        since=since("3.13", "3.80"),
        note="not settable over MEP",
    )
    fcm_message_count = uint8(
        "challenges and commissionings today, at most 100", vci="M", since=since("3.13", "3.80")
    )
    mep_sequence_numbers = array(
        uint32(), 2, "sequence number of each MEP port", vci="M", since=since("4.0")
    )
    reverse_energy_alarm_time_ms = uint8(
        "alarm delay, first part", unit="ms", since=since("4.0"), note="VCI blank"
    )
    reverse_energy_alarm_time_s = uint16(
        "alarm delay, second part", unit="s", default=10, since=since("4.0"), note="VCI blank"
    )


__all__ = ["SystemInformation"]

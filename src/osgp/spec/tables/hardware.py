"""Hardware and firmware: ET02, ET17, ET29, ET37, ET48, ET70, ET76."""

from __future__ import annotations

from enum import IntEnum

from osgp.spec.access import EVERY, MEP, MEP_WRITE
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

ET11 = Ref("ET11")

HARDWARE_OPTIONS = {
    0: "S0 output",
    1: "pulse input 1",
    2: "pulse input 2",
    5: "disconnect and buzzer",
    6: "control relay 1",
    7: "control relay 2",
    8: "M-Bus",
    9: "cover tamper",
    10: "MEP port 1",
    11: "disconnect sensor",
    12: "magnetic tamper",
    13: "noise detection off",
    14: "two-line disconnect",
    15: "no metering",
    16: "no display",
    17: "external current transformers",
    18: "backup power",
    19: "external disconnect feedback",
    20: "external voltage",
    21: "voltage signal inverted",
    22: "relay does not latch",
    23: "MEP port 2",
}
"""Pulse inputs not in 4.x; 7 from 4.30; 22 modules; 23 from 4.0."""

MOST_PACKETS = 10_000
"""Bits of ET17's bitmap (MEP guide, ET11: 1250 bytes)."""
PROGRAM_ID_SIZE = 8


class BankState(IntEnum):
    """State of an image in ET17."""

    EMPTY = 0
    LOADING = 1
    COMPLETE = 2
    VERIFIED = 3
    RUNNING = 4
    BAD = 5


BANK_STATES = {int(state): state.name.lower() for state in BankState}
BOARDS = {
    0: "none",
    1: "wireless",
    2: "wired",
    3: "PLC",
    4: "modem",
    5: "PLC A band",
    6: "PLC G3",
}
PORTS = {1: "MEP", 2: "M-Bus", 3: "PLC", 4: "modem", 5: "optical"}
BATTERIES = {0: "none", 1: "standard", 2: "reserved", 3: "supercap"}
LINE_SENSORS = {0: "shunt", 1: "PCB coil"}
NEUTRAL_SENSORS = {0: "shunt", 1: "PCB coil", 2: "earth fault transformer"}


class RtcCalibration(
    Table,
    number=2050,
    title="RTC Calibration",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    locked=True,
):
    """Trim of the real-time clock."""

    offset = int16("correction, parts in 10 million")
    temperature_coefficient = int16("correction, parts in 10 billion per degree squared")
    turnover_temperature = int16("where the crystal is fastest, 1/10 degree Celsius")


class CodeBank(Record):
    """One firmware image."""

    state = uint8("state of the image", enum=BANK_STATES)
    program_id = octets(PROGRAM_ID_SIZE, "program id of the image")
    image_length = uint32("the image", unit="bytes")
    image_crc = uint16("CRC of the image")
    packet_size = uint16("a packet", unit="bytes")
    packets_received = uint16("packets that are stored")


class CodeBankInfo(
    Table,
    number=2065,
    title="Code Bank Info",
    source=Source.PROJECT,
    read=EVERY,
    note="Known: ET11 has the size of a bitmap of verified packets, 1250 bytes.",
):
    """What is in the two code banks."""

    active_bank = uint8("bank that runs")
    banks = array(nested(CodeBank), 2, "code banks")
    verification_bitmap = octets(
        ET11.et17_verification_bitmap_size, "packets received, one bit each", since=since("4.0")
    )


class PortAssignment(Record):
    """What one communication controller's channel is connected to."""

    board = uint8("board", enum=BOARDS, vci="F")
    port = uint8("kind of port", enum=PORTS, vci="F")
    logical_number = uint8("number of the port", vci="F")


class HardwareConfiguration(
    Table,
    number=2077,
    title="Hardware Configuration",
    source=Source.MEP_GUIDE,
    read=MEP,
    note=(
        "Reserved bytes 2 to 4 are printed over the last byte of the options. Channels 50 and "
        "53 are printed as 0."
    ),
):
    """What the device was built with."""

    hardware_options = bitset(3, "what is fitted", enum=HARDWARE_OPTIONS, vci="F")
    reserved_3 = octets(2, "")
    single_phase = flag(0, "one phase")
    polyphase = flag(1, "three phases")
    pulse_relay_disconnect = flag(6, "CT meter: disconnect is a pulsed relay")
    power_boost_relay = flag(7, "relays need the power boost")
    reserved_6 = octets(14, "")
    reserved_20 = octets(4, "", since=since("4.0"))
    comm_assignment_1 = array(
        nested(PortAssignment), 3, "channels of the meter board", since=since("4.0")
    )
    two_disconnect_sensors = flag(
        0, "refreshed when both differ", word=32, vci="F", since=since("4.0")
    )
    disconnect_toggle_button = flag(
        1, "one button, not two", word=32, vci="F", default=True, since=since("4.0")
    )
    backlight = flag(3, "the display has a backlight", word=32, vci="F", since=since("4.0"))
    buzzer = flag(4, "there is a buzzer", word=32, vci="F", since=since("4.0"))
    battery_type = bits(
        5, 6, "battery", word=32, enum=BATTERIES, vci="F", default=1, since=since("4.0")
    )
    earth_fault = flag(7, "earth faults are detected", word=32, vci="F", since=since("4.0"))
    external_tamper_input_1 = flag(8, "tamper input 1", word=32, vci="F", since=since("4.0"))
    external_tamper_input_2 = flag(9, "tamper input 2", word=32, vci="F", since=since("4.0"))
    s0_output_2 = flag(10, "second S0 output", word=32, vci="F", since=since("4.0"))
    security_chip = flag(11, "there is a security chip", word=32, vci="F", since=since("4.0"))
    last_gasp_module = flag(12, "P2P: last gasp", word=32, vci="F", since=since("4.0"))
    control_relay_1_latching = flag(13, "relay 1 latches", word=32, vci="F", since=since("4.30"))
    control_relay_2_latching = flag(14, "relay 2 latches", word=32, vci="F", since=since("4.30"))
    reserved_37 = octets(10, "", since=since("4.0"))
    line_sensor = bits(
        0,
        4,
        "sensor of line currents",
        enum=LINE_SENSORS,
        vci="F",
        since=since("4.0"),
        note="default 1 of polyphase meters; 2, that of single-phase ones, is not among the codes",
    )
    neutral_sensor = bits(
        5,
        7,
        "sensor of the neutral",
        enum=NEUTRAL_SENSORS,
        vci="F",
        since=since("4.0"),
        note="default 2 of single-phase meters, 0 of polyphase ones",
    )
    comm_assignment_2 = array(
        nested(PortAssignment), 2, "channels of the modem board", since=since("4.0")
    )


class BuildInformation(
    Table, number=2085, title="Build Information", source=Source.PROJECT, read=EVERY
):
    """Where the running firmware comes from."""

    version = text(16, "version, padded with spaces")
    build_time = nested(LTimeDate, "when it was built, UTC")
    revision = text(16, "revision in the maker's archive")
    image_crc = uint16("CRC of the image")


class Feature(Record):
    """A feature that can be bought."""

    feature_id = uint16("feature, 0 = unused")
    active = flag(0, "the feature works")
    activated = nested(LTimeDate, "since when, UTC")


class FeatureActivation(
    Table,
    number=2096,
    title="Feature Activation Table",
    source=Source.PROJECT,
    read=EVERY,
    note="Known: ET11 has the number of entries, 10.",
):
    """Which features EP31 has activated."""

    features = array(nested(Feature), ET11.et48_entry_count, "features")


class RamOnlyStatus(
    Table,
    number=2118,
    title="RAM Only Status",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="Chapter 4 prints write access for MAK, Appendix C none.",
):
    """State that a power failure may lose."""

    reserved_0 = octets(142, "")
    current_comm_channel_index = uint8(
        "MEP port of who reads this", enum={1: "MEP1", 2: "MEP2"}, since=since("4.0")
    )
    reserved_143 = octets(13, "", since=since("4.0"))


class ExternallyConfigurableHardware(
    Table,
    number=2124,
    title="Externally Configurable Hardware Options",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    since=since(cpm="1.11"),
    note="Known: it maps to ET29, bit 13 is the separate zero-cross signal. Modules only.",
):
    """Hardware options that a module's host may set."""

    hardware_options = bitset(
        3, "as in ET29", enum=HARDWARE_OPTIONS | {13: "separate zero-cross signal"}
    )


__all__ = [
    "BuildInformation",
    "CodeBank",
    "CodeBankInfo",
    "ExternallyConfigurableHardware",
    "Feature",
    "FeatureActivation",
    "HardwareConfiguration",
    "PortAssignment",
    "RamOnlyStatus",
    "RtcCalibration",
]

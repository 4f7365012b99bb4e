"""Extended procedures on the device: memory, alarms, firmware, keys, features, test tools."""

from __future__ import annotations

from osgp.spec.access import FULL, MEP_WRITE, OPTICAL_WRITE
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.wire import (
    Record,
    Ref,
    array,
    bitset,
    flag,
    nested,
    octets,
    rest,
    this,
    uint8,
    uint16,
    uint24,
    uint32,
)

BT00 = Ref("BT00")
ET04 = Ref("ET04")

AES = 2
"""ET04 security_mode of OSGP-AES-128-PSK."""

TEST_OUTPUTS = {0: "S0 output", 1: "relay 1", 2: "relay 2", 3: "buzzer", 4: "backlight"}

KEY_BYTES = 12
"""Bytes of a power line key (OMAK)."""


class NvMemoryRefresh(
    Procedure, number=2049, title="NV Memory Refresh", source=Source.PROJECT, call=OPTICAL_WRITE
):
    """Writes to non-volatile memory what so far is only in RAM."""


class ClearAlarms(
    Procedure,
    number=2051,
    title="Clear Alarms",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
    note="Bits as in BT03; whether devices take them like this is not known.",
):
    """Clears status and alarm bits of BT03 where the mask has ones."""

    standard_status = bitset(2, "standard status bits")
    extended_alarms = bitset(1, "extended alarms")
    manufacturer_alarms = bitset(BT00.manufacturer_status_length, "manufacturer alarms")


class LogSetting(Record):
    """Size wanted of one adjustable log."""

    table_number = uint16("table as 2048 + n")
    entries = uint16("entries")


class NvmConfig(
    Procedure,
    number=2054,
    title="NVM Config",
    source=Source.PROJECT,
    call=OPTICAL_WRITE,
    note="Known: it sizes the adjustable logs of ET36.",
):
    """Sizes adjustable logs; they lose their entries."""

    count = uint8("logs that follow")
    logs = array(nested(LogSetting), this.count, "sizes")


class EraseCodeMemory(
    Procedure, number=2056, title="Erase Code Memory", source=Source.PROJECT, call=FULL
):
    """Empties a code bank before a download."""

    bank = uint8("code bank, not the active one")
    image_length = uint32("image to come", unit="bytes")
    packet_size = uint16("packets to come", unit="bytes")
    image_crc = uint16("CRC of the image to come")


class DownloadCodePacket(
    Procedure,
    number=2057,
    title="Download Code Packet",
    source=Source.PROJECT,
    call=FULL,
    note="May be broadcast; ET17 tells which packets have come.",
):
    """Stores one packet of an image."""

    bank = uint8("code bank")
    packet_number = uint16("packet, from 0")
    data = rest("the packet")


class SwitchCodeBank(
    Procedure,
    number=2058,
    title="Switch Code Bank",
    source=Source.PROJECT,
    call=FULL,
    results={3: "image incomplete or its CRC wrong", 5: "image's MAC wrong"},
    note="The MAC is modelled on EP19's switch-over.",
):
    """Starts the image in a bank, if it is whole and in security mode 2 proven."""

    bank = uint8("code bank")
    switch_time = uint32("seconds since 2000, UTC; 0 = now", unit="s")
    image_mac = octets(16, "MAC of the image (F.9)", when=ET04.security_mode.or_else(0).eq(AES))


class WriteSingleBit(
    Procedure,
    number=2061,
    title="Write Single Bit in Table",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Sets or clears a bit and leaves its neighbours."""

    table_number = uint16("table")
    offset = uint24("byte")
    bit = uint8("bit, 0 = least significant")
    value = uint8("new value", enum={0: "0", 1: "1"})


class ChangePlcEncryptionKey(
    Procedure,
    number=2068,
    title="Change PLC Encryption Key",
    source=Source.PROJECT,
    call=FULL,
    note="In the meter manual, not in the standard's contents.",
):
    """Adds to the power line key, bytewise modulo 256, so that no key is ever sent."""

    increment = octets(KEY_BYTES, "added to each byte of the key")


class AddRemoveGroupId(
    Procedure,
    number=2075,
    title="Add/Remove Group ID",
    source=Source.PROJECT,
    call=f"{OPTICAL_WRITE} MAK",
):
    """Joins or leaves a group of broadcasts; see ET33."""

    add = uint8("what to do", enum={0: "leave", 1: "join"})
    group_id = uint16("group")


class EnableDisableBattery(
    Procedure,
    number=2076,
    title="Enable/Disable Battery",
    source=Source.PROJECT,
    call=OPTICAL_WRITE,
):
    """Connects the battery, or spares it in storage."""

    enable = uint8("what to do", enum={0: "spare", 1: "use"})


class DiagnosticCounters(Record):
    """Counters of the power line."""

    counters = array(uint16(), 6, "errors, timeouts, lost, missed, layer 2, layer 3")


class ReadWriteDiagnosticCounters(
    Procedure,
    number=2077,
    title="Read/Write Diagnostic Counters",
    source=Source.PROJECT,
    call=OPTICAL_WRITE,
    response=DiagnosticCounters,
):
    """Reads the counters of the transceiver, and clears them on request."""

    clear = uint8("what to do then", enum={0: "keep", 1: "clear"})


class FeatureResult(Record):
    """What became of a feature."""

    state = uint8("state", enum={0: "refused", 1: "active"})


class ActivateFeature(
    Procedure,
    number=2079,
    title="Activate Feature",
    source=Source.PROJECT,
    call=FULL,
    response=FeatureResult,
):
    """Activates a feature of ET48 with the maker's licence."""

    feature_id = uint16("feature")
    licence = octets(16, "MAC over transceiver id and feature")


class NvmConfig2(
    Procedure,
    number=2085,
    title="NVM Config",
    source=Source.PROJECT,
    call=OPTICAL_WRITE,
    note="Known: as EP06, it sizes the adjustable logs of ET36.",
):
    """Sizes adjustable logs and keeps the entries that fit."""

    count = uint8("logs that follow")
    logs = array(nested(LogSetting), this.count, "sizes")
    keep_entries = flag(0, "entries are moved, not lost")


class IoControl(
    Procedure,
    number=2092,
    title="IO Control",
    source=Source.PROJECT,
    call=f"{MEP_WRITE} PK",
):
    """Drives an output for a test."""

    output = uint8("output", enum=TEST_OUTPUTS)
    state = uint8("state", enum={0: "off", 1: "on", 2: "pulse"})
    duration = uint16("how long, 0 = until changed", unit="s")


__all__ = [
    "ActivateFeature",
    "AddRemoveGroupId",
    "ChangePlcEncryptionKey",
    "ClearAlarms",
    "DiagnosticCounters",
    "DownloadCodePacket",
    "EnableDisableBattery",
    "EraseCodeMemory",
    "FeatureResult",
    "IoControl",
    "LogSetting",
    "NvMemoryRefresh",
    "NvmConfig",
    "NvmConfig2",
    "ReadWriteDiagnosticCounters",
    "SwitchCodeBank",
    "WriteSingleBit",
]

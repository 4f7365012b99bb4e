"""BT00s: what the device is, how it is doing, and the window for procedures."""

from __future__ import annotations

from osgp.spec.access import EVERY, OPEN, OPTICAL
from osgp.spec.codes import (
    CHAR_FORMATS,
    IDENTIFICATION_FORMATS,
    INTEGER_FORMATS,
    PROCEDURE_RESULTS,
    RESPONSE_HANDLING,
)
from osgp.spec.declare import Table
from osgp.spec.events import EXTENDED_ALARMS, MANUFACTURER_ALARMS
from osgp.spec.firmware import since
from osgp.spec.source import Source
from osgp.wire import Ref, bcd, bits, bitset, flag, rest, text, this, uint8

BT00 = Ref("BT00")


class GeneralConfiguration(
    Table,
    number=0,
    title="General Configuration",
    source=Source.MEP_GUIDE,
    read=OPEN,
    note="The six sets are not printed in the guides; their order is that of GS OSG 001.",
):
    """Formats in use, and which tables and procedures there are. Bit number = table number."""

    data_order = bits(
        0, 0, "byte order of numbers, 0 = least significant first", vci="P", default=0
    )
    char_format = bits(1, 3, "character set", enum=CHAR_FORMATS, default=1, vci="P")
    time_format = bits(0, 2, "date layout, 2 = one UINT8 each", default=2, vci="F", starts=True)
    data_access_method = bits(
        3, 4, "how parts are read", enum={1: "offset and count"}, default=1, vci="F"
    )
    identification_format = bits(
        5, 5, "format of identifiers", enum=IDENTIFICATION_FORMATS, default=1, vci="P"
    )
    integer_format = bits(6, 7, "signed integers", enum=INTEGER_FORMATS, vci="F", default=0)
    ni_format_1 = bits(0, 3, "what NI_FMAT1 stands for, 8 = INT32", default=8, vci="P", starts=True)
    ni_format_2 = bits(4, 7, "what NI_FMAT2 stands for, 8 = INT32", default=8, vci="P")
    manufacturer = text(4, "manufacturer code", default="NES ", vci="P", note="NES or ELON")
    nameplate_type = uint8("kind of device, 2 = electric", default=2, vci="F")
    default_set_used = uint8("default set in use, 0 = none", default=0, vci="F")
    procedure_parameter_length = uint8(
        "longest parameter block of BT07", unit="bytes", default=255, vci="P"
    )
    response_data_length = uint8(
        "longest response data of BT08, ET59, ET85", unit="bytes", default=12, vci="P"
    )
    standard_version = uint8("version of C12.19", default=1, vci="F")
    standard_revision = uint8("revision of C12.19", default=0, vci="P")
    dim_basic_tables_used = uint8("size of that set", unit="bytes", default=10, vci="P")
    dim_extended_tables_used = uint8(
        "size of that set", unit="bytes", default=20, vci="P", note="13 before firmware 4.0"
    )
    dim_basic_procedures_used = uint8("size of that set", unit="bytes", default=2, vci="P")
    dim_extended_procedures_used = uint8("size of that set", unit="bytes", default=12, vci="P")
    manufacturer_status_length = uint8(
        "bytes of manufacturer alarms in BT03",
        unit="bytes",
        default=9,
        vci="P",
        note="the optical guide prints 4 and lists six bytes of alarms",
    )
    number_of_pending_tables = uint8(
        "pending tables the device holds", default=4, vci="P", note="2 or 3 before 4.0"
    )
    basic_tables_used = bitset(
        this.dim_basic_tables_used, "basic tables there are", source=Source.GS_OSG
    )
    extended_tables_used = bitset(
        this.dim_extended_tables_used, "extended tables there are", source=Source.GS_OSG
    )
    basic_procedures_used = bitset(
        this.dim_basic_procedures_used, "basic procedures there are", source=Source.GS_OSG
    )
    extended_procedures_used = bitset(
        this.dim_extended_procedures_used, "extended procedures there are", source=Source.GS_OSG
    )
    basic_tables_write = bitset(
        this.dim_basic_tables_used, "basic tables that can be written", source=Source.GS_OSG
    )
    extended_tables_write = bitset(
        this.dim_extended_tables_used, "extended tables that can be written", source=Source.GS_OSG
    )


class GeneralManufacturerIdentification(
    Table,
    number=1,
    title="General Manufacturer Identification",
    source=Source.MEP_GUIDE,
    read=OPEN,
    nvm_write=True,
    note="The guides print overlapping offsets for the reserved bytes; arithmetic gives these.",
):
    """Who made the device, and which firmware runs: bytes 14 and 15, x.yy.zz in 4, 7, 5 bits."""

    manufacturer = text(4, "manufacturer name", vci="H")
    model = text(8, "model, left-justified", vci="H")
    hardware_version_number = uint8(
        "hardware version, first byte", vci="M", source=Source.OPTICAL_GUIDE
    )
    hardware_revision_number = uint8(
        "hardware version, second byte", vci="M", source=Source.OPTICAL_GUIDE
    )
    main_firmware_version_number = uint8("firmware version, high byte", vci="M")
    firmware_revision_number = uint8("firmware version, low byte", vci="M")
    manufacturer_serial_number = bcd(
        8, "maker's serial number, 16 digits", vci="H", source=Source.OPTICAL_GUIDE
    )


class EndDeviceModeStatus(
    Table,
    number=3,
    title="End Device Mode Status",
    source=Source.OPTICAL_GUIDE,
    read=OPTICAL,
    note="Bits 8 to 15 of the standard status are in byte 2.",
):
    """Modes, standard status, alarms. Each alarm bit logs an event of the same meaning."""

    metering_mode = flag(0, "device is metering", vci="F", default=True)
    test_mode = flag(1, "device is in test mode", vci="P")
    meter_shop_mode = flag(2, "device is in shop mode", vci="F")
    unprogrammed = flag(0, "never programmed", vci="M", word=16, starts=True)
    configuration_error = flag(1, "configuration is invalid", vci="M", word=16)
    system_reset = flag(2, "device restarted", vci="M", word=16)
    ram_failure = flag(3, "RAM failed", vci="M", word=16)
    rom_failure = flag(4, "ROM failed", vci="M", word=16)
    non_volatile_memory_failure = flag(5, "non-volatile memory failed", vci="M", word=16)
    clock_error = flag(6, "clock is wrong", vci="M", word=16)
    measurement_error = flag(7, "measuring failed", vci="M", word=16)
    low_battery = flag(8, "battery is low", vci="M", word=16)
    low_loss_potential = flag(9, "a phase lost its potential", vci="M", word=16)
    demand_overload = flag(10, "demand above its threshold", vci="M", word=16)
    power_failure = flag(11, "power failed", vci="M", word=16)
    cover_removed = flag(12, "a cover was removed", vci="M", word=16)
    reverse_energy = flag(13, "energy flowed in reverse", vci="M", word=16)
    data_backup_incomplete = flag(14, "not everything was backed up", vci="M", word=16)
    disconnect_switch_error = flag(15, "load disconnect failed", vci="M", word=16)
    extended_alarms = bitset(
        1,
        "numbers of extended alarms that are set",
        enum=EXTENDED_ALARMS,
        since=since("3.50"),
        in_place=True,
        vci="M",
    )
    manufacturer_alarms = bitset(
        BT00.manufacturer_status_length,
        "numbers of manufacturer alarms that are set",
        enum=MANUFACTURER_ALARMS,
        vci="M",
    )


class ProcedureInitiate(
    Table,
    number=7,
    title="Procedure Initiate",
    source=Source.MEP_GUIDE,
    read=EVERY,
    write=EVERY,
    note="EP17 is number 17 with the manufacturer bit, 2065 as one number of 12 bits.",
):
    """Written to start a procedure. Parameters take at most BT00.procedure_parameter_length."""

    procedure_number = bits(0, 10, "number within basic or extended", vci="H", word=16)
    extended = flag(11, "an extended procedure", vci="H", word=16)
    response_handling = bits(
        12, 15, "when BT08 gets the response", enum=RESPONSE_HANDLING, vci="P", word=16, default=0
    )
    sequence_number = uint8("chosen by the caller, echoed in BT08", vci="H")
    parameters = rest("parameters of the procedure", vci="H")

    @property
    def procedure(self) -> int:
        """The number that `osgp.spec.procedures` knows it by."""
        return self.procedure_number | self.extended << 11


class ProcedureOutcome(Table):
    """What BT08, ET59 and ET85 have in common."""

    procedure_number = bits(0, 10, "number within basic or extended", vci="M", word=16)
    extended = flag(11, "an extended procedure", vci="M", word=16)
    sequence_number = uint8("that of the request", vci="M")
    result_code = uint8("outcome", enum=PROCEDURE_RESULTS, vci="M")
    response_data = rest("what the procedure answers", vci="M")

    @property
    def procedure(self) -> int:
        """The number that `osgp.spec.procedures` knows it by."""
        return self.procedure_number | self.extended << 11


class ProcedureResponse(
    ProcedureOutcome,
    number=8,
    title="Procedure Response",
    source=Source.MEP_GUIDE,
    read=EVERY,
    note="GS OSG 001's reader omits the sequence number.",
):
    """Outcome of the procedure last started."""


__all__ = [
    "EndDeviceModeStatus",
    "GeneralConfiguration",
    "GeneralManufacturerIdentification",
    "ProcedureInitiate",
    "ProcedureOutcome",
    "ProcedureResponse",
]

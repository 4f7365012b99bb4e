"""Who and whose the device is: BT02, BT05, BT06, ET03, ET33."""

from __future__ import annotations

from osgp.spec.access import EVERY, MEP_WRITE, OPEN, OPTICAL_WRITE
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import Ref, array, bcd, bits, octets, text, uint8, uint16

ET11 = Ref("ET11")

FREQUENCIES = {0: "none", 1: "DC", 2: "25 Hz", 3: "50 Hz", 4: "50 or 60 Hz", 5: "60 Hz"}


class DeviceNameplate(
    Table,
    number=2,
    title="Device Nameplate",
    source=Source.C12_19,
    read=EVERY,
    note="Layout of C12.19-1997 for electric devices; no OSGP source prints it.",
):
    """What the nameplate says."""

    energy = bits(0, 2, "kinds of energy it measures")
    blondel = bits(3, 3, "as many elements as wires less one")
    elements = bits(0, 2, "measuring elements", starts=True)
    base_type = bits(3, 6, "how it is mounted: 0 none, 1 S, 2 A, 3 K")
    accuracy_class = bits(0, 5, "accuracy class, code of C12.19", word=16)
    volts = bits(6, 9, "rated voltage, code of C12.19", word=16)
    amps = bits(10, 13, "rated current, code of C12.19", word=16)
    element_volts = bits(0, 3, "voltage of an element, code of C12.19", starts=True)
    frequency = bits(4, 6, "rated frequency", enum=FREQUENCIES)
    kh = text(6, "watt-hour constant")
    kt = text(6, "test constant")
    input_scalar = uint8("divisor of pulses")
    elec_config = bits(0, 4, "wiring, code of C12.19")


class DeviceIdentification(
    Table,
    number=5,
    title="Device Identification",
    source=Source.GS_OSG,
    read=EVERY,
    write=OPTICAL_WRITE,
):
    """The utility's number of the device."""

    identification = bcd(
        10, "twenty digits", vci="H", note="characters where BT00 identification_format = 0"
    )


class UtilityInformationBasic(
    Table,
    number=6,
    title="Utility Information",
    source=Source.GS_OSG,
    read=EVERY,
    write=OPTICAL_WRITE,
    note="Identifiers are characters where BT00 identification_format = 0.",
):
    """Owner, customer, place, tools that programmed the device."""

    owner_name = text(20, "owner")
    utility_division = text(20, "division of the utility")
    service_point_id = bcd(10, "service point")
    electrical_address = bcd(10, "place in the network")
    device_id = bcd(10, "utility's number of the device")
    utility_serial_number = bcd(10, "utility's serial number")
    customer_id = bcd(10, "customer")
    coordinate_1 = text(10, "first coordinate")
    coordinate_2 = text(10, "second coordinate")
    coordinate_3 = text(10, "third coordinate")
    tariff_id = text(8, "tariff")
    configuration_software_vendor = text(4, "maker of the configuration software")
    configuration_software_version = uint8("its version")
    configuration_software_revision = uint8("its revision")
    programming_software_vendor = text(4, "maker of the programming software")
    programming_software_version = uint8("its version")
    programming_software_revision = uint8("its revision")
    programmer_name = text(10, "who programmed the device")
    miscellaneous_id = text(30, "anything else")


class UtilityInformation(
    Table,
    number=2051,
    title="Utility Information",
    source=Source.MEP_GUIDE,
    read=OPEN,
    write=MEP_WRITE,
    nvm_write=True,
    note="The optical guide has everything from 30 on reserved.",
):
    """The customer's number of the device."""

    utility_serial_number = text(30, "serial number, ended by 0", vci="H")
    reserved_30 = octets(107, "")
    image_crc = uint16("CRC of the legally relevant firmware", vci="M")
    reserved_139 = octets(4, "", note="printed as 138 to 142")


class GroupConfiguration(
    Table,
    number=2081,
    title="Group Configuration",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="Known: ET11 has the number of ids, 10; EP27 adds and removes them.",
):
    """Groups of broadcasts that the device belongs to."""

    group_ids = array(uint16(), ET11.number_of_group_ids, "group ids, 0 = unused")


__all__ = [
    "DeviceIdentification",
    "DeviceNameplate",
    "GroupConfiguration",
    "UtilityInformation",
    "UtilityInformationBasic",
]

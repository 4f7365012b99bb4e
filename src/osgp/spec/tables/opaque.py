"""Tables that the standard leaves to the manufacturer: byte images, nothing more."""

from __future__ import annotations

from osgp.spec.access import EVERY, FULL, MEP_WRITE
from osgp.spec.declare import Table
from osgp.spec.source import Source
from osgp.wire import rest


class ManufacturerSpecific00(
    Table,
    number=2048,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class PulseOutputOptions(
    Table,
    number=2049,
    title="Manufacturer Specific (Pulse Output Options)",
    source=Source.PROJECT,
    read=EVERY,
    write=MEP_WRITE,
    note="The MEP guide names it and says that it sets up the S0 output.",
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class ManufacturerSpecific08(
    Table,
    number=2056,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class ManufacturerSpecific18(
    Table,
    number=2066,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class ManufacturerSpecific35(
    Table,
    number=2083,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class ManufacturerSpecific38(
    Table,
    number=2086,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
    note="ET36 has it as a log with 10 entries of 35 bytes that hold a configuration id.",
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


class ManufacturerSpecific1038(
    Table,
    number=3086,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    read=FULL,
    write=FULL,
):
    """Manufacturer specific."""

    image = rest("manufacturer specific")


__all__ = [
    "ManufacturerSpecific00",
    "ManufacturerSpecific08",
    "ManufacturerSpecific18",
    "ManufacturerSpecific35",
    "ManufacturerSpecific38",
    "ManufacturerSpecific1038",
    "PulseOutputOptions",
]

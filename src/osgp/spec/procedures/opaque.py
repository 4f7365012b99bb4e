"""Extended procedures that the standard leaves to the manufacturer: parameters are bytes."""

from __future__ import annotations

from osgp.spec.access import FULL
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.wire import rest


class ManufacturerSpecific00(
    Procedure,
    number=2048,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
    note="The meter manual names it Self Calibration.",
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific04(
    Procedure,
    number=2052,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific05(
    Procedure,
    number=2053,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific07(
    Procedure,
    number=2055,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific14(
    Procedure,
    number=2062,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific45(
    Procedure,
    number=2093,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific46(
    Procedure,
    number=2094,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific47(
    Procedure,
    number=2095,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific48(
    Procedure,
    number=2096,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerSpecific49(
    Procedure,
    number=2097,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


__all__ = [
    "ManufacturerSpecific00",
    "ManufacturerSpecific04",
    "ManufacturerSpecific05",
    "ManufacturerSpecific07",
    "ManufacturerSpecific14",
    "ManufacturerSpecific45",
    "ManufacturerSpecific46",
    "ManufacturerSpecific47",
    "ManufacturerSpecific48",
    "ManufacturerSpecific49",
]

"""Extended procedures that the standard leaves to the manufacturer: parameters are bytes."""

from __future__ import annotations

from osgp.spec.access import FULL
from osgp.spec.declare import Procedure
from osgp.spec.source import Source
from osgp.wire import rest


class ManufacturerProcedure00(
    Procedure,
    number=2048,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
    note="The meter manual names it Self Calibration.",
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure04(
    Procedure,
    number=2052,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure05(
    Procedure,
    number=2053,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure07(
    Procedure,
    number=2055,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure14(
    Procedure,
    number=2062,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure45(
    Procedure,
    number=2093,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure46(
    Procedure,
    number=2094,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure47(
    Procedure,
    number=2095,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure48(
    Procedure,
    number=2096,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


class ManufacturerProcedure49(
    Procedure,
    number=2097,
    title="Manufacturer Specific",
    source=Source.PROJECT,
    call=FULL,
):
    """Manufacturer specific."""

    parameters = rest("manufacturer specific")


__all__ = [
    "ManufacturerProcedure00",
    "ManufacturerProcedure04",
    "ManufacturerProcedure05",
    "ManufacturerProcedure07",
    "ManufacturerProcedure14",
    "ManufacturerProcedure45",
    "ManufacturerProcedure46",
    "ManufacturerProcedure47",
    "ManufacturerProcedure48",
    "ManufacturerProcedure49",
]

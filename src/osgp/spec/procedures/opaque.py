"""Extended procedures that the standard leaves to the manufacturer: parameters are bytes."""

from __future__ import annotations

from typing import Final

from osgp.spec.access import FULL
from osgp.spec.declare import EXTENDED, Procedure, ProcedureMeta
from osgp.spec.source import Source
from osgp.wire import rest

NUMBERS: Final = (0, 4, 5, 7, 14, 45, 46, 47, 48, 49)
"""Annex D rows titled 'Manufacturer Specific'."""

_NOTES: Final = {0: "The meter manual names it Self Calibration."}


def _declare(number: int) -> type[Procedure]:
    body = {
        "__doc__": "Manufacturer specific.",
        "__module__": __name__,
        "parameters": rest("manufacturer specific"),
    }
    declared: type[Procedure] = ProcedureMeta(
        f"ManufacturerProcedure{number:02d}",
        (Procedure,),
        body,
        number=EXTENDED + number,
        title="Manufacturer Specific",
        source=Source.PROJECT,
        call=FULL,
        note=_NOTES.get(number, ""),
    )
    return declared


MANUFACTURER_PROCEDURES: Final = tuple(_declare(number) for number in NUMBERS)

__all__ = ["MANUFACTURER_PROCEDURES"]

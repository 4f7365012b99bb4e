"""Tables that the standard leaves to the manufacturer: byte images, nothing more."""

from __future__ import annotations

from typing import Final

from osgp.spec.access import EVERY, FULL, MEP_WRITE
from osgp.spec.declare import EXTENDED, Table, TableMeta
from osgp.spec.source import Source
from osgp.wire import rest

NUMBERS: Final = (0, 8, 18, 35, 38, 1038)
"""Annex B rows titled 'Manufacturer Specific' that nothing more is known of; ET01 has a name."""

_NOTES: Final = {
    38: "ET36 has it as a log with 10 entries of 35 bytes that hold a configuration id."
}


def _declare(number: int) -> type[Table]:
    body = {
        "__doc__": "Manufacturer specific.",
        "__module__": __name__,
        "image": rest("manufacturer specific"),
    }
    declared: type[Table] = TableMeta(
        f"ManufacturerSpecific{number:02d}",
        (Table,),
        body,
        number=EXTENDED + number,
        title="Manufacturer Specific",
        source=Source.PROJECT,
        read=FULL,
        write=FULL,
        note=_NOTES.get(number, ""),
    )
    return declared


MANUFACTURER_TABLES: Final = tuple(_declare(number) for number in NUMBERS)


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


__all__ = ["MANUFACTURER_TABLES", "PulseOutputOptions"]

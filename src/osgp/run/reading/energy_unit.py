"""What one count of an energy register is: 1, 10 or 100 Wh or varh, set when a meter is made.

ET55 has the number, ET42 repeats it (MEP guide, both tables; firmware 3.70 and modules 1.20 on). It
holds for what counts Wh and varh in BT23 to BT26 and in the load profile. Meters that say nothing
count single Wh.
"""

from __future__ import annotations

from typing import Final

from osgp.errors import DecodeError, PathError, ServiceError
from osgp.session import Exchange
from osgp.session.reader import DeviceReader

FIELD: Final = "energy_register_unit"
CONFIGURATION, INTERFACE = "ET55", "ET42"
UNITS: Final = frozenset({1, 10, 100})
COUNTED: Final = frozenset({"Wh", "varh"})
"""Units of quantities that the register unit is about."""


def energy_unit(reader: DeviceReader) -> Exchange[int]:
    """Wh (varh) of one count. Raises DecodeError for a number that no source knows."""
    stored = None
    for read in (_configured, _declared):
        if stored is None:
            stored = yield from _unless_refused(read(reader))
    if stored and stored not in UNITS:
        raise DecodeError(f"{FIELD} is {stored}, not 1, 10 or 100")
    return stored or 1


def scale_of(unit: str, register_unit: int) -> int:
    """What to multiply a stored value of a quantity with."""
    return register_unit if unit in COUNTED else 1


def _configured(reader: DeviceReader) -> Exchange[int | None]:
    if not (yield from reader.has(CONFIGURATION)):
        return None
    return int((yield from reader.part(CONFIGURATION, FIELD)))


def _declared(reader: DeviceReader) -> Exchange[int | None]:
    """The field stands behind lists: the whole table is read, once."""
    if not (yield from reader.has(INTERFACE)):
        return None
    table = yield from reader.once(INTERFACE)
    stored: int | None = getattr(table, FIELD)
    return stored


def _unless_refused(reading: Exchange[int | None]) -> Exchange[int | None]:
    """None where the firmware has no such field, or the key does not open it."""
    try:
        return (yield from reading)
    except (ServiceError, DecodeError, PathError):
        return None


__all__ = ["energy_unit", "scale_of"]

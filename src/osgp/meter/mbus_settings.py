"""What is written about a meter's M-Bus devices and MEP clients: ET13, ET34, ET57."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from osgp.meter.dims import declared
from osgp.meter.mbus_state import M_BUS_TYPE, VALVE_TYPE
from osgp.meter.mbus_units import VALVE
from osgp.meter.nvm import Nvm
from osgp.spec.tables.mbus import DataTypes, DeviceConfiguration, DeviceConfiguration2
from osgp.wire import Dims

CONFIGURED: Final = {
    "ET13": DeviceConfiguration,
    "ET34": DeviceConfiguration2,
    "ET57": DataTypes,
}
"""Tables that are written; each has a cell of its own."""


class DeviceSettings:
    """These tables of one meter. Cells are put, not committed."""

    def __init__(self, nvm: Nvm, dims: Dims) -> None:
        self._nvm, self._dims = nvm, dims
        self._records: dict[str, Any] = {}

    def image(self, table: str) -> bytes:
        """The table as it was written, keys and all."""
        stored = self._nvm.get(_cell(table))
        if stored is not None:
            return stored
        declaration = CONFIGURED[table]
        return declaration.bind(self._dims).encode(declared(declaration, self._dims))

    def record(self, table: str) -> Any:
        """The table as a record; it is asked for with every frame and at every turn."""
        if table not in self._records:
            self._records[table] = self._decoded(table, self.image(table))
        return self._records[table]

    def write(self, table: str, image: bytes) -> None:
        """Raises DecodeError for bytes that say nothing."""
        self._records[table] = self._decoded(table, image)
        self._nvm.put(_cell(table), image)

    def watch_valves(self, slots: Sequence[int]) -> None:
        """Has ET58 show the valves of these devices: a new data type in ET57, named in ET34."""
        if not slots:
            return
        types, more = self.record("ET57"), self.record("ET34")
        first = types.entries[0].with_(entry_type=M_BUS_TYPE, mdt=VALVE_TYPE, drh=VALVE)
        devices = list(more.devices)
        for slot in slots:
            devices[slot] = devices[slot].with_(control_mdt=VALVE_TYPE)
        for name, table in (
            ("ET57", types.with_(entries=(first, *types.entries[1:]))),
            ("ET34", more.with_(devices=tuple(devices))),
        ):
            self.write(name, CONFIGURED[name].bind(self._dims).encode(table))

    def _decoded(self, table: str, image: bytes) -> Any:
        return CONFIGURED[table].bind(self._dims).decode(image)


def _cell(table: str) -> str:
    return f"mbus/{table}"


__all__ = ["CONFIGURED", "DeviceSettings"]

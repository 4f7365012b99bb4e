"""A reader for keys that do not open everything."""

from __future__ import annotations

from typing import Any

from osgp.errors import InsufficientSecurityClearance
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.wire import Layout
from osgp.wire.bind import dependencies


class PortReader(DeviceReader):
    """Does without dimension tables that the key does not open, where a layout can.

    The read-only key of the optical port, for one, does not open ET54, on which the number of load
    profile data sets depends; its first data set is there all the same. A layout that cannot do
    without raises DimensionError.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused: set[str] = set()

    def layout(self, name: str) -> Exchange[Layout[Any]]:
        """The layout that table `name` has on this device. Raises as `table`."""
        for needed in sorted(dependencies(tables[name]) - {name} - self.dims.keys() - self.refused):
            if (yield from self.has(needed)):
                yield from self._dimension(needed)
        return (yield from super().layout(name))

    def has(self, name: str) -> Exchange[bool]:
        """Whether the device lists the table and has not refused it as a dimension."""
        return name not in self.refused and (yield from super().has(name))

    def forget(self) -> None:
        super().forget()
        self.refused.clear()

    def _dimension(self, name: str) -> Exchange[None]:
        try:
            yield from self.table(name)
        except InsufficientSecurityClearance:
            self.refused.add(name)


__all__ = ["PortReader"]

"""Reading a device by what it declares of itself.

A table's layout depends on the firmware and on dimension tables; `DeviceReader` reads those first,
remembers them, and then knows the place of every field. Every image goes to `on_image` as it was
received.

A dimension table that the key does not open is done without, where a layout can: the read-only key
of the optical port, for one, does not open ET54, on which the number of load profile data sets
depends, and the first data set is there all the same. A layout that cannot raises DimensionError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osgp.errors import InsufficientSecurityClearance, RemoteProtocolError
from osgp.spec import Table, tables
from osgp.spec.declare import EXTENDED
from osgp.spec.firmware import packed_version
from osgp.wire import Dims, Layout
from osgp.wire.bind import dependencies

from .client import TableClient
from .exchange import Exchange

OnImage = Callable[[int, int, bytes], None]

MAX_STEPS = 16
"""Reads of one table of unknown length; each must bring it further."""

MAX_WHOLE = 1 << 16
"""Bytes of a table that is read whole; longer ones (load profiles) are read in parts."""


class DeviceReader:
    """Reads whole tables, and fields by path, from one device."""

    def __init__(
        self, client: TableClient, dims: Dims | None = None, on_image: OnImage | None = None
    ) -> None:
        self.client = client
        self.dims = Dims() if dims is None else dims
        self.on_image = on_image or (lambda table, offset, data: None)
        self.refused: set[str] = set()
        self._once: dict[str, Any] = {}
        self._calls: int | None = None

    def layout(self, name: str) -> Exchange[Layout[Any]]:
        """The layout that table `name` has on this device. Raises as `table`."""
        declaration = tables[name]
        if name not in _IDENTITY:
            yield from self._identify()
        for needed in sorted(dependencies(declaration) - {name} - self.refused):
            if needed not in self.dims and (yield from self.has(needed)):
                yield from self._dimension(needed)
        return declaration.bind(self.dims)

    def has(self, name: str) -> Exchange[bool]:
        """Whether the device says in BT00 that it has table `name`. Raises as `table`."""
        if name == _CONFIGURATION:
            return True
        if _CONFIGURATION not in self.dims:
            yield from self.table(_CONFIGURATION)
        used = self.dims[_CONFIGURATION]
        number = tables[name].info.number
        if number >= EXTENDED:
            return number - EXTENDED in used.extended_tables_used
        return number in used.basic_tables_used

    def table(self, name: str) -> Exchange[Any]:
        """A whole table, decoded.

        Raises DecodeError (the image does not fit its layout), ServiceError, SecurityError,
        RemoteProtocolError, TransportError.
        """
        declaration = tables[name]
        layout = yield from self.layout(name)
        image = yield from self._image(declaration, layout)
        record = layout.decode(image)
        if name in _DIMENSIONS:
            self.dims = self.dims.with_table(name, record)
        if name == _IDENTIFICATION:
            high, low = record.main_firmware_version_number, record.firmware_revision_number
            self.dims = self.dims.with_firmware(packed_version(high, low))
        return record

    def once(self, name: str) -> Exchange[Any]:
        """A table that does not change while the interface stays as it is. Raises as `table`."""
        if name not in self._once:
            self._once[name] = yield from self.table(name)
        return self._once[name]

    def part(self, name: str, path: str) -> Exchange[Any]:
        """The field at `path` of a table, decoded; only its bytes are read. Raises as `table`."""
        layout = yield from self.layout(name)
        place = layout.part(path)
        data = yield from self.bytes_at(tables[name], *place.span)
        return place.decode(data)

    def bytes_at(self, declaration: type[Table], offset: int, count: int) -> Exchange[bytes]:
        """Raw bytes of a table. Raises as `table`, but for DecodeError."""
        number = declaration.info.number
        data = yield from self.client.read(number, offset, count)
        self.on_image(number, offset, data)
        return data

    def next_call(self, first: int) -> int:
        """A sequence number (0..255) for a procedure call: `first`, then one after another."""
        self._calls = first if self._calls is None else self._calls + 1
        return self._calls & 0xFF

    def forget(self) -> None:
        """Drops dimensions and firmware: the device has said that its interface changed."""
        self.dims = Dims()
        self.refused.clear()
        self._once.clear()

    def _dimension(self, name: str) -> Exchange[None]:
        try:
            yield from self.table(name)
        except InsufficientSecurityClearance:
            self.refused.add(name)

    def _identify(self) -> Exchange[None]:
        """Learns the firmware, unless it is known or the device does not tell."""
        if self.dims.firmware is None and (yield from self.has(_IDENTIFICATION)):
            yield from self.table(_IDENTIFICATION)

    def _image(self, declaration: type[Table], layout: Layout[Any]) -> Exchange[bytes]:
        """All bytes of a table, asked for as far as what is known so far reaches."""
        number, data = declaration.info.number, b""
        for _ in range(MAX_STEPS):
            wanted = layout.extent(data)
            if wanted > MAX_WHOLE:
                raise RemoteProtocolError(f"{layout.name} is said to have {wanted} bytes")
            if wanted <= len(data):
                self.on_image(number, 0, data)
                return data
            data += yield from self.client.read(number, len(data), wanted - len(data))
        raise RemoteProtocolError(f"{layout.name} grows while it is read")


def _dimension_tables() -> frozenset[str]:
    """Names of all tables that some other table's layout depends on."""
    return frozenset().union(*(dependencies(tables[name]) for name in tables))


_DIMENSIONS = _dimension_tables()
_CONFIGURATION = "BT00"
_IDENTIFICATION = "BT01"
_IDENTITY = (_CONFIGURATION, _IDENTIFICATION)

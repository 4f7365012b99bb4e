"""Dimension tables that were read before, so that reading begins with what the user wants.

One JSON file for each device, named after its program id and transceiver id: two devices with the
same program may be configured differently. Its images hold as long as the device counts no change
of its interface (ET04.116, the IDT version), runs the same firmware and lists the same tables and
procedures (BT00): not every device counts. (`Source.PROJECT`)
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from osgp.errors import DecodeError, ServiceError
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import tables
from osgp.spec.tables.general import GeneralConfiguration
from osgp.spec.tables.system import SystemInformation
from osgp.wire import Dims
from osgp.wire.bind import dependencies

VERSION: Final = 2
LARGEST: Final = 1 << 20
"""Bytes of a cache file; a larger one is not ours."""

CONFIGURATION: Final = "BT00"
SYSTEM: Final = "ET04"
IDENTIFICATION: Final = "BT01"
DIMENSION_TABLES: Final[frozenset[str]] = frozenset().union(
    *(dependencies(tables[name]) for name in tables)
)


class Interface(msgspec.Struct, frozen=True):
    """What says whether dimensions still hold. `listed`: CRC-32 of BT00."""

    program_id: bytes
    transceiver_id: bytes
    idt_version: int
    firmware: tuple[int, ...] = ()
    listed: int = 0

    @property
    def file_name(self) -> str:
        return f"{self.program_id.hex()}-{self.transceiver_id.hex()}.json"


class Cached(msgspec.Struct, frozen=True):
    """The whole file; images by table name."""

    interface: Interface
    images: dict[str, bytes]
    version: int = VERSION


class DimensionCache:
    """A directory of cached dimensions. A file that cannot be read or written is no error."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def recall(self, interface: Interface) -> dict[str, bytes]:
        """Images that still hold; none if there are none."""
        path = self._directory / interface.file_name
        try:
            if path.stat().st_size > LARGEST:
                return {}
            found = msgspec.json.decode(path.read_bytes(), type=Cached)
        except (OSError, msgspec.MsgspecError):
            return {}
        holds = found.version == VERSION and found.interface == interface
        return found.images if holds else {}

    def remember(self, interface: Interface, images: dict[str, bytes]) -> None:
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            path = self._directory / interface.file_name
            beside = path.with_suffix(".new")
            beside.write_bytes(msgspec.json.encode(Cached(interface, images)))
            beside.replace(path)

    def forget(self, interface: Interface) -> None:
        with suppress(OSError):
            (self._directory / interface.file_name).unlink(missing_ok=True)


def interface_of(reader: DeviceReader) -> Exchange[Interface | None]:
    """Reads what dimensions depend on; None where the device does not tell.

    Raises as `DeviceReader.table`, but for refusals.
    """
    try:
        general = yield from reader.once(CONFIGURATION)
        yield from reader.once(IDENTIFICATION)
        layout = yield from reader.layout(SYSTEM)
        first, last = layout.span("transceiver_id"), layout.span("program_id")
        count = last.offset + last.size - first.offset
        data = yield from reader.bytes_at(SystemInformation, first.offset, count)
        version: int = yield from reader.part(SYSTEM, "idt_version")
    except (ServiceError, DecodeError):
        return None
    listed = zlib.crc32(GeneralConfiguration.bind().encode(general))
    firmware = tuple(reader.dims.firmware or ())
    return Interface(data[-last.size :], data[: first.size], version, firmware, listed)


def dims_from(images: dict[str, bytes], dims: Dims) -> Dims:
    """`dims` with the tables of `images`. Raises DecodeError where one does not fit."""
    waiting = {name: data for name, data in images.items() if name in DIMENSION_TABLES}
    while waiting:
        ready = [name for name in waiting if not _missing(name, waiting)]
        if not ready:
            raise DecodeError("dimension tables that need each other")
        for name in ready:
            record: Any = tables[name].bind(dims).decode(waiting.pop(name))
            dims = dims.with_table(name, record)
    return dims


def whole_images(images: dict[str, bytes], dims: Dims) -> dict[str, bytes]:
    """Those images that are of a table in `dims`, and all of it."""
    return {name: data for name, data in images.items() if name in dims and _fits(name, data, dims)}


def _fits(name: str, data: bytes, dims: Dims) -> bool:
    try:
        tables[name].bind(dims).decode(data)
    except DecodeError:
        return False
    return True


def _missing(name: str, waiting: dict[str, bytes]) -> bool:
    return bool((dependencies(tables[name]) - {name}) & waiting.keys())

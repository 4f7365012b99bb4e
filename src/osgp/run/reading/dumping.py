"""`osgp dump`: every table that a meter lets this key read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from osgp.errors import DecodeError, ServiceError
from osgp.export.plain import plain
from osgp.run.dumps import Dump, DumpedTable
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import EXTENDED, table_name, tables

from .cache import DIMENSION_TABLES

WINDOWS: Final = frozenset({"BT07", "BT08"})
"""Windows for procedures: reading them says nothing about the device."""


def read_dump_of(reader: DeviceReader, taken: datetime | None = None) -> Exchange[Dump]:
    """Reads all tables that BT00 lists. A refusal is noted; silence ends the dump.

    Raises SecurityError, RemoteProtocolError, TransportError.
    """
    configuration = yield from reader.table("BT00")
    numbers = sorted(
        {*configuration.basic_tables_used}
        | {EXTENDED + number for number in configuration.extended_tables_used}
    )
    names = [table_name(number) for number in numbers]
    first = [name for name in names if name in DIMENSION_TABLES]
    others = [name for name in names if name not in DIMENSION_TABLES and name not in WINDOWS]
    entries: dict[str, DumpedTable] = {}
    for name in (*first, *others):
        entries[name] = yield from _entry(reader, name)
    ordered = {name: entries[name] for name in names if name in entries}
    moment = taken or datetime.now(UTC)
    return Dump(moment, ordered, device=_device(entries.get("BT01")))


def _entry(reader: DeviceReader, name: str) -> Exchange[DumpedTable]:
    if name not in tables:
        return DumpedTable(refused="no such table is declared")
    title = tables[name].info.title
    received: list[bytes] = []
    before = reader.on_image
    reader.on_image = _collecting(before, received)
    try:
        record = yield from reader.table(name)
        return DumpedTable(title, received[-1].hex(), plain(record))
    except DecodeError as error:
        return DumpedTable(title, received[-1].hex() if received else None, refused=str(error))
    except ServiceError as error:
        return DumpedTable(title, refused=str(error))
    finally:
        reader.on_image = before


def _collecting(before: Any, received: list[bytes]) -> Any:
    def on_image(table: int, offset: int, data: bytes) -> None:
        before(table, offset, data)
        if offset == 0:
            received.append(data)

    return on_image


def _device(entry: DumpedTable | None) -> str:
    """Maker, model and serial number, for the file's reader."""
    made = None if entry is None else entry.decoded
    if not isinstance(made, dict):
        return ""
    names = ("manufacturer", "model", "manufacturer_serial_number")
    return " ".join(str(made.get(name, "")).strip("\0 ") for name in names).strip()

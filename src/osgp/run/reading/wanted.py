"""Tables and fields as the user names them: `BT23`, `ET50.30`, `BT28.values[3]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from osgp.errors import ServiceError, UsageError
from osgp.export.explain import Explained, explain
from osgp.export.lookup import find
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import Table
from osgp.wire import Layout
from osgp.wire.resolve import Resolved, resolve

NAMING: Final = ("BT22", "BT27", "BT62", "ET66")
"""Tables that say which quantities others hold."""

NAMED: Final = frozenset({"BT23", "BT24", "BT25", "BT26", "BT28", "BT64", "BT65", "BT66", "BT67"})


class Wanted(msgspec.Struct, frozen=True):
    """A table, or a field of it (None: the whole table)."""

    table: str
    field: str | None = None


class Found(msgspec.Struct, frozen=True):
    """What was read: `image` are the bytes at `offset` of the table, `rows` their fields."""

    table: str
    title: str
    offset: int
    image: bytes
    rows: tuple[Explained, ...]


def wanted(text: str) -> Wanted:
    """What one argument asks for. Raises UsageError."""
    name, _, field = text.partition(".")
    declaration = find(name)
    if not issubclass(declaration, Table):
        raise UsageError(f"{text} is a procedure: `osgp call {name}`")
    return Wanted(declaration.info.name, field or None)


def read_wanted(reader: DeviceReader, asked: Iterable[Wanted]) -> Exchange[list[Found]]:
    """Reads what was asked for, in order. Raises as `DeviceReader.table`, PathError, UsageError."""
    found = []
    for one in asked:
        if not (yield from reader.has(one.table)):
            raise UsageError(f"this meter has no {one.table}: its BT00 does not list it")
        found.append((yield from _read(reader, one)))
    return found


def _read(reader: DeviceReader, one: Wanted) -> Exchange[Found]:
    layout = yield from reader.layout(one.table)
    images = yield from naming_tables(reader, one.table)
    if one.field is None:
        return (yield from _whole(reader, one.table, layout, images))
    return (yield from _part(reader, layout, resolve(layout, one.field), images))


def naming_tables(reader: DeviceReader, table: str) -> Exchange[dict[str, Any]]:
    """Decoded tables that name the values of `table`, as far as the key opens them."""
    images = {}
    for name in NAMING if table in NAMED else ():
        record = yield from if_open(reader, name)
        if record is not None:
            images[name] = record
    return images


def if_open(reader: DeviceReader, name: str) -> Exchange[Any]:
    """A table that only adds names; None where the device has none or refuses it."""
    if not (yield from reader.has(name)):
        return None
    try:
        return (yield from reader.once(name))
    except ServiceError:
        return None


def _whole(
    reader: DeviceReader, table: str, layout: Layout[Any], images: dict[str, Any]
) -> Exchange[Found]:
    record = yield from reader.table(table)
    rows = tuple(explain(table, layout, record, images))
    return Found(table, _title(table), 0, layout.encode(record), rows)


def _part(
    reader: DeviceReader, layout: Layout[Any], place: Resolved, images: dict[str, Any]
) -> Exchange[Found]:
    """Only the field's bytes are read; the table around them is taken as zeros."""
    declaration = find(layout.name)
    assert issubclass(declaration, Table)
    image = yield from reader.bytes_at(declaration, place.offset, place.size)
    size = layout.size or place.offset + place.size
    padded = bytes(place.offset) + image + bytes(size - place.offset - place.size)
    record, _ = layout.decode_from(padded)
    rows = tuple(row for row in explain(layout.name, layout, record, images) if _inside(row, place))
    return Found(layout.name, _title(layout.name), place.offset, image, rows)


def _inside(row: Explained, place: Resolved) -> bool:
    within = place.offset <= row.offset and row.offset + row.size <= place.offset + place.size
    return within and (place.bits is None or row.bits is None or row.bits == place.bits)


def _title(table: str) -> str:
    info: Any = find(table).info
    return str(info.title)

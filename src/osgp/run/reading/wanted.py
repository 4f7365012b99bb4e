"""Tables and fields as the user names them: `BT23`, `ET50.30`, `BT28.values[3]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from osgp.errors import ServiceError, UsageError
from osgp.export.explain import Explained, explain, quantity_text
from osgp.export.lookup import find
from osgp.session import Exchange
from osgp.session.reader import DeviceReader
from osgp.spec import Table
from osgp.spec.tables.registers import RegisterBlock
from osgp.wire import Layout
from osgp.wire.resolve import Resolved, resolve

from .energy_unit import energy_unit, scale_of

NAMING: Final = ("BT22", "BT27", "BT62", "ET66")
"""Tables that say which quantities others hold."""

BLOCKS: Final = ("BT23", "BT24", "BT25")
TOTAL, TIERS, SHORT_TIERS = "total_data_block.", "tier_data_block[", "tier["
IN_BLOCK: Final = frozenset(field.name for field in RegisterBlock.wire_fields)
"""How paths into blocks of registers are said in short, and what such a block has."""

COUNTERS: Final = frozenset({*BLOCKS, "BT26", "BT64", "BT65", "BT66", "BT67"})
"""Tables whose energies count in the energy register unit."""

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
    table = declaration.info.name
    return Wanted(table, in_full(table, field) or None)


def shortened(place: str) -> str:
    """`BT23.total_data_block.summations[0]` as `BT23.summations[0]`, and so on."""
    table, _, field = place.partition(".")
    if table not in BLOCKS:
        return place
    if field.startswith(TOTAL):
        return f"{table}.{field.removeprefix(TOTAL)}"
    return f"{table}.{field.replace(TIERS, SHORT_TIERS, 1)}"


def in_full(table: str, field: str) -> str:
    """The path that `shortened` made short; others as they are."""
    if table not in BLOCKS:
        return field
    if field.startswith(SHORT_TIERS):
        return field.replace(SHORT_TIERS, TIERS, 1)
    return f"{TOTAL}{field}" if field.partition("[")[0] in IN_BLOCK else field


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
        found = yield from _whole(reader, one.table, layout, images)
    else:
        found = yield from _part(reader, layout, resolve(layout, one.field), images)
    if one.table not in COUNTERS:
        return found
    unit = yield from energy_unit(reader)
    rows = tuple(_counted(row, unit) for row in found.rows)
    return msgspec.structs.replace(found, rows=rows)


def _counted(row: Explained, register_unit: int) -> Explained:
    """A register's value in its unit, whatever one count of it is."""
    scale = scale_of(row.unit or "", register_unit)
    if scale == 1 or row.unit is None or not isinstance(row.value, int):
        return row
    value = row.value * scale
    return msgspec.structs.replace(row, value=value, text=quantity_text(value, row.unit))


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

"""What came of a table, in words: for the log of frames, which knows nothing of tables."""

from __future__ import annotations

from typing import Final

from osgp.errors import OsgpError
from osgp.export.explain import Explained, explain
from osgp.export.printable import printable
from osgp.spec import tables
from osgp.wire import Dims

MOST: Final = 64
"""Fields that a line of the log names."""

LARGEST: Final = 1 << 16
"""Bytes of a table beyond which only its name is said: load profiles are read by the interval."""


def fields_of(name: str, offset: int, data: bytes, dims: Dims) -> str:
    """`BT53 at 4: time_zone_offset = 60`; without fields where dimensions are missing."""
    place = f"{name} at {offset}, {len(data)} bytes"
    try:
        rows = _rows(name, offset, data, dims)
    except OsgpError:
        return place
    said = ", ".join(f"{row.path} = {_printable(row)}" for row in rows[:MOST])
    more = f", and {len(rows) - MOST} more" if len(rows) > MOST else ""
    return f"{place}: {said}{more}" if said else place


def _printable(row: Explained) -> str:
    """Text as it was sent may hold anything: a line stays one line."""
    return printable(" ".join(str(row.text or row.raw).split("\n")))


def _rows(name: str, offset: int, data: bytes, dims: Dims) -> list[Explained]:
    layout = tables[name].bind(dims)
    end = offset + len(data)
    size = layout.size or end
    if size > LARGEST:
        return []
    image = bytes(offset) + data + bytes(max(size - end, 0))
    record, _ = layout.decode_from(image)
    rows = explain(name, layout, record, {})
    return [row for row in rows if offset <= row.offset and row.offset + row.size <= end]


__all__ = ["fields_of"]

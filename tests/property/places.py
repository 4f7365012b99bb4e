"""Every place in a layout, as bits from the start of the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from osgp.errors import PathError
from osgp.wire import Field, Layout, Record
from osgp.wire.kinds import Array, Bits, BitSet, Nested

MOST_ELEMENTS = 100


class Place(NamedTuple):
    """A field, an element, a whole word, or one bit of a SET."""

    first: int
    length: int
    path: str
    field: Field


def places(layout: Layout[Any]) -> list[Place]:
    """Whatever has a fixed place."""
    return list(_record(layout, layout.record, ""))


def _record(layout: Layout[Any], record: type[Record], prefix: str) -> Iterator[Place]:
    for field in record.wire_fields:
        yield from _field(layout, field, f"{prefix}{field.name}")


def _field(layout: Layout[Any], field: Field, path: str) -> Iterator[Place]:
    try:
        offset, size = layout.span(path)
    except PathError:
        return
    yield Place(8 * offset, 8 * size, path, field)
    match field.kind:
        case Bits(lo, hi):
            yield Place(8 * offset + lo, hi - lo + 1, path, field)
        case BitSet():
            for bit in range(8 * size):
                yield Place(8 * offset + bit, 1, path, field)
        case Nested(record):
            yield from _record(layout, record, f"{path}.")
        case Array(element):
            yield from _elements(layout, field, element, path)


def _elements(layout: Layout[Any], array: Field, element: Field, path: str) -> Iterator[Place]:
    for index in range(MOST_ELEMENTS):
        inside = list(_field(layout, element, f"{path}[{index}]"))
        if not inside:
            return
        for place in inside:
            yield place if place.field is not element else place._replace(field=array)

"""Every field of a decoded record with its value and the place it came from.

`walk` gives values alone; this one knows the layout too, so that listings can say at which offset
a value stands, also behind fields whose length the data decides.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import msgspec

from .bound import BoundArray, BoundBytes, BoundNode, BoundRecord, BoundRest, BoundWord, Member
from .kinds import Array
from .layout import Layout
from .record import Field, Record
from .times import Date, LTimeDate, RDate, STimeDate, Time

WHOLE: frozenset[type[Record]] = frozenset({Time, Date, RDate, STimeDate, LTimeDate})
"""Records that are one value to a reader."""


class Place(NamedTuple):
    """A value, and its bytes: `bits` (lo, hi) count from bit 0 of those bytes."""

    path: str
    field: Field
    value: Any
    offset: int
    size: int
    bits: tuple[int, int] | None = None


_Walk = Generator[Place, None, int]
"""Yields places, returns the offset behind them."""


def places(layout: Layout[Any], record: Record, start: int = 0) -> Iterator[Place]:
    """Fields of `record`, which `layout` decoded, in order of the image."""
    return _record(layout.tree, record, "", start)


def _record(node: BoundRecord, record: Any, prefix: str, at: int) -> _Walk:
    scope = {name: getattr(record, name) for name in node.record.__struct_fields__}
    fields = {field.name: field for field in node.record.wire_fields}
    for member in node.members:
        if member.node is None or not _applies(member, scope):
            continue
        if isinstance(member.node, BoundWord):
            at = yield from _word(member.node, fields, scope, prefix, at)
        else:
            path, value = prefix + member.name, scope[member.name]
            at = yield from _field(member.node, fields[member.name], value, scope, path, at)
    return at


def _applies(member: Member, scope: dict[str, Any]) -> bool:
    return member.when is None or bool(member.when.evaluate(scope))


def _word(
    node: BoundWord, fields: dict[str, Field], scope: dict[str, Any], prefix: str, at: int
) -> _Walk:
    for slot in node.slots:
        if slot.name in fields:
            field, bits = fields[slot.name], (slot.lo, slot.hi)
            yield Place(prefix + slot.name, field, scope[slot.name], at, node.size, bits)
    return at + node.size


def _field(
    node: BoundNode, field: Field, value: Any, scope: dict[str, Any], path: str, at: int
) -> _Walk:
    if isinstance(node, BoundArray):
        return (yield from _elements(node, field, value, path, at))
    if isinstance(node, BoundRecord) and node.record not in WHOLE:
        return (yield from _record(node, value, f"{path}.", at))
    size = _size(node, value, scope)
    yield Place(path, field, value, at, size)
    return at + size


def _elements(node: BoundArray, field: Field, value: Any, path: str, at: int) -> _Walk:
    element = element_of(field)
    for index, item in enumerate(value):
        at = yield from _field(node.element(index), element, item, {}, f"{path}[{index}]", at)
    return at


def _size(node: BoundNode, value: Any, scope: dict[str, Any]) -> int:
    if isinstance(node, BoundBytes):
        return int(node.length.evaluate(scope))
    if isinstance(node, BoundRest):
        return len(value)
    assert node.size is not None
    return node.size


def element_of(array: Field) -> Field:
    """The declaration of an array's elements, with what only the array's says of them."""
    kind = array.kind
    assert isinstance(kind, Array)
    element = kind.element
    return msgspec.structs.replace(
        element,
        name=array.name,
        meaning=element.meaning or array.meaning,
        unit=element.unit or array.unit,
        scale=element.scale if element.unit else array.scale,
        enum=array.enum if element.enum is None else element.enum,
        vci=element.vci or array.vci,
    )

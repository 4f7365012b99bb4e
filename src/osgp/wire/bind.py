"""Binding: declarations plus dimensions give a tree with fixed sizes and offsets."""

from __future__ import annotations

from functools import cache

from osgp.errors import DimensionError

from .bound import (
    BoundArray,
    BoundBytes,
    BoundFloat,
    BoundInteger,
    BoundNode,
    BoundRecord,
    BoundRest,
    BoundWord,
    Member,
    Slot,
)
from .dims import Binding, Dims
from .expr import Const, Expr
from .kinds import Array, Bits, Integer, Kind, Nested, NonInteger, Rest, Sized
from .limits import MAX_FIELD_BYTES, MAX_IMAGE_BYTES, MAX_VARIED_ELEMENTS
from .record import Field, Item, Order, Record, Word


def bind(record: type[Record], dims: Dims) -> BoundRecord:
    """The tree of `record`; DimensionError where a dimension is missing or absurd."""
    bound = _record(record, Binding(dims))
    if bound.size is not None and bound.size > MAX_IMAGE_BYTES:
        raise DimensionError(f"{bound.size} bytes; no table is longer than {MAX_IMAGE_BYTES}")
    return bound


@cache
def dependencies(record: type[Record]) -> frozenset[str]:
    """Names of the tables that the layout of `record` depends on."""
    found: set[str] = set()
    for field in record.wire_fields:
        found |= set() if field.when is None else field.when.refs()
        found |= _kind_refs(field.kind)
    return frozenset(found)


@cache
def uses_index(record: type[Record]) -> bool:
    """Whether elements of an array of `record` may differ in layout."""
    return any(
        (field.when is not None and field.when.uses_index()) or _kind_uses_index(field.kind)
        for field in record.wire_fields
    )


def _kind_refs(kind: Kind) -> frozenset[str]:
    """Tables that the kind's formulas name, and those of the records inside."""
    found = frozenset[str]().union(*(formula.refs() for formula in kind.formulas))
    while isinstance(kind, Array):
        kind = kind.element.kind
    return found | dependencies(kind.record) if isinstance(kind, Nested) else found


def _kind_uses_index(kind: Kind) -> bool:
    """An index inside an array's elements is that array's own."""
    match kind:
        case Array(_, count, _):
            return count.uses_index()
        case Nested(record):
            return uses_index(record)
    return any(formula.uses_index() for formula in kind.formulas)


def _record(record: type[Record], scope: Binding) -> BoundRecord:
    members: list[Member] = []
    offset: int | None = 0
    for item in record.wire_items:
        member = _member(item, record.wire_order, scope, offset)
        members.append(member)
        offset = _after(member, offset)
    return BoundRecord(record, tuple(members), offset)


def _after(member: Member, offset: int | None) -> int | None:
    if member.node is None:
        return offset
    if offset is None or member.when is not None or member.node.size is None:
        return None
    return offset + member.node.size


def _member(item: Item, order: Order, scope: Binding, offset: int | None) -> Member:
    names, when = _names(item), _condition(item, scope)
    if isinstance(when, Const) and not when.value:
        return Member(names, None, offset)
    node = _bound_word(item, order) if isinstance(item, Word) else _field(item, order, scope)
    return Member(names, node, offset, None if isinstance(when, Const) else when)


def _condition(item: Item, scope: Binding) -> Expr:
    """Whether the item is there: a number where dimensions and firmware decide it."""
    fields = (item,) if isinstance(item, Field) else item.fields
    if not any(field.in_place or scope.applies(field.since, field.until) for field in fields):
        return Const(0)
    when = fields[0].when
    return Const(1) if when is None else when.bind(scope)


def _field(field: Field, order: Order, scope: Binding) -> BoundNode:
    try:
        return _node(field.kind, order, scope)
    except DimensionError as error:
        where = ".".join(part for part in (field.name, error.field) if part)
        raise DimensionError(error.reason, field=where) from error


def _names(item: Item) -> tuple[str, ...]:
    """Struct members an item fills, those of hidden bits last."""
    if isinstance(item, Field):
        return (item.name,)
    return tuple(field.name for field in item.fields) + tuple(name for name, _, _ in item.fills)


def _bound_word(word: Word, order: Order) -> BoundWord:
    slots = [_slot(field) for field in word.fields]
    slots += [Slot(name, lo, hi, False) for name, lo, hi in word.fills]
    return BoundWord(word.size, order, tuple(slots))


def _slot(field: Field) -> Slot:
    assert isinstance(field.kind, Bits)
    return Slot(field.name, field.kind.lo, field.kind.hi, field.kind.boolean)


def _node(kind: Kind, order: Order, scope: Binding) -> BoundNode:
    match kind:
        case Integer(size, signed):
            return BoundInteger(size, signed, order)
        case Sized(size):
            return BoundBytes(kind.form, _length(size.bind(scope), MAX_FIELD_BYTES))
        case Rest():
            return BoundRest()
        case NonInteger():
            return _non_integer(kind, order, scope)
        case Nested(record):
            return _record(record, scope)
        case Array():
            return _array(kind, order, scope)
    raise TypeError(f"a {kind.label} stands only in a record")


def _length(length: Expr, cap: int) -> Expr:
    if isinstance(length, Const) and not 0 <= length.value <= cap:
        raise DimensionError(f"{length.value} is outside 0..{cap}")
    return length


def _array(kind: Array, order: Order, scope: Binding) -> BoundArray:
    count = _length(kind.count.bind(scope), kind.cap)
    element = kind.element.kind
    varies = isinstance(count, Const) and _kind_uses_index(element)
    if not varies:
        node = _node(element, order, Binding(scope.dims))
        return BoundArray((node,), count, kind.cap, _uniform_size(node, count))
    assert isinstance(count, Const)
    _length(count, MAX_VARIED_ELEMENTS)
    nodes = tuple(_node(element, order, Binding(scope.dims, n)) for n in range(count.value))
    sizes = [node.size for node in nodes]
    total = sum(size for size in sizes if size is not None)
    return BoundArray(nodes, count, kind.cap, None if None in sizes else total, uniform=False)


def _uniform_size(node: BoundNode, count: Expr) -> int | None:
    if not isinstance(count, Const):
        return None
    if count.value == 0:
        return 0
    if node.size is None:
        return None
    return _image_size(node.size * count.value)


def _image_size(size: int) -> int:
    if size > MAX_IMAGE_BYTES:
        raise DimensionError(f"{size} bytes; no table is longer than {MAX_IMAGE_BYTES}")
    return size


def _non_integer(kind: NonInteger, order: Order, scope: Binding) -> BoundNode:
    """ANSI C12.19-1997 6.2: NI formats 0..13; OSGP devices use 8 (INT32)."""
    number = kind.format.bind(scope).evaluate({})
    formats: dict[int, BoundNode] = {
        0: BoundFloat(8, order),
        1: BoundFloat(4, order),
        2: BoundBytes("text", Const(12)),
        3: BoundBytes("text", Const(6)),
        4: BoundInteger(4, True, order),
        5: BoundBytes("bcd", Const(6)),
        6: BoundBytes("bcd", Const(4)),
        7: BoundInteger(3, True, order),
        8: BoundInteger(4, True, order),
        9: BoundInteger(5, True, order),
        10: BoundInteger(6, True, order),
        11: BoundInteger(8, True, order),
        12: BoundBytes("bcd", Const(8)),
        13: BoundBytes("text", Const(21)),
    }
    if number not in formats:
        raise DimensionError(f"non-integer format {number} is not defined")
    return formats[number]

"""Arrays of plain records, without a line of Python for each element.

Where every member of a record is what `struct` gives as it is (a number, octets, or an array of
numbers), the loops run inside `struct`, `map` and `starmap`:

- only single items: `iter_unpack` gives the arguments of each record;
- arrays among them, and their number known: each member is a column. One `unpack_from` gives all
  items of a single one, one `iter_unpack` the arrays; pad bytes (`x`) stand for the other members.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat, starmap
from typing import Final, NamedTuple

from osgp.wire.bound import BoundArray, BoundBytes, BoundInteger, BoundNode, BoundRecord
from osgp.wire.expr import Const
from osgp.wire.record import Order

from .program import STRUCT_SIZES, Program, array_code, code_of

MOST_COLUMN_ELEMENTS: Final = 512
"""A column's `struct` format grows with its elements."""


class _Column(NamedTuple):
    """A member's items between those before and after it; no code: the layout has no such field."""

    code: str
    array: bool
    before: int
    after: int


class Elements(NamedTuple):
    """What is decoded: `number` elements (None: as many as there are) from `start` up to `e`."""

    record: BoundRecord
    order: Order
    start: str
    number: int | None

    def source(self, built: Program) -> str | None:
        """An expression of the tuple of records; None where their members are not plain."""
        columns = list(_columns(self.record))
        if len(columns) < len(self.record.members) or not any(c.code for c in columns):
            return None
        if all(column.code and not column.array for column in columns):
            return self._rows(built, columns)
        if self.number is None or self.number > MOST_COLUMN_ELEMENTS:
            return None
        return self._columns(built, columns, self.number)

    def _rows(self, built: Program, columns: list[_Column]) -> str:
        name = built.structure(self.order, [column.code for column in columns])
        rows = f"{name}.iter_unpack(data[{self.start}:e])"
        return f"tuple({built.constant('_f', starmap)}({self._made(built)}, {rows}))"

    def _columns(self, built: Program, columns: list[_Column], count: int) -> str:
        parts = ", ".join(self._column(built, column, count) for column in columns)
        return f"tuple(map({self._made(built)}, {parts}))"

    def _column(self, built: Program, column: _Column, count: int) -> str:
        if not column.code:
            return f"{built.constant('_f', repeat)}(None)"
        code = f"{column.before}x{column.code}{column.after}x"
        if column.array:
            return f"{built.structure(self.order, [code])}.iter_unpack(data[{self.start}:e])"
        return f"{built.structure(self.order, [code] * count)}.unpack_from(data, {self.start})"

    def _made(self, built: Program) -> str:
        return built.constant("_c", self.record.record)


def _columns(record: BoundRecord) -> Iterator[_Column]:
    """Columns of the members, up to the first that is not plain."""
    assert record.size is not None
    names = record.record.__struct_fields__
    for member, name in zip(record.members, names, strict=False):
        if member.when is not None or member.names != (name,):
            return
        if member.node is None:
            yield _Column("", False, 0, 0)
            continue
        code = _plain(member.node)
        if code is None or member.offset is None or member.node.size is None:
            return
        after = record.size - member.offset - member.node.size
        yield _Column(code, isinstance(member.node, BoundArray), member.offset, after)


def _plain(node: BoundNode) -> str | None:
    """The struct code of a value that needs no more than `struct`."""
    match node:
        case BoundInteger(size) if size in STRUCT_SIZES:
            return code_of(node)
        case BoundBytes("octets", Const()):
            return code_of(node)
        case BoundArray((BoundInteger() as element,), Const(value=count)) if count > 0:
            return None if _plain(element) is None else array_code(element, count)
    return None

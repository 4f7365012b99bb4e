"""Declarations in words: every field with its place as a number or a formula.

Nothing is bound to a device here: where a size depends on dimensions, the formula names them.
Arrays of records are listed once, as element `[n]` (inside it `[m]`, `[k]`, `[j]`). Long sizes are
written out in their own row and referred to behind it: size(path), and end(path) for offset plus
size; both count nothing for a field that is not there. Offsets hold for the newest firmware unless
another is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from osgp.spec import Source
from osgp.spec.firmware import Releases, str_of
from osgp.wire import Date, Dims, LTimeDate, RDate, Record, STimeDate, Time, Version
from osgp.wire.bind import uses_index
from osgp.wire.dims import Binding
from osgp.wire.expr import Expr
from osgp.wire.formula import Context, Formula, atom, condition, constant, formula, needed_tables
from osgp.wire.kinds import Array, Bits, Integer, Kind, Nested, NonInteger, Sized
from osgp.wire.record import Field, Item, Word

LETTERS = "nmkj"
"""Indices of nested arrays."""

BASE_TYPES: dict[type[Record], str] = {
    Time: "TIME",
    Date: "DATE",
    RDate: "RDATE",
    STimeDate: "STIME_DATE",
    LTimeDate: "LTIME_DATE",
}
"""Structures of clause 5.2 that are one field to a reader."""

LONGEST = 48
"""Characters of a size that offsets behind it repeat; a longer one is referred to: size(path)."""

LONGEST_OFFSET = 80

_ELEMENTS = {"octets": "UINT8", "text": "CHAR", "bcd": "BCD"}
_NI_FORMAT_SIZE = 4
_ZERO = constant(0)

Place = int | str | None


class Row(msgspec.Struct, frozen=True):
    """A field. `offset` and `size` in bytes: a number, a formula, or None where the data decides.

    `bits` [lo, hi] count from bit 0 of the byte at `offset`. `group`: it holds other rows.
    `inner`: offset in the record around it, which for a field of the table is the same.
    `level` counts those records. `condition`: when it is there. `until`: first firmware without it.
    """

    path: str
    offset: Place
    inner: Place
    level: int
    size: Place
    bits: tuple[int, int] | None
    type: str
    unit: str | None
    default: Any
    vci: str | None
    since: str | None
    until: str | None
    source: str
    enum: dict[int, str] | None
    condition: str | None
    meaning: str
    note: str | None
    group: bool


class Description(msgspec.Struct, frozen=True):
    """The fields of a record, its size, and the tables without which it cannot be bound."""

    rows: tuple[Row, ...]
    size: Place
    needs: tuple[str, ...]

    @property
    def leaves(self) -> Iterator[Row]:
        """Rows that hold a value themselves."""
        return (row for row in self.rows if not row.group)


def describe(
    record: type[Record], firmware: Version | None = None, source: Source | None = None
) -> Description:
    """The fields of a declaration. `source` is that of fields which name none themselves."""
    info = getattr(record, "info", None)
    known = source or (Source.PROJECT if info is None else info.source)
    walk = _Walk(firmware, str(known))
    size = walk.record(record, _Spot(_ZERO))
    return Description(tuple(walk.rows), place(size), tuple(sorted(needed_tables(record))))


def place(value: Formula | None) -> Place:
    """A formula for people: a number where it is one."""
    if value is None:
        return None
    return str(value) if value.number is None else value.number


def names_of(enum: Any) -> dict[int, str] | None:
    """Codes and their names, of a mapping or an enumeration."""
    if isinstance(enum, Mapping):
        return {int(code): str(name) for code, name in enum.items()}
    if isinstance(enum, type) and issubclass(enum, Enum):
        return {int(one.value): one.name.replace("_", " ").lower() for one in enum}
    return None


def release(version: Version | None) -> str | None:
    """`3.70; CPM 1.20`."""
    if version is None:
        return None
    return str(version) if isinstance(version, Releases) else str_of(version)


class _Spot(NamedTuple):
    """A place in an image: absolute, in the record around it, and how fields there are named."""

    at: Formula | None
    inner: Formula | None = _ZERO
    prefix: str = ""
    depth: int = 0
    level: int = 0

    def behind(self, size: Formula | None, name: str) -> _Spot:
        """The place behind a field of this size. Words have no name, and a fixed size."""
        if size is None:
            return self._replace(at=None, inner=None)
        path = self.prefix + name
        at = _sum(self.at, _shortened(size, path))
        if at is not None and size.number is None and len(str(at)) > LONGEST_OFFSET:
            at = atom(f"end({path})")
        return self._replace(at=at, inner=_sum(self.inner, _shortened(size, name)))

    def inside(self, path: str) -> _Spot:
        """The beginning of a record that begins here."""
        return self._replace(inner=_ZERO, prefix=f"{path}.", level=self.level + 1)


class _Walk:
    """Collects rows from front to back. A size of None: only the data says where it ends."""

    def __init__(self, firmware: Version | None, source: str) -> None:
        self._firmware, self._source = firmware, source
        self._scope = Binding(Dims(firmware=firmware))
        self.rows: list[Row] = []

    def record(self, record: type[Record], spot: _Spot) -> Formula | None:
        """Size of the record, after its rows have been added."""
        total: Formula | None = _ZERO
        for item in record.wire_items:
            size = self._item(item, spot)
            spot = spot.behind(size, item.name if isinstance(item, Field) else "")
            total = _sum(total, size)
        return total

    def _item(self, item: Item, spot: _Spot) -> Formula | None:
        fields = item.fields if isinstance(item, Word) else (item,)
        size = self._word(item, spot) if isinstance(item, Word) else self._field(item, spot)
        if not any(self._applies(field) for field in fields):
            return _ZERO
        when = fields[0].when
        if when is None or size is None:
            return size
        return size * condition(when, self._context(spot))

    def _applies(self, field: Field) -> bool:
        return field.in_place or self._scope.applies(field.since, field.until)

    def _listed(self, field: Field) -> bool:
        """Whether the firmware gives the field its meaning; without a firmware all are listed."""
        return self._firmware is None or self._scope.applies(field.since, field.until)

    def _context(self, spot: _Spot) -> Context:
        return Context(LETTERS[max(spot.depth - 1, 0)], spot.prefix, self._firmware)

    def _word(self, word: Word, spot: _Spot) -> Formula:
        size = constant(word.size)
        for field in filter(self._listed, word.fields):
            self.rows.append(self._row(field, spot, size, field.kind.label))
        return size

    def _field(self, field: Field, spot: _Spot) -> Formula | None:
        """Size of a field, after its row and those inside it have been added."""
        index = len(self.rows)
        size = self._inside(field.kind, spot, spot.prefix + field.name)
        group = len(self.rows) > index
        if self._listed(field):
            label = self.label(field.kind, self._context(spot))
            self.rows.insert(index, self._row(field, spot, size, label, group=group))
        else:
            del self.rows[index:]
        return size

    def _inside(self, kind: Kind, spot: _Spot, path: str) -> Formula | None:
        """Size of a field of this kind at `path`, after the rows inside it have been added."""
        match kind:
            case Integer(size, _):
                return constant(size)
            case Sized(length):
                return formula(length, self._context(spot))
            case NonInteger():
                return constant(_NI_FORMAT_SIZE)
            case Nested(record) if record in BASE_TYPES:
                return self._silently(record, path, spot.depth)
            case Nested(record):
                return self.record(record, spot.inside(path))
            case Array(element, count, _):
                return self._array(element.kind, formula(count, self._context(spot)), spot, path)
        return None

    def _silently(self, record: type[Record], path: str, depth: int) -> Formula | None:
        """Size of a record whose fields are not listed here."""
        return _Walk(self._firmware, "").record(record, _Spot(None, None, f"{path}.", depth))

    def _array(self, kind: Kind, count: Formula, spot: _Spot, path: str) -> Formula | None:
        letter = LETTERS[spot.depth]
        element = f"{path}[{letter}]"
        record = kind.record if isinstance(kind, Nested) else None
        if record is None or record in BASE_TYPES:
            size = self._inside(kind, _Spot(None, None, "", spot.depth + 1), element)
            return None if size is None else count * size
        size = self._silently(record, element, spot.depth + 1)
        if size is None:
            return None
        before, total = _spread(size, count, letter, record, path)
        start = spot._replace(at=_sum(spot.at, before), depth=spot.depth + 1)
        if _is_long(size):
            self.rows.append(self._element_row(element, start, size))
        self.record(record, start.inside(element))
        return total

    def label(self, kind: Kind, context: Context) -> str:
        """The type as guides write it."""
        match kind:
            case Sized(size) if kind.form == "set":
                return f"SET({formula(size, context)})"
            case Sized(size):
                return f"ARRAY[{formula(size, context)}] OF {_ELEMENTS[kind.form]}"
            case Nested(record):
                return BASE_TYPES.get(record, "RECORD")
            case Array(element, count, _):
                return f"ARRAY[{formula(count, context)}] OF {self.label(element.kind, context)}"
        return kind.label

    def _row(
        self, field: Field, spot: _Spot, size: Formula | None, label: str, *, group: bool = False
    ) -> Row:
        kind, element, when = field.kind, _element(field), field.when
        return Row(
            path=spot.prefix + field.name,
            offset=place(spot.at),
            inner=place(spot.inner),
            level=spot.level,
            size=place(size),
            bits=(kind.lo, kind.hi) if isinstance(kind, Bits) else None,
            type=label,
            unit=field.unit or element.unit,
            default=plain_default(element.default if field.default is None else field.default),
            vci=field.vci or element.vci,
            since=release(field.since),
            until=release(field.until),
            source=str(field.source or self._source),
            enum=names_of(field.enum or element.enum),
            condition=None if when is None else condition_text(when, self._context(spot)),
            meaning=field.meaning,
            note=field.note,
            group=group,
        )

    def _element_row(self, path: str, spot: _Spot, size: Formula) -> Row:
        """A row for an element that offsets refer to as size(path)."""
        nothing: dict[str, Any] = dict.fromkeys(
            ("bits", "unit", "default", "vci", "since", "until", "enum", "condition", "note")
        )
        return Row(
            path=path,
            offset=place(spot.at),
            inner=place(spot.inner),
            level=spot.level,
            size=place(size),
            type="RECORD",
            source=self._source,
            meaning="one element",
            group=True,
            **nothing,
        )


def plain_default(value: Any) -> Any:
    """A default as JSON can carry it."""
    if isinstance(value, frozenset):
        return sorted(value)
    return value.hex() if isinstance(value, bytes) else value


def _element(field: Field) -> Field:
    """The innermost element of an array's declaration; another field itself."""
    while isinstance(field.kind, Array):
        field = field.kind.element
    return field


def condition_text(when: Expr, context: Context) -> str:
    """`BT21.date_time`, `BT21.number_of_demands > 0`."""
    text = str(condition(when, context))
    return text[1:-1] if _one_pair(text) else text


def _one_pair(text: str) -> bool:
    """Whether the text's first bracket closes at its end."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if not depth:
            return text[0] == "[" and place == len(text) - 1
    return False


def _sum(one: Formula | None, another: Formula | None) -> Formula | None:
    return None if one is None or another is None else one + another


def _is_long(size: Formula) -> bool:
    return len(str(size)) > LONGEST


def _shortened(size: Formula, path: str) -> Formula:
    """A size as offsets show it: a long one by reference to its row."""
    return atom(f"size({path})") if _is_long(size) else size


def _spread(
    element: Formula, count: Formula, letter: str, record: type[Record], path: str
) -> tuple[Formula, Formula]:
    """Bytes in front of element `letter`, and of the whole array."""
    if re.search(rf"(?<![\w.]){re.escape(f'{path}[{letter}].')}", str(element)):
        return atom(f"size({path}[0..{letter}-1])"), atom(f"size({path})")
    if uses_index(record):
        last = count + constant(-1)
        return (
            atom(f"size({path}[0..{letter}-1])"),
            atom(f"sum({element} for {letter} = 0..{last})"),
        )
    return atom(letter) * _shortened(element, f"{path}[{letter}]"), count * element


__all__ = [
    "BASE_TYPES",
    "Description",
    "Place",
    "Row",
    "describe",
    "names_of",
    "release",
]

"""Decoding and encoding by walking the bound tree.

Slow and simple: the oracle that generated code is tested against, and what explains an error
(which field, at which offset) after generated code has found that there is one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from osgp.errors import DecodeError, DimensionError, EncodeError, Truncated

from . import values
from .bound import (
    BoundArray,
    BoundBytes,
    BoundFloat,
    BoundInteger,
    BoundNode,
    BoundRecord,
    BoundRest,
    BoundSlot,
    BoundWord,
    Member,
    Slot,
)
from .expr import Expr
from .limits import MAX_FIELD_BYTES
from .record import HIDDEN

_BAD_VALUE = (ValueError, TypeError, AttributeError, OverflowError, struct.error)

Scope = Mapping[str, Any]
"""Fields of a record, by name: what its formulas are evaluated with."""

_NO_FIELDS: Scope = {}


def decode(node: BoundRecord, data: bytes, table: str, position: int = 0) -> tuple[Any, int]:
    """The record at `position`, and the position after it."""
    reader = Reader(data, table, position)
    return _read(node, reader, _NO_FIELDS), reader.position


def encode(node: BoundRecord, record: Any, table: str) -> bytes:
    """Bytes of `record`; EncodeError names the field that does not fit."""
    return encode_node(node, record, table)


def decode_node(node: BoundNode, data: bytes, table: str) -> tuple[Any, int]:
    """Any node of a tree, by itself, and the position after it."""
    reader = Reader(data, table)
    return _read(node, reader, _NO_FIELDS), reader.position


def encode_node(node: BoundNode, value: Any, table: str) -> bytes:
    """Bytes of any node of a tree. Raises EncodeError."""
    writer = Writer(table)
    _write(node, value, writer, _NO_FIELDS)
    return b"".join(writer.out)


class _Cursor:
    """Where in a table reading or writing is: `path` has the names of the fields around."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.path: list[str] = []

    @property
    def field(self) -> str:
        return ".".join(self.path).replace(".[", "[")


class Reader(_Cursor):
    """A position in an image."""

    def __init__(self, data: bytes, table: str, position: int = 0) -> None:
        super().__init__(table)
        self.data, self.position = data, position

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            missing = end - len(self.data)
            raise self.error(Truncated, f"the image ends {missing} bytes too early")
        chunk = self.data[self.position : end]
        self.position = end
        return chunk

    def error(self, kind: type[DecodeError], reason: str) -> DecodeError:
        return kind(reason, table=self.table, field=self.field, offset=self.position)

    def number(self, formula: Expr, cap: int, scope: Scope) -> int:
        """A count, length or condition; DimensionError beyond 0..`cap`."""
        try:
            return values.capped(formula.evaluate(scope), cap)
        except DimensionError as error:
            raise self.error(DimensionError, error.reason) from error
        except ValueError as error:
            raise self.error(DimensionError, f"{formula}: {error}") from error

    def applies(self, member: Member, scope: Scope) -> bool:
        """Whether the record has `member`, as its earlier fields in `scope` say."""
        if member.node is None or member.when is None:
            return member.node is not None
        try:
            return bool(member.when.evaluate(scope))
        except DimensionError as error:
            raise self.error(DimensionError, error.reason) from error

    def member(self, member: Member, scope: Scope) -> dict[str, Any]:
        """Struct members that `member` of a record fills, by name."""
        node = member.node
        if node is None or not self.applies(member, scope):
            return member.nothing
        self.path.append(member.name)
        value = _read(node, self, scope)
        self.path.pop()
        return value if isinstance(node, BoundWord) else {member.name: value}


def _read(node: BoundNode, reader: Reader, scope: Scope) -> Any:
    return _READERS[type(node)](node, reader, scope)


def _read_integer(node: BoundInteger, reader: Reader, scope: Scope) -> int:
    return int.from_bytes(reader.take(node.size), node.order, signed=node.signed)


def _read_float(node: BoundFloat, reader: Reader, scope: Scope) -> float:
    (number,) = struct.unpack(_float_format(node), reader.take(node.size))
    try:
        return values.finite(number)
    except ValueError as error:
        raise reader.error(DecodeError, str(error)) from error


def _read_bytes(node: BoundBytes, reader: Reader, scope: Scope) -> Any:
    size = reader.number(node.length, MAX_FIELD_BYTES, scope)
    return values.decode_bytes(node.form, reader.take(size))


def _read_rest(node: BoundRest, reader: Reader, scope: Scope) -> bytes:
    return reader.take(len(reader.data) - reader.position)


def _read_record(node: BoundRecord, reader: Reader, scope: Scope) -> Any:
    fields: dict[str, Any] = {}
    for member in node.members:
        fields |= reader.member(member, fields)
    return node.record(**fields)


def _read_word(node: BoundWord, reader: Reader, scope: Scope) -> dict[str, Any]:
    word = int.from_bytes(reader.take(node.size), node.order)
    return {slot.name: _bits(word, slot) for slot in node.slots}


def _read_slot(node: BoundSlot, reader: Reader, scope: Scope) -> int:
    return _bits(int.from_bytes(reader.take(node.size), node.word.order), node.slot)


def _bits(word: int, slot: Slot) -> int:
    bits = word >> slot.lo & slot.mask
    return bool(bits) if slot.boolean else bits


def _read_array(node: BoundArray, reader: Reader, scope: Scope) -> tuple[Any, ...]:
    elements = []
    for number in range(reader.number(node.count, node.cap, scope)):
        reader.path.append(f"[{number}]")
        elements.append(_read(node.element(number), reader, scope))
        reader.path.pop()
    return tuple(elements)


_READERS: dict[type[Any], Callable[[Any, Reader, Scope], Any]] = {
    BoundInteger: _read_integer,
    BoundFloat: _read_float,
    BoundBytes: _read_bytes,
    BoundRest: _read_rest,
    BoundRecord: _read_record,
    BoundWord: _read_word,
    BoundSlot: _read_slot,
    BoundArray: _read_array,
}


class Writer(_Cursor):
    """An image under construction."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.out: list[bytes] = []

    def error(self, reason: str) -> EncodeError:
        return EncodeError(reason, table=self.table, field=self.field)

    def number(self, formula: Expr, cap: int, scope: Scope) -> int:
        try:
            return values.capped(formula.evaluate(scope), cap)
        except (DimensionError, ValueError) as error:
            raise self.error(f"{formula}: {error}") from error

    def member(self, member: Member, scope: Scope) -> None:
        """Writes what `member` of the record in `scope` stands for."""
        node = member.node
        if node is None or not self._applies(member, scope):
            self._absent(member, scope)
        elif isinstance(node, BoundWord):
            self._word(node, scope)
        else:
            self.path.append(member.name)
            _write(node, scope[member.name], self, scope)
            self.path.pop()

    def _applies(self, member: Member, scope: Scope) -> bool:
        try:
            return member.when is None or bool(member.when.evaluate(scope))
        except DimensionError as error:
            self.path.append(member.name)
            raise self.error(error.reason) from error

    def _absent(self, member: Member, scope: Scope) -> None:
        for name in member.names:
            if scope[name] is not None and not name.startswith(HIDDEN):
                self.path.append(name)
                raise self.error("this layout has no such field; leave it None")

    def _word(self, node: BoundWord, scope: Scope) -> None:
        word = 0
        for slot in node.slots:
            try:
                word |= values.masked(scope[slot.name], slot.mask) << slot.lo
            except (ValueError, TypeError) as error:
                self.path.append(slot.name)
                raise self.error(f"{scope[slot.name]!r}: {error}") from error
        self.out.append(word.to_bytes(node.size, node.order))


def _write(node: BoundNode, value: Any, writer: Writer, scope: Scope) -> None:
    if isinstance(node, BoundRecord):
        _write_record(node, value, writer)
    elif isinstance(node, BoundArray):
        _write_array(node, value, writer, scope)
    else:
        try:
            writer.out.append(_leaf(node, value, writer, scope))
        except _BAD_VALUE as error:
            raise writer.error(f"{value!r}: {error}") from error


def _write_record(node: BoundRecord, record: Any, writer: Writer) -> None:
    if not isinstance(record, node.record):
        raise writer.error(f"a {node.record.__name__} is needed, not {type(record).__name__}")
    scope = {name: getattr(record, name) for name in node.record.__struct_fields__}
    for member in node.members:
        writer.member(member, scope)


def _write_array(node: BoundArray, value: Any, writer: Writer, scope: Scope) -> None:
    try:
        elements = values.counted(value, writer.number(node.count, node.cap, scope))
    except _BAD_VALUE as error:
        raise writer.error(str(error)) from error
    for number, element in enumerate(elements):
        writer.path.append(f"[{number}]")
        _write(node.element(number), element, writer, scope)
        writer.path.pop()


def _leaf(node: BoundNode, value: Any, writer: Writer, scope: Scope) -> bytes:
    match node:
        case BoundInteger(size, signed, order):
            return values.ranged(value, size, signed).to_bytes(size, order, signed=signed)
        case BoundFloat():
            return struct.pack(_float_format(node), values.finite(value))
        case BoundBytes(form, length):
            size = writer.number(length, MAX_FIELD_BYTES, scope)
            return values.encode_bytes(form, value, size)
        case BoundRest():
            return values.octets(value)
        case BoundSlot(word, slot) if slot.hi - slot.lo + 1 == 8 * word.size:
            return values.masked(value, slot.mask).to_bytes(word.size, word.order)
    raise writer.error("it shares its bytes with other fields; write the bytes as a whole")


def _float_format(node: BoundFloat) -> str:
    return ("<" if node.order == "little" else ">") + ("f" if node.size == 4 else "d")

"""Decoding and encoding by walking the bound tree.

Slow and simple: the oracle that generated code is tested against, and what explains an error
(which field, at which offset) after generated code has found that there is one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
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
    BoundWord,
    Member,
)
from .expr import Expr
from .limits import MAX_FIELD_BYTES

_BAD_VALUE = (ValueError, TypeError, AttributeError, OverflowError, struct.error, UnicodeError)


class Reader:
    """A position in an image; says where and in which field reading failed."""

    def __init__(self, data: bytes, table: str, position: int = 0) -> None:
        self.data, self.table, self.position = data, table, position
        self.path: list[str] = []

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            missing = end - len(self.data)
            raise self.error(Truncated, f"the image ends {missing} bytes too early")
        chunk = self.data[self.position : end]
        self.position = end
        return chunk

    def error(self, kind: type[DecodeError], reason: str) -> DecodeError:
        field = ".".join(self.path).replace(".[", "[")
        return kind(reason, table=self.table, field=field, offset=self.position)


def decode(node: BoundRecord, data: bytes, table: str, position: int = 0) -> tuple[Any, int]:
    """The record at `position`, and the position after it."""
    reader = Reader(data, table, position)
    return _read_record(node, reader), reader.position


def encode(node: BoundRecord, record: Any, table: str) -> bytes:
    """Bytes of `record`; EncodeError names the field that does not fit."""
    out: list[bytes] = []
    _write_record(node, record, out, table, ())
    return b"".join(out)


def decode_node(node: BoundNode, data: bytes, table: str) -> tuple[Any, int]:
    """Any node of a tree, by itself."""
    reader = Reader(data, table)
    return _read(node, reader, {}), reader.position


def encode_node(node: BoundNode, value: Any, table: str) -> bytes:
    out: list[bytes] = []
    _write(node, value, {}, out, table, ())
    return b"".join(out)


def _read(node: BoundNode, reader: Reader, scope: dict[str, Any]) -> Any:
    return _READERS[type(node)](node, reader, scope)


def _read_integer(node: BoundInteger, reader: Reader, scope: dict[str, Any]) -> int:
    return int.from_bytes(reader.take(node.size), node.order, signed=node.signed)


def _read_float(node: BoundFloat, reader: Reader, scope: dict[str, Any]) -> float:
    (number,) = struct.unpack(_float_format(node), reader.take(node.size))
    try:
        return values.finite(number)
    except ValueError as error:
        raise reader.error(DecodeError, str(error)) from error


def _read_bytes(node: BoundBytes, reader: Reader, scope: dict[str, Any]) -> Any:
    size = _number(node.length, MAX_FIELD_BYTES, scope, reader)
    return values.decode_bytes(node.form, reader.take(size))


def _read_rest(node: BoundRest, reader: Reader, scope: dict[str, Any]) -> bytes:
    return reader.take(len(reader.data) - reader.position)


def _read_record(node: BoundRecord, reader: Reader, scope: dict[str, Any] | None = None) -> Any:
    fields: dict[str, Any] = {}
    for member in node.members:
        if not _present(member, fields, reader):
            fields |= _absent_values(member)
        elif isinstance(member.node, BoundWord):
            fields |= _read_word(member, member.node, reader)
        else:
            assert member.node is not None
            reader.path.append(member.name)
            fields[member.name] = _read(member.node, reader, fields)
            reader.path.pop()
    return node.record(**fields)


def _present(member: Member, fields: dict[str, Any], reader: Reader) -> bool:
    if member.node is None:
        return False
    if member.when is None:
        return True
    try:
        return bool(member.when.evaluate(fields))
    except DimensionError as error:
        raise reader.error(DimensionError, str(error)) from error


def _absent_values(member: Member) -> dict[str, Any]:
    return {name: 0 if name.startswith("_fill") else None for name in member.absent}


def _read_word(member: Member, node: BoundWord, reader: Reader) -> dict[str, Any]:
    reader.path.append(node.slots[0].name)
    word = int.from_bytes(reader.take(node.size), node.order)
    reader.path.pop()
    found: dict[str, Any] = {}
    for slot in node.slots:
        bits = word >> slot.lo & slot.mask
        found[slot.name] = bool(bits) if slot.boolean else bits
    return found


def _read_array(node: BoundArray, reader: Reader, scope: dict[str, Any]) -> tuple[Any, ...]:
    count = _number(node.count, node.cap, scope, reader)
    elements = []
    for index in range(count):
        reader.path.append(f"[{index}]")
        elements.append(_read(node.element(index), reader, {}))
        reader.path.pop()
    return tuple(elements)


def _number(formula: Expr, cap: int, scope: dict[str, Any], reader: Reader) -> int:
    """A count or length, evaluated and capped."""
    number = formula.evaluate(scope)
    if not isinstance(number, int) or not 0 <= number <= cap:
        raise reader.error(DimensionError, f"{formula} = {number!r} is outside 0..{cap}")
    return int(number)


_READERS: dict[type[Any], Callable[[Any, Reader, dict[str, Any]], Any]] = {
    BoundInteger: _read_integer,
    BoundFloat: _read_float,
    BoundBytes: _read_bytes,
    BoundRest: _read_rest,
    BoundRecord: _read_record,
    BoundArray: _read_array,
}

Path = tuple[str, ...]


def _write(
    node: BoundNode, value: Any, scope: Any, out: list[bytes], table: str, path: Path
) -> None:
    if isinstance(node, BoundRecord):
        _write_record(node, value, out, table, path)
    elif isinstance(node, BoundArray):
        _write_array(node, value, scope, out, table, path)
    else:
        try:
            out.append(_leaf(node, value, scope))
        except _BAD_VALUE as error:
            raise EncodeError(f"{value!r}: {error}", table=table, field=_dotted(path)) from error


def _leaf(node: BoundNode, value: Any, scope: Any) -> bytes:
    match node:
        case BoundInteger(size, signed, order):
            return int(_whole(value)).to_bytes(size, order, signed=signed)
        case BoundFloat():
            return struct.pack(_float_format(node), values.finite(value))
        case BoundBytes(form, length):
            return values.encode_bytes(form, value, int(length.evaluate(scope)))
        case BoundRest():
            return bytes(memoryview(value))
    raise TypeError(f"no leaf: {node}")


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _write_record(node: BoundRecord, record: Any, out: list[bytes], table: str, path: Path) -> None:
    if not isinstance(record, node.record):
        reason = f"a {node.record.__name__} is needed, not {type(record).__name__}"
        raise EncodeError(reason, table=table, field=_dotted(path))
    scope = {name: getattr(record, name) for name in node.record.__struct_fields__}
    for member in node.members:
        if member.node is None or (member.when is not None and not _holds(member.when, scope)):
            _write_absent(member, scope, table, path)
        elif isinstance(member.node, BoundWord):
            out.append(_word_bytes(member.node, scope, table, path))
        else:
            _write(member.node, scope[member.name], scope, out, table, (*path, member.name))


def _holds(when: Expr, scope: dict[str, Any]) -> bool:
    return bool(when.evaluate(scope))


def _write_absent(member: Member, scope: dict[str, Any], table: str, path: Path) -> None:
    for name in member.absent:
        if scope[name] is not None and not name.startswith("_fill"):
            reason = "this layout has no such field; leave it None"
            raise EncodeError(reason, table=table, field=_dotted((*path, name)))


def _word_bytes(node: BoundWord, scope: dict[str, Any], table: str, path: Path) -> bytes:
    word = 0
    for slot in node.slots:
        try:
            word |= values.masked(scope[slot.name], slot.mask) << slot.lo
        except ValueError as error:
            raise EncodeError(str(error), table=table, field=_dotted((*path, slot.name))) from error
    return word.to_bytes(node.size, node.order)


def _write_array(
    node: BoundArray, value: Any, scope: Any, out: list[bytes], table: str, path: Path
) -> None:
    try:
        elements = values.counted(value, int(node.count.evaluate(scope)))
    except _BAD_VALUE as error:
        raise EncodeError(str(error), table=table, field=_dotted(path)) from error
    for index, element in enumerate(elements):
        _write(node.element(index), element, {}, out, table, (*path, f"[{index}]"))


def _float_format(node: BoundFloat) -> str:
    return ("<" if node.order == "little" else ">") + ("f" if node.size == 4 else "d")


def _dotted(path: Path) -> str:
    return ".".join(path).replace(".[", "[")

"""What decoder and encoder generation share: names, struct codes, which fields form runs."""

from __future__ import annotations

import struct
from typing import Any

from osgp.wire import values
from osgp.wire.bound import (
    BoundArray,
    BoundBytes,
    BoundFloat,
    BoundInteger,
    BoundNode,
    BoundRecord,
    BoundWord,
    Member,
)
from osgp.wire.expr import Const
from osgp.wire.record import Order

STRUCT_SIZES = {1: "b", 2: "h", 4: "i", 8: "q"}

FLAT_LIMIT = 64
"""Records with more leaves than this are functions of their own, not part of a longer run."""


class Program:
    """Source under construction, with the objects its names stand for."""

    def __init__(self) -> None:
        self.globals: dict[str, Any] = {
            "_from": int.from_bytes,
            "_set": values.decode_set,
            "_setb": values.encode_set,
            "_fixed": values.fixed,
            "_count": values.counted,
            "_mask": values.masked,
            "_finite": values.finite,
            "_absent": values.absent,
            "_number": capped,
            "_need": need,
        }
        self.functions: list[str] = []
        self._names: dict[Any, str] = {}

    def constant(self, prefix: str, value: Any, key: Any = None) -> str:
        """A name for an object; the same object gets the same name."""
        key = (prefix, key if key is not None else value)
        if key not in self._names:
            self._names[key] = name = f"{prefix}{len(self._names)}"
            self.globals[name] = value
        return self._names[key]

    def structure(self, order: Order, codes: list[str]) -> tuple[str, struct.Struct]:
        layout = struct.Struct(("<" if order == "little" else ">") + "".join(codes))
        return self.constant("_s", layout, layout.format), layout

    def function(self, prefix: str) -> str:
        name = f"{prefix}{len(self.functions)}"
        self.functions.append("")
        return name

    def define(self, name: str, header: str, body: list[str]) -> None:
        slot = int(name[2:])
        self.functions[slot] = "\n".join([f"def {name}({header}):", *(f"    {s}" for s in body)])

    @property
    def source(self) -> str:
        return "\n\n".join(self.functions) + "\n"


def capped(number: Any, cap: int) -> int:
    """A count that data gave; ValueError beyond its cap."""
    if not isinstance(number, int) or not 0 <= number <= cap:
        raise ValueError(f"{number!r} is outside 0..{cap}")
    return number


def need(data: bytes, end: int) -> None:
    if end > len(data):
        raise ValueError("too short")


def leaves(node: BoundNode) -> int | None:
    """Struct items the node takes in a run; None where it cannot be part of one."""
    match node:
        case BoundInteger() | BoundFloat() | BoundWord():
            return 1
        case BoundBytes(_, length):
            return 1 if isinstance(length, Const) else None
        case BoundRecord():
            return _record_leaves(node)
        case BoundArray(elements, Const(), _, size, True) if size is not None:
            return 1 if _is_plain(elements[0]) else None
    return None


def _record_leaves(node: BoundRecord) -> int | None:
    total = 0
    for member in node.members:
        count = 0 if member.node is None else leaves(member.node)
        if count is None or member.when is not None:
            return None
        total += count
    return total if total <= FLAT_LIMIT and _one_order(node) else None


def _one_order(node: BoundRecord) -> bool:
    """Whether nested records have the byte order of the record, or no use for one."""
    nested = [m.node for m in node.members if isinstance(m.node, BoundRecord)]
    return all(
        child.record.wire_order == node.record.wire_order or single_bytes(child) for child in nested
    )


def single_bytes(node: BoundRecord) -> bool:
    return all(member.node is None or member.node.size == 1 for member in node.members)


def fits(node: BoundNode, order: Order) -> bool:
    """Whether a node can stand in a run of this byte order."""
    if not isinstance(node, BoundRecord):
        return True
    return node.record.wire_order == order or single_bytes(node)


def _is_plain(node: BoundNode) -> bool:
    return isinstance(node, BoundInteger | BoundFloat | BoundBytes)


def code_of(node: BoundNode) -> str:
    """Struct code of a leaf; what `struct` has no code for is taken as bytes."""
    match node:
        case BoundInteger(size, signed):
            code = STRUCT_SIZES.get(size)
            return f"{size}s" if code is None else code if signed else code.upper()
        case BoundFloat(size):
            return "f" if size == 4 else "d"
        case BoundWord(size):
            code = STRUCT_SIZES.get(size)
            return f"{size}s" if code is None else code.upper()
        case BoundBytes(_, Const() as length):
            return f"{length.value}s"
    raise TypeError(f"no struct code: {node}")


def absent_sources(member: Member) -> dict[str, str]:
    return {name: "0" if name.startswith("_fill") else "None" for name in member.absent}

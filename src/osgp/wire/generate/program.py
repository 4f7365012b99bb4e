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
)
from osgp.wire.expr import Const
from osgp.wire.record import Order

STRUCT_SIZES = {1: "b", 2: "h", 4: "i", 8: "q"}

FLAT_LIMIT = 64
"""Records with more leaves than this are functions of their own, not part of a longer run."""

_HELPERS: dict[str, Any] = {
    "_absent": values.absent,
    "_bytes": values.octets,
    "_count": values.counted,
    "_finite": values.finite,
    "_fixed": values.fixed,
    "_from": int.from_bytes,
    "_mask": values.masked,
    "_need": values.need,
    "_number": values.capped,
    "_set": values.decode_set,
    "_setb": values.encode_set,
}


class Program:
    """Source under construction, with the objects its names stand for."""

    def __init__(self) -> None:
        self.globals: dict[str, Any] = dict(_HELPERS)
        self._functions: list[str] = []
        self._names: dict[Any, str] = {}

    def constant(self, prefix: str, value: Any, key: Any = None) -> str:
        """A name for an object; the same object gets the same name."""
        key = (prefix, value if key is None else key)
        if key not in self._names:
            self._names[key] = name = f"{prefix}{len(self._names)}"
            self.globals[name] = value
        return self._names[key]

    def structure(self, order: Order, codes: list[str]) -> str:
        """A name for the `struct.Struct` of these codes."""
        layout = struct.Struct(("<" if order == "little" else ">") + "".join(codes))
        return self.constant("_s", layout, layout.format)

    def function(self, prefix: str) -> str:
        """A name for a function that `define` will fill in."""
        self._functions.append("")
        return f"{prefix}{len(self._functions) - 1}"

    def define(self, name: str, header: str, body: list[str]) -> None:
        slot = int(name[2:])
        self._functions[slot] = "\n".join([f"def {name}({header}):", *indented(body)])

    @property
    def source(self) -> str:
        return "\n\n".join(self._functions) + "\n"


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def flat(node: BoundNode, order: Order) -> bool:
    """Whether a node can be part of a run: some items of one `struct` of this byte order."""
    items = _items(node, order)
    return items is not None and items <= FLAT_LIMIT


def _items(node: BoundNode, order: Order) -> int | None:
    """Struct items of a node, arrays counted as one; None where it cannot be part of a run."""
    match node:
        case BoundInteger() | BoundFloat() | BoundWord():
            return 1 if node.order == order or node.size == 1 else None
        case BoundBytes(_, length):
            return 1 if isinstance(length, Const) else None
        case BoundRecord():
            return _record_items(node, order)
        case BoundArray(uniform=True) if node.size is not None:
            plain = isinstance(node.elements[0], BoundInteger | BoundFloat | BoundBytes)
            return _items(node.elements[0], order) if plain else None
    return None


def _record_items(node: BoundRecord, order: Order) -> int | None:
    total = 0
    for member in node.members:
        items = 0 if member.node is None else _items(member.node, order)
        if items is None or member.when is not None:
            return None
        total += items
    return total


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


def array_code(element: BoundNode, count: int) -> str:
    """Struct code of `count` leaves; a number before `s` is a length and no repetition."""
    code = code_of(element)
    return code * count if code.endswith("s") else f"{count}{code}"

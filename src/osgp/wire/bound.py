"""Bound layouts: trees whose sizes are numbers wherever the dimensions decide them.

`size` is None where a node's length depends on the data itself (a count or condition over an
earlier field of the same record, or the rest of the image).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .expr import Const, Expr
from .record import Field, Order, Record


class Node(msgspec.Struct, frozen=True):
    """Base of bound nodes."""


class BoundInteger(Node, frozen=True):
    size: int
    signed: bool
    order: Order


class BoundFloat(Node, frozen=True):
    size: int
    order: Order


class BoundBytes(Node, frozen=True):
    """Octets, text, BCD or SET of `length` bytes: a number, or a formula over earlier fields."""

    form: Literal["octets", "text", "bcd", "set"]
    length: Expr

    @property
    def size(self) -> int | None:
        return self.length.value if isinstance(self.length, Const) else None


class BoundRest(Node, frozen=True):
    size: None = None


class Slot(msgspec.Struct, frozen=True):
    """One struct member in a word: bits `lo`..`hi`, a boolean or a number."""

    name: str
    lo: int
    hi: int
    boolean: bool

    @property
    def mask(self) -> int:
        return (1 << (self.hi - self.lo + 1)) - 1


class BoundWord(Node, frozen=True):
    size: int
    order: Order
    slots: tuple[Slot, ...]


class Member(msgspec.Struct, frozen=True):
    """A node at its place in a record.

    `node` None: the layout has no such field (its value is None). `offset` is relative to the
    record, None after something of variable length. `when` is a condition over earlier fields
    of the record, None where the field is always there. A word has no name of its own.
    """

    name: str
    node: BoundNode | None
    offset: int | None
    when: Expr | None = None
    field: Field | None = None
    absent: tuple[str, ...] = ()


class BoundRecord(Node, frozen=True):
    record: type[Record]
    members: tuple[Member, ...]
    size: int | None


class BoundArray(Node, frozen=True):
    """`elements` has one node if all elements are alike, else one for each element."""

    elements: tuple[BoundNode, ...]
    count: Expr
    cap: int
    size: int | None
    uniform: bool = True

    def element(self, index: int) -> BoundNode:
        return self.elements[0 if self.uniform else index]


BoundNode = (
    BoundInteger | BoundFloat | BoundBytes | BoundRest | BoundWord | BoundRecord | BoundArray
)

"""Bound layouts: trees whose sizes are numbers wherever the dimensions decide them.

`size` is None where a node's length depends on the data itself (a count or condition over an
earlier field of the same record, or the rest of the image).
"""

from __future__ import annotations

import msgspec

from .expr import Const, Expr
from .kinds import Form
from .record import HIDDEN, Order, Record


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

    form: Form
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


class BoundSlot(Node, frozen=True):
    """One bit field by itself, where a path ends at it; its bytes are the whole word's."""

    word: BoundWord
    slot: Slot

    @property
    def size(self) -> int:
        return self.word.size


class Member(msgspec.Struct, frozen=True):
    """A node at its place in a record.

    `names` are the struct members it fills: one, or those of all bits of a word. `node` None: the
    layout has no such field (its value is None). `offset` is relative to the record, None after
    something of variable length. `when` is a condition over earlier fields of the record, None
    where the field is always there.
    """

    names: tuple[str, ...]
    node: BoundNode | None
    offset: int | None
    when: Expr | None = None

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def nothing(self) -> dict[str, int | None]:
        """The struct members where the field is not there; hidden bits are 0."""
        return {name: 0 if name.startswith(HIDDEN) else None for name in self.names}


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
    BoundInteger
    | BoundFloat
    | BoundBytes
    | BoundRest
    | BoundWord
    | BoundSlot
    | BoundRecord
    | BoundArray
)

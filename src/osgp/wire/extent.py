"""How far an image reaches, as far as its first bytes tell.

A table whose length depends on its own fields (BT00) is read in two or three steps: the part of
fixed length, then what that part announces.
"""

from __future__ import annotations

from typing import Any

from osgp.errors import DecodeError, DimensionError, Truncated

from . import interpret
from .bound import BoundArray, BoundBytes, BoundNode, BoundRecord, BoundRest, BoundWord, Member
from .limits import MAX_FIELD_BYTES, MAX_IMAGE_BYTES


def extent(tree: BoundRecord, data: bytes, table: str) -> int:
    """Bytes an image is known to have, given its beginning `data`.

    At least `len` of what can be sized; trailing `rest` counts nothing. Equal to or below
    `len(data)` only when everything that can be sized is there. Raises DimensionError.
    """
    if tree.size is not None:
        return tree.size
    walk = _Walk(data, table)
    walk.record(tree)
    if walk.position > MAX_IMAGE_BYTES:
        raise DimensionError(f"announces {walk.position} bytes", table=table)
    return walk.position


class _Unknown(Exception):
    """A size depends on bytes that are not there yet."""


class _Walk:
    def __init__(self, data: bytes, table: str) -> None:
        self.data, self.table, self.position = data, table, 0

    def record(self, node: BoundRecord) -> None:
        try:
            self._members(node)
        except _Unknown:
            return

    def _members(self, node: BoundRecord) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        for member in node.members:
            if member.node is not None and self._applies(member, scope):
                self._member(member, member.node, scope)
        return scope

    def _applies(self, member: Member, scope: dict[str, Any]) -> bool:
        return member.when is None or bool(self._value(member.when, scope, 1))

    def _value(self, formula: Any, scope: dict[str, Any], cap: int) -> int:
        try:
            value = int(formula.evaluate(scope))
        except (KeyError, AttributeError) as error:
            raise _Unknown from error
        if not 0 <= value <= cap:
            raise DimensionError(f"{formula} = {value} is outside 0..{cap}", table=self.table)
        return value

    def _member(self, member: Member, node: BoundNode, scope: dict[str, Any]) -> None:
        start = self.position
        self._size(node, scope)
        if self.position > len(self.data):
            return
        chunk = self.data[start : self.position]
        if isinstance(node, BoundWord):
            word = int.from_bytes(chunk, node.order)
            scope |= {slot.name: word >> slot.lo & slot.mask for slot in node.slots}
        elif node.size is not None:
            scope[member.name] = self._decoded(node, chunk)

    def _decoded(self, node: BoundNode, chunk: bytes) -> Any:
        try:
            return interpret.decode_node(node, chunk, self.table)[0]
        except Truncated as error:
            raise _Unknown from error
        except DecodeError:
            return None

    def _size(self, node: BoundNode, scope: dict[str, Any]) -> None:
        """Moves the position past a node."""
        match node:
            case BoundRest():
                return
            case BoundBytes(_, length):
                self.position += self._value(length, scope, MAX_FIELD_BYTES)
            case BoundRecord(size=None):
                self._members(node)
            case BoundArray(size=None):
                for index in range(self._value(node.count, scope, node.cap)):
                    self._size(node.element(index), {})
            case _:
                self.position += node.size or 0

"""How far an image reaches, as far as its first bytes tell.

A table whose length depends on its own fields (BT00) is read in two or three steps: the part of
fixed length, then what that part announces.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from osgp.errors import DimensionError

from .bound import BoundArray, BoundBytes, BoundNode, BoundRecord, BoundRest
from .interpret import Reader, Scope
from .limits import MAX_FIELD_BYTES, MAX_IMAGE_BYTES


def extent(tree: BoundRecord, data: bytes, table: str) -> int:
    """Bytes an image is known to have, given its beginning `data`.

    Equal to or below `len(data)` only when everything that can be sized is there; trailing `rest`
    counts nothing. Raises DimensionError for an absurd announcement, DecodeError for a beginning
    that cannot be decoded.
    """
    if tree.size is not None:
        return tree.size
    measured = _Measure(data, table)
    with suppress(_Unknown):
        measured.record(tree)
    if measured.position > MAX_IMAGE_BYTES:
        raise DimensionError(f"announces {measured.position} bytes", table=table)
    return measured.position


class _Unknown(Exception):
    """A size depends on bytes that are not there yet."""


class _Measure:
    """A position that moves over the fields of an image of which `data` is the beginning."""

    def __init__(self, data: bytes, table: str) -> None:
        self._data, self._table, self.position = data, table, 0

    def record(self, node: BoundRecord) -> None:
        fields: dict[str, Any] = {}
        for member in node.members:
            reader = Reader(self._data, self._table, self.position)
            try:
                if reader.applies(member, fields) and member.node is not None:
                    self._pass(member.node, reader, fields)
            except KeyError as error:
                raise _Unknown from error
            if self.position <= len(self._data):
                fields |= reader.member(member, fields)

    def _pass(self, node: BoundNode, reader: Reader, scope: Scope) -> None:
        """Moves the position past a node; KeyError where that takes fields not read yet."""
        match node:
            case BoundRest():
                return
            case BoundBytes(_, length):
                self.position += reader.number(length, MAX_FIELD_BYTES, scope)
            case BoundRecord(size=None):
                self.record(node)
            case BoundArray(size=None):
                for number in range(reader.number(node.count, node.cap, scope)):
                    self._pass(node.element(number), reader, scope)
            case _:
                self.position += node.size or 0

"""Images as numpy arrays: what load profiles and other long lists are read with.

Every fixed-size field becomes one array over all images (first axis) and all enclosing arrays
(further axes), a view of the bytes wherever numpy has the type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osgp.errors import DecodeError, DimensionError, PathError, Truncated

from .bound import BoundArray, BoundFloat, BoundInteger, BoundNode, BoundRecord, BoundWord, Member
from .record import HIDDEN

_NATIVE = {1, 2, 4, 8}


class Columns(Mapping[str, NDArray[Any]]):
    """Arrays by field path without indices, `columns["intervals.values"]`.

    Shape: (images, *counts of the enclosing arrays). Integers keep their width (3, 5 and 6 bytes
    widen to int64), bit fields are integers or booleans, byte strings are uint8 with a last axis.
    An array whose elements differ in layout is one column of bytes.
    """

    def __init__(self, plan: Plan, data: bytes) -> None:
        self._plan = plan
        self._rows = np.frombuffer(data, dtype=plan.dtype)

    def __getitem__(self, path: str) -> NDArray[Any]:
        """Raises PathError for a field without column, DecodeError for floats that are none."""
        found = self._plan.leaves.get(path)
        if found is None:
            raise PathError(f"{self._plan.table} has no column {path!r}")
        steps, node, slot = found
        values: NDArray[Any] = self._rows
        for step in steps:
            values = values[step]
        return _converted(values, node, slot)

    def __iter__(self) -> Iterator[str]:
        return iter(self._plan.leaves)

    def __len__(self) -> int:
        return len(self._plan.leaves)


class Plan:
    """What all images of one layout have in common: their numpy type and their columns."""

    def __init__(self, tree: BoundRecord, table: str) -> None:
        """Raises DimensionError for a layout of variable size."""
        if not tree.size:
            raise DimensionError("only layouts of fixed size have columns", table=table)
        self.table, self._size = table, tree.size
        self.leaves = dict(_leaves(tree, ""))
        self.dtype: np.dtype[Any] = _dtype(tree)

    def columns(self, data: bytes) -> Columns:
        """Raises Truncated for a partial image."""
        if len(data) % self._size:
            reason = f"{len(data)} bytes are no whole number of images of {self._size}"
            raise Truncated(reason, table=self.table, offset=len(data))
        return Columns(self, data)


_Leaf = tuple[tuple[str, ...], BoundNode, Any]


def _leaves(
    tree: BoundRecord, prefix: str, steps: tuple[str, ...] = ()
) -> Iterator[tuple[str, _Leaf]]:
    for number, member, node in _present(tree):
        inside = (*steps, _key(number))
        if isinstance(node, BoundWord):
            for slot in node.slots:
                if not slot.name.startswith(HIDDEN):
                    yield prefix + slot.name, (inside, node, slot)
        else:
            yield from _inner(node, prefix + member.name, inside)


def _present(tree: BoundRecord) -> Iterator[tuple[int, Member, BoundNode]]:
    """Members that take bytes, numbered."""
    for number, member in enumerate(tree.members):
        if member.node is not None and member.node.size:
            yield number, member, member.node


def _inner(node: BoundNode, path: str, steps: tuple[str, ...]) -> Iterator[tuple[str, _Leaf]]:
    while isinstance(node, BoundArray) and node.uniform:
        node = node.elements[0]
    if isinstance(node, BoundRecord):
        yield from _leaves(node, f"{path}.", steps)
    else:
        yield path, (steps, node, None)


def _key(number: int) -> str:
    return f"m{number}"


def _dtype(node: BoundNode) -> Any:
    if isinstance(node, BoundRecord):
        parts = list(_present(node))
        layout: Any = {
            "names": [_key(number) for number, _, _ in parts],
            "formats": [_dtype(inner) for _, _, inner in parts],
            "offsets": [member.offset for _, member, _ in parts],
            "itemsize": node.size,
        }
        return np.dtype(layout)
    if isinstance(node, BoundArray) and node.uniform:
        return np.dtype((_dtype(node.elements[0]), (node.count.evaluate({}),)))
    return _leaf_dtype(node)


def _leaf_dtype(node: BoundNode) -> np.dtype[Any]:
    order = ">" if getattr(node, "order", "little") == "big" else "<"
    match node:
        case BoundInteger(size, signed) if size in _NATIVE:
            return np.dtype(f"{order}{'i' if signed else 'u'}{size}")
        case BoundFloat(size):
            return np.dtype(f"{order}f{size}")
        case BoundWord(size) if size in _NATIVE:
            return np.dtype(f"{order}u{size}")
    return np.dtype((np.uint8, (node.size,)))


def _converted(values: NDArray[Any], node: BoundNode, slot: Any) -> NDArray[Any]:
    match node:
        case BoundInteger(size, signed, order) if size not in _NATIVE:
            return _widened(values, order, signed)
        case BoundWord(size, order):
            word = values if size in _NATIVE else _widened(values, order, False)
            bits: NDArray[Any] = word >> slot.lo & slot.mask
            return bits.astype(bool) if slot.boolean else bits
        case BoundFloat() if not np.isfinite(values).all():
            raise DecodeError("not a finite number")
    return values


def _widened(octets: NDArray[Any], order: str, signed: bool) -> NDArray[Any]:
    """Integers of an odd number of bytes, as int64."""
    size = octets.shape[-1]
    shifts = [8 * (n if order == "little" else size - 1 - n) for n in range(size)]
    total: NDArray[Any] = (octets.astype(np.int64) << np.array(shifts, dtype=np.int64)).sum(axis=-1)
    limit = 1 << (8 * size - 1)
    return np.where(total >= limit, total - 2 * limit, total) if signed else total

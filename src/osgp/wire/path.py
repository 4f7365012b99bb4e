"""Field paths: `name.name[3].name`, `values[2:5]`; resolved to a node, an offset and a count."""

from __future__ import annotations

import re

from osgp.errors import PathError

from .bound import BoundArray, BoundNode, BoundRecord, BoundSlot, BoundWord, Member
from .expr import Const

_STEP = re.compile(
    r"(?P<dot>\.?)(?P<name>[A-Za-z_]\w*)|\[(?P<first>\d{1,9})(?::(?P<last>\d{1,9}))?\]", re.ASCII
)

Step = str | int | slice


def parse(path: str) -> list[Step]:
    """Raises PathError for anything that is no path."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or (match["name"] and bool(match["dot"]) != bool(position)):
            raise PathError(f"{path!r} is no field path (like `name.name[2]`)")
        steps.append(_step(match))
        position = match.end()
    return steps


def _step(match: re.Match[str]) -> Step:
    if match["name"]:
        return match["name"]
    first = int(match["first"])
    return first if match["last"] is None else slice(first, int(match["last"]))


def locate(tree: BoundRecord, path: str, table: str) -> tuple[BoundNode, int, int]:
    """Node, byte offset and byte count of `path` in the image of `tree`.

    Elements that the data counts have places too, if they are alike: those that they have where
    they are there. How many there are, the image says.
    """
    node: BoundNode = tree
    offset = 0
    for step in parse(path):
        node, inner = _enter(node, step, f"{table}.{path}")
        offset += inner
    if node.size is None:
        raise PathError(f"{table}.{path}: its length depends on the data")
    return node, offset, node.size


def _enter(node: BoundNode, step: Step, path: str) -> tuple[BoundNode, int]:
    """One step into a node: the inner node and its offset."""
    if isinstance(step, str) and isinstance(node, BoundRecord):
        return _enter_member(node, step, path)
    if isinstance(node, BoundArray) and not isinstance(step, str):
        first, last = (step, step + 1) if isinstance(step, int) else (step.start, step.stop)
        known = isinstance(node.count, Const)
        most = node.count.value if isinstance(node.count, Const) else node.cap
        if not 0 <= first < last <= most:
            raise PathError(f"{path}: it has {'' if known else 'at most '}{most} elements")
        part, offset = _elements(node, first, last, path)
        return (part.element(0) if isinstance(step, int) else part), offset
    kind = "a field" if isinstance(step, str) else "an element"
    raise PathError(f"{path}: {kind} {_written(step)} is not there")


def _written(step: Step) -> str:
    return f"[{step.start}:{step.stop}]" if isinstance(step, slice) else str(step)


def _enter_member(node: BoundRecord, name: str, path: str) -> tuple[BoundNode, int]:
    member = next((member for member in node.members if name in member.names), None)
    if member is None:
        raise PathError(f"{path}: {node.record.__name__} has no field {name}")
    if member.node is None:
        raise PathError(f"{path}: this device has no {name}")
    if member.offset is None:
        raise PathError(f"{path}: the place of {name} depends on the data")
    if member.when is not None:
        raise PathError(f"{path}: whether {name} is there depends on the data")
    return _named(member, member.node, name), member.offset


def _named(member: Member, node: BoundNode, name: str) -> BoundNode:
    """The node of `name`: the member's own, or one bit field of its word."""
    if not isinstance(node, BoundWord):
        return node
    return BoundSlot(node, node.slots[member.names.index(name)])


def _elements(node: BoundArray, first: int, last: int, path: str) -> tuple[BoundArray, int]:
    """Elements `first` up to `last` as an array of their own, and its offset."""
    before, size = _length(node, 0, first), _length(node, first, last)
    if before is None or size is None:
        raise PathError(f"{path}: its elements vary in length")
    elements = node.elements if node.uniform else node.elements[first:last]
    return BoundArray(elements, Const(last - first), node.cap, size, node.uniform), before


def _length(node: BoundArray, first: int, last: int) -> int | None:
    """Bytes of elements `first` up to `last`; None where the data decides."""
    if node.uniform:
        one = node.elements[0].size
        return None if one is None else one * (last - first)
    sizes = [element.size for element in node.elements[first:last]]
    return None if None in sizes else sum(size or 0 for size in sizes)

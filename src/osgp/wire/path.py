"""Field paths: `name.name[3].name`, `values[2:5]`; resolved to a node, an offset and a count."""

from __future__ import annotations

import re

from osgp.errors import PathError

from .bound import BoundArray, BoundNode, BoundRecord, BoundWord
from .expr import Const

_STEP = re.compile(r"(?:^|\.)(?P<name>[A-Za-z_]\w*)|\[(?P<first>\d+)(?::(?P<last>\d+))?\]")

Step = str | int | slice


def parse(path: str) -> list[Step]:
    """Raises PathError for anything that is no path."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
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
    """Node, byte offset and byte count of `path` in the image of `tree`."""
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
    if isinstance(node, BoundArray) and isinstance(node.count, Const) and not isinstance(step, str):
        return _enter_elements(node, node.count.value, step, path)
    kind = "a field" if isinstance(step, str) else "an element"
    raise PathError(f"{path}: {kind} {step!r} is not there")


def _enter_member(node: BoundRecord, name: str, path: str) -> tuple[BoundNode, int]:
    for member in node.members:
        if name in member.absent or name == member.name:
            if member.node is None:
                raise PathError(f"{path}: this device has no {name}")
            if member.offset is None:
                raise PathError(f"{path}: the place of {name} depends on the data")
            return member.node, member.offset
    raise PathError(f"{path}: {node.record.__name__} has no field {name}")


def _enter_elements(
    node: BoundArray, count: int, step: int | slice, path: str
) -> tuple[BoundNode, int]:
    first, last = (step, step + 1) if isinstance(step, int) else (step.start, step.stop)
    if not 0 <= first < last <= count:
        raise PathError(f"{path}: it has {count} elements")
    sizes = [node.element(n).size for n in range(last)] if not node.uniform else []
    one = node.elements[0].size
    if one is None or None in sizes:
        raise PathError(f"{path}: its elements vary in length")
    offset = one * first if node.uniform else sum(size or 0 for size in sizes[:first])
    if isinstance(step, int):
        return node.element(step), offset
    elements = node.elements if node.uniform else node.elements[first:last]
    total = one * (last - first) if node.uniform else sum(size or 0 for size in sizes[first:])
    return BoundArray(elements, Const(last - first), node.cap, total, node.uniform), offset


def is_word(node: BoundNode) -> bool:
    """Whether a path ended at a bit field: its span is the whole word."""
    return isinstance(node, BoundWord)

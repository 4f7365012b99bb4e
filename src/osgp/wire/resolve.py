"""Where a field is, however it is named.

    clients[1].device_registered     the path in the declaration
    device_registered                a name that only one field has
    30.2                             byte offset and bit, as guides cite fields
    ET50.30.2                        any of these behind the table's name

Only the bound layout is asked: an offset is one in this device's image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from osgp.errors import PathError

from .bound import (
    BoundArray,
    BoundBytes,
    BoundNode,
    BoundRecord,
    BoundSlot,
    BoundWord,
    Member,
    Slot,
)
from .expr import Const
from .layout import Layout
from .path import locate, parse

_OFFSET = re.compile(r"(?P<byte>\d+)(?:\.(?P<bit>\d+))?")
_MOST_NAMED = 3
"""Candidates that an error lists."""


class Resolved(msgspec.Struct, frozen=True):
    """A field: `path` for `Layout.part`, its bytes, and its bits within them.

    `bits` (lo, hi) count from bit 0 of the field's bytes, least significant first; None: all of
    them. `names` are the bit fields of a byte that was named by its offset alone.
    """

    path: str
    offset: int
    size: int
    bits: tuple[int, int] | None = None
    names: tuple[str, ...] = ()


def resolve(layout: Layout[Any], text: str) -> Resolved:
    """The field that `text` names. Raises PathError, which says what there is instead."""
    text = _without_table(layout.name, text.strip())
    number = _OFFSET.fullmatch(text)
    if number:
        bit = None if number["bit"] is None else int(number["bit"])
        return _by_offset(layout, int(number["byte"]), bit)
    path = _spelled(text)
    steps = parse(path)
    if not steps:
        raise PathError(f"{layout.name}: no field is named")
    try:
        return _by_path(layout, path)
    except PathError as error:
        return _by_name(layout, path, error)


def _without_table(table: str, text: str) -> str:
    first, dot, rest = text.partition(".")
    return rest if dot and first.casefold() == table.casefold() else text


def _spelled(text: str) -> str:
    """`Device Registered` as declarations write it."""
    return re.sub(r"[\s-]+", "_", text).lower()


def _by_path(layout: Layout[Any], path: str) -> Resolved:
    node, offset, size = locate(layout.tree, path, layout.name)
    bits = (node.slot.lo, node.slot.hi) if isinstance(node, BoundSlot) else None
    return Resolved(path, offset, size, bits)


def _by_name(layout: Layout[Any], path: str, reason: PathError) -> Resolved:
    """The only field whose path ends in `path`; indices of single elements may be left out."""
    wanted = re.sub(r"\[[^]]*\]$", "", path)
    names, tail = _names(wanted), path[len(wanted) :]
    found = [whole for whole in _paths(layout.tree, "") if _names(whole)[-len(names) :] == names]
    if not found:
        raise reason
    matches = [whole for whole in found if _agrees(whole, wanted)]
    if len(found) > 1 and len(matches) != 1:
        shown = ", ".join(found[:_MOST_NAMED]) + (", …" if len(found) > _MOST_NAMED else "")
        raise PathError(f"{layout.name} has several fields {path}: {shown}")
    whole = (matches or found)[0]
    if "[*]" in whole:
        raise PathError(f"{layout.name}.{whole}: say which element")
    return _by_path(layout, whole + tail)


def _names(path: str) -> list[str]:
    return re.sub(r"\[[^]]*\]", "", path).split(".")


def _agrees(whole: str, path: str) -> bool:
    """Whether the indices that `path` gives are those of `whole`, where that has them."""
    pattern = re.escape(path).replace(r"\.", r"(?:\[0\])?\.")
    return re.search(rf"(?:^|\.){pattern}$", whole) is not None


def _paths(node: BoundRecord, prefix: str) -> Iterator[str]:
    """Paths of all fields; `[*]` stands for the index in arrays that have several elements."""
    for member in node.members:
        if member.node is None:
            continue
        if isinstance(member.node, BoundWord):
            yield from (prefix + slot.name for slot in _named(member.node))
        else:
            yield prefix + member.name
            yield from _inner_paths(member.node, prefix + member.name)


def _inner_paths(node: BoundNode, path: str) -> Iterator[str]:
    if isinstance(node, BoundRecord):
        yield from _paths(node, f"{path}.")
    elif isinstance(node, BoundArray) and node.elements:
        single = isinstance(node.count, Const) and node.count.value == 1
        yield from _inner_paths(node.elements[0], f"{path}[{'0' if single else '*'}]")


def _by_offset(layout: Layout[Any], byte: int, bit: int | None) -> Resolved:
    size = layout.size
    if size is not None and byte >= size:
        raise PathError(f"{layout.name} has {size} bytes, no byte {byte}")
    path, node, start = _descend(layout.tree, byte, layout.name)
    where = f"{layout.name}.{path}"
    if isinstance(node, BoundWord):
        return _in_word(node, path, start, byte, bit, where)
    if isinstance(node, BoundBytes):
        return _in_bytes(node, path, start, byte, bit, where)
    if bit is not None:
        raise PathError(f"{where} (offset {start}) is no bit field")
    if byte != start:
        raise PathError(f"byte {byte} is inside {where} (offset {start}, {node.size} bytes)")
    return Resolved(path, start, node.size or 0)


def _descend(tree: BoundRecord, byte: int, table: str) -> tuple[str, BoundNode, int]:
    """Path, node and offset of the innermost field that holds a byte."""
    path, node, start = "", tree, 0
    inner: BoundNode = node
    while isinstance(inner, BoundRecord | BoundArray):
        if isinstance(inner, BoundRecord):
            member = _member_at(inner, byte - start, f"{table}.{path}".rstrip("."))
            assert member.node is not None and member.offset is not None
            start, inner = start + member.offset, member.node
            path += ("." if path else "") + _named_first(member, inner)
        else:
            index, before = _element_at(inner, byte - start, f"{table}.{path}")
            path, start, inner = f"{path}[{index}]", start + before, inner.element(index)
    return path, inner, start


def _named_first(member: Member, node: BoundNode) -> str:
    """Name of a member; of a word, that of its first bit field that has one."""
    if isinstance(node, BoundWord):
        return next((slot.name for slot in _named(node)), member.name)
    return member.name


def _named(word: BoundWord) -> list[Slot]:
    return [slot for slot in word.slots if not slot.name.startswith("_fill")]


def _member_at(node: BoundRecord, byte: int, where: str) -> Member:
    for member in node.members:
        if member.node is None:
            continue
        if member.offset is None or member.when is not None or byte < member.offset:
            break
        if member.node.size is None and not isinstance(member.node, BoundRecord):
            break
        if member.node.size is None or byte < member.offset + member.node.size:
            return member
    raise PathError(f"{where}: what stands at byte {byte} depends on the data")


def _element_at(node: BoundArray, byte: int, where: str) -> tuple[int, int]:
    """Index of the element that holds a byte, and the bytes in front of it."""
    first = node.elements[0].size
    if node.uniform and first:
        return byte // first, byte // first * first
    before = 0
    for index, element in enumerate(node.elements):
        size = element.size or 0
        if byte < before + size:
            return index, before
        before += size
    raise PathError(f"{where}: its elements vary in length")


def _in_word(
    node: BoundWord, path: str, start: int, byte: int, bit: int | None, where: str
) -> Resolved:
    if bit is None:
        names = tuple(slot.name for slot in _named(node))
        return Resolved(path, start, node.size, None, names)
    prefix = path[: path.rfind(".") + 1]
    first = byte - start if node.order == "little" else start + node.size - 1 - byte
    position = 8 * first + bit
    for slot in _named(node):
        if slot.lo <= position <= slot.hi:
            return Resolved(prefix + slot.name, start, node.size, (slot.lo, slot.hi))
    raise PathError(f"{where}: bit {bit} of byte {byte} has no meaning")


def _in_bytes(
    node: BoundBytes, path: str, start: int, byte: int, bit: int | None, where: str
) -> Resolved:
    size = node.size or 0
    if bit is None:
        return Resolved(path, start, size) if byte == start else Resolved(path, byte, 1)
    position = 8 * (byte - start) + bit
    if node.form != "set" or position >= 8 * size:
        raise PathError(f"{where} (offset {start}) is no bit field")
    return Resolved(path, start, size, (position, position))
